import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmcv.cnn.bricks import DropPath
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.errors import UserError
from mmdualformer.models import TokenTeacher
from tests.helpers import REPO

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


@pytest.fixture
def teacher(tmp_path) -> dict:
    """A teacher of the quick start's size with other means, and a checkpoint of it."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(CONFIG)
    cfg.model.data_preprocessor.update(mean=[100.0, 90.0, 80.0], std=[50.0, 60.0, 70.0])
    path = tmp_path / 'teacher.py'
    cfg.dump(path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'teacher.pth')
    return dict(config=str(path), checkpoint=str(tmp_path / 'teacher.pth'))


def build(teacher: dict | None):
    cfg = Config.fromfile(CONFIG).model
    cfg.update(type='TokenLabelRecognizer3D', teacher=teacher)
    cfg.cls_head.type = 'TokenLabelHead'
    torch.manual_seed(1)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def batch(size=(18, 32, 32)) -> dict:
    torch.manual_seed(2)
    clips = [torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(i) for i in range(2)])


def test_the_teacher_classifies_every_token_of_what_it_would_see_itself(teacher):
    """Its own means, from pixels; and as its head is linear, its tokens' logits average to those of the clip."""
    student = build(teacher)
    data = student.data_preprocessor(batch())
    student(**data, mode='loss')
    reference = student.teacher.model
    clips = reference.data_preprocessor(batch())['inputs']
    maps, _ = reference.extract_feat(clips, test_mode=True)
    for sample, expected, tokens in zip(data['data_samples'], reference.cls_head(maps), maps):
        logits = sample.token_logits
        torch.testing.assert_close(logits.mean((1, 2, 3)), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            logits[:, 2, 0, 1], reference.cls_head.fc_cls(tokens[:, 2, 0, 1]), rtol=1e-4, atol=1e-5
        )
    assert not reference.training


def test_the_teacher_is_no_part_of_the_student(teacher):
    student = build(teacher)
    losses = student(**student.data_preprocessor(batch()), mode='loss')
    assert set(losses) >= {'loss_cls', 'loss_token'}
    (losses['loss_cls'] + losses['loss_token']).backward()
    assert all(p.grad is not None for p in student.parameters())
    assert all(p.grad is None and not p.requires_grad for p in student.teacher.model.parameters())
    assert not [name for name in student.state_dict() if 'teacher' in name]
    plain = build(None)
    assert student.state_dict().keys() == plain.state_dict().keys()
    copy.deepcopy(student)


def test_a_teacher_in_train_mode_labels_by_dropout_and_the_batch(teacher):
    """As in the released code, whose teacher is a module of the student; nothing of stochastic depth is dropped."""
    torch.manual_seed(0)
    pixels = 255 * torch.rand(2, 3, 18, 32, 32)
    steady, noisy = (TokenTeacher(**teacher, train_mode=mode) for mode in (False, True))
    torch.testing.assert_close(steady(pixels), steady(pixels))
    noisy.model.cls_head.dropout = torch.nn.Dropout(0.5)  # the quick start's model has none
    assert (noisy(pixels) - noisy(pixels)).abs().max() > 0
    assert noisy.model.training and not any(p.requires_grad for p in noisy.model.parameters())
    assert not any(module.training for module in noisy.model.modules() if isinstance(module, DropPath))


def test_prediction_needs_no_teacher(teacher):
    student = build(None)
    missing = {**teacher, 'checkpoint': 'no.pth'}
    cfg = Config.fromfile(CONFIG).model
    cfg.update(type='TokenLabelRecognizer3D', teacher=missing)
    cfg.cls_head.type = 'TokenLabelHead'
    model = MODELS.build(cfg)
    model.load_state_dict(student.state_dict())
    for given, expected in zip(model.eval().test_step(batch()), student.eval().test_step(batch())):
        torch.testing.assert_close(given.pred_score, expected.pred_score)


def test_clips_of_other_sizes_and_precision(teacher):
    student = build(teacher)
    data = batch()
    data['inputs'][1] = data['inputs'][1][..., :12, :, :]
    losses = student(**student.data_preprocessor(data), mode='loss')
    with torch.autocast('cpu', torch.bfloat16):
        mixed = student(**student.data_preprocessor(data), mode='loss')
    torch.testing.assert_close(mixed['loss_token'], losses['loss_token'], rtol=0.05, atol=0, check_dtype=False)


def test_a_teacher_that_cannot_be_loaded_is_one_line_before_training(teacher):
    for change, message in (
        (dict(checkpoint='no.pth'), r"model\.teacher\.checkpoint: checkpoint 'no\.pth' does not"),
        (dict(checkpoint=5), r'teacher\.checkpoint=5 must be a string'),
        (dict(weights=''), 'must be a dict with config, checkpoint and train_mode or None'),
        (dict(config='no.py'), r"model\.teacher\.config='no\.py' does not exist"),
        (dict(config=str(REPO / 'configs/dualformer_t_k400.py')), 'of another architecture'),
    ):
        with pytest.raises(UserError, match=message) as error:
            build({**teacher, **change})
        assert '\n' not in str(error.value)


def test_a_teacher_may_be_a_config_of_the_package_but_needs_a_map(teacher, tmp_path):
    assert TokenTeacher('mmdualformer::dualformer_micro_motion.py', teacher['checkpoint']).num_classes == 8
    config = REPO / 'configs/vidtr_micro_motion.py'
    torch.save(MODELS.build(Config.fromfile(config).model).state_dict(), tmp_path / 'vidtr.pth')
    with pytest.raises(UserError, match='has a VidTr, whose output is not one map'):
        TokenTeacher(str(config), str(tmp_path / 'vidtr.pth'))(torch.zeros(1, 3, 9, 32, 32))


def test_a_teacher_of_other_classes_is_refused(teacher, tmp_path):
    cfg = Config.fromfile(teacher['config'])
    cfg.model.cls_head.num_classes = 5
    cfg.dump(tmp_path / 'five.py')
    torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'five.pth')
    with pytest.raises(UserError, match=r'has 5 classes, the student 8'):
        build(dict(config=str(tmp_path / 'five.py'), checkpoint=str(tmp_path / 'five.pth')))
