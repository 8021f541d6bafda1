"""The commands from a data set and no weights to a number in a paper's table."""

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote

from mmengine.config import Config

from mmdualformer import processes, signals
from mmdualformer.commands import translate
from mmdualformer.configs import merge_options, parse_options
from mmdualformer.errors import UserError

from .families import FAMILIES
from .leaves import data_folder, named_config
from .published import Row, load_paper, load_rows
from .twins import TOKEN_LABELLED, has_twins

WITHOUT_LIST = ('imagenet', 'imagenet21k')  # read from folders
# configs that differ from another in nothing but their test: the end of their names
TESTS_OF_ANOTHER = ('_4x3',)
GPUS_OF_A_MACHINE = 8


@dataclass(frozen=True)
class Step:
    """A part of the chain.

    Attributes:
        title (str): What it does, and what it takes where the paper says so.
        command (str): For bash, in a checkout's root.
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
    for config, of_config in ((row.config, row), (row.partner, None)):
        if not config:
            continue
        trained = _trained_as(config)
        steps += _train(trained, of_config, machine, options)
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


def run_steps(steps: Sequence[Step]) -> None:
    """Run steps one after another, with the Python that this runs in.

    Raises:
        UserError: One fails; those after it are not run.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    for number, step in enumerate(steps, 1):
        command = translate(step.command)
        print(f'== {number}/{len(steps)} {step.title}\n{command}', flush=True)
        status = processes.run(['bash', '-c', command], PATH=path)
        if signals.received():
            sys.exit(status)
        if status != 0 and step.reports:
            print(f'{step.title!r} ended with status {status}; going on', flush=True)
        elif status != 0:
            raise UserError(f'step {number} of {len(steps)}, {step.title!r}, ended with status {status}')


def _train(config: str, row: Row | None, machine: Machine, options: Sequence[str]) -> list[Step]:
    """Steps to the last checkpoint of a config, in the order of what needs what; ``row`` says what it starts from."""
    cfg = _read(config, options)
    own_options = list(options)
    steps = _check_data(cfg)
    checkpoints = [
        cfg.model.backbone.get('init_cfg', {}).get('checkpoint'),
        cfg.load_from,
        cfg.model.get('teacher', {}).get('checkpoint'),
    ]
    image_model = _image_model(row) if row and not any(checkpoints[:2]) else None
    if row and image_model:
        variant = {
            name: cfg.model.backbone[name] for name in image_model.get('arguments', ()) if name in cfg.model.backbone
        }
        checkpoint = image_model.get('checkpoint') or f'checkpoints/{image_model["config"]}.pth'
        if variant:
            name = Path(config).name.removesuffix(TOKEN_LABELLED).replace('_k400_', '_in1k_')
            checkpoint = f'checkpoints/{name}.pth'
            steps += _train_image_variant(Path(checkpoint), image_model['config'], variant, machine, options)
        elif 'config' in image_model:
            checkpoints.append(checkpoint)
        elif not Path(checkpoint).exists():
            released = image_model['released']
            steps.append(
                Step(
                    f'pretraining: convert {released}, {row.image_model or row.pretrain} as its authors released it',
                    f'python tools/convert_checkpoint.py {image_model["converter"]} {released} {checkpoint}',
                )
            )
        own_options += ['model.backbone.init_cfg.type=Inflated', f'model.backbone.init_cfg.checkpoint={checkpoint}']
        own_options += ['model.backbone.init_cfg.strict=False'] * row.partly_inflated
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


def _image_model(row: Row) -> dict | None:
    """The image model that the paper starts a row from; see ``published.py``."""
    return load_paper(row.paper).get('image_models', {}).get(row.image_model or row.pretrain)


def _train_image_variant(
    checkpoint: Path, config: str, variant: Mapping[str, object], machine: Machine, options: Sequence[str]
) -> list[Step]:
    """Steps to the image model of a config with the backbone arguments of an ablation; none if it is there."""
    if checkpoint.exists():
        return []
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
    maker = _makers().get(Path(checkpoint).stem, Path(checkpoint).stem)
    row = next((row for row in _all_rows() if row.config == maker), None)
    trained = _last_checkpoint(maker, _read(maker, options))
    return [
        *_train(maker, row, machine, options),
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
    for row in _all_rows():
        if row.config == config and row.gpu_hours:
            gpu = load_paper(row.paper)['gpu']
            on_all = f'{row.gpu_hours / machine.gpus:.0f} on {machine.gpus}'
            return f'; the authors took about {row.gpu_hours} {gpu} hours, {on_all}'
    return ''


def _all_rows() -> list[Row]:
    return [row for paper in FAMILIES for row in load_rows(paper)]


def _makers() -> dict[str, str]:
    """Checkpoint -> the config that makes it, where it is not of the same name."""
    return {
        checkpoint: config for paper in FAMILIES for checkpoint, config in load_paper(paper).get('makers', {}).items()
    }


def _read(config: str, options: Sequence[str]) -> Config:
    return _read_once(config, tuple(options))


@functools.cache
def _read_once(config: str, options: tuple[str, ...]) -> Config:
    cfg = named_config(config)
    merge_options(cfg, parse_options(options), f'configs/{config}.py')
    return cfg


def _last_checkpoint(config: str, cfg: Config) -> str:
    return f'work_dirs/{Path(config).name}/{_last_epoch(cfg)}'


def _last_epoch(cfg: Config) -> str:
    return f'epoch_{cfg.train_cfg.max_epochs}.pth'


def _cfg_options(options: Sequence[str]) -> str:
    return ' --cfg-options ' + ' '.join(map(quote, options)) if options else ''
