"""Model files as functions from a clip's pixels to logits, whatever runs them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmdualformer.errors import UserError, describe

from .description import KEY, ModelDescription
from .onnx import open_onnx
from .openvino import open_openvino
from .torch_files import open_torch

# Format -> what its files end in; the first is what a file of ours gets.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    'onnx': ('.onnx',),
    'openvino': ('.xml',),
    'torch_export': ('.pt2',),
    'torchscript': ('.ts', '.torchscript'),
}
RUNTIMES = {
    'onnx': 'ONNX Runtime',
    'openvino': 'OpenVINO',
    'torch_export': 'torch.export',
    'torchscript': 'TorchScript',
}


class ExportedModel:
    """A model file, ready to score clips on the CPU.

    Args:
        description (ModelDescription): What the file says of itself.
        run (callable): From what the file takes, ``[N, 3, T, H, W]``, to what it puts out, logits first.
        path (str): The file, for messages.
    """

    def __init__(self, description: ModelDescription, run: Callable[[Tensor], Sequence[Tensor]], path: str) -> None:
        self.description = description
        self.run = run
        self.path = path
        self._mean, self._std = (
            torch.tensor(values).view(3, 1, 1, 1) for values in (description.mean, description.std)
        )

    def __call__(self, clips: Tensor) -> Tensor:
        """Score clips.

        Args:
            clips (Tensor): ``[N, 3, T, H, W]``, pixels of 0 to 255 as the test pipeline gives them, of any dtype.

        Returns:
            Tensor: Logits ``[N, classes]``, whether preprocessing is inside the file or not.

        Raises:
            UserError: The clips have another shape than the file takes, or what comes out is not what it says.
        """
        described = self.description
        wanted = described.fixed_shape
        if clips.ndim != 5 or any(
            length is not None and length != given for length, given in zip(wanted[1:], clips.shape[1:])
        ):
            raise UserError(
                f'{self.path!r} takes clips {write_shape(described)}, not {" x ".join(map(str, clips.shape))}'
            )
        inputs = self.as_input(clips)
        return torch.cat([self._logits(part) for part in inputs.split(wanted[0] or max(len(inputs), 1))])

    def _logits(self, inputs: Tensor) -> Tensor:
        """Run the file, which may come from anyone and be another model than it says."""
        try:
            logits = self.run(inputs)[0]
        except Exception as error:  # a runtime's have no common base
            raise UserError(f'model {self.path!r} cannot be run: {describe(error)}') from None
        shape = (len(inputs), self.description.num_classes)
        if logits.shape != shape or not logits.is_floating_point():
            raise UserError(
                f'model {self.path!r} puts out {list(logits.shape)} in {str(logits.dtype).removeprefix("torch.")}, '
                f'where it says logits {list(shape)}'
            )
        return logits

    def as_input(self, clips: Tensor) -> Tensor:
        """Turn clips of pixels ``[N, 3, T, H, W]`` into what the file takes."""
        if self.description.preprocessing:
            return clips.to(torch.uint8).contiguous()
        return ((clips.float() - self._mean) / self._std).contiguous()


def find_format(path: Path) -> str | None:
    """The format of a model file by its ending; None where it is none of ours."""
    return next((name for name, endings in ENDINGS.items() if path.suffix.lower() in endings), None)


def load_exported(path: str | Path, threads: int = 0, trust: bool = False) -> ExportedModel:
    """Load a model file that ``mmdualformer export`` wrote.

    ONNX and OpenVINO files are graphs for an interpreter: nothing in them runs but its operators, and they read no
    other file than the weights of their own. Those of torch.export and TorchScript are programs.

    Args:
        path (str or Path): A ``.onnx``, ``.xml``, ``.pt2``, ``.ts`` or ``.torchscript`` file.
        threads (int): Threads; 0 for the runtime's choice. Files of PyTorch take ``torch.set_num_threads``.
        trust (bool): Load files that are programs too: only of those who made them would you run one.
            Defaults to False.

    Raises:
        UserError: The file is missing, is none of these or cannot be used; a package is missing; or it is a program
            that is not trusted.
    """
    path = Path(path)
    kind = find_format(path)
    if kind is None:
        endings = ', '.join(ending for endings in ENDINGS.values() for ending in endings)
        raise UserError(f'model {str(path)!r} must end in one of {endings}')
    if not path.is_file():
        raise UserError(f'model {str(path)!r} does not exist (looked in {Path.cwd()})')
    if kind == 'onnx':
        run, metadata = open_onnx(path, threads)
        if KEY not in metadata:
            raise UserError(f'model {str(path)!r} does not say how to use it; mmdualformer export writes one that does')
        return ExportedModel(ModelDescription.from_json(metadata[KEY], str(path)), run, str(path))
    if kind == 'openvino':
        run, description = open_openvino(path, threads)
    elif trust:
        run, description = open_torch(path, is_script=kind == 'torchscript')
    else:
        raise UserError(
            f'model {str(path)!r} is a program, which loading would let run; use an ONNX or OpenVINO file, or, if you '
            'made it, load_exported(path, trust=True)'
        )
    return ExportedModel(description, run, str(path))


def write_shape(description: ModelDescription) -> str:
    """Write the shape that a file takes, such as ``N x 3 x 16 x 224 x 224``."""
    names = 'NCTHW'
    lengths = [names[axis] if length is None else length for axis, length in enumerate(description.fixed_shape)]
    return ' x '.join(map(str, lengths))
