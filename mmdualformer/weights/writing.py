"""Writing weights, in the form that the name of the file asks for."""

from pathlib import Path

from mmdualformer.files import write_atomically, write_checkpoint

from .safetensors_files import SUFFIX, write_safetensors


def write_weights(content: dict, path: str | Path) -> None:
    """Write weights, as a whole or not at all.

    Args:
        content (mapping): ``state_dict``, ``meta`` and what else it has. Of the rest nothing is written to a file whose
            name ends in ``.safetensors``.
        path (str or Path): The file.

    Raises:
        UserError: The file is one of safetensors, and ``meta`` has something in it that is no plain value.
    """
    if Path(path).suffix == SUFFIX:
        with write_atomically(Path(path)) as partial:
            write_safetensors(content['state_dict'], content.get('meta') or {}, partial)
    else:
        write_checkpoint(content, Path(path))
