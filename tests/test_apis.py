"""MMAction2's own interfaces, unchanged, on an encoded clip."""

from pathlib import Path

import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer
from mmaction.utils import GradCAM
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
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
    assert result.pred_score.shape == (8,)
    assert result.pred_score.sum().item() == pytest.approx(1, abs=1e-5)
    assert result.pred_label.item() == result.pred_score.argmax().item()


def test_the_inferencer_gives_the_same_scores(checkpoint, clip_file, motion_root):
    model = init_recognizer(str(CONFIG), checkpoint, device='cpu')
    expected = inference_recognizer(model, clip_file).pred_score
    inferencer = ActionRecogInferencer(
        str(CONFIG), checkpoint, device='cpu', label_file=str(motion_root / 'label_map.txt')
    )
    prediction = inferencer(clip_file)['predictions'][0]
    torch.testing.assert_close(torch.tensor(prediction['pred_scores']), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ('family', 'layer'), [('dualformer', 'backbone'), ('mobile3d', 'backbone'), ('vmf', 'cls_head/expand')]
)
def test_grad_cam_over_two_views(family, layer, clip_file):
    cfg = Config.fromfile(CONFIG.with_name(f'{family}_micro_motion.py'))
    sampling = next(step for step in cfg.test_pipeline if step.type == 'SampleFrames')
    sampling.update(clip_len=9, num_clips=2)
    torch.manual_seed(0)
    model = init_recognizer(cfg, device='cpu')
    sample = Compose(cfg.test_pipeline)(dict(filename=clip_file, label=-1, start_index=0, modality='RGB'))
    maps, scores = GradCAM(model, layer)(pseudo_collate([sample]), alpha=1)
    assert maps.shape == (2, 9, 32, 32, 3) and scores.shape == (1, 8)
    assert (maps.flatten(1, 3).std(dim=1) > 0).all()  # over a view's places
