"""Print what a trained recognizer sees in video files."""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
from mmaction.apis import inference_recognizer
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer import cli
from mmdualformer.checks import read_labels
from mmdualformer.datasets.decoding import READING_LIMIT
from mmdualformer.errors import printable
from mmdualformer.finite import is_finite
from mmdualformer.video import VideoError

LIKELY = 0.5  # a label of several is taken for true from this probability on


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=math.inf)
    parser.add_argument(
        '--labels', type=Path, help='text file with the name of a class a line, if the checkpoint has none'
    )
    parser.add_argument(
        '--topk',
        type=cli.at_least(1),
        default=5,
        help='classes to print; where videos have several labels, all of at least 50 %% too',
    )
    cli.add_device_argument(parser)
    return parser.parse_args()


def read(pipeline: Compose, damage: list[str], data: dict) -> dict:
    """Make a model's input from a video, and put into ``damage`` what is found to be damaged."""
    return pipeline(dict(data, deadline=time.monotonic() + READING_LIMIT, damage=damage))


def describe_scores(scores: Tensor, topk: int, names: Sequence[str] | None, several: bool) -> Iterator[str]:
    """Describe the classes of the highest scores in a line each.

    Args:
        scores (Tensor): Probabilities ``[classes]``.
        topk (int): Classes to name.
        names (sequence, optional): Names of the classes.
        several (bool): A video has several labels: those of at least 50 % are marked, and all named.
    """
    count = max(topk, int((scores >= LIKELY).sum())) if several else topk
    for score, label in zip(*(part.tolist() for part in scores.topk(min(count, len(scores))))):
        mark = '*' if several and score >= LIKELY else ' '
        yield f'{mark} {score:7.2%}  {printable(names[label]) if names and label < len(names) else label}'


def main() -> None:
    args = parse_args()
    model = cli.load_model(args)
    names = model.dataset_meta.get('classes')
    if args.labels:
        names = read_labels(args.labels, model.cls_head.num_classes, 'the model has')

    head = model.cls_head
    if head.average_clips is None or not head.multi_class:
        head.average_clips = 'prob'  # also of a head whose scores are logits in a test

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
        print(*describe_scores(scores, args.topk, names, head.multi_class), sep='\n')
    if without_answer:
        sys.exit(1)


if __name__ == '__main__':
    cli.run(main)
