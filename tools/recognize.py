"""Print what a trained recognizer sees in video files."""

import argparse
from pathlib import Path

import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.runner import load_checkpoint

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_checkpoint, check_file
from mmdualformer.errors import UserError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help="checkpoint file, or 'none' for an untrained model")
    parser.add_argument('videos', nargs='+', help='video files')
    parser.add_argument('--labels', type=Path, help='text file with the name of a class a line')
    parser.add_argument('--topk', type=int, default=5, help='classes to print (default: 5)')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for video in args.videos:
        check_file('video', video)
    if args.topk < 1:
        raise UserError(f'--topk {args.topk} must be at least 1')
    try:
        torch.empty(0, device=args.device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f'--device {args.device!r} cannot be used here: {str(error).splitlines()[0]}') from None
    model = init_recognizer(cli.read_config(args.config), device=args.device)
    if args.checkpoint != 'none':
        check_checkpoint(model, args.checkpoint)
        load_checkpoint(model, args.checkpoint, map_location='cpu')
    names = None
    if args.labels:
        check_file('--labels', str(args.labels))
        names = args.labels.read_text(encoding='utf-8').splitlines()
        if len(names) != model.cls_head.num_classes:
            raise UserError(f'--labels {str(args.labels)!r} names {len(names)} classes, the model has '
                            f'{model.cls_head.num_classes}')

    for video in args.videos:
        scores = inference_recognizer(model, video).pred_score
        print(video)
        for score, label in zip(*(part.tolist() for part in scores.topk(min(args.topk, len(scores))))):
            print(f'  {score:7.2%}  {names[label] if names else label}')


if __name__ == '__main__':
    cli.run(main)
