"""What fine-tuning leaves in its work dir, so that it can go on."""

import json
from collections.abc import Collection
from pathlib import Path

from mmengine.config import Config

from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically

CONFIG = 'config.py'
RECORD = 'fit.json'
NOT_SETTINGS = {'resume', 'work_dir'}  # arguments that say how a run is started


class FinetuningDir:
    """The work dir of a fine-tuning: its complete config, and the arguments that it was begun with.

    Args:
        path (Path): The folder, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / CONFIG

    @property
    def is_begun(self) -> bool:
        """Whether the config of a run is there, whose training may have begun."""
        return self.config.is_file()

    @property
    def is_trained(self) -> bool:
        """Whether the training has come to its end."""
        return self._read().get('trained', False)

    def begin(self, cfg: Config, arguments: dict) -> None:
        """Write the config of a run, after what it was made from.

        Args:
            cfg (Config): The complete config.
            arguments (dict): The values of the command line's options by name, such as ``dict(epochs=16)``.
        """
        self._write(dict(arguments=_plain(arguments)))
        with write_atomically(self.config) as partial:
            cfg.dump(partial.with_suffix('.py'))
            partial.with_suffix('.py').replace(partial)

    def end_training(self) -> None:
        """Note that the training has come to its end."""
        self._write(dict(self._read(), trained=True))

    def check_unused(self, resume: str) -> None:
        """Check that there is no run yet.

        Args:
            resume (str): The command that goes on with it.

        Raises:
            UserError: There is one.
        """
        if self.is_begun:
            raise UserError(
                f'work dir {str(self.path)!r} holds a run already; go on with it by {resume}, or choose another '
                '--work-dir'
            )

    def check_resumable(self, arguments: dict, given: Collection[str]) -> None:
        """Check that there is a run, and that its settings are not to be changed.

        Args:
            arguments (dict): See :meth:`begin`.
            given (collection): Names of those that the user has given.

        Raises:
            UserError: There is no run, or it has other settings.
        """
        if not self.is_begun:
            raise UserError(
                f'--resume: work dir {str(self.path)!r} holds no run to go on with ({CONFIG} is missing); leave '
                '--resume out to begin one'
            )
        begun, now = self._read().get('arguments', {}), _plain(arguments)
        for name in given:
            if name in begun and begun[name] != now[name]:
                option = name if name == 'folder' else f'--{name.replace("_", "-")}'
                raise UserError(
                    f'{option} {now[name]!r} is not what the run in {str(self.path)!r} was begun with, '
                    f'{begun[name]!r}; leave it out to go on, or choose another --work-dir'
                )

    def _read(self) -> dict:
        path = self.path / RECORD
        return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}

    def _write(self, record: dict) -> None:
        with write_atomically(self.path / RECORD) as partial:
            partial.write_text(json.dumps(record, indent=1), encoding='utf-8')


def _plain(arguments: dict) -> dict:
    """The settings as JSON gives them back."""
    settings = {name: value for name, value in arguments.items() if name not in NOT_SETTINGS}
    if 'folder' in settings:
        settings['folder'] = str(Path(settings['folder']).resolve())
    return json.loads(json.dumps(settings, default=str))
