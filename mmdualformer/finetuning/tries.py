"""Several trainings on the same videos, with other models or settings, compared on the validation clips."""

import copy
import importlib.util
import inspect
import json
import os
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich import box
from rich.console import Console
from rich.table import Table

from mmdualformer.configs import read_config
from mmdualformer.datasets.own_videos import write_data_json
from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically
from mmdualformer.report.figures import find_metric
from mmdualformer.report.runs import read_curves, read_lists

from .work_dir import Run

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

STUDY = 'study.log'
RESULTS = 'tries.json'


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


@dataclass(frozen=True)
class Try:
    """What one of the trainings came to.

    Attributes:
        run (Run): The training.
        number (int): Which one it is, from 1, the default settings.
        model (str): Name of the model.
        settings (dict): Values by the names of :data:`SETTINGS`.
        score (float, optional): Of the validation clips, by ``metric``; None where the training failed.
        metric (str, optional): Such as ``'acc/top1'``.
        minutes (float): What the training took.
        status (int): The exit status of a training that failed.
    """

    run: Run
    number: int
    model: str
    settings: dict[str, float]
    score: float | None
    metric: str | None
    minutes: float
    status: int


def check_tries(args: Namespace) -> None:
    """Check what can be known to be wrong with ``--try`` before a video is looked at.

    Raises:
        UserError: ``--folds`` is given too, or Optuna is missing.
    """
    if args.folds:
        raise UserError(
            f'--try {vars(args)["try"]} compares settings on one split, but --folds {args.folds} makes several; leave '
            'one of them out'
        )
    check_optuna()


def check_optuna() -> None:
    """Check that there is what draws the settings.

    Raises:
        UserError: The package is missing.
    """
    if importlib.util.find_spec('optuna') is None:
        raise UserError('--try needs the package optuna: pip install "mmdualformer[tune]"')


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


class Tries:
    """The trainings of a work dir, which are drawn, trained and ranked; they go on where they were stopped.

    The study is in ``study.log``, which Optuna's dashboard shows too. A try has a work dir of its own, ``try_1`` and so
    on, and all share the lists.

    Args:
        path (Path): The work dir.
        models (sequence): A run for each model, which is not trained: its config is that of the default settings.
        arguments (mapping): What the work dir was begun with, of which ``try``, ``seed`` and ``cfg_options`` count.

    Attributes:
        count (int): How many there are to be.
    """

    def __init__(self, path: Path, models: Sequence[Run], arguments: Mapping) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self.path = path
        self.count, self._seed = arguments['try'], arguments['seed']
        self._models = {run.path.name: read_config(str(run.config)) for run in models}
        self._space, self._defaults = make_space(self._models, arguments['cfg_options'])
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _mend(path / STUDY)
        storage = JournalStorage(JournalFileBackend(str(path / STUDY)))
        self._study = optuna.create_study(storage=storage, study_name='fit', direction='maximize', load_if_exists=True)

    def run(self, train: Callable[[Run], int]) -> None:
        """Train all that are not trained yet.

        Args:
            train (callable): Trains a run, or goes on with it, and gives the exit status.

        Raises:
            UserError: All have failed.
        """
        from optuna.trial import TrialState

        for trial in self._left():
            this = self._find(trial)
            settings = ', '.join(f'{name} {value:.2g}' for name, value in self._settings(trial).items())
            print(f'try {trial.number + 1} of {self.count}: {self._model(trial)}, {settings}')
            status = train(this)
            score = None if status else self._read_score(trial)[1]
            if score is None or not np.isfinite(score):
                this.note_failure(status)
                self._study.tell(trial.number, state=TrialState.FAIL)
                why = f'exit status {status}' if status else 'no validation, or one without a number'
                print(f'try {trial.number + 1} failed: {why}')
            else:
                self._study.tell(trial.number, score)
        ranked = self.rank()
        if ranked[0].score is None:
            raise UserError(f'all {self.count} tries failed; their logs are in {self.path}/try_1 and so on')
        data = {**read_lists([self.path]), 'tries': self.count}  # of which there may be more than at first
        for one in ranked:
            write_data_json(one.run.path / 'lists', data)  # where a report looks for it

    def rank(self) -> list[Try]:
        """Rank those that have come to their end, the best first, of equals the earlier one; those that failed last."""
        tries = []
        for trial in self._drawn():
            if trial.state.is_finished():
                this = self._find(trial)
                curves = read_curves(this.path)
                tries.append(
                    Try(
                        run=this,
                        number=trial.number + 1,
                        model=self._model(trial),
                        settings=self._settings(trial),
                        score=trial.value,
                        metric=self._read_score(trial)[0],
                        minutes=curves.seconds / 60 if curves else 0.0,
                        status=this.failure or 0,
                    )
                )
        return sorted(tries, key=lambda one: (one.score is None, -(one.score or 0.0), one.number))

    def _find(self, trial: 'FrozenTrial') -> Run:
        return Run(self.path / f'try_{trial.number + 1}')

    def _model(self, trial: 'FrozenTrial') -> str:
        return trial.params.get('model', next(iter(self._models)))

    def _settings(self, trial: 'FrozenTrial') -> dict[str, float]:
        return draw_settings(self._models[self._model(trial)], trial.params)

    def _read_score(self, trial: 'FrozenTrial') -> tuple[str | None, float | None]:
        """Read the metric and its value in the last validation, or in the best where the best epoch was kept."""
        curves = read_curves(self._find(trial).path)
        metric = find_metric(curves) if curves else None
        if curves is None or metric is None:
            return None, None
        values = [line[metric] for line in curves.val if metric in line]
        keeps_best = self._models[self._model(trial)].default_hooks.checkpoint.get('save_best')
        return metric, max(values) if keeps_best else values[-1]

    def _drawn(self) -> list['FrozenTrial']:
        """Those whose config is there; one that was being drawn when a kill came counts for nothing."""
        return [trial for trial in self._study.get_trials(deepcopy=False) if self._find(trial).config.is_file()]

    def _left(self) -> Iterator['FrozenTrial']:
        from optuna.trial import TrialState

        drawn = {trial.number for trial in self._drawn()}
        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            if trial.number in drawn:
                yield trial
            else:
                self._study.tell(trial.number, state=TrialState.FAIL)
        while len(self._drawn()) < self.count:
            yield self._draw()

    def _draw(self) -> 'FrozenTrial':
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        done = len(self._drawn())
        if done < len(self._defaults) and not self._study.get_trials(states=[TrialState.WAITING]):
            self._study.enqueue_trial(self._defaults[done])  # each model by itself first
        # a seed for each, so that what is drawn after a stop is what would have been drawn without it
        self._study.sampler = TPESampler(seed=int(np.random.SeedSequence([self._seed, done]).generate_state(1)[0]))
        number = self._study.ask(self._space).number
        trial = self._study.get_trials(deepcopy=False)[number]
        this = self._find(trial)
        cfg = copy.deepcopy(self._models[self._model(trial)])
        settings = self._settings(trial)
        cfg.merge_from_dict(
            {setting.key: settings[setting.name] for setting in SETTINGS if setting.drawn in trial.params}
        )
        cfg.work_dir = str(this.path.absolute())
        this.write_config(cfg)
        return trial


