import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmdualformer.datasets.own_videos import Video, write_training_lists
from mmdualformer.finetuning import check_finetuning, finetuning_config
from tests.helpers import REPO


@pytest.fixture
def lists(motion_root, tmp_path):
    videos = [
        Video(path, labels)
        for path, labels in zip(sorted(motion_root.glob('videos_train/*.mp4')), [(0, 2), (1,), (), (0,)])
    ]
    write_training_lists(tmp_path / 'lists', ['a', 'b', 'c'], videos, videos[:2], videos[2:])
    return tmp_path / 'lists'


@pytest.mark.parametrize('model', ['dualformer', 'vidtr', 'vmf'])
def test_a_model_learns_several_labels(lists, model):
    config = Config.fromfile(REPO / f'configs/{model}_micro_motion.py')
    before = config.pretty_text
    cfg = finetuning_config(config, lists, epochs=1, checkpoint=None, num_workers=0, multi_label=True)
    assert config.pretty_text == before  # each fold starts from it
    init_default_scope('mmaction')
    data = DATASETS.build(cfg.train_dataloader.dataset)
    assert data[0]['data_samples'].gt_label.tolist() == [1, 0, 1] and data[2]['data_samples'].gt_label.sum() == 0
    built = MODELS.build(cfg.model).train()
    losses = built(**built.data_preprocessor(pseudo_collate([data[0], data[2]]), training=True), mode='loss')
    assert 0.5 < losses['loss_cls'] < 2  # about log 2, the binary cross-entropy of each class
    assert cfg.val_evaluator == cfg.test_evaluator == dict(type='RobustAccMetric', metric_list='mean_average_precision')


def test_a_model_of_several_labels_learns_one(lists):
    path = REPO / 'configs/vidtr_l_charades.py'
    cfg = Config.fromfile(path)
    check_finetuning(cfg, str(path), None)
    several = finetuning_config(cfg, lists, epochs=1, checkpoint=None, num_workers=0, multi_label=True)
    assert several.model.cls_head.num_classes == 3 and several.train_dataloader.dataset.multi_class
    one = finetuning_config(cfg, lists, epochs=1, checkpoint=None, num_workers=0)
    assert one.model.cls_head.loss_cls.type == 'CrossEntropyLoss' and not one.model.cls_head.multi_class
    assert one.model.cls_head.average_clips == 'prob' and 'metric_list' not in one.test_evaluator
    assert 'multi_class' not in one.train_dataloader.dataset
