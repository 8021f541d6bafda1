"""The models as one graph: torch.compile and torch.export, for batches, lengths and sizes that vary."""

from collections.abc import Callable

import pytest
import torch
import torch.nn as nn
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch.export import Dim

from mmdualformer.models import DualFormer, VideoMobileFormer, VidTr

BUILDERS: dict[str, Callable[..., nn.Module]] = dict(
    dualformer=lambda **settings: DualFormer(
        dict(embed_dims=(8,), num_blocks=(1,), num_heads=(1,)),
        clip_size=(4, 32, 32),
        temporal_strides=(),
        block_types=('LG',),
        window_size=(2, 4, 4),
        fine_sizes=('auto',),
        coarse_sizes=((2, 2, 2),),
        out_indices=(0,),
        **settings,
    ),
    vidtr=lambda **settings: VidTr(
        dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32), clip_size=(4, 32, 32), **settings
    ),
    vmf=lambda **settings: VideoMobileFormer(
        dict(dim=8, num_blocks=(1,), expansion=2.0, temporal_strides=(2, 1)), out_indices=(0,), **settings
    ),
)
CLIP = (2, 3, 4, 32, 32)
OTHERS = dict(batch=(3, 3, 4, 32, 32), time=(2, 3, 6, 32, 32), space=(2, 3, 4, 48, 40))


def build(name: str, **settings) -> nn.Module:
    torch.manual_seed(0)
    torch._dynamo.reset()
    return BUILDERS[name](**settings)


def mean(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.stack([output.mean() for output in outputs]).sum()


@pytest.mark.parametrize('name', BUILDERS)
def test_a_training_step_that_recomputes_is_one_graph(name):
    model = build(name, with_cp=True).train()
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    mean(compiled(torch.rand(CLIP))).backward()
    assert any(parameter.grad.abs().max() > 0 for parameter in model.parameters() if parameter.grad is not None)


@pytest.mark.parametrize('is_training', [False, True])
@pytest.mark.parametrize('name', BUILDERS)
def test_an_export_takes_batches_of_any_size(name, is_training):
    model = build(name).train(is_training)
    with torch.set_grad_enabled(is_training):
        program = torch.export.export(model, (torch.rand(CLIP),), dynamic_shapes=({0: Dim.DYNAMIC},)).module()
        other = torch.rand(OTHERS['batch'])
        outputs = mean(program(other))
        if not is_training:  # which draws what it drops
            torch.testing.assert_close(outputs, mean(model(other)))


@pytest.mark.slow
@pytest.mark.parametrize('varied', OTHERS)
@pytest.mark.parametrize('name', BUILDERS)
def test_one_graph_for_clips_that_vary(name, varied):
    model = build(name).eval()
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager', dynamic=True)
    with torch.no_grad():
        for shape in (CLIP, OTHERS[varied]):
            clips = torch.rand(shape)
            torch.testing.assert_close(mean(compiled(clips)), mean(model(clips)), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('name', BUILDERS)
def test_training_on_clips_that_vary_is_compiled_a_few_times(name):
    """The gradients are those of the model, and new graphs end after a few clips."""
    settings = dict(vidtr=dict(drop_rate=0.0, attn_drop_rate=0.0), dualformer=dict(drop_path_rate=0.0))
    model = build(name, **settings.get(name, {})).train()
    backend = CompileCounterWithBackend('aot_eager')
    compiled = torch.compile(model, fullgraph=True, backend=backend, dynamic=True)
    for shape in (CLIP, *OTHERS.values(), (4, 3, 5, 33, 70), (3, 3, 12, 64, 96)):
        clips = torch.rand(shape)
        gradients = []
        for run in (model, compiled):
            model.zero_grad()
            mean(run(clips)).backward()
            gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-3)
    assert backend.frame_count <= 5
