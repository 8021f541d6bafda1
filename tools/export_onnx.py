"""Write a recognizer as an ONNX file, and check that ONNX Runtime scores a random clip as PyTorch does."""

import argparse
import json
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.analysis import build_scorer, clip_shape, median_times
from mmdualformer.checks import check_checkpoint
from mmdualformer.errors import UserError
from mmdualformer.export import check_installed, export_onnx, load_onnx

TOLERANCE = 1e-4


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help="checkpoint file, or 'none' for an untrained model")
    parser.add_argument('output', type=Path, help='ONNX file; it takes normalised clips and puts out logits')
    parser.add_argument('--frames', type=int, help="frames of a clip (default: the test pipeline's)")
    parser.add_argument('--size', type=int, help="height and width of a clip (default: the test pipeline's)")
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='threads of the comparison')
    parser.add_argument('--runs', type=int, default=5, help='timed runs of each (default: 5)')
    cli.add_options_argument(parser)
    return parser.parse_args()


def describe_input(cfg: Config) -> dict[str, str]:
    """What a program needs to make the model's clips from a video, as JSON."""
    preprocessor = cfg.model.data_preprocessor
    return dict(
        mean=json.dumps(preprocessor.mean),
        std=json.dumps(preprocessor.std),
        test_pipeline=json.dumps(cfg.test_dataloader.dataset.pipeline),
    )


def main() -> None:
    args = parse_args()
    check_installed()
    cfg = cli.read_config(args.config, args.cfg_options)
    model = build_scorer(cfg)
    if args.checkpoint != 'none':
        check_checkpoint(model, args.checkpoint)
        load_checkpoint(model, args.checkpoint, map_location='cpu')

    for name, value in (('--frames', args.frames), ('--size', args.size)):
        if value is not None and value < 1:
            raise UserError(f'{name} {value} must be at least 1')
    if args.output.is_dir():
        raise UserError(f'output {str(args.output)!r} is a folder; it must be a file, such as model.onnx')
    batch, channels, frames, *size = clip_shape(cfg)
    shape = (batch, channels, args.frames or frames, *([args.size] * 2 if args.size else size))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(model, shape, args.output, describe_input(cfg))

    torch.set_num_threads(args.threads)
    clip = torch.randn(shape)
    session = load_onnx(args.output, args.threads)
    with torch.inference_mode():
        difference = (session(clip) - model(clip)).abs().max().item()
        times = median_times({'PyTorch': lambda: model(clip), 'ONNX Runtime': lambda: session(clip)}, args.runs)
    print(
        f'{args.output}: clip {" x ".join(map(str, shape))}, {args.output.stat().st_size / 2**20:.1f} MiB; logits '
        f'differ by {difference:.1e} at most; '
        + ', '.join(f'{name} {milliseconds:.1f} ms' for name, milliseconds in times.items())
        + f' ({args.threads} threads)'
    )
    if not difference <= TOLERANCE:
        raise UserError(f'the logits of {str(args.output)!r} differ by {difference:.1e}, more than {TOLERANCE:.0e}')


if __name__ == '__main__':
    cli.run(main)
