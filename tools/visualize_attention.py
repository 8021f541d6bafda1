"""Draw where a VidTr looks in a video (VidTr, Figure 3): rows of frames, their spatial and their temporal roll-out."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import load_checkpoint

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_checkpoint, check_file
from mmdualformer.errors import UserError
from mmdualformer.visualization import draw_maps, roll_out


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of a VidTr with separable attention')
    parser.add_argument('checkpoint', help="checkpoint file, or 'none' for an untrained model")
    parser.add_argument('video', help='video file')
    parser.add_argument('picture', type=Path, help='picture to write')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    cli.add_options_argument(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    check_file('video', args.video)
    model = init_recognizer(cli.read_config(args.config, args.cfg_options), device=args.device)
    if args.checkpoint != 'none':
        check_checkpoint(model, args.checkpoint)
        load_checkpoint(model, args.checkpoint, map_location='cpu')

    sample = Compose(model.cfg.test_pipeline)(dict(filename=args.video, label=-1, start_index=0, modality='RGB'))
    view = len(sample['inputs']) // 2
    frames = np.ascontiguousarray(sample['inputs'][view].permute(1, 2, 3, 0).numpy())  # [T, H, W, 3]
    clips = model.data_preprocessor(pseudo_collate([sample]))['inputs'][:, view]
    maps = roll_out(model.backbone, clips)
    frames = frames[::model.backbone.patch_embed.kernel_size[0]]  # the first of each patch
    rows = [frames, *(draw_maps(frames, part[0].cpu().numpy()) for part in (maps.spatial, maps.temporal))]
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.picture), picture[..., ::-1]):
        raise UserError(f'{str(args.picture)!r} cannot be written')
    print(f'{args.picture}: {len(frames)} frames, their spatial and their temporal roll-out')


if __name__ == '__main__':
    cli.run(main)
