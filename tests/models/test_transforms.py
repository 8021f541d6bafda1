"""The models under what PyTorch makes of a function: torch.func, torch.fx and other precisions."""

import pytest
import torch
import torch.nn as nn
from torch.func import functional_call, grad, vmap

from mmdualformer.errors import UserError
from mmdualformer.models import DualFormer, VideoMobileFormer, VidTr
from tests.helpers import randomize_norms

BUILDERS = dict(
    dualformer=lambda: DualFormer(
        dict(embed_dims=(8, 16), num_blocks=(1, 1), num_heads=(1, 2)),
        clip_size=(8, 32, 32),
        temporal_strides=(1,),
        block_types=('LG', 'LG'),
        window_size=(2, 4, 4),
        fine_sizes=('auto', 'whole'),
        coarse_sizes=(None, None),
        out_indices=(1,),
    ),
    vmf=lambda: VideoMobileFormer(
        dict(dim=8, num_blocks=(1, 1), expansion=2.0, temporal_strides=(2, 1, 1)), out_indices=(1,)
    ),
    vidtr=lambda: VidTr(
        dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32), clip_size=(8, 32, 32), drop_rate=0.0
    ),
)


class Scores(nn.Module):
    """A backbone whose maps and tokens are averaged, ``[B, C]``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = BUILDERS[name]()
        randomize_norms(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outs = self.backbone(x)
        outs = outs if isinstance(outs, tuple) else (outs,)
        means = {2: lambda out: out, 3: lambda tokens: tokens.mean(1), 5: lambda maps: maps.mean((2, 3, 4))}
        return torch.cat([means[out.ndim](out) for out in outs], dim=1)


@pytest.fixture(params=list(BUILDERS))
def model(request) -> Scores:
    return Scores(request.param).eval()


def make_clips(count: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(count, 3, 8, 32, 32, dtype=dtype, generator=torch.Generator().manual_seed(0))


def test_gradients_of_each_clip_by_torch_func_add_up_to_those_of_the_batch(model):
    model.double()
    params = {name: param.detach() for name, param in model.named_parameters()}
    clips = make_clips(2)

    def loss(params: dict, clip: torch.Tensor) -> torch.Tensor:
        return functional_call(model, params, (clip[None],)).square().sum()

    of_clips = vmap(grad(loss), (None, 0))(params, clips)
    model(clips).square().sum().backward()
    for name, param in model.named_parameters():
        wanted = torch.zeros_like(param) if param.grad is None else param.grad
        torch.testing.assert_close(of_clips[name].sum(0), wanted)


def test_vmap_over_the_weights_of_several_models(model):
    clips = make_clips(2, torch.float32)
    params = {name: torch.stack([param, 1.1 * param]).detach() for name, param in model.named_parameters()}
    with torch.no_grad():
        scores = vmap(lambda params: functional_call(model, params, (clips,)))(params)
        for i in range(2):
            wanted = functional_call(model, {name: param[i] for name, param in params.items()}, (clips,))
            torch.testing.assert_close(scores[i], wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(model, dtype):
    clips = make_clips(1, dtype)
    with pytest.raises(UserError, match=f'the clip has pixels of {dtype}, .* weights of torch.float32'):
        model(clips)
    with torch.no_grad():
        wanted = model(clips.float())
        torch.testing.assert_close(model.to(dtype)(clips).float(), wanted, atol=0.1, rtol=0.1)


@pytest.mark.parametrize(('dtype', 'limit'), [(torch.float16, 0.02), (torch.bfloat16, 0.15), (torch.float64, 1e-4)])
def test_gradients_in_other_precisions(model, dtype, limit):
    """Those of all parameters together are as far from those of float32 as the type rounds."""

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        model.to(dtype).zero_grad()
        model(clips.to(dtype)).float().square().mean().backward()
        return torch.cat([param.grad.flatten().float() for param in model.parameters() if param.grad is not None])

    clips = make_clips(2)
    wanted = gradient(torch.float32)
    assert (gradient(dtype) - wanted).norm() < limit * wanted.norm()


def test_pixels_that_are_not_normalised_are_refused(model):
    with pytest.raises(UserError, match=r'the clip has pixels of torch\.uint8; .* normalised by the mean and std'):
        model(torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8))


def test_what_traces_without_sizes_is_refused(model):
    with pytest.raises(UserError, match=r'torch\.fx traces .* without a clip.*use torch\.export'):
        torch.fx.symbolic_trace(model.backbone)
