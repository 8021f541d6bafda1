"""Weights that were pretrained on drawn motion: those that the package carries, and those a user makes.

They are what ``mmdualformer pretrain --motion`` writes, in half precision: a model but for its neck, which only the
pretraining has, and its last layer, whose outputs were motion and no classes.
"""

from pathlib import Path

from mmdualformer.finite import refuse_non_finite
from mmdualformer.weights import load_safely, tensors_of, write_weights

LAST_LAYER = 'cls_head.fc_cls.'
NECK = 'neck.'
FOLDER = Path(__file__).with_name('motion_weights')


def find_motion_weights(model: str) -> Path | None:
    """Find the weights of a model that the package carries.

    Args:
        model (str): Such as ``'vmf_micro'``.
    """
    return {path.stem: path for path in FOLDER.glob('*.safetensors')}.get(model)


def write_motion_weights(source: str, target: Path) -> int:
    """Write the weights of a pretraining, without the neck and the last layer and in half precision.

    Args:
        source (str): A checkpoint of the pretraining.
        target (Path): File of safetensors to write.

    Returns:
        int: Its bytes.

    Raises:
        UserError: The checkpoint cannot be read, or a weight is NaN, infinite, or too large for half precision.
    """
    content = load_safely(source)
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in tensors_of(content['state_dict'], source).items()
        if not name.startswith((NECK, LAST_LAYER))
    }
    refuse_non_finite(weights, source)
    meta = content.get('meta', {})
    kept = {name: meta[name] for name in ('epoch', 'iter', 'seed') if name in meta}
    write_weights(dict(state_dict=weights, meta=dict(pretrained_on='drawn motion', **kept)), target)
    return target.stat().st_size
