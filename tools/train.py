"""Train a recognizer. The arguments are those of MMAction2's tool."""

import argparse
import os

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli, processes, signals
from mmdualformer.checks import check_classes, check_datasets, check_file, check_model
from mmdualformer.configs import build_runner, refuse_what_cannot_be_built
from mmdualformer.errors import UserError
from mmdualformer.resuming import find_newest, was_started_again
from mmdualformer.weights import check_checkpoint, hand_over
from mmdualformer.work_dirs import WorkDirLock


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from this checkpoint, or, without a value, from the newest in the work dir that can be loaded',
    )
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate while training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the real batch size')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument('--diff-rank-seed', action='store_true', help='another seed for each process')
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='deterministic algorithms; PyTorch refuses operators that have none',
    )
    cli.add_runner_arguments(parser)
    return parser.parse_args()


def go_on_from_newest(runner: Runner) -> None:
    """Have a run go on from the newest checkpoint in its work dir, the same in all processes, if there is one."""
    newest = [find_newest(runner.work_dir) if is_main_process() else None]
    broadcast_object_list(newest)
    if newest[0]:
        runner._resume, runner._load_from = True, newest[0]
    elif not (runner._resume and runner._load_from):
        runner._resume = False  # else MMEngine would forget load_from too, and start from random weights
        start = f'the weights of {runner._load_from}' if runner._load_from else "the model's initialisation"
        runner.logger.info(f'there is no checkpoint in {runner.work_dir} to go on from; training starts from {start}')


def main() -> None:
    signals.explain('; training had not begun')
    args = parse_args()
    if args.deterministic:
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # without it PyTorch refuses cuBLAS
    cfg = cli.load_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        if cfg.optim_wrapper.get('type', 'OptimWrapper') not in ('OptimWrapper', 'AmpOptimWrapper'):
            raise UserError(f'--amp takes an OptimWrapper, not optim_wrapper.type={cfg.optim_wrapper.type!r}')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
    if args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, args.resume
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr'):
            raise UserError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    # what the command line says wins; MMAction2's tool ignores it where the config has a seed
    cfg.randomness = {
        'seed': None,
        **cfg.get('randomness', {}),
        **({'seed': args.seed} if args.seed is not None else {}),
        **({'diff_rank_seed': True} if args.diff_rank_seed else {}),
        **({'deterministic': True} if args.deterministic else {}),
    }

    if (cfg.model.get('test_cfg') or {}).get('feature_extraction') and cfg.get('val_cfg'):
        raise UserError('model.test_cfg.feature_extraction=True gives no predictions to validate; give it to the test')
    check_model(cfg, args.cfg_options)
    warnings = check_datasets(cfg, ('train_dataloader', 'val_dataloader'), args.cfg_options)
    if cfg.get('load_from'):
        check_file('checkpoint', cfg.load_from)
    if processes.is_first(args.launcher):
        WorkDirLock(cfg.work_dir)
    runner = build_runner(cfg)
    for warning in warnings:
        runner.logger.warning(warning)
    if args.resume == 'auto' or (cfg.get('resume') and not cfg.get('load_from')) or was_started_again():
        go_on_from_newest(runner)
    resume, checkpoint = runner._resume, runner._load_from
    if checkpoint and (cfg.get('strategy') or {}).get('type') == 'DeepSpeedStrategy':
        # it runs what is in its own checkpoints, and loads others after it has copied the weights
        raise UserError(
            f'DeepSpeed cannot go on from {checkpoint!r} here; to start from weights, take '
            "model.backbone.init_cfg=dict(type='Pretrained', checkpoint=PATH, prefix='backbone.')"
        )
    if checkpoint:
        # a new head on a trained backbone is fine-tuning; another backbone is a mistake
        content = check_checkpoint(runner.model, checkpoint, prefix='' if resume else 'backbone.', resume=resume)
        if resume:
            check_classes(runner.train_dataloader.dataset, content, checkpoint)
        hand_over(runner, content, checkpoint)
        del content
    with refuse_what_cannot_be_built():
        runner.train()


if __name__ == '__main__':
    cli.run(main)
