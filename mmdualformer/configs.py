"""Configs: reading them, what ``--cfg-options`` changes in them, and the runner of one."""

import argparse
import importlib.util
import inspect
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.model import efficient_conv_bn_eval
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner

from mmdualformer.errors import UserError, describe

# What a runner reads of a config: its arguments, and what it looks up itself.
RUNNER_KEYS = {
    *inspect.signature(Runner).parameters,
    'activation_checkpointing',
    'compile',
    'detect_anomalous_params',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
}
FLEXIBLE_KEYS = {*inspect.signature(FlexibleRunner).parameters} - RUNNER_KEYS  # of runner_type='FlexibleRunner'
PLAIN_KEYS = (  # of Runner alone
    'activation_checkpointing',
    'detect_anomalous_params',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)
# packages that MMEngine's strategies need, and those that take several processes
PACKAGES = {'ColossalAIStrategy': 'colossalai', 'DeepSpeedStrategy': 'deepspeed'}
DISTRIBUTED = ('DDPStrategy', 'FSDPStrategy', *PACKAGES)


def read_config(path: str, options: dict | None = None) -> Config:
    """Read a config, and merge ``--cfg-options`` into it.

    Raises:
        UserError: The file does not exist, is no config or has no model, or an option does not fit.
    """
    if not Path(path).is_file():
        raise UserError(f'config {path!r} does not exist (looked in {Path.cwd()})')
    try:
        cfg = Config.fromfile(path)
    except SyntaxError as error:
        raise UserError(f'config {path!r} line {error.lineno}: {error.msg}') from None
    except Exception as error:  # it is a program: anything can go wrong in it
        raise UserError(f'config {path!r}: {type(error).__name__}: {describe(error)}') from None
    if 'model' not in cfg:
        raise UserError(f'config {path!r} has no model; choose one such as configs/dualformer_t_k400.py')
    merge_options(cfg, options or {}, path)
    return cfg


def read_inference_config(path: str, options: dict | None = None) -> Config:
    """Read a config whose ``test_pipeline``, which inference reads, and the pipeline of its test data are one.

    An option for either of the two is one for both.
    """
    cfg = read_config(path, options)
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    if 'pipeline' in dataset:
        if any(key.startswith('test_pipeline') for key in options or {}):
            dataset.pipeline = cfg.test_pipeline
        else:
            cfg.test_pipeline = dataset.pipeline
    return cfg


def parse_options(options: Sequence[str]) -> dict:
    """Parse ``key=value`` settings as MMEngine's tools do.

    Args:
        options (sequence): Such as ``['model.backbone.arch=small', 'train_cfg.max_epochs=3']``.

    Returns:
        dict: Key -> value, which is a number, a string, a bool, None, or a list or tuple of those.

    Raises:
        UserError: One is not ``key=value``.
    """
    parsed = argparse.Namespace(options=None)
    for option in options:
        if not re.match('[^=]+=', option):
            raise UserError(f'--cfg-options {option!r} must be key=value')
        try:
            DictAction([], 'options')(argparse.ArgumentParser(), parsed, [option])
        except AssertionError as error:  # brackets that are not closed
            raise UserError(f'--cfg-options {option!r} must be key=value: {error}') from None
        except RecursionError:
            raise UserError(f'--cfg-options {option!r} must be key=value, of lists without dicts') from None
    return parsed.options or {}


