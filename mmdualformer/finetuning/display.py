"""What a fine-tuning shows while it goes on."""

import importlib.util

from mmengine.config import Config

from mmdualformer.errors import UserError


def show_progress(cfg: Config, resume: str) -> None:
    """Have a run show its progress, and of its log only warnings and errors; the log's file is complete.

    Args:
        cfg (Config): Changed in place.
        resume (str): The command that goes on with the run, which it names when it is stopped.
    """
    cfg.runner_type = 'QuietRunner'
    cfg.default_hooks.progress = dict(type='ProgressHook')
    if cfg.default_hooks.get('interruption'):
        cfg.default_hooks.interruption.resume_with = resume


def check_tensorboard() -> None:
    """Check that TensorBoard can be written for.

    Raises:
        UserError: The package is missing.
    """
    if importlib.util.find_spec('tensorboard') is None:
        raise UserError('--tensorboard needs the package tensorboard: pip install "mmdualformer[tensorboard]"')


def add_tensorboard(cfg: Config) -> None:
    """Have a run write its curves for TensorBoard too.

    Args:
        cfg (Config): Changed in place.
    """
    backends = cfg.visualizer.get('vis_backends') or []
    if not any(backend['type'] == 'TensorboardVisBackend' for backend in backends):
        cfg.visualizer.vis_backends = [*backends, dict(type='TensorboardVisBackend')]
