"""Checkpoints that a run of ours has written, without the state of training."""

from pathlib import Path

from mmdualformer.errors import UserError
from mmdualformer.finite import refuse_non_finite
from mmdualformer.weights import load_safely, tensors_of

from .converters import Converted
from .recognizer import KEY

KEPT = (KEY, 'dataset_meta', 'activation')  # of what a checkpoint says of itself


def convert_trained(path: str | Path) -> Converted:
    """Take the weights of a checkpoint, and what says how to use them.

    Args:
        path (str or Path): A checkpoint that describes its model.

    Returns:
        Converted: The weights as they are.

    Raises:
        UserError: The file cannot be read, does not describe its model, or a weight is NaN or infinite.
    """
    content = load_safely(str(path))
    meta = content.get('meta', {})
    described = meta.get(KEY)
    if 'state_dict' not in content or not isinstance(described, dict):
        raise UserError(f'checkpoint {str(path)!r} does not say what its model is; a run of ours writes one that does')
    weights = tensors_of(content['state_dict'], str(path))
    refuse_non_finite(weights, str(path))
    kept = {name: meta[name] for name in KEPT if name in meta}
    model = described.get('model')
    name = model.get('type') if isinstance(model, dict) else 'model'
    return Converted(
        weights, f'a trained {name}', kept, dropped=[part for part in content if part not in ('meta', 'state_dict')]
    )