def merge_options(cfg: Config, options: dict, path: str) -> None:
    """Merge ``--cfg-options`` into the config that ``path`` names.

    Raises:
        UserError: An option does not fit, or nothing would read it.
    """
    is_flexible = options.get('runner_type', cfg.get('runner_type')) == 'FlexibleRunner'
    known = RUNNER_KEYS | FLEXIBLE_KEYS if is_flexible else RUNNER_KEYS
    for key, value in options.items():
        root = key.partition('.')[0]
        if root not in cfg and root not in known:
            hint = ' without runner_type=FlexibleRunner' * (root in FLEXIBLE_KEYS)
            raise UserError(f'--cfg-options {key}={value} does not fit {path}: nothing reads {root!r}{hint}')
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f'--cfg-options {key}={value} does not fit {path}: {error}') from None


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config.

    Raises:
        UserError: Something in the config has an unknown type or argument, or needs a package that is missing.
    """
    with refuse_what_cannot_be_built():
        if cfg.get('strategy') is not None:
            _check_strategy(cfg)
        if cfg.get('runner_type') == 'FlexibleRunner':
            for key in filter(cfg.get, PLAIN_KEYS):
                raise UserError(
                    f'{key} is read by Runner alone: FlexibleRunner takes strategy, with settings of its own'
                )
        runner: Any = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        if isinstance(runner, FlexibleRunner):
            runner._compile = cfg.get('compile', False)  # which its from_cfg leaves out
            runner.model = runner.strategy.build_model(runner.model)  # as Runner does here, and it later
            if cfg.get('efficient_conv_bn_eval'):
                efficient_conv_bn_eval.turn_on_efficient_conv_bn_eval(runner.model, cfg.efficient_conv_bn_eval)
        return runner


def _check_strategy(cfg: Config) -> None:
    """Check how a ``FlexibleRunner`` is to spread a model over processes.

    Raises:
        UserError: Another runner is to be built, or the strategy needs a package, processes or settings.
    """
    if cfg.get('runner_type') != 'FlexibleRunner':
        raise UserError(f"strategy is read by runner_type='FlexibleRunner' alone, not by {cfg.get('runner_type')!r}")
    name = getattr(cfg.strategy.get('type'), '__name__', cfg.strategy.get('type'))
    package = PACKAGES.get(name)
    if package and importlib.util.find_spec(package) is None:
        raise UserError(f'strategy.type={name!r} needs {package}, which is not installed: pip install {package}')
    if name in DISTRIBUTED and cfg.get('launcher', 'none') == 'none':
        raise UserError(
            f'strategy.type={name!r} is for several processes: start them with `tools/dist_train.sh CONFIG GPUS` or '
            '--launcher'
        )
    if name == 'DeepSpeedStrategy' and cfg.optim_wrapper.get('type') != 'DeepSpeedOptimWrapper':
        raise UserError(
            "strategy.type='DeepSpeedStrategy' needs optim_wrapper=dict(_delete_=True, type='DeepSpeedOptimWrapper', "
            'optimizer=dict(...)): DeepSpeed takes the steps itself'
        )
    hooks = [*(cfg.get('custom_hooks') or ()), *(cfg.get('default_hooks') or {}).values()]
    if name in ('DeepSpeedStrategy', 'FSDPStrategy') and any(hook.get('type') == 'EMAHook' for hook in hooks if hook):
        raise UserError(
            f'strategy.type={name!r} leaves no process the weights that EMAHook averages; take one of them out'
        )
    if name == 'FSDPStrategy' and cfg.strategy.setdefault('state_dict_cfg', 'full') != 'full':
        raise UserError(
            f"strategy.state_dict_cfg={cfg.strategy.state_dict_cfg!r} must be 'full', or left out: nothing else "
            'reads checkpoints in shards'
        )


@contextmanager
def refuse_what_cannot_be_built() -> Iterator[None]:
    """Around a runner that builds parts of its config, data loaders and optimisers as it starts.

    Raises:
        UserError: Something in the config has an unknown type or argument, or needs a package that is missing.
    """
    try:
        yield
    except ImportError as error:  # as MMEngine's visualization backends raise it
        missing = re.match(r'Please run "pip install (?:-U )?(\S+)"', str(error))
        if missing is None:
            raise
        raise UserError(
            f'the config names a part that needs {missing[1]}, which is not installed: pip install {missing[1]}, or '
            'take it out, such as from visualizer.vis_backends'
        ) from None
    except (KeyError, TypeError) as error:
        message = describe(error)
        is_building = any(frame.name.startswith('build') for frame in traceback.extract_tb(error.__traceback__))
        if is_building and re.search(
            'unexpected keyword argument|required positional argument|is not in the .* registry', message
        ):
            raise UserError(message.partition('. Please check')[0]) from None
        raise
