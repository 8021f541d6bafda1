"""Test one checkpoint with several numbers of clips and crops, as in Figure 5 of the DualFormer paper.

Writes views.csv into the work dir. On several GPUs: mmdualformer sweep-views CONFIG CHECKPOINT --gpus 8
"""

import argparse
import copy
import csv
import itertools
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope

from mmdualformer import cli
from mmdualformer.analysis import clip_shape, count_cost
from mmdualformer.checks import check_datasets, check_file
from mmdualformer.configs import build_runner
from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically
from mmdualformer.weights import check_checkpoint, hand_over

CROPS = {1: 'CenterCrop', 3: 'ThreeCrop'}


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--clips', type=cli.at_least(1), nargs='+', default=[1, 2, 4, 8], help='clips of a video')
    parser.add_argument('--crops', type=int, nargs='+', default=[1, 3], choices=CROPS, help='crops of a clip')
    cli.add_runner_arguments(parser)
    return parser.parse_args()


def set_views(cfg: Config, clips: int, crops: int) -> None:
    """Set the views of the test pipeline.

    Raises:
        UserError: The pipeline has no step that samples frames, or none that crops; or its frames are too large for
            three crops, which lie along a side.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline
    sample = next((step for step in pipeline if step.type == 'SampleFrames'), None)
    crop = next((step for step in pipeline if step.type in CROPS.values()), None)
    if sample is None or crop is None:
        raise UserError(
            f'test_pipeline must have SampleFrames and one of {", ".join(CROPS.values())}, not '
            f'{", ".join(step.type for step in pipeline)}'
        )
    resize = next((step for step in pipeline if step.type == 'Resize'), None)
    if crops == 3 and resize is not None:
        short = min(side for side in np.atleast_1d(resize.scale) if side > 0)
        if short not in np.atleast_1d(crop.crop_size):
            raise UserError(
                f'--crops 3 needs frames of which a side is crop_size={crop.crop_size}, and test_pipeline has '
                f'Resize(scale={resize.scale}): change one of them, or take --crops 1'
            )
    sample.num_clips = clips
    crop.type = CROPS[crops]


def main() -> None:
    args = parse_args()
    cfg = cli.load_config(args)
    check_datasets(cfg, ('test_dataloader',), args.cfg_options)
    check_file('checkpoint', args.checkpoint)
    cfg.load_from = args.checkpoint
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        gflops = count_cost(MODELS.build(cfg.model.backbone), clip_shape(cfg)).flops / 1e9

    tests = {pair: copy.deepcopy(cfg) for pair in itertools.product(args.clips, args.crops)}
    for pair, views in tests.items():
        set_views(views, *pair)
    rows = []
    for (clips, crops), views in tests.items():
        views.experiment_name = f'{clips}x{crops}'
        runner = build_runner(views)
        if not rows:
            checkpoint = check_checkpoint(runner.model, args.checkpoint)
        hand_over(runner, dict(checkpoint), args.checkpoint)  # hooks may change what they are given
        metrics = {name.removeprefix('acc/'): round(value, 4) for name, value in runner.test().items()}
        rows.append(dict(clips=clips, crops=crops, gflops=round(clips * crops * gflops, 3), **metrics))
        if is_main_process():
            with write_atomically(Path(cfg.work_dir, 'views.csv')) as partial, open(partial, 'w', newline='') as file:
                table = csv.DictWriter(file, rows[0])
                table.writeheader()
                table.writerows(rows)
            print(' '.join(f'{name} {value}' for name, value in rows[-1].items()))


if __name__ == '__main__':
    cli.run(main)
