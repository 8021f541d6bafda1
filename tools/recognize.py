"""Print what a trained recognizer sees in video files."""

import argparse
import math
import sys
import time
from functools import partial
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from mmaction.apis import inference_recognizer
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmdualformer import cli
from mmdualformer.checks import read_labels
from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.errors import printable
from mmdualformer.finite import is_finite
from mmdualformer.video import VideoError


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=math.inf)
    parser.add_argument(
        '--labels', type=Path, help='text file with the name of a class a line, if the checkpoint has none'
    )
    parser.add_argument('--topk', type=cli.at_least(1), default=5, help='classes to print')
    cli.add_device_argument(parser)
    return parser.parse_args()


def read(pipeline: Compose, damage: list[str], data: dict) -> dict:
    """Make a model's input from a video, and put into ``damage`` what is found to be damaged."""
    return pipeline(dict(data, deadline=time.monotonic() + READING_LIMIT, damage=damage))


def main() -> None:
    args = parse_args()
    model = cli.load_model(args)
    names = model.dataset_meta.get('classes')
    if args.labels:
        names = read_labels(args.labels, model.cls_head.num_classes, 'the model has')

    init_default_scope(model.cfg.get('default_scope', 'mmaction'))
    pipeline = Compose(model.cfg.test_pipeline)
    without_answer = 0
    for video in args.videos:
        damage = []
        if not Path(video).exists():
            print(f'error: video {video!r} does not exist (looked in {Path.cwd()})', file=sys.stderr)
            without_answer += 1
            continue
        try:
            scores = inference_recognizer(model, video, partial(read, pipeline, damage)).pred_score
        except (VideoError, TimeoutError) as error:
            print(
                f'error: video {video!r} cannot be read: {printable(getattr(error, "reason", error))}', file=sys.stderr
            )
            without_answer += 1
            continue
        if not is_finite(scores):
            print(f'error: the scores of video {video!r} are NaN or infinite', file=sys.stderr)
            without_answer += 1
            continue
        for what in damage:
            print(f'warning: video {video!r} is damaged, and read as far as it can be: {what}', file=sys.stderr)
        print(video)
        for score, label in zip(*(part.tolist() for part in scores.topk(min(args.topk, len(scores))))):
            print(f'  {score:7.2%}  {printable(names[label]) if names and label < len(names) else label}')
    if without_answer:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
