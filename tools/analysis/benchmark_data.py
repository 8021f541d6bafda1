"""Measure how many clips a second come from disk, and whether a model would wait for them.

They are read with MMAction2's decoding and with ours, before and after `mmdualformer prepare --resize`.
Without --videos it writes ten-second files of 340 x 256 pixels, which are deleted afterwards.
"""

import argparse
import os
import tempfile
from pathlib import Path

from mmengine.registry import init_default_scope

import mmdualformer  # noqa: F401  (registers the data sets and mends the installed stack)
from mmdualformer import cli
from mmdualformer.analysis.data_speed import (
    PIPELINES,
    SAMPLINGS,
    build_loader,
    time_cpu,
    time_loaders,
    time_training,
    use_pipeline,
    write_sample_videos,
)
from mmdualformer.checks import check_file
from mmdualformer.commands import ROOT
from mmdualformer.configs import read_config
from mmdualformer.datasets.preparation import resize_videos
from mmdualformer.datasets.wrappers import iterate_configs
from mmdualformer.errors import UserError

CONFIG = ROOT / 'configs' / 'dualformer_t_k400.py'  # clips of 32 frames, one in two


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--videos', type=Path, nargs='+', help='video files to read')
    parser.add_argument(
        '--model',
        help='config of a model to train; its pipeline is measured, and whether '
        'it would wait for data (default: dualformer_t_k400.py, without training)',
    )
    parser.add_argument(
        '--sampling',
        nargs='+',
        choices=SAMPLINGS,
        default=list(SAMPLINGS),
        metavar='CLIP',
        help=f'clips to read, frames x interval (default: {", ".join(SAMPLINGS)})',
    )
    cli.add_workers_argument(parser, default=2)
    cli.add_device_argument(parser)
    parser.add_argument('--rounds', type=cli.at_least(1), default=7, help='measurements, of which the median is taken')
    parser.add_argument('--clips', type=cli.at_least(1), default=32, help='clips of a measurement')
    parser.add_argument('--batch-size', type=cli.at_least(1), default=4, help='clips of a batch')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for path in args.videos or ():
        check_file('--videos', str(path))
    cfg = read_config(args.model or str(CONFIG))
    init_default_scope('mmaction')
    _, dataset = next(iterate_configs('train_dataloader.dataset', cfg.train_dataloader.dataset))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        given = [path.absolute() for path in args.videos or write_sample_videos(folder, 4, workers=os.cpu_count())]
        resized = [folder / 'resized' / f'{i}.mp4' for i in range(len(given))]
        broken = resize_videos(dict(zip(given, resized)), os.cpu_count())
        if broken:
            video, reason = next(iter(broken.items()))
            raise UserError(f'--videos {video} is broken: {reason}')
        files = {'as given': given, 'resized': resized}
        size = {kind: sum(path.stat().st_size for path in videos) for kind, videos in files.items()}
        print(
            f'{len(given)} files; CPU time of a clip in one process, and clips/s of {args.workers} workers; medians '
            f'of {args.clips} clips and of {args.rounds} rounds of as many'
        )
        for kind, videos in files.items():
            print(f'{kind}: {size[kind] / 1e6:.2f} MB (x{size[kind] / size["as given"]:.2f})')
            for sampling in args.sampling:
                clips = max(args.clips // SAMPLINGS[sampling]['num_clips'], args.batch_size)
                loaders = {
                    name: build_loader(
                        use_pipeline(dataset, name, SAMPLINGS[sampling]),
                        videos,
                        clips,
                        args.batch_size,
                        args.workers,
                        folder / f'{kind} {name} {sampling}.txt',
                    )
                    for name in PIPELINES
                }
                seconds = time_cpu({name: loader.dataset for name, loader in loaders.items()}, clips)
                rates = time_loaders(loaders, args.rounds)
                print(
                    f'  {sampling:9}  '
                    + '  '.join(f'{name} {1e3 * seconds[name]:.1f} ms, {rates[name]:.1f} clips/s' for name in PIPELINES)
                    + f'  x{seconds["MMAction2"] / seconds["mmdualformer"]:.2f}'
                    f', x{rates["mmdualformer"] / rates["MMAction2"]:.2f}'
                )
        if args.model:
            loaders = {
                kind: build_loader(
                    use_pipeline(dataset, 'mmdualformer'),
                    videos,
                    args.clips,
                    args.batch_size,
                    args.workers,
                    folder / f'{kind}.txt',
                )
                for kind, videos in files.items()
            }
            needed = time_training(cfg, next(iter(loaders['as given'])), args.device)
            print(f'{args.model}: trains {needed:.2f} clips/s on {args.device}, {args.batch_size} a batch')
            for kind, rate in time_loaders(loaders, args.rounds).items():
                verdict = (
                    'does not wait for data'
                    if rate >= needed
                    else (f'waits for data; it needs {-(-needed * args.workers // rate):.0f} workers')
                )
                print(f'{kind}: {rate:.1f} clips/s; {verdict}')


if __name__ == '__main__':
    cli.run(main)
