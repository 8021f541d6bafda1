import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.checkpoints.motion import FOLDER, LAST_LAYER, NECK, find_motion_weights
from mmdualformer.weights import read_file
from tests.helpers import REPO, assert_one_line


def test_a_pretraining_ends_in_weights_to_start_from(run_tool, tmp_path):
    options = ('train_dataloader.dataset.num_clips=8', 'val_dataloader.dataset.num_clips=4')
    loaders = [f'{part}_dataloader.{key}' for part in ('train', 'val') for key in ('num_workers=0', 'batch_size=4')]
    loaders += ['train_dataloader.persistent_workers=False', 'val_dataloader.persistent_workers=False']
    result = run_tool(
        'tools/pretrain.py', '--motion', '--model', 'vidtr_micro', '--epochs', 1, '--cfg-options', *options, *loaders
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'motion/object_r2' in result.stdout + result.stderr
    path = tmp_path / 'work_dirs/pretrain_vidtr_micro/vidtr_micro.safetensors'
    assert f'--model vidtr_micro --checkpoint {path.relative_to(tmp_path)}' in result.stdout
    weights, checkpoint = read_file(str(path))['state_dict'], tmp_path / 'work_dirs/pretrain_vidtr_micro/epoch_1.pth'
    trained = torch.load(checkpoint, weights_only=True)['state_dict']
    left_out = trained.keys() - weights.keys()
    assert {name for name in left_out if not name.startswith(NECK)} == {LAST_LAYER + 'weight', LAST_LAYER + 'bias'}
    assert left_out >= {f'{NECK}branches.{i}.1.weight' for i in range(4)}
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor.float(), trained[name].float(), rtol=1e-3, atol=1e-6)


def test_what_cannot_be_pretrained_is_one_line(fork_tool):
    assert_one_line(fork_tool('tools/pretrain.py'), '--motion', status=2)
    assert_one_line(fork_tool('tools/pretrain.py', '--motion', '--model', 'vmf_1g'), "'vmf_1g'", 'vmf_micro', status=2)
    assert_one_line(fork_tool('tools/pretrain.py', '--motion', '--out', 'a.pth'), "--out 'a.pth' must end in")


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.safetensors')), ids=lambda path: path.stem)
def test_the_weights_in_the_package_are_those_of_their_model(path):
    assert path.stat().st_size < 1e6 and find_motion_weights(path.stem) == path
    content = read_file(str(path))
    assert content['meta']['pretrained_on'] == 'drawn motion'
    init_default_scope('mmaction')
    model = MODELS.build(Config.fromfile(REPO / f'configs/own_videos/{path.stem}.py').model)
    own = model.state_dict()
    assert own.keys() - content['state_dict'].keys() == {LAST_LAYER + 'weight', LAST_LAYER + 'bias'}
    assert all(own[name].shape == tensor.shape for name, tensor in content['state_dict'].items())
