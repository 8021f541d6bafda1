"""MMAction2's own interfaces, unchanged, on an encoded clip."""

import runpy
import sys
from pathlib import Path

import mmaction
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer
from mmengine.runner import save_checkpoint

CONFIG = Path(__file__).parents[1] / 'configs/dualformer_micro_motion.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    torch.manual_seed(0)
    path = str(tmp_path_factory.mktemp('checkpoint') / 'model.pth')
    save_checkpoint(dict(state_dict=init_recognizer(str(CONFIG), device='cpu').state_dict()), path)
    return path


def test_inference_recognizer(checkpoint, clip_file):
    model = init_recognizer(str(CONFIG), checkpoint, device='cpu')
    result = inference_recognizer(model, clip_file)
    assert result.pred_score.shape == (8, )
    assert result.pred_score.sum().item() == pytest.approx(1, abs=1e-5)
    assert result.pred_label.item() == result.pred_score.argmax().item()


def test_the_inferencer_gives_the_same_scores(checkpoint, clip_file, motion_root):
    model = init_recognizer(str(CONFIG), checkpoint, device='cpu')
    expected = inference_recognizer(model, clip_file).pred_score
    inferencer = ActionRecogInferencer(
        str(CONFIG), checkpoint, device='cpu', label_file=str(motion_root / 'classes.txt'))
    prediction = inferencer(clip_file)['predictions'][0]
    torch.testing.assert_close(torch.tensor(prediction['pred_scores']), expected, atol=1e-5, rtol=0)


def test_mmactions_own_train_and_test_tools(motion_root, data_options, tmp_path, monkeypatch):
    """They know of us through the config's custom_imports alone, which another test shows in a fresh process."""
    tools = Path(mmaction.__file__).parent / '.mim' / 'tools'
    work_dir = tmp_path / 'work'
    monkeypatch.setattr(sys, 'argv', ['train.py', str(CONFIG), '--work-dir', str(work_dir), '--cfg-options',
                                      *data_options])
    runpy.run_path(str(tools / 'train.py'), run_name='__main__')
    best = next(work_dir.glob('best_acc_top1_epoch_1.pth'))
    monkeypatch.setattr(sys, 'argv', ['test.py', str(CONFIG), str(best), '--work-dir', str(work_dir), '--cfg-options',
                                      *data_options])
    runpy.run_path(str(tools / 'test.py'), run_name='__main__')
    assert list(work_dir.glob('*/*.json'))
