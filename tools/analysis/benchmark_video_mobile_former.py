"""Time Video Mobile-Former beside MMAction2's X3D-S on a CPU: one clip of 64 frames, side by side, medians (Table 12).

The times of Video Mobile-Former are those of backbone and head, that of X3D-S is its backbone's alone.
"""

import argparse
import tempfile
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table

from mmdualformer import cli
from mmdualformer.analysis import build_scorer, clip_shape, median_times
from mmdualformer.commands import ROOT
from mmdualformer.export import check_installed, export_onnx, load_onnx

PAPER = {'560m': 26.6, '1g': 8.5, '2g': 5.5, '5g': 2.8}  # Table 12: times X3D-S on a Xeon 8168


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--archs', nargs='+', default=list(PAPER), choices=list(PAPER), help='models')
    parser.add_argument(
        '--forms',
        nargs='+',
        default=['default', 'plain'],
        choices=['default', 'plain', 'compiled', 'onnx'],
        help='the model as it is; traced, of plain PyTorch modules; torch.compile; ONNX',
    )
    parser.add_argument('--threads', type=cli.at_least(1), default=2, help='threads')
    parser.add_argument('--runs', type=cli.at_least(1), default=7, help='timed runs of each')
    return parser.parse_args()


def build_forms(arch: str, forms: list[str], threads: int, folder: str) -> tuple[torch.Tensor, dict]:
    """A clip and the functions to time on it."""
    cfg = Config.fromfile(ROOT / 'configs' / f'vmf_{arch}_k400.py')
    model = build_scorer(cfg)
    clip = torch.randn(clip_shape(cfg))
    functions = {'default': model}
    if 'plain' in forms:
        functions['plain'] = torch.jit.trace(model, clip, check_trace=False)
    if 'compiled' in forms:
        functions['compiled'] = torch.compile(model, dynamic=False)
    if 'onnx' in forms:
        export_onnx(model, clip.shape, Path(folder, f'{arch}.onnx'))
        functions['onnx'] = load_onnx(Path(folder, f'{arch}.onnx'), threads)
    return clip, functions


def main() -> None:
    args = parse_args()
    if 'onnx' in args.forms:
        check_installed()
    torch.set_num_threads(args.threads)
    init_default_scope('mmaction')
    x3d = MODELS.build(dict(type='X3D', gamma_w=1.0, gamma_b=2.25, gamma_d=2.2))  # X3D-S
    x3d.eval()  # whose train() returns None
    x3d_clip = torch.randn(1, 3, 64, 182, 182)

    calls, differences = {'X3D-S': lambda: x3d(x3d_clip)}, {}
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        for arch in args.archs:
            clip, functions = build_forms(arch, args.forms, args.threads, folder)
            expected = functions['default'](clip)
            for form in args.forms:
                function = functions[form]
                differences[arch, form] = (function(clip) - expected).abs().max().item()
                calls[arch, form] = lambda function=function, clip=clip: function(clip)
        times = median_times(calls, args.runs)

    table = Table(title=f'one clip of 64 frames, {args.threads} threads, medians of {args.runs}')
    for title in ('model', 'form', 'ms', 'times as fast as X3D-S', 'paper', 'logits differ by'):
        table.add_column(title, justify='right')
    table.add_row('X3D-S', 'MMAction2', f'{times["X3D-S"]:.1f}', '1', '1', '')
    for (arch, form), difference in differences.items():
        ratio = times['X3D-S'] / times[arch, form]
        table.add_row(arch, form, f'{times[arch, form]:.1f}', f'{ratio:.1f}', f'{PAPER[arch]}', f'{difference:.1e}')
    Console(width=100).print(table)


if __name__ == '__main__':
    cli.run(main)
