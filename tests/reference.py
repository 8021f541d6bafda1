"""What the released implementations compute; tests/data holds it for weights and inputs that are drawn anew."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parent / 'data'


class Reference:
    """A released model: its names and shapes, an input, and values of the outputs.

    Args:
        name (str): File in tests/data, without its ending.
    """

    def __init__(self, name: str) -> None:
        self.content = json.loads((DATA / f'{name}.json').read_text())

    def weights(self) -> dict:
        """Released name -> float64 tensor, each drawn from its name."""
        return {name: self._tensor(name, shape) for name, shape in self.content['state_dict'].items()}

    def input(self) -> torch.Tensor:
        """The input of the outputs, float64."""
        clip = self.content['input']
        return torch.from_numpy(np.random.RandomState(clip['seed']).standard_normal(clip['shape']))

    def error(self, output: str, tensor: torch.Tensor) -> float:
        """Relative error of ``tensor``, over the values that are stored and over its norm."""
        expected = self.content[output]
        tensor = tensor.double()
        assert list(tensor.shape) == expected['shape']
        values, wanted = tensor.flatten()[expected['idx']], torch.tensor(expected['values'], dtype=torch.float64)
        norms = abs(tensor.norm().item() / expected['l2'] - 1)
        return max(((values - wanted).norm() / wanted.norm()).item(), norms)

    @staticmethod
    def _tensor(name: str, shape: list) -> torch.Tensor:
        z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
        if name.endswith('num_batches_tracked'):
            return torch.tensor(0)
        if name.endswith('running_var'):
            z = 1 + 0.1 * abs(z)
        elif len(shape) <= 1:
            z = 1 + 0.1 * z if name.endswith('weight') else 0.1 * z
        else:
            z = 0.05 * z
        return torch.as_tensor(z)
