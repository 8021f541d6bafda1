"""What a model's products are computed in, where it is asked for less than float32."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn as nn

from mmdualformer.models.layers.tracing import cpu_flags

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
CPU_FLAGS = frozenset({'avx512_bf16', 'amx_bf16', 'bf16'})  # of x86 and Arm, in /proc/cpuinfo


@functools.cache
def say_once(line: str) -> None:
    """Print a line on stderr, unless this process has."""
    print(line, file=sys.stderr)


def choose_dtype(
    model: nn.Module, dtype: torch.dtype, device_type: str, say: Callable[[str], None] = say_once
) -> torch.dtype:
    """Choose what a model computes its products in: what was asked for, unless that is known to be slower for it.

    A backbone says in its ``slow_in``, by measurement, in what it is slower than in float32: type of a device -> names
    of dtypes.

    Args:
        model (nn.Module): The model, or a module with it.
        dtype (torch.dtype): What was asked for.
        device_type (str): ``'cpu'`` or ``'cuda'``.
        say (callable): Gets a line where another dtype is chosen, or where the CPU has no bfloat16 of its own, for
            which it computes slowly. Defaults to stderr, once.

    Returns:
        torch.dtype: ``dtype``, or float32.
    """
    if dtype == torch.float32:
        return dtype
    name = str(dtype).removeprefix('torch.')
    for module in model.modules():
        if name in getattr(module, 'slow_in', {}).get(device_type, ()):
            say(
                f'{type(module).__name__} is slower in {name} than in float32 on a {device_type.upper()}: '
                'it is computed in float32'
            )
            return torch.float32
    if device_type == 'cpu' and dtype == torch.bfloat16 and not has_bfloat16():
        say('warning: this CPU has no bfloat16 of its own, as avx512_bf16 or amx_bf16: it may be slower than float32')
    return dtype


def has_bfloat16(cpuinfo: Path = Path('/proc/cpuinfo')) -> bool:
    """Whether the CPU has instructions for bfloat16, by Linux' description of it; of other systems it is not known."""
    flags = cpu_flags(cpuinfo)
    return not flags or bool(CPU_FLAGS & flags)


@contextmanager
def compute_in(dtype: torch.dtype, device_type: str) -> Iterator[None]:
    """Around a forward pass: products are computed in ``dtype``, what needs float32 in float32."""
    low = dtype != torch.float32
    with torch.autocast(device_type, dtype if low else None, enabled=low):
        yield
