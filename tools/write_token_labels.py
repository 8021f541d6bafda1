"""Write a teacher's token labels of every training video, to train from them without the teacher.

The config is one whose model has a teacher. Videos that have a file already are skipped, so a stopped run continues.
On several GPUs: mmdualformer write-token-labels CONFIG --out DIR --gpus 8
"""

import argparse
from collections import Counter
from pathlib import Path

import mmdualformer  # noqa: F401  (mends the installed stack, and says first if there is no mmcv)

# isort: split
import torch
from mmaction.registry import DATASETS
from mmengine.device import get_device
from mmengine.dist import get_dist_info, init_dist
from mmengine.registry import init_default_scope
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from mmdualformer import cli
from mmdualformer.checks import check_datasets
from mmdualformer.datasets.token_labels import label_file, write_token_labels
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError
from mmdualformer.models import TokenTeacher


class WholeVideos(Dataset):
    """The clips that cover each of some videos.

    Args:
        dataset (BaseActionDataset): Makes the clips.
        places (list): Those videos' places in it.
    """

    def __init__(self, dataset, places: list[int]) -> None:
        self.dataset = dataset
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple:
        """Return ``filename, clips [clips, C, T, H, W], frames [clips, T]``, or the reason in place of clips."""
        filename = self.dataset.get_data_info(self.places[index])['filename']
        data = self.dataset[self.places[index]]
        if 'unreadable' in data['data_samples']:
            return filename, data['data_samples'].unreadable, None
        frame_inds = torch.from_numpy(data['data_samples'].frame_inds).view(len(data['inputs']), -1)
        return filename, data['inputs'], frame_inds


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file with model.teacher')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--num-labels', type=cli.at_least(1), default=5, help='labels to keep of a token')
    parser.add_argument('--short-side', type=cli.at_least(32), default=256, help="the teacher's frames, in pixels")
    parser.add_argument('--num-clips', type=cli.at_least(1), default=4, help='clips that the teacher sees at once')
    cli.add_workers_argument(parser, default=4, least=0)
    cli.add_runner_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = cli.load_config(args)
    if not cfg.model.get('teacher'):
        raise UserError(
            f'config {args.config!r} has no model.teacher; choose one such as configs/dualformer_t_k400_tokenlabel.py'
        )
    check_datasets(cfg, ('train_dataloader',), args.cfg_options)
    if args.launcher != 'none':
        init_dist(args.launcher, **cfg.env_cfg.dist_cfg)
    rank, world_size = get_dist_info()
    init_default_scope(cfg.default_scope)

    teacher = TokenTeacher(**cfg.model.teacher)
    if not 1 <= args.num_labels <= teacher.num_classes:
        raise UserError(
            f"--num-labels {args.num_labels} must lie between 1 and the teacher's {teacher.num_classes} classes"
        )
    failed = 0
    for _, dataset_cfg in iterate_configs('train_dataloader.dataset', cfg.train_dataloader.dataset):
        sample = next(step for step in dataset_cfg.pipeline if step.type == 'SampleFrames')
        pipeline = [
            dict(type='VideoInit'),
            dict(
                type='SampleWholeVideo',
                clip_len=sample.clip_len,
                frame_interval=sample.get('frame_interval', 1),
                out_of_bound_opt='repeat_last',
            ),
            dict(type='VideoDecode'),
            dict(type='ResizeToMultiple', short_side=args.short_side, divisor=32),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('frame_inds',)),
        ]
        dataset = DATASETS.build({**dataset_cfg, 'type': 'RobustVideoDataset', 'pipeline': pipeline, 'test_mode': True})
        files = [label_file(args.out, dataset.get_data_info(i)['filename']) for i in range(len(dataset))]
        file, times = Counter(files).most_common(1)[0]
        if times > 1:
            raise UserError(
                f'{times} videos of the list would be labelled in {file}, as their folders and names are '
                'the same; rename a folder'
            )
        places = [i for i, file in enumerate(files) if not file.exists()][rank::world_size]
        videos = DataLoader(WholeVideos(dataset, places), batch_size=None, num_workers=args.workers)
        for filename, clips, frame_inds in track(
            videos, total=len(places), description=f'writing {args.out}', disable=rank > 0
        ):
            if isinstance(clips, str):
                failed += 1
                print(f'skipped {clips}')
                continue
            logits = [teacher(part.to(get_device()).float()).cpu() for part in clips.split(args.num_clips)]
            write_token_labels(label_file(args.out, filename), torch.cat(logits), frame_inds.numpy(), args.num_labels)
    if failed:
        raise UserError(
            f'{failed} videos could not be read (see "skipped" above); take them out of the list to train '
            'from token labels'
        )


if __name__ == '__main__':
    cli.run(main)
