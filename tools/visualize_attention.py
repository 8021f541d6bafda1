"""Draw where a VidTr looks in a video, beside an I3D (VidTr, Figure 3).

The rows of the picture are the frames of a clip, for each of --layers the spatial and the temporal roll-out of its
attention, and with --beside the Grad-CAM of another model for what that model predicts.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from mmaction.apis import init_recognizer
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import load_checkpoint
from torch import nn

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checks import check_checkpoint, check_file
from mmdualformer.errors import UserError
from mmdualformer.visualization import draw_maps, grad_cam, roll_out


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of a VidTr with separable attention')
    parser.add_argument('checkpoint', help="checkpoint file, or 'none' for an untrained model")
    parser.add_argument('video', help='video file')
    parser.add_argument('picture', type=Path, help='picture to write')
    parser.add_argument(
        '--layers',
        nargs='+',
        type=int,
        help='layers to roll the attention out from, 1 being the first; the figure has 4 8 12 (default: the last)',
    )
    parser.add_argument(
        '--beside', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='another model, as an I3D, for the same video'
    )
    parser.add_argument(
        '--target-layer', default='backbone/layer4', help='layer of the other model (default: %(default)s)'
    )
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    cli.add_options_argument(parser)
    return parser.parse_args()


def build(config: str, checkpoint: str, device: str, options: dict | None = None) -> nn.Module:
    """Build a recognizer and load its weights."""
    model = init_recognizer(cli.read_config(config, options), device=device)
    if checkpoint != 'none':
        check_checkpoint(model, checkpoint)
        load_checkpoint(model, checkpoint, map_location='cpu')
    return model


def read_view(model: nn.Module, video: str) -> tuple[np.ndarray, dict]:
    """The middle view of a video: its frames ``[T, H, W, 3]``, and what the model takes."""
    sample = Compose(model.cfg.test_pipeline)(dict(filename=video, label=-1, start_index=0, modality='RGB'))
    view = len(sample['inputs']) // 2
    sample['inputs'] = sample['inputs'][view : view + 1]
    frames = np.ascontiguousarray(sample['inputs'][0].permute(1, 2, 3, 0).numpy())
    return frames, pseudo_collate([sample])


def main() -> None:
    args = parse_args()
    check_file('video', args.video)
    model = build(args.config, args.checkpoint, args.device, args.cfg_options)
    frames, data = read_view(model, args.video)
    clips = model.data_preprocessor(data)['inputs'][:, 0]
    maps = roll_out(model.backbone, clips, args.layers)
    frames = frames[:: model.backbone.patch_embed.kernel_size[0]]  # the first of each patch
    rows = [frames]
    for of_layer in maps:
        rows += [draw_maps(frames, part[0].cpu().numpy()) for part in (of_layer.spatial, of_layer.temporal)]
    said = f'{args.picture}: {len(frames)} frames, their spatial and their temporal roll-out'
    if args.layers:
        said += f' from layers {", ".join(map(str, args.layers))}'

    if args.beside:
        other = build(*args.beside, args.device)
        frames_of_other, data = read_view(other, args.video)
        heat = draw_maps(frames_of_other, grad_cam(other, data, args.target_layer))
        chosen = np.linspace(0, len(heat) - 1, len(frames)).round().astype(int)
        rows.append(np.stack([cv2.resize(heat[i], frames.shape[2:0:-1]) for i in chosen]))
        said += f', and the Grad-CAM of {args.beside[0]}'

    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.picture), picture[..., ::-1]):
        raise UserError(f'{str(args.picture)!r} cannot be written')
    print(said)


if __name__ == '__main__':
    cli.run(main)
