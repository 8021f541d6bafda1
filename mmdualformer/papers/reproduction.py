"""The commands from a data set and no weights to a number in a paper's table."""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote

from mmengine.config import Config

from mmdualformer.configs import merge_options, parse_options
from mmdualformer.errors import UserError
from mmdualformer.papers.tables import (
    PAPERS,
    TOKEN_LABELLED,
    Row,
    data_folder,
    has_twins,
    load_paper,
    load_rows,
    read_config,
)

# checkpoint that a config starts from -> the config that makes it, where it is not of the same name
MAKERS = {
    'dualformer_t_k400': 'dualformer_t_k400_tokenlabel',  # as the paper trains T and S on Kinetics-400 (Appendix A.3)
    'dualformer_s_k400': 'dualformer_s_k400_tokenlabel',
    'dualformer_b_k400': 'dualformer_b_k400_in1k',
    'i3d_r50_8x8_k400': 'baselines/i3d_r50_8x8_k400',
}
# what the paper starts from, where the config starts from random weights -> the checkpoint, and timm's file of it
IMAGE_MODELS = {
    'ImageNet-1K': ('checkpoints/dualformer_t_in1k.pth', None),  # all ablations are of DualFormer-T
    'ViT-B': ('checkpoints/vit_b.pth', 'vit_base_patch16_224_in21k.pth'),
    'ViT-B/32': ('checkpoints/vit_b_32.pth', 'vit_base_patch32_224_in21k.pth'),
    'ViT-L': ('checkpoints/vit_l.pth', 'vit_large_patch16_224_in21k.pth'),
    'T2T-ViT': ('checkpoints/t2t_vit_19.pth', 'T2T_ViT_19.pth'),
}
OF_PATCH_32 = 'ablations/vidtr_s_k400_patch_1x32x32'  # its kernels are those of ViT-B/32, not of ViT-B/16
# what the 2D DualFormer has too: an ablation that sets one of these starts from an image model that has it as well
IMAGE_ARGUMENTS = ('block_types', 'fine_sizes', 'coarse_sizes', 'downsampling', 'position', 'mlp_ratio', 'mlp_rank')
WITHOUT_LIST = ('imagenet', 'imagenet21k')  # read from folders
# configs that differ from another in nothing but their test: the end of their names
TESTS_OF_ANOTHER = ('_4x3',)
GPUS_OF_A_MACHINE = 8


@dataclass(frozen=True)
class Step:
    """A part of the chain.

    Attributes:
        title (str): What it does, and what it takes where the paper says so.
        command (str): For bash, in the repository's root.
        reports (bool): Whether it only reports, so that the chain goes on if it fails.
    """

    title: str
    command: str
    reports: bool = False


