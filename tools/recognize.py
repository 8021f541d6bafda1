"""Print what a trained recognizer sees in video files."""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checks import check_checkpoint, check_file
from mmdualformer.datasets.annotations import read_names
from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.errors import UserError
from mmdualformer.video import VideoError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, usage='%(prog)s [options] [CONFIG.py] CHECKPOINT VIDEO...')
    parser.add_argument(
        'files',
        nargs='+',
        help='checkpoint and videos; before them the config, for a checkpoint of another origin than our training, or '
        "for 'none' as the checkpoint, an untrained model",
    )
    parser.add_argument(
        '--labels', type=Path, help='text file with the name of a class a line, if the checkpoint has none'
    )
    parser.add_argument('--topk', type=int, default=5, help='classes to print (default: 5)')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    cli.add_options_argument(parser)
    args = parser.parse_args()
    args.config = args.files.pop(0) if args.files[0].endswith('.py') else None
    if len(args.files) < 2:
        parser.error('a checkpoint and at least one video are needed')
    if args.cfg_options and not args.config:
        parser.error('--cfg-options needs a config')
    args.checkpoint, *args.videos = args.files
    return args


def load_model(args: argparse.Namespace) -> torch.nn.Module:
    if not args.config:
        return load_recognizer(args.checkpoint, args.device)
    model = init_recognizer(cli.read_config(args.config, args.cfg_options), device=args.device)
    if args.checkpoint != 'none':
        check_checkpoint(model, args.checkpoint)
        checkpoint = load_checkpoint(model, args.checkpoint, map_location='cpu', logger='silent')
        model.dataset_meta = checkpoint.get('meta', {}).get('dataset_meta', {})
    return model


def read(pipeline: Compose, damage: list[str], data: dict) -> dict:
    """Make a model's input from a video, and put into ``damage`` what is found to be damaged."""
    return pipeline(dict(data, deadline=time.monotonic() + READING_LIMIT, damage=damage))


def main() -> None:
    args = parse_args()
    for video in args.videos:
        if not Path(video).is_dir():  # of images
            check_file('video', video)
    if args.topk < 1:
        raise UserError(f'--topk {args.topk} must be at least 1')
    try:
        torch.empty(0, device=args.device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f'--device {args.device!r} cannot be used here: {str(error).splitlines()[0]}') from None
    model = load_model(args)
    names = getattr(model, 'dataset_meta', {}).get('classes')
    if args.labels:
        check_file('--labels', str(args.labels))
        names = read_names(args.labels)
        if len(names) != model.cls_head.num_classes:
            raise UserError(
                f'--labels {str(args.labels)!r} names {len(names)} classes, the model has {model.cls_head.num_classes}'
            )

    init_default_scope(model.cfg.get('default_scope', 'mmaction'))
    pipeline = Compose(model.cfg.test_pipeline)
    unreadable = 0
    for video in args.videos:
        damage = []
        try:
            scores = inference_recognizer(model, video, partial(read, pipeline, damage)).pred_score
        except (VideoError, TimeoutError) as error:
            print(f'error: video {video!r} cannot be read: {getattr(error, "reason", error)}', file=sys.stderr)
            unreadable += 1
            continue
        for what in damage:
            print(f'warning: video {video!r} is damaged, and read as far as it can be: {what}', file=sys.stderr)
        print(video)
        for score, label in zip(*(part.tolist() for part in scores.topk(min(args.topk, len(scores))))):
            print(f'  {score:7.2%}  {names[label] if names and label < len(names) else label}')
    if unreadable:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
