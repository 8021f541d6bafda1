"""``--dtype`` of the command that tests."""

import pickle

import pytest
import torch
from mmaction.apis import init_recognizer

from tests.helpers import REPO


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
    stays = 'VideoMobileFormer is slower in bfloat16 than in float32 on a CPU' in result.stderr
    assert stays == (family == 'vmf')
    assert difference == 0 if stays else 0 < difference < 0.05
