"""Draw where a VidTr looks in a video, beside an I3D (VidTr, Figure 3).

The rows of the picture are the frames of a clip, for each of --layers the spatial and the temporal roll-out of its
attention, and with --beside the Grad-CAM of another model for what that model predicts.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checks import check_file
from mmdualformer.configs import read_config
from mmdualformer.errors import UserError
from mmdualformer.visualization import draw_maps, grad_cam, roll_out


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=1)
    parser.add_argument('--out', type=Path, default=Path('attention.png'), metavar='FILE.png', help='picture to write')
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


def read_view(model: nn.Module, video: str) -> tuple[np.ndarray, dict]:
    """The middle view of a video: its frames ``[T, H, W, 3]``, and what the model takes."""
    sample = Compose(model.cfg.test_pipeline)(dict(filename=video, label=-1, start_index=0, modality='RGB'))
    view = len(sample['inputs']) // 2
    sample['inputs'] = sample['inputs'][view : view + 1]
    frames = np.ascontiguousarray(sample['inputs'][0].permute(1, 2, 3, 0).numpy())
    return frames, pseudo_collate([sample])


def main() -> None:
    args = parse_args()
    (video,) = args.videos
    check_file('video', video)
    model = cli.load_model(args)
    frames, data = read_view(model, video)
    clips = model.data_preprocessor(data)['inputs'][:, 0]
    maps = roll_out(model.backbone, clips, args.layers)
    frames = frames[:: model.backbone.patch_embed.kernel_size[0]]  # the first of each patch
    rows = [frames]
    for of_layer in maps:
        rows += [draw_maps(frames, part[0].cpu().numpy()) for part in (of_layer.spatial, of_layer.temporal)]
    said = f'{args.out}: {len(frames)} frames, their spatial and their temporal roll-out'
    if args.layers:
        said += f' from layers {", ".join(map(str, args.layers))}'

    if args.beside:
        config, checkpoint = args.beside
        other = load_recognizer(checkpoint, args.device, read_config(config))
        frames_of_other, data = read_view(other, video)
        heat = draw_maps(frames_of_other, grad_cam(other, data, args.target_layer))
        chosen = np.linspace(0, len(heat) - 1, len(frames)).round().astype(int)
        rows.append(np.stack([cv2.resize(heat[i], frames.shape[2:0:-1]) for i in chosen]))
        said += f', and the Grad-CAM of {config}'

    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), picture[..., ::-1]):
        raise UserError(f'{str(args.out)!r} cannot be written')
    print(said)


if __name__ == '__main__':
    cli.run(main)
