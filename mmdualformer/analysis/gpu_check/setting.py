"""The parts of the check, and what each of them is given."""

import importlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mmdualformer.files import write_atomically


@dataclass(frozen=True)
class Part:
    """A part of the check, which runs in a process of its own.

    Attributes:
        title (str): What it finds out.
        seconds (float): Its share of the time; what it leaves is for the parts after it.
    """

    title: str
    seconds: float


# In this order; each is the function ``run`` of the module of its name. They and the start take eight minutes at most.
PARTS = {
    'device': Part('The device', 30),
    'tests': Part('Tests marked gpu', 80),
    'training': Part("The quick start's training", 80),
    'waiting': Part('Waiting for the GPU in a training step', 25),
    'speed': Part('Speed', 140),
    'profile': Part('Where the time goes', 25),
    'memory': Part('Memory of a training step', 35),
    'attention': Part('Memory of attention: Table 5b of VidTr', 20),
    'data': Part('Data that training needs', 30),
}


@dataclass
class Setting:
    """What a part runs on, and where it writes what it finds.

    Attributes:
        device (str): Such as ``'cuda:0'`` or ``'cpu'``.
        quick (bool): Tiny sizes, to see that a part works.
        folder (Path): Where the part may write.
        seconds (float): How long it may take; after that it is killed, and keeps what it has written.
    """

    device: str
    quick: bool
    folder: Path
    seconds: float
    _began: float = field(default_factory=time.monotonic)

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return torch.device(self.device).type == 'cuda'

    @property
    def seconds_left(self) -> float:
        """How long the part may still take."""
        return self.seconds - (time.monotonic() - self._began)

    def keep(self, part: str, results: dict[str, Any]) -> None:
        """Write what a part has found so far."""
        with write_atomically(self.folder / f'{part}.json') as partial:
            partial.write_text(json.dumps(results, indent=1) + '\n', encoding='utf-8')


def run_part(name: str, setting: Setting) -> None:
    """Run a part in this process.

    Raises:
        UserError: It cannot run here.
    """
    importlib.import_module(f'{__package__}.{name}').run(setting)
