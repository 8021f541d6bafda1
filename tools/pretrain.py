"""Pretrain a small model on scenes in motion, which are drawn as it trains: no videos are needed."""

import argparse
import sys
from pathlib import Path

import torch

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.checkpoints.motion import write_motion_weights
from mmdualformer.commands import ROOT, tool_command
from mmdualformer.errors import UserError
from mmdualformer.files import check_target
from mmdualformer.processes import cpu_environment, run
from mmdualformer.resuming import find_newest

MODELS = sorted(path.stem.removesuffix('_scenes') for path in (ROOT / 'configs' / 'pretraining').glob('*_scenes.py'))


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    parser.add_argument('--motion', action='store_true', required=True, help='learn the motion of drawn scenes')
    parser.add_argument('--model', choices=MODELS, default='vmf_micro', help='model to pretrain')
    parser.add_argument('--epochs', type=cli.at_least(1), help="epochs of 16,000 clips (default: the config's)")
    parser.add_argument('--seed', type=int, default=0, help='draws the scenes and the first weights')
    parser.add_argument('--work-dir', type=Path, help='where everything goes (default: work_dirs/pretrain_MODEL)')
    cli.add_out_arguments(parser, help='file of the weights (default: MODEL.safetensors in the work dir)')
    parser.add_argument('--resume', action='store_true', help='go on with a training that was stopped')
    cli.add_options_argument(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    work_dir = args.work_dir or Path('work_dirs', f'pretrain_{args.model}')
    out = args.out or work_dir / f'{args.model}.safetensors'
    if out.suffix != '.safetensors':
        raise UserError(f'--out {str(out)!r} must end in .safetensors')
    check_target(out, args.overwrite or args.resume)
    options = [f'{name}={value}' for name, value in args.cfg_options.items()]
    if args.epochs:
        options += [f'train_cfg.max_epochs={args.epochs}', f'param_scheduler.1.end={args.epochs}']
    config = ROOT / 'configs' / 'pretraining' / f'{args.model}_scenes.py'
    command = [sys.executable, '-m', 'mmdualformer', 'train', config, '--work-dir', work_dir, '--seed', args.seed]
    command += ['--resume'] * args.resume + (['--cfg-options', *options] if options else [])
    processes = torch.cuda.device_count()
    command += ['--gpus', processes] * (processes > 1)
    code = run(list(map(str, command)), **({} if processes else cpu_environment()))
    if code:
        sys.exit(code)
    size = write_motion_weights(find_newest(str(work_dir)), out)
    print(
        f'{out} ({size / 1e6:.2f} MB) is what to start from:\n'
        f'{tool_command("fit")} FOLDER --model {args.model} --checkpoint {out}'
    )


if __name__ == '__main__':
    cli.run(main)
