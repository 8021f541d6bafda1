"""Write a recognizer as an ONNX file for one shape, as `mmdualformer export` does with more choice; it will go."""

import argparse
import json
import sys
from pathlib import Path

import torch
from mmengine.config import Config

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.analysis import as_scorer, median_times
from mmdualformer.errors import UserError
from mmdualformer.export import TOLERANCES, check_installed, export_onnx, load_onnx, shape_of_clips
from mmdualformer.files import check_target


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser)
    cli.add_out_arguments(
        parser,
        default=Path('model.onnx'),
        metavar='FILE.onnx',
        help='file to write; it takes normalised clips and puts out logits',
    )
    parser.add_argument('--frames', type=cli.at_least(1), help="frames of a clip (default: the test pipeline's)")
    parser.add_argument(
        '--size', type=cli.at_least(1), help="height and width of a clip (default: the test pipeline's)"
    )
    parser.add_argument(
        '--threads', type=cli.at_least(1), default=torch.get_num_threads(), help='threads of the comparison'
    )
    parser.add_argument('--runs', type=cli.at_least(1), default=5, help='timed runs of each')
    return parser.parse_args()


def describe_input(cfg: Config) -> dict[str, str]:
    """What a program needs to make the model's clips from a video, as JSON, and probabilities from its logits."""
    preprocessor = cfg.model.data_preprocessor
    return dict(
        mean=json.dumps(preprocessor.mean),
        std=json.dumps(preprocessor.std),
        test_pipeline=json.dumps(cfg.test_dataloader.dataset.pipeline),
        activation=json.dumps('sigmoid' if cfg.model.cls_head.get('multi_class') else 'softmax'),
    )


def main() -> None:
    args = parse_args()
    print('warning: export-onnx will go: `mmdualformer export` writes ONNX files too, and more', file=sys.stderr)
    check_installed()
    check_target(args.out, args.overwrite)
    recognizer = cli.load_model(args)
    cfg, model = recognizer.cfg, as_scorer(recognizer)
    shape = shape_of_clips(recognizer, args.frames, args.size)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(model, shape, args.out, describe_input(cfg))

    torch.set_num_threads(args.threads)
    clip = torch.randn(shape)
    session = load_onnx(args.out, args.threads)
    with torch.inference_mode():
        difference = (session(clip) - model(clip)).abs().max().item()
        times = median_times({'PyTorch': lambda: model(clip), 'ONNX Runtime': lambda: session(clip)}, args.runs)
    print(
        f'{args.out}: clip {" x ".join(map(str, shape))}, {args.out.stat().st_size / 2**20:.1f} MiB; logits '
        f'differ by {difference:.1e} at most; '
        + ', '.join(f'{name} {milliseconds:.1f} ms' for name, milliseconds in times.items())
        + f' ({args.threads} threads)'
    )
    tolerance = TOLERANCES['float32']
    if not difference <= tolerance:
        raise UserError(f'the logits of {str(args.out)!r} differ by {difference:.1e}, more than {tolerance:.0e}')


if __name__ == '__main__':
    cli.run(main)