@dataclass(frozen=True)
class Machine:
    """What the steps run on: ``launcher`` is 'pytorch', 'slurm' or, for one process, 'none'.

    Raises:
        UserError: There are more GPUs than those of one machine, and not those of several whole ones.
    """

    gpus: int = 8
    launcher: str = 'pytorch'
    partition: str = 'PARTITION'

    def __post_init__(self) -> None:
        if self.gpus > GPUS_OF_A_MACHINE and self.gpus % GPUS_OF_A_MACHINE:
            raise UserError(
                f'--gpus {self.gpus} must be at most {GPUS_OF_A_MACHINE}, those of one machine, or a '
                f'multiple of {GPUS_OF_A_MACHINE}'
            )

    @property
    def nodes(self) -> int:
        """Machines."""
        return -(-self.gpus // GPUS_OF_A_MACHINE)

    def command(self, kind: str, config: str, *arguments: str) -> str:
        """Command that runs ``kind``, 'train' or 'test', on a config."""
        paths = [f'configs/{config}.py', *arguments]
        if self.launcher == 'none':
            return join(['python', f'tools/{kind}.py', *paths])
        if self.launcher == 'slurm':
            gpus = f'GPUS={self.gpus} GPUS_PER_NODE={self.gpus // self.nodes}'
            return f'{gpus} {join(["bash", f"tools/slurm_{kind}.sh", self.partition, Path(config).name, *paths])}'
        nodes = f'NNODES={self.nodes} NODE_RANK=$NODE_RANK MASTER_ADDR=$MASTER_ADDR ' if self.nodes > 1 else ''
        return nodes + join(['bash', f'tools/dist_{kind}.sh', *paths, str(self.gpus // self.nodes)])


def chain(row: Row, machine: Machine, options: Sequence[str] = ()) -> list[Step]:
    """List the steps to a row's numbers.

    Args:
        row (Row): A row of ours.
        machine (Machine): What they run on.
        options (sequence): ``--cfg-options`` for every training and test.

    Returns:
        list[Step]: Data check, pretraining, training, test, cell. Checkpoints that are there are not made again.
    """
    steps = []
    for config, pretrain in ((row.config, row.pretrain), (row.partner, '')):
        if not config:
            continue
        trained = _trained_as(config)
        steps += _train(trained, pretrain, machine, options)
        command = machine.command('test', config, _last_checkpoint(trained, _read(trained, options)))
        dump = f' --dump {_predictions(config)}' if row.partner else ''
        steps.append(Step(f'test {config}: {row.views or "1x1"} views', command + dump + _cfg_options(options)))
    if row.partner:
        predictions = f'{_predictions(row.config)} {_predictions(row.partner)}'
        steps.append(
            Step(
                f'average the scores of {row.config} and {row.partner}',
                f'python tools/analysis/ensemble.py {predictions} --out work_dirs/{row.tested}.json',
            )
        )
    steps.append(
        Step(
            f'cell of {row.paper}/{row.table}, {row.row}',
            f'python tools/analysis/paper_tables.py --paper {row.paper} --table {row.table} --results work_dirs'
            + _token_labels(row),
        )
    )
    return list(dict.fromkeys(steps))


def run(steps: Sequence[Step]) -> None:
    """Run steps one after another, with the Python that this runs in.

    Raises:
        UserError: One fails; those after it are not run.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    for number, step in enumerate(steps, 1):
        print(f'== {number}/{len(steps)} {step.title}\n{step.command}', flush=True)
        status = subprocess.run(['bash', '-c', step.command], env={**os.environ, 'PATH': path}).returncode
        if status != 0 and step.reports:
            print(f'{step.title!r} ended with status {status}; going on', flush=True)
        elif status != 0:
            raise UserError(f'step {number} of {len(steps)}, {step.title!r}, ended with status {status}')


def _train(config: str, pretrain: str, machine: Machine, options: Sequence[str]) -> list[Step]:
    """Steps up to the last checkpoint of a config, in the order of what needs what."""
    cfg = _read(config, options)
    own_options = list(options)
    steps = _check_data(cfg)
    checkpoints = [
        cfg.model.backbone.get('init_cfg', {}).get('checkpoint'),
        cfg.load_from,
        cfg.model.get('teacher', {}).get('checkpoint'),
    ]
    pretrain = 'ViT-B/32' if config == OF_PATCH_32 else pretrain
    if not any(checkpoints[:2]) and pretrain in IMAGE_MODELS:
        checkpoint, released = IMAGE_MODELS[pretrain]
        variant = {name: cfg.model.backbone[name] for name in IMAGE_ARGUMENTS if name in cfg.model.backbone}
        if variant:
            name = Path(config).name.removesuffix(TOKEN_LABELLED).replace('_k400_', '_in1k_')
            checkpoint = f'checkpoints/{name}.pth'
            steps += _train_image_variant(Path(checkpoint), variant, machine, options)
        elif released is None:
            checkpoints.append(checkpoint)
        elif not Path(checkpoint).exists():
            steps.append(
                Step(
                    f'pretraining: convert {released}, {pretrain} as its authors released it',
                    f'python tools/convert_checkpoint.py vit {released} {checkpoint}',
                )
            )
        own_options += ['model.backbone.init_cfg.type=Inflated', f'model.backbone.init_cfg.checkpoint={checkpoint}']
        of_time_alone = variant.get('fine_sizes', ('whole',))[-1] not in ('whole', None)
        own_options += ['model.backbone.init_cfg.strict=False'] * of_time_alone  # images lack what reduces time alone
    for checkpoint in filter(None, checkpoints):
        steps += _make_checkpoint(checkpoint, machine, options)
    return [*steps, _train_step(config, cfg, machine, own_options)]


def _train_step(config: str, cfg: Config, machine: Machine, options: Sequence[str], arguments: str = '') -> Step:
    """Train a config, at the learning rate of the machine's batch."""
    processes = 1 if machine.launcher == 'none' else machine.gpus
    scaled = processes * cfg.train_dataloader.batch_size != cfg.auto_scale_lr.base_batch_size
    command = machine.command('train', config) + f'{arguments} --resume' + ' --auto-scale-lr' * scaled
    command += _cfg_options(options)
    return Step(f'train {config}: {cfg.train_cfg.max_epochs} epochs{_hours(config, machine)}', command)


def _train_image_variant(
    checkpoint: Path, variant: Mapping[str, object], machine: Machine, options: Sequence[str]
) -> list[Step]:
    """Steps to an image model with the backbone arguments of an ablation; none if it is there."""
    if checkpoint.exists():
        return []
    config = Path(IMAGE_MODELS['ImageNet-1K'][0]).stem
    cfg = _read(config, options)
    folder = f'work_dirs/{checkpoint.stem}'
    values = {name: str(value).replace(' ', '').replace("'", '') for name, value in variant.items()}
    own_options = [*options, *(f'model.backbone.{name}={value}' for name, value in values.items())]
    return [
        *_check_data(cfg),
        _train_step(config, cfg, machine, own_options, f' --work-dir {folder}'),
        _keep(checkpoint.stem, f'{folder}/{_last_epoch(cfg)}', checkpoint),
    ]


def _make_checkpoint(checkpoint: str, machine: Machine, options: Sequence[str]) -> list[Step]:
    """Steps to a checkpoint that a config starts from; none if it is there."""
    if Path(checkpoint).exists():
        return []
    maker = MAKERS.get(Path(checkpoint).stem, Path(checkpoint).stem)
    row = next((row for row in _all_rows() if row.config == maker), None)
    trained = _last_checkpoint(maker, _read(maker, options))
    return [
        *_train(maker, row.pretrain if row else '', machine, options),
        _keep(maker, trained, Path(checkpoint)),
    ]


def _keep(maker: str, trained: str, checkpoint: Path) -> Step:
    return Step(
        f'pretraining: keep {maker} as {checkpoint}', f'mkdir -p {checkpoint.parent} && cp {trained} {checkpoint}'
    )


def _token_labels(row: Row) -> str:
    """Which twins the ledger has to look for: none of them where the row is as the table has it."""
    is_default, has_labels = not row.config.startswith('ablations/'), row.config.endswith(TOKEN_LABELLED)
    if is_default is has_labels or not has_twins(row.paper, row.table):
        return ''
    return ' --token-labels' if has_labels else ' --no-token-labels'


def _trained_as(config: str) -> str:
    """The config whose training makes what a config tests."""
    return next((config.removesuffix(end) for end in TESTS_OF_ANOTHER if config.endswith(end)), config)


def _predictions(config: str) -> str:
    return f'work_dirs/{Path(config).name}/predictions.pkl'


def _check_data(cfg: Config) -> list[Step]:
    folder = data_folder(cfg)
    root = f'data/{folder}'
    if folder == 'motion':
        command = f'test -f {root}/label_map.txt || python tools/data/make_motion_clips.py --out {root}'
    elif folder in WITHOUT_LIST:
        command = f'test -d {root}/train'
    else:
        command = f'python tools/data/prepare.py {folder} --root {root}'
        check = Step(f'data: videos of {root} that are broken, which training leaves out', f'{command} --check', True)
        return [Step(f'data: {root}', command), check]
    return [Step(f'data: {root}', command)]


def _hours(config: str, machine: Machine) -> str:
    row = next((row for row in _all_rows() if row.config == config and row.gpu_hours), None)
    if row is None:
        return ''
    return (
        f'; the authors took about {row.gpu_hours} {load_paper(row.paper)["gpu"]} hours, '
        f'{row.gpu_hours / machine.gpus:.0f} on {machine.gpus}'
    )


def _all_rows() -> list[Row]:
    return [row for paper in PAPERS for row in load_rows(paper)]


def _read(config: str, options: Sequence[str]) -> Config:
    return _read_once(config, tuple(options))


@functools.cache
def _read_once(config: str, options: tuple[str, ...]) -> Config:
    cfg = read_config(config)
    merge_options(cfg, parse_options(options), f'configs/{config}.py')
    return cfg


def _last_checkpoint(config: str, cfg: Config) -> str:
    return f'work_dirs/{Path(config).name}/{_last_epoch(cfg)}'


def _last_epoch(cfg: Config) -> str:
    return f'epoch_{cfg.train_cfg.max_epochs}.pth'


def _cfg_options(options: Sequence[str]) -> str:
    return ' --cfg-options ' + ' '.join(map(quote, options)) if options else ''
