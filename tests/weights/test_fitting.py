import types
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.nn as nn

from mmdualformer.errors import UserError
from mmdualformer.weights import check_checkpoint, hand_over, load_checked


def save(path: Path, state_dict: dict) -> str:
    torch.save(dict(state_dict=state_dict), path)
    return str(path)


def test_a_fitting_one_passes_and_may_hold_more(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3))
    check_checkpoint(model, save(tmp_path / 'a.pth', dict(model.state_dict(), teacher=torch.ones(1))))
    parallel = {f'module.{name}': value for name, value in model.state_dict().items()}
    check_checkpoint(model, save(tmp_path / 'b.pth', parallel))


def test_other_architectures_are_refused(tmp_path):
    path = save(tmp_path / 'a.pth', nn.Sequential(nn.Linear(2, 3)).state_dict())
    with pytest.raises(UserError, match=r'1 have other shapes, first 0\.weight: \(3, 2\) in the file, \(3, 5\)'):
        check_checkpoint(nn.Sequential(nn.Linear(5, 3)), path)
    with pytest.raises(UserError, match=r'2 of 4 tensors are missing, first 1\.weight'):
        check_checkpoint(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3)), path)
    path = save(tmp_path / 'b.pth', {'weight': torch.ones(3, 2), 'bias': 5})
    with pytest.raises(UserError, match='1 of 2 tensors are missing, first bias'):
        check_checkpoint(nn.Linear(2, 3), path)


def test_a_new_head_is_allowed_where_only_the_backbone_must_fit(tmp_path):
    model = nn.ModuleDict(dict(backbone=nn.Linear(2, 3), cls_head=nn.Linear(3, 4)))
    path = save(tmp_path / 'a.pth', model.state_dict())
    model['cls_head'] = nn.Linear(3, 7)
    check_checkpoint(model, path, prefix='backbone.')
    with pytest.raises(UserError, match='cls_head'):
        check_checkpoint(model, path)


def test_files_without_weights_or_state_of_training(tmp_path):
    model = nn.Linear(1, 1)
    torch.save(dict(meta=None, state_dict=model.state_dict()), tmp_path / 'bare.pth')
    check_checkpoint(model, str(tmp_path / 'bare.pth'))
    torch.save(dict(state_dict=None), tmp_path / 'none.pth')
    with pytest.raises(UserError, match='holds a NoneType, not weights by name'):
        check_checkpoint(model, str(tmp_path / 'none.pth'))
    path = save(tmp_path / 'weights.pth', model.state_dict())
    with pytest.raises(UserError, match=r'no state of training to go on from; .* load_from='):
        check_checkpoint(model, path, resume=True)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(UserError, match='does not exist'):
        check_checkpoint(nn.Linear(1, 1), str(tmp_path / 'no.pth'))
    (tmp_path / 'text.pth').write_text('not a checkpoint')
    with pytest.raises(UserError, match='cannot be loaded') as error:
        check_checkpoint(nn.Linear(1, 1), str(tmp_path / 'text.pth'))
    assert '\n' not in str(error.value)


def test_what_fits_is_loaded_and_says_what_it_is(tmp_path):
    saved, model = nn.Linear(2, 3), nn.Linear(2, 3)
    torch.save(dict(meta=dict(dataset_meta=dict(classes=['ant'])), state_dict=saved.state_dict()), tmp_path / 'a.pth')
    assert load_checked(model, str(tmp_path / 'a.pth')) == dict(dataset_meta=dict(classes=['ant']))
    assert all(torch.equal(model.state_dict()[name], value) for name, value in saved.state_dict().items())
    torch.save(saved.state_dict(), tmp_path / 'bare.pth')
    assert load_checked(nn.Linear(2, 3), str(tmp_path / 'bare.pth')) == {}


@pytest.mark.parametrize(
    ('error', 'seen'),
    [
        (torch.OutOfMemoryError('full'), torch.OutOfMemoryError),
        (torch.distributed.DistError('gone'), torch.distributed.DistError),
        (OSError('disk'), OSError),
        (RuntimeError('shape'), UserError),
    ],
)
def test_faults_of_the_machine_are_not_those_of_the_file(error, seen):
    class Resuming:
        optim_wrapper = types.SimpleNamespace(optimizer=torch.optim.SGD([torch.zeros(1)]))
        param_schedulers = None

        def resume(self, filename):
            raise error

    runner = Resuming()
    hand_over(runner, {}, 'a.pth')
    with pytest.raises(seen):
        runner.resume('a.pth')
