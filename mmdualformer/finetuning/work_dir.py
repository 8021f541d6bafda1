"""What a fine-tuning leaves in its work dir, so that it can go on."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically
from mmdualformer.resuming import find_newest

from .models import find_config

CONFIG = 'config.py'
RECORD = 'fit.json'
NOT_SETTINGS = {'resume', 'work_dir'}  # arguments that say how a run is started


class _Recorded:
    """A folder with a record of what was done in it.

    Args:
        path (Path): The folder, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict:
        path = self.path / RECORD
        return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}

    def _note(self, **record: object) -> None:
        with write_atomically(self.path / RECORD) as partial:
            partial.write_text(json.dumps({**self._read(), **record}, indent=1), encoding='utf-8')


class Run(_Recorded):
    """One training and its test, in a work dir of its own."""

    @property
    def config(self) -> Path:
        """Its complete config."""
        return self.path / CONFIG

    @property
    def start(self) -> Path:
        """The weights that it starts from, where there are any."""
        return self.path / 'start.pth'

    @property
    def report(self) -> Path:
        """The folder of the report of its test."""
        return self.path / 'report'

    @property
    def is_begun(self) -> bool:
        """Whether there is something to go on from."""
        return any(path != self.start for path in self.path.glob('*.pth'))

    @property
    def is_trained(self) -> bool:
        """Whether the training has come to its end."""
        return self._read().get('trained', False)

    @property
    def is_tested(self) -> bool:
        """Whether the test has come to its end."""
        return self._read().get('tested', False)

    def end_training(self) -> None:
        """Note that the training has come to its end."""
        self._note(trained=True)

    def end_test(self) -> None:
        """Note that the test has come to its end."""
        self._note(tested=True)

    @property
    def failure(self) -> int | None:
        """The exit status that the training has failed with."""
        return self._read().get('failed')

    def note_failure(self, status: int) -> None:
        """Note that the training has failed, with this exit status."""
        self._note(failed=status)

    def write_config(self, cfg: Config) -> None:
        """Write the config, as a whole or not at all."""
        with write_atomically(self.config) as partial:
            cfg.dump(partial.with_suffix('.py'))
            partial.with_suffix('.py').replace(partial)

    def find_checkpoint(self) -> str:
        """Find the best checkpoint where one was kept as the best, and otherwise the last."""
        best = max(self.path.glob('best_*.pth'), key=os.path.getmtime, default=None)
        return str(best or find_newest(str(self.path)))


def fold_dir(work_dir: Path, fold: int) -> Path:
    """The work dir of a fold, from 1, in that of all folds."""
    return work_dir / f'fold_{fold}'


class FinetuningDir(_Recorded):
    """The work dir of a fine-tuning: the arguments that it was begun with, and its runs.

    There is one, or one a fold, or one a model that settings are tried with. A fold that is trained by itself has a
    work dir of its own, so that the others may follow in any order.
    """

    @property
    def arguments(self) -> dict:
        """The arguments that it was begun with, by name."""
        return self._read().get('arguments', {})

    @property
    def folds(self) -> int | None:
        """How many folds the videos were dealt to; None for none."""
        return self.arguments.get('folds')

    @property
    def runs(self) -> list[Run]:
        """Those that were begun, none before all are ready to be trained."""
        return [Run(self.path / name) for name in self._read().get('runs', [])]

    def begin(self, runs: Sequence[Run], arguments: dict) -> None:
        """Note what is to be trained; the configs are written already.

        Args:
            runs (sequence): The runs.
            arguments (dict): The values of the command line's options by name, such as ``dict(epochs=16)``.
        """
        names = [str(run.path.relative_to(self.path)) for run in runs]
        self._note(arguments=_plain(arguments), runs=names)

    def check_unused(self, resume: str) -> None:
        """Check that there is no run yet.

        Args:
            resume (str): The command that goes on with it.

        Raises:
            UserError: There is one.
        """
        if self.runs:
            raise UserError(
                f'work dir {str(self.path)!r} holds a run already; go on with it by {resume}, or choose another '
                '--work-dir'
            )
        for path in (self.path, *sorted(self.path.glob('fold_*'))):
            if Run(path).is_begun:
                raise UserError(
                    f'work dir {str(self.path)!r} holds checkpoints of another run, in {str(path)!r}; choose another '
                    '--work-dir'
                )

    def check_resumable(self, arguments: dict, given: Collection[str]) -> None:
        """Check that there is a run, and that its settings are not to be changed; of tries there may be more.

        Args:
            arguments (dict): See :meth:`begin`.
            given (collection): Names of those that the user has given.

        Raises:
            UserError: There is no run, or it has other settings.
        """
        if not self.runs:
            raise UserError(
                f'--resume: work dir {str(self.path)!r} holds no run to go on with ({RECORD} names none); leave '
                '--resume out to begin one'
            )
        begun, now = self.arguments, _plain(arguments)
        for name in given:
            if name == 'try' and begun.get(name) and now[name] >= begun[name]:
                self._note(arguments={**begun, name: now[name]})  # more of them
            elif name in begun and _meaning(name, begun[name]) != _meaning(name, now[name]):
                option = name if name == 'folder' else f'--{name.replace("_", "-")}'
                raise UserError(
                    f'{option} {now[name]!r} is not what the run in {str(self.path)!r} was begun with, '
                    f'{begun[name]!r}; leave it out to go on, or choose another --work-dir'
                )


def _meaning(name: str, value: Any) -> object:
    """What an argument stands for, where that may be written in several ways."""
    if name == 'model' and value:
        return [str(Path(find_config(model)).resolve()) for model in ([value] if isinstance(value, str) else value)]
    return str(Path(value).resolve()) if name == 'checkpoint' and isinstance(value, str) else value


def _plain(arguments: dict) -> dict:
    """The settings as JSON gives them back; paths are the same from any folder."""
    settings = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in arguments.items()
        if name not in NOT_SETTINGS
    }
    return json.loads(json.dumps(settings, default=str))
