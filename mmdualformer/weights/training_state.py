"""The state of training in a checkpoint: whether it has the form that MMEngine's runners take, and fits a run."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor
from torch.optim import Optimizer

from mmdualformer.errors import UserError

STATE_OF_TRAINING = {'meta', 'optimizer', 'message_hub'}  # what MMEngine's runners go on from
LARGEST_SEED = 2**32 - 1
# averages that an optimizer of torch keeps of each element
AVERAGES = {'exp_avg', 'exp_avg_sq', 'exp_inf', 'max_exp_avg_sq', 'momentum_buffer', 'square_avg', 'grad_avg', 'sum'}
# what those of torch look up once they have made a step
NEEDED = (
    ((torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam), {'step', 'exp_avg', 'exp_avg_sq'}),
    ((torch.optim.SGD,), {'momentum_buffer'}),
)


def check_state_of_training(checkpoint: Mapping, path: str) -> None:
    """Check that a checkpoint holds the state of training, in the form that a runner takes.

    Raises:
        UserError: It holds none, or one of another form.
    """
    if not STATE_OF_TRAINING <= checkpoint.keys():
        raise UserError(
            f'checkpoint {path!r} holds no state of training to go on from; start from its weights with '
            f'--cfg-options load_from={path}'
        )
    faults = list(_faults(checkpoint))
    if faults:
        raise UserError(f'checkpoint {path!r} cannot be gone on from: {faults[0]}')


def _faults(checkpoint: Mapping) -> Iterable[str]:
    """Yield what a state of training has of another form than MMEngine's."""
    meta = checkpoint['meta']
    for name in ('epoch', 'iter'):
        value = meta.get(name)
        if type(value) is not int or value < 0:
            yield f'its meta.{name} is {_say(value)}, not a number of at least 0'
    seed = meta.get('seed')
    if seed is not None and (type(seed) is not int or not 0 <= seed <= LARGEST_SEED):
        yield f'its meta.seed is {_say(seed)}, not a number of 0 to {LARGEST_SEED}'
    optimizer = checkpoint['optimizer']
    if not _is_optimizer(optimizer):
        several = isinstance(optimizer, dict) and optimizer and all(map(_is_optimizer, optimizer.values()))
        if not several:
            yield 'its optimizer has no state and groups of parameters'
    schedulers = checkpoint.get('param_schedulers', [])
    for part in schedulers.values() if isinstance(schedulers, dict) else [schedulers]:
        if not isinstance(part, list) or not all(isinstance(scheduler, dict) for scheduler in part):
            yield 'its param_schedulers are no list of states'
    hub = checkpoint['message_hub']
    parts = ('log_scalars', 'runtime_info', 'resumed_keys')
    if not isinstance(hub, dict) or not all(isinstance(hub.get(part), dict) for part in parts):
        yield f'its message_hub is no dict of {", ".join(parts)}'
    elif not all(isinstance(name, str) for part in parts for name in hub[part]):
        yield 'its message_hub has something else than names'


def _is_optimizer(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get('state'), dict):
        return False
    groups = value.get('param_groups')
    return (
        isinstance(groups, list)
        and all(isinstance(group, dict) and isinstance(group.get('params'), list) for group in groups)
        and all(type(number) is int for group in groups for number in group['params'])
        and all(isinstance(state, dict) for state in value['state'].values())
    )


class StateFits:
    """Compares what a runner has resumed with what it had before.

    Args:
        runner (Runner): With its optimizers and schedules, before it resumes.
        checkpoint (dict): What it is to resume from.

    Raises:
        UserError: The schedules are others.
    """

    def __init__(self, runner: Runner, checkpoint: Mapping) -> None:
        self.optimizers = list(_optimizers(runner))
        self.settings = [
            [{name: group[name] for name in optimizer.defaults if name in group} for group in optimizer.param_groups]
            for optimizer in self.optimizers
        ]
        given = checkpoint.get('param_schedulers')
        if given is not None and runner.param_schedulers is not None:
            self._check_schedules(runner.param_schedulers, given)

    def _check_schedules(self, schedules: Any, given: Any) -> None:
        if isinstance(schedules, dict) != isinstance(given, dict):
            raise UserError('its param_schedulers are those of another number of optimizers')
        pairs = [(schedules[name], given.get(name, [])) for name in schedules] if isinstance(given, dict) else None
        for own, states in pairs or [(schedules, given)]:
            if len(own) != len(states):
                raise UserError(f'it has {len(states)} param_schedulers, the config {len(own)}')
            for schedule, state in zip(own, states):
                before = schedule.state_dict()
                for name, value in state.items():
                    is_method = name == 'optimizer' or hasattr(type(schedule), str(name))
                    if is_method or (name in before and not _is_alike(value, before[name])):
                        raise UserError(f'its {type(schedule).__name__} has {name}={_say(value)}')

    def check(self) -> None:
        """Check the optimizers after the runner has resumed.

        Raises:
            UserError: A setting, or what an optimizer keeps of a parameter, has another form.
        """
        for optimizer, settings in zip(self.optimizers, self.settings):
            for group, before in zip(optimizer.param_groups, settings):
                for name, value in before.items():
                    if name not in group or not _is_alike(group[name], value):
                        raise UserError(f'its optimizer has {name}={_say(group.get(name))}')
                for parameter in group['params']:
                    _check_parameter(optimizer, parameter)


def _optimizers(runner: Runner) -> Iterable[Optimizer]:
    wrapper = runner.optim_wrapper
    wrappers = wrapper.optim_wrappers.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return [part.optimizer for part in wrappers]


def _check_parameter(optimizer: Optimizer, parameter: Tensor) -> None:
    state = optimizer.state.get(parameter)
    if not state:
        return
    for kinds, names in NEEDED:
        if isinstance(optimizer, kinds) and not names <= state.keys():
            raise UserError(f'its optimizer lacks {min(names - state.keys())}')
    for name, value in state.items():
        if name in AVERAGES and value is not None:
            if not isinstance(value, Tensor) or value.shape != parameter.shape or not value.is_floating_point():
                raise UserError(f'its optimizer has a {name} of another shape than its parameter')
        if name == 'step' and not (_is_number(value) or (isinstance(value, Tensor) and value.numel() == 1)):
            raise UserError(f'its optimizer has step={_say(value)}')


def _is_alike(value: Any, like: Any) -> bool:
    """Whether a value can take the place of another."""
    if like is None or value is None:
        return value is like or isinstance(value if like is None else like, (bool, int, float, type(None)))
    if isinstance(like, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(like) and all(map(_is_alike, value, like))
    if _is_number(like) or isinstance(like, Tensor):
        return _is_number(value) or (isinstance(value, Tensor) and value.numel() == 1)
    if isinstance(like, (bool, str, dict)):
        return any(isinstance(value, kind) and isinstance(like, kind) for kind in (bool, str, dict))
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _say(value: object) -> str:
    """A value, or of one that is not short its kind."""
    return repr(value) if isinstance(value, (type(None), bool, int, float)) else f'a {type(value).__name__}'
