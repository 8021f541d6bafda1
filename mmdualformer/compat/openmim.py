"""What OpenMIM and MMEngine's hub ask a package for: weights to download, of which there are none of ours."""

import functools
import sys
from pathlib import Path

import yaml
from mmengine.hub import hub

from mmdualformer.commands import ROOT

from .mending import once

_PACKAGE = 'mmdualformer'
_SEARCH = 'mim.commands.search'


class _Unpublished(dict):
    """A model's entry in a metafile: whoever looks there for weights gets the error that says why there are none."""

    def __init__(self, entry: dict, error: Exception) -> None:
        super().__init__(entry)
        self.error = error

    def __contains__(self, key: object) -> bool:
        if key == 'Weights' and not super().__contains__(key):  # as MMEngine asks
            raise self.error
        return super().__contains__(key)

    def __missing__(self, key: str) -> None:
        raise self.error if key == 'weight' else KeyError(key)  # as OpenMIM calls it


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
                entry = original(package_path, cfg_path)
            except ValueError:
                entry = dict(Config=f'configs/{cfg_path}')
            # no ValueError, as a UserError is: get_config would go on without weights
            return _Unpublished(entry, LookupError(_say_why(Path(cfg_path).stem)))

        return get_cfg_metainfo

    def search(original):
        original = getattr(original, '__wrapped__', original)  # which _startup.py wraps, and which would come back here

        def get_model_info(package, *args, **kwargs):
            if package != _PACKAGE or kwargs.get('shown_fields') != ['weight', 'config']:  # as mim download asks
                return original(package, *args, **kwargs)
            from click import ClickException  # which OpenMIM prints as a line, and brings

            found = original(package, *args, **{**kwargs, 'shown_fields': ['config']})
            return {name: _Unpublished(entry, ClickException(_say_why(name))) for name, entry in found.items()}

        return get_model_info

    once(hub, '_get_cfg_metainfo', look_up)
    if _SEARCH in sys.modules:
        once(sys.modules[_SEARCH], 'get_model_info', search)


@functools.cache
def _read_models() -> dict[str, str]:
    """What ``model-index.yml`` says of the checkpoints of each model, which is of its collection."""
    models = {}
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))['Import']:
        content = yaml.safe_load((ROOT / name).read_text(encoding='utf-8'))
        hints = {collection['Name']: collection['Metadata']['Checkpoints'] for collection in content['Collections']}
        models.update({model['Name']: hints[model['In Collection']] for model in content['Models']})
    return models


def _say_why(name: str) -> str:
    return f'no weights of {name} are published; {_read_models().get(name, "`mmdualformer train` trains it")}'
