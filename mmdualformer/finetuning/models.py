"""The models that a fine-tuning knows by name."""

from collections.abc import Sequence
from pathlib import Path

from mmdualformer.checkpoints.motion import find_motion_weights
from mmdualformer.commands import ROOT
from mmdualformer.errors import UserError

DEFAULT_MODEL = 'vmf_micro'


def find_config(model: str) -> str:
    """Find the config of a model.

    Args:
        model (str): Its name, or the path of a config file.

    Raises:
        UserError: There is no model of that name.
    """
    if model.endswith('.py'):
        return model
    configs = ROOT / 'configs'
    known = {path.stem.removesuffix('_k400'): path for path in configs.glob('*_k400.py')}
    known |= {path.stem: path for path in _small_models()}
    if model not in known:
        raise UserError(f'--model {model!r} is unknown; choose from {", ".join(sorted(known))}, or give a config file')
    return str(known[model])


def list_models() -> list[str]:
    """List the small models to compare, the default first: those with pretrained weights, if there are any."""
    names = sorted((path.stem for path in _small_models()), key=lambda name: name != DEFAULT_MODEL)
    return [name for name in names if find_motion_weights(name)] or names


def check_models(models: Sequence[str], tries: int | None) -> None:
    """Check the models that the user names.

    Args:
        models (sequence): Names, or paths of config files.
        tries (int, optional): How many trainings compare them; None where one is trained.

    Raises:
        UserError: There are more than can be trained, two have one name, or one is unknown.
    """
    if len(models) > 1 and tries is None:
        raise UserError(f'--model names {len(models)} models ({", ".join(models)}); give one, or compare them by --try')
    if tries is not None and tries < len(models):
        raise UserError(f'--try {tries} is less than the {len(models)} models that --model names')
    names: dict[str, str] = {}
    for model in models:
        find_config(model)
        first = names.setdefault(Path(model).stem, model)
        if first is not model:
            raise UserError(f'--model {first!r} and --model {model!r} have the same name; rename the file of one')


def _small_models() -> list[Path]:
    return sorted((ROOT / 'configs' / 'own_videos').glob('*.py'))
