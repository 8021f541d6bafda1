"""Several trainings on the same videos, with other models or settings, compared on the validation clips."""

import copy
import importlib.util
import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmdualformer.configs import read_config
from mmdualformer.datasets.own_videos import write_data_json
from mmdualformer.errors import UserError
from mmdualformer.report.figures import find_metric
from mmdualformer.report.runs import read_curves, read_lists

from .try_settings import SETTINGS, draw_settings, make_space
from .work_dir import Run

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

STUDY = 'study.log'


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