def _mend(log: Path) -> None:
    """Take away what a kill has left of a study: a lock, as that of the work dir keeps others out, and half a line."""
    Path(f'{log}.lock').unlink(missing_ok=True)
    if log.is_file():
        content = log.read_bytes()
        os.truncate(log, content.rfind(b'\n') + 1)


def show_tries(path: Path, tries: Sequence[Try]) -> None:
    """Write what :meth:`Tries.rank` gives as ``tries.json``, print it, and say what the best number is worth.

    Args:
        path (Path): The work dir.
        tries (sequence): The ranked tries.
    """
    _write(path / RESULTS, tries)
    _print(tries)
    if read_lists([path]).get('test_is_validation'):
        print(
            'the number of the best has chosen it, so it is too high, and so is its test on the same videos; for one '
            'that chose nothing keep videos to test on, as by --test-share 0.2'
        )


def _write(path: Path, tries: Sequence[Try]) -> None:
    rows = [
        {
            'try': one.number,
            'model': one.model,
            **one.settings,
            'metric': one.metric,
            'value': one.score,
            'minutes': round(one.minutes, 2),
            'status': 'failed' if one.score is None else 'trained',
            'exit_status': one.status,
            'work_dir': one.run.path.name,
        }
        for one in tries
    ]
    with write_atomically(path) as partial:
        partial.write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')


def _print(tries: Sequence[Try]) -> None:
    names = [setting.name for setting in SETTINGS if any(setting.name in one.settings for one in tries)]
    metric = next((one.metric for one in tries if one.metric), 'result')
    # fits a terminal of 80 columns, also with the longest name of a model
    table = Table(box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for name in ('try', 'model', *names, metric, 'minutes'):
        table.add_column(name, no_wrap=' ' not in name)
    for one in tries:
        values = [f'{one.settings[name]:.2g}' if name in one.settings else '' for name in names]
        result = 'failed' if one.score is None else f'{one.score:.4f}'
        table.add_row(str(one.number), one.model, *values, result, f'{one.minutes:.1f}')
    Console().print(table)
