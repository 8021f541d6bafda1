import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmdualformer.analysis import clip_shape
from tests.helpers import REPO

MICRO = ['dualformer_micro', 'vidtr_micro', 'vmf_micro']


@pytest.mark.parametrize('name', MICRO)
def test_a_pretraining_is_of_the_model_that_own_videos_are_trained_with(name):
    pretraining = Config.fromfile(REPO / f'configs/pretraining/{name}_scenes.py').model
    training = Config.fromfile(REPO / f'configs/own_videos/{name}.py').model
    init_default_scope('mmaction')
    shapes = [
        {key: value.shape for key, value in MODELS.build(model.backbone).state_dict().items()}
        for model in (pretraining, training)
    ]
    assert shapes[0] == shapes[1]
    for backbone in (pretraining.backbone, training.backbone):  # the neck takes more of it
        backbone.pop('out_indices', None)
        backbone.pop('output_maps', None)
    assert pretraining.backbone == training.backbone
    differ = {key for key, value in pretraining.cls_head.items() if training.cls_head.get(key) != value}
    assert differ == {'num_classes', 'dropout_ratio', 'average_clips', 'loss_cls'}


@pytest.mark.parametrize('name', MICRO)
def test_it_classifies_what_its_pipelines_make_of_a_wide_video(name, clip_file):
    cfg = Config.fromfile(REPO / f'configs/own_videos/{name}.py')
    init_default_scope('mmaction')
    model = MODELS.build(cfg.model).eval()
    assert clip_shape(cfg) == (1, 3, 16, 64, 64)
    for pipeline in (cfg.train_pipeline, cfg.test_pipeline):
        data = Compose(pipeline)(dict(filename=clip_file, label=1, start_index=0, modality='RGB'))
        assert data['inputs'].shape == (1, 3, 16, 64, 64)
        with torch.no_grad():
            scores = model(data['inputs'][None].float(), mode='tensor')
        assert model.cls_head(scores).shape == (1, 2)
