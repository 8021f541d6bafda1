"""What looks at modules from outside sees what they compute, also where a CPU computes several as one."""

import copy

import pytest
import torch
import torch.nn as nn
from torch.nn.utils import parametrize, prune

from mmdualformer.models import VideoMobileFormer
from tests.helpers import randomize_norms


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    model = VideoMobileFormer(
        dict(dim=8, num_blocks=(1, 2), expansion=2.0, temporal_strides=(2, 1, 1)), conv_type='(2+1)d', out_indices=(1,)
    )
    randomize_norms(model)
    return model.eval()


CLIP = torch.rand(1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))


def watch(model: nn.Module) -> tuple[dict, list]:
    """Keep what each module puts out."""
    seen = {}
    names = {module: name for name, module in model.named_modules()}

    def keep(module, args, output) -> None:
        seen[names[module]] = output

    return seen, [module.register_forward_hook(keep) for module in names]


def test_hooks_see_each_module_in_inference(model):
    with torch.no_grad():
        unwatched = model(CLIP)[0]
    seen, handles = watch(model)
    with torch.no_grad():
        model(CLIP)
    inference = dict(seen)
    seen.clear()
    model(CLIP)  # with gradients nothing is folded or overwritten
    convs_and_norms = [name for name, part in model.named_modules() if isinstance(part, nn.Conv3d | nn.BatchNorm3d)]
    assert len(convs_and_norms) > 20 and set(convs_and_norms) <= inference.keys()
    assert inference.keys() == seen.keys()
    for name, output in inference.items():
        for ours, expected in zip(*((value,) if torch.is_tensor(value) else value for value in (output, seen[name]))):
            torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4, msg=name)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        torch.testing.assert_close(model(CLIP)[0], unwatched, atol=0, rtol=0)
        torch.testing.assert_close(inference[''][0], unwatched, atol=1e-4, rtol=1e-4)


def test_hooks_on_all_modules_are_called_too(model):
    called = set()
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, output: called.add(module))
    try:
        with torch.no_grad():
            model(CLIP)
    finally:
        handle.remove()
    assert {part for part in model.modules() if isinstance(part, nn.Conv3d)} <= called


def test_pruned_weights_are_those_that_are_used(model):
    conv = model.stages[0][0].mobile.depthwise.conv.temporal
    expected = copy.deepcopy(model)
    prune.l1_unstructured(conv, 'weight', 0.5)
    other = expected.stages[0][0].mobile.depthwise.conv.temporal
    with torch.no_grad():
        conv.weight_orig.mul_(2)  # as a step of training does
        other.weight.mul_(2).mul_(conv.weight_mask)
        torch.testing.assert_close(model(CLIP)[0], expected(CLIP)[0], atol=1e-5, rtol=1e-5)


def test_parametrized_weights_are_those_that_are_used(model):
    class Doubled(nn.Module):
        def forward(self, weight):
            return 2 * weight

    expected = copy.deepcopy(model)
    conv = model.stages[0][0].mobile.expand.conv
    parametrize.register_parametrization(conv, 'weight', Doubled())
    with torch.no_grad():
        expected.stages[0][0].mobile.expand.conv.weight.mul_(2)
        torch.testing.assert_close(model(CLIP)[0], expected(CLIP)[0], atol=1e-5, rtol=1e-5)
