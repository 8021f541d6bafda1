"""The settings that tries differ in, and the space that they are drawn from."""

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Setting:
    """A number of a config that is tried.

    Attributes:
        name (str): What a table calls it.
        key (str): Where it is in a config.
        low (float): The least that is drawn.
        high (float): The most.
        is_factor (bool): They are times the config's own value, and drawn on a log scale.
    """

    name: str
    key: str
    low: float
    high: float
    is_factor: bool = False

    @property
    def drawn(self) -> str:
        """What the study calls what it draws."""
        name = self.name.replace(' ', '_')
        return f'{name}_factor' if self.is_factor else name


SETTINGS = (
    Setting('lr', 'optim_wrapper.optimizer.lr', 1 / 3, 3, is_factor=True),
    Setting('weight decay', 'optim_wrapper.optimizer.weight_decay', 1 / 5, 5, is_factor=True),
    Setting('label smoothing', 'model.cls_head.label_smooth_eps', 0, 0.2),
    Setting('dropout', 'model.cls_head.dropout_ratio', 0, 0.6),
)


def read_settings(cfg: Config) -> dict[str, float]:
    """Read from a config the values of those of :data:`SETTINGS` that it has, by their names."""
    init_default_scope(cfg.default_scope)
    optimizer, head = cfg.optim_wrapper.optimizer, cfg.model.cls_head
    values = {
        'lr': optimizer.get('lr'),
        'weight decay': optimizer.get('weight_decay'),
        'label smoothing': _head_argument(head, 'label_smooth_eps'),
        'dropout': _head_argument(head, 'dropout_ratio'),
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def _head_argument(head: Config, name: str) -> float | None:
    """An argument of a head as its config has it or by default; None where it takes none of that name."""
    if name in head:
        return head[name]
    for kind in MODELS.get(head.type).__mro__:  # what a class does not name it gives to the one that it derives from
        parameters = inspect.signature(kind).parameters
        if name in parameters:
            return parameters[name].default
    return None


def make_space(
    models: Mapping[str, Config], fixed: Collection[str] = ()
) -> tuple[dict[str, 'BaseDistribution'], list[dict[str, str | float]]]:
    """Make the space that settings are drawn from.

    Args:
        models (mapping): Name -> the config that a model is trained by; the first is the default.
        fixed (collection): Keys of settings that the user has given, which stay as they are. Defaults to none.

    Returns:
        tuple: The distributions, and what stands for the default settings of each model, by the names that the study
        has.

    Raises:
        UserError: Nothing is left to draw.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    space: dict[str, BaseDistribution] = {}
    defaults: list[dict[str, str | float]] = [{} for _ in models]
    if len(models) > 1:
        space['model'] = CategoricalDistribution(list(models))
        defaults = [dict(model=name) for name in models]
    values = [read_settings(cfg) for cfg in models.values()]
    for setting in SETTINGS:
        if any(setting.key == key or setting.key.startswith(f'{key}.') for key in fixed):
            continue
        own = [value[setting.name] for value in values if setting.name in value]
        if len(own) < len(models) or (setting.is_factor and 0 in own):
            continue  # a model does without it
        high = setting.high if setting.is_factor else max(setting.high, *own)
        space[setting.drawn] = FloatDistribution(setting.low, high, log=setting.is_factor)
        for default, value in zip(defaults, own):
            default[setting.drawn] = 1.0 if setting.is_factor else value
    if not space:
        raise UserError('--try has nothing to compare: --cfg-options gives each of the settings that it would draw')
    return space, defaults


def draw_settings(cfg: Config, drawn: Mapping[str, str | float]) -> dict[str, float]:
    """Give the settings that a config has with what was drawn.

    Args:
        cfg (Config): The config of the model that was drawn.
        drawn (mapping): Values by the names of :func:`make_space`.

    Returns:
        dict: Values by the names of :data:`SETTINGS`, also of those that were not drawn.
    """
    values = read_settings(cfg)
    for setting in SETTINGS:
        if setting.drawn in drawn:
            value = float(drawn[setting.drawn])
            values[setting.name] = value * values[setting.name] if setting.is_factor else value
    return values
