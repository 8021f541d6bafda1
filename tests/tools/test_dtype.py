"""``--dtype`` of the commands that test and fit."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer

from mmdualformer import Recognizer
from tests.helpers import REPO

STAYS = 'VideoMobileFormer is slower in bfloat16 than in float32 on a CPU'


@pytest.mark.parametrize('family', ['dualformer', 'vmf'])
def test_scores_are_near(fork_tool, data_options, tmp_path, family):
    config = REPO / f'configs/{family}_micro_motion.py'
    torch.manual_seed(0)
    torch.save(dict(state_dict=init_recognizer(str(config), device='cpu').state_dict()), tmp_path / 'model.pth')
    scores = {}
    for dtype in ('float32', 'bfloat16'):
        result = fork_tool(
            'tools/test.py', config, 'model.pth', '--dtype', dtype, '--dump', f'{dtype}.pkl', '--work-dir', 'work',
            '--cfg-options', *data_options,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert 'acc/top1' in result.stdout + result.stderr
        samples = pickle.loads((tmp_path / f'{dtype}.pkl').read_bytes())
        scores[dtype] = torch.stack([sample['pred_score'] for sample in samples])
    assert scores['bfloat16'].dtype == torch.float32
    difference = (scores['bfloat16'] - scores['float32']).abs().max().item()
    stays = STAYS in result.stderr
    assert stays == (family == 'vmf')
    assert difference == 0 if stays else 0 < difference < 0.05


@pytest.mark.parametrize('family', ['dualformer', 'vmf'])
def test_fit_trains_in_it(fork_tool, forked_tools, folder, clip_file, tmp_path, family):
    result = fork_tool(
        'tools/fit.py', folder, '--model', REPO / f'configs/{family}_micro_motion.py', '--dtype', 'bfloat16',
        '--epochs', 1, '--batch-size', 2, '--workers', 0, '--work-dir', 'work', '--no-flip',
    )  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    stays = family == 'vmf'
    assert output.count(STAYS) == stays
    recognizer = Recognizer(tmp_path / 'work/epoch_1.pth', device='cpu')
    assert {parameter.dtype for parameter in recognizer.scorer.model.parameters()} == {torch.float32}
    assert recognizer(clip_file).name in ('jump', 'swim')

    options = ('--no-validate', '--cfg-options', 'optim_wrapper.dtype=float32')
    result = fork_tool('tools/train.py', 'work/config.py', '--work-dir', 'float32', *options)
    assert result.returncode == 0, result.stderr
    losses, others = read_losses(tmp_path / 'work'), read_losses(tmp_path / 'float32')
    assert losses == pytest.approx(others, rel=0.05)
    assert (losses == others) == stays


def read_losses(work_dir: Path) -> list[float]:
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    return [line['loss'] for line in map(json.loads, log.read_text().splitlines()) if 'loss' in line]
