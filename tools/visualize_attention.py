"""Draw where a VidTr looks in a video, beside an I3D (VidTr, Figure 3).

The rows of the picture are the frames of a clip, for each of --layers the spatial and the temporal roll-out of its
attention, and with --beside the Grad-CAM of another model for what that model predicts.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.configs import read_config
from mmdualformer.files import check_target
from mmdualformer.visualization import draw_maps, grad_cam, read_view, roll_out, write_picture


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=1)
    cli.add_out_arguments(parser, default=Path('attention.png'), metavar='FILE.png', help='picture to write')
    parser.add_argument(
        '--layers',
        nargs='+',
        type=cli.at_least(1),
        help='layers to roll the attention out from, 1 being the first; the figure has 4 8 12 (default: the last)',
    )
    parser.add_argument(
        '--beside', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='another model, as an I3D, for the same video'
    )
    parser.add_argument('--target-layer', default='backbone/layer4', help='layer of the other model')
    cli.add_device_argument(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    (video,) = args.videos
    check_target(args.out, args.overwrite)
    model = cli.load_model(args)
    view = read_view(model, video)
    maps = roll_out(model.backbone, view.clips, args.layers)
    frames = view.frames[:: model.backbone.patch_embed.kernel_size[0]]  # the first of each patch
    rows = [frames]
    for of_layer in maps:
        rows += [draw_maps(frames, part[0].cpu().numpy()) for part in (of_layer.spatial, of_layer.temporal)]
    said = f'{args.out}: {len(frames)} frames, their spatial and their temporal roll-out'
    if args.layers:
        said += f' from layers {", ".join(map(str, args.layers))}'

    if args.beside:
        config, checkpoint = args.beside
        other = load_recognizer(checkpoint, args.device, read_config(config))
        view = read_view(other, video)
        heat = draw_maps(view.frames, grad_cam(other, view.clips, args.target_layer)[0].cpu().numpy())
        chosen = np.linspace(0, len(heat) - 1, len(frames)).round().astype(int)
        rows.append(np.stack([cv2.resize(heat[i], frames.shape[2:0:-1]) for i in chosen]))
        said += f', and the Grad-CAM of {config}'

    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    write_picture(args.out, picture)
    print(said)


if __name__ == '__main__':
    cli.run(main)
