"""What OpenMIM and MMEngine's hub ask a package for: weights to download, of which there are none of ours."""

import difflib
import functools
import sys
from pathlib import Path
from typing import NoReturn

import yaml
from mmengine.hub import hub

from mmdualformer.commands import ROOT
from mmdualformer.errors import name_some

from .mending import once

_PACKAGE = 'mmdualformer'
_COMMAND = 'mim.commands.download'


class _Unpublished(dict):
    """A model's entry in a metafile: whoever asks whether it has ``Weights`` is told why not."""

    def __contains__(self, key: object) -> bool:
        if key == 'Weights' and not super().__contains__(key):
            # no ValueError, as a UserError is: get_config would go on without weights
            raise LookupError(_say_why(Path(self['Config']).stem))
        return super().__contains__(key)


def say_that_no_weights_are_published() -> None:
    """mmengine 0.10.7 asserts that a metafile has ``Weights``; openmim 0.3.9 lists its columns where none has.

    mmengine also knows no config that is in no metafile, and forgets there that weights are wanted.
    """
    folder = str(Path(__file__).parents[1])

    def look_up(original):

        def get_cfg_metainfo(package_path, cfg_path):
            if package_path != folder:
                return original(package_path, cfg_path)
            try:
                return _Unpublished(original(package_path, cfg_path))
            except ValueError:
                return _Unpublished(Config=f'configs/{cfg_path}')

        return get_cfg_metainfo

    def refuse(original):

        def download(package, configs=None, dest_root=None, check_certificate=True, dataset=None):
            if package != _PACKAGE:
                return original(package, configs, dest_root, check_certificate, dataset)
            _refuse_download(configs, dataset)

        return download

    once(hub, '_get_cfg_metainfo', look_up)
    if _COMMAND in sys.modules:  # by its name, as a function of the package hides the module
        once(sys.modules[_COMMAND], 'download', refuse)


def _refuse_download(configs: list[str] | None, dataset: str | None) -> NoReturn:
    from click import ClickException  # OpenMIM prints it as a line, and needs click

    if dataset:
        raise ClickException(
            f'{_PACKAGE} downloads no data sets; `mmdualformer prepare --help` takes what their owners distribute'
        )
    if not configs:
        raise ClickException('name a model: --config dualformer_t_k400')
    known = _read_models()
    unknown = [name for name in configs if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0], known)
        hint = f'did you mean {" or ".join(close)}?' if close else 'mim search mmdualformer --valid-config lists them'
        raise ClickException(f'{_PACKAGE} has no model {unknown[0]!r}; {hint}')
    raise ClickException(_say_why(*configs))


@functools.cache
def _read_models() -> dict[str, str]:
    """What ``model-index.yml`` says of the checkpoints of each model, which is of its collection."""
    models = {}
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))['Import']:
        content = yaml.safe_load((ROOT / name).read_text(encoding='utf-8'))
        hints = {collection['Name']: collection['Metadata']['Checkpoints'] for collection in content['Collections']}
        models.update({model['Name']: hints[model['In Collection']] for model in content['Models']})
    return models


def _say_why(*names: str) -> str:
    models = _read_models()
    hints = dict.fromkeys(models.get(name, '`mmdualformer train` trains it') for name in names)
    return f'no weights of {name_some(names, 3)} are published; {"; ".join(hints)}'
