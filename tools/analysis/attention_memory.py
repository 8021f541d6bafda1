"""Measure what a training step of VidTr-S holds in memory with each kind of attention (VidTr, Table 5b).

Attention that makes its matrices, as the paper's did, is followed on the meta device, where the step computes nothing
and holds what PyTorch would hold. Fused attention makes none; which kernel that is depends on the device, so there the
step is run. Dropout of the matrices is that of the released models. PyTorch fuses it on GPUs only. On a CPU VidTr makes
the matrices again in the backward pass, and that step is run too.
"""

import torch
from rich.console import Console
from rich.table import Table
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmdualformer import cli
from mmdualformer.analysis import PeakMemory
from mmdualformer.models import VidTr

FUSED = [backend for name, backend in SDPBackend.__members__.items() if name not in ('ERROR', 'MATH')]


def measure(module: torch.nn.Module, *args) -> tuple[int, int]:
    """Bytes of a module's weights, gradients and momenta, and the most beyond them in a training step."""
    parameters = list(module.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # makes the momenta
    gradients = [parameter.grad for parameter in parameters]
    momenta = [state['momentum_buffer'] for state in optimizer.state.values()]
    with PeakMemory([*parameters, *gradients, *momenta]) as memory:
        held = memory.current
        out = module(*args)
        (out[0] if isinstance(out, tuple) else out).sum().backward()
    return held, memory.peak - held


def attention_inputs(model: VidTr, clip: torch.Tensor) -> tuple:
    """What the last layer's attention takes, as tensors that want gradients."""
    seen = []
    with model.layers[-1].attn.register_forward_pre_hook(lambda module, args: seen.append(args)), torch.no_grad():
        model(clip)
    x, residual, grid = seen[0]
    return x.requires_grad_(), residual, grid


def main() -> None:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=cli.at_least(1), default=8, help='frames of the clip')
    parser.add_argument('--size', type=cli.at_least(16), default=224, help='height and width')
    parser.add_argument('--attention', nargs='+', default=['joint', 'separable', 'spatial', 'axial'], help='kinds')
    cli.add_device_argument(parser)
    args = parser.parse_args()

    table = Table('matrices', 'dropout', 'attention', 'weights, gradients, momenta', 'step', 'sum', 'attention layer')
    on_cpu = args.device == 'cpu'
    for matrices, device, dropout in (
        ('made', 'meta', 0.1),
        ('made', 'meta', 0.0),
        *([('made twice', 'cpu', 0.1)] if on_cpu else []),
        ('fused', args.device, 0.0 if on_cpu else 0.1),
    ):
        for attention in args.attention:
            with torch.device(device):
                clip = torch.rand(1, 3, args.frames, args.size, args.size)
                model = VidTr('small', clip.shape[2:], attention=attention, attn_drop_rate=dropout)
            with sdpa_kernel(FUSED if matrices == 'fused' else SDPBackend.MATH):
                held, step = measure(model, clip)
                _, layer = measure(model.layers[-1].attn, *attention_inputs(model, clip))
            table.add_row(
                matrices,
                str(dropout),
                attention,
                *(f'{size / 2**20:.0f} MB' for size in (held, step, held + step, layer)),
            )
    Console(width=120).print(table)


if __name__ == '__main__':
    cli.run(main)
