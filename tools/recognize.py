"""Print what a trained recognizer sees in video files."""

import argparse
from pathlib import Path

import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmengine.runner import load_checkpoint

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_checkpoint
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
    for path in (args.config, *args.videos, *([args.labels] if args.labels else [])):
        if not Path(path).is_file():
            raise UserError(f'{str(path)!r} does not exist (looked in {Path.cwd()})')
    model = init_recognizer(args.config, device=args.device)
    if args.checkpoint != 'none':
        check_checkpoint(model, args.checkpoint)
        load_checkpoint(model, args.checkpoint, map_location='cpu')
    names = args.labels.read_text(encoding='utf-8').splitlines() if args.labels else None

    for video in args.videos:
        scores = inference_recognizer(model, video).pred_score
        print(video)
        for score, label in zip(*(part.tolist() for part in scores.topk(min(args.topk, len(scores))))):
            print(f'  {score:7.2%}  {names[label] if names else label}')


if __name__ == '__main__':
    cli.run(main)
