"""Test a checkpoint. The arguments are those of MMAction2's tool."""

import argparse
import time
from pathlib import Path
from typing import Any

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)

# isort: split
import torch
from mmengine.config import Config

from mmdualformer import cli
from mmdualformer.checks import check_classes, check_datasets, check_file
from mmdualformer.configs import build_runner, refuse_what_cannot_be_built
from mmdualformer.errors import UserError
from mmdualformer.models.precision import DTYPES, choose_dtype, compute_in
from mmdualformer.report import PredictionsKeeper, find_work_dirs, write_report
from mmdualformer.weights import check_checkpoint, hand_over


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--dump', metavar='FILE.pkl', help='save the predictions')
    parser.add_argument('--report', type=Path, metavar='DIR', help='write a report of the predictions here')
    parser.add_argument('--show-dir', help='save pictures of the predictions here')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--dtype', choices=tuple(DTYPES), default='float32', help='what products are computed in')
    parser.add_argument('--interval', type=cli.at_least(1), default=1, help='show one sample in this many')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds a window stays')
    cli.add_runner_arguments(parser)
    return parser.parse_args()


def set_dtype(model: Any, name: str) -> None:
    """Have a model, also one that is wrapped for several processes, compute its tests in a dtype."""
    device_type = next(model.parameters()).device.type
    dtype = choose_dtype(model, DTYPES[name], device_type)
    test_step = model.test_step

    def test_step_in_dtype(data: Any) -> Any:
        with compute_in(dtype, device_type):
            samples = test_step(data)
        for sample in samples:
            if not isinstance(sample, torch.Tensor):  # as features are
                sample.pred_score = sample.pred_score.float()
        return samples

    if dtype != torch.float32:
        model.test_step = test_step_in_dtype


def show_predictions(cfg: Config, args: argparse.Namespace) -> None:
    """Have a test draw its predictions, also where the config has neither hooks nor a visualizer."""
    hook = dict(
        type='VisualizationHook',
        enable=True,
        show=args.show,
        out_dir=args.show_dir,
        interval=args.interval,
        wait_time=args.wait_time,
    )
    cfg.default_hooks = {**(cfg.get('default_hooks') or {}), 'visualization': hook}
    if cfg.get('visualizer') is None:
        cfg.visualizer = dict(type='ActionVisualizer', vis_backends=[dict(type='LocalVisBackend')])


def main() -> None:
    args = parse_args()
    cfg = cli.load_config(args)
    cfg.load_from = args.checkpoint
    if cfg.pop('strategy', None) is not None:  # a test has no optimizer to be sharded
        cfg.pop('runner_type')
    if args.show or args.show_dir:
        show_predictions(cfg, args)
    gives_features = (cfg.model.get('test_cfg') or {}).get('feature_extraction')
    if gives_features and (not args.dump or args.report or args.show or args.show_dir):
        raise UserError(
            'model.test_cfg.feature_extraction=True gives features, and no predictions: --dump FILE.pkl is all that '
            'takes them'
        )
    if args.dump:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise UserError(f'--dump {args.dump!r} must end in .pkl or .pickle')
        evaluators = [cfg.test_evaluator] if isinstance(cfg.test_evaluator, dict) else cfg.test_evaluator
        cfg.test_evaluator = [
            *([] if gives_features else evaluators),
            dict(type='DumpResults', out_file_path=args.dump),
        ]

    check_datasets(cfg, ('test_dataloader',), args.cfg_options)
    check_file('checkpoint', args.checkpoint)
    if args.report:
        args.report.mkdir(parents=True, exist_ok=True)  # what cannot be written is known before a long test
    runner = build_runner(cfg)
    checkpoint = check_checkpoint(runner.model, args.checkpoint)
    check_classes(runner.test_dataloader.dataset, checkpoint, args.checkpoint)
    trained = checkpoint['meta'].get('dataset_meta') or {}
    names = runner.test_dataloader.dataset.metainfo.get('classes') or trained.get('classes')
    hand_over(runner, checkpoint, args.checkpoint)
    del checkpoint
    keeper = PredictionsKeeper()
    with refuse_what_cannot_be_built():
        if args.report:
            runner.test_loop.evaluator.metrics.append(keeper)
        set_dtype(runner.model, args.dtype)
        start = time.monotonic()
        runner.test()
    if keeper.samples:
        work_dirs = find_work_dirs(args.checkpoint, cfg.work_dir)
        seconds = time.monotonic() - start
        page = write_report(args.report, keeper.samples, cfg, work_dirs, names, args.checkpoint, seconds)
        print(f'the report is {page}')


if __name__ == '__main__':
    cli.run(main)
