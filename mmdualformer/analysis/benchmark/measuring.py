"""Forms measured in turn, each with the most memory that it takes."""

import contextlib
import functools
import gc
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from mmdualformer.analysis import count_cost
from mmdualformer.analysis.speed import collect_turns
from mmdualformer.errors import UserError, describe
from mmdualformer.models.precision import DTYPES
from mmdualformer.video.isolation import frozen_garbage

from .entries import EXPORTED, Entry, Result, Runnable, load, write_file
from .sources import Source, as_logits

STATUS = Path('/proc/self/status')  # of Linux
SIDE = {'cpu': 1024, 'cuda': 8192}  # of the matrices whose product is the device's rate


def measure(
    entries: Sequence[Entry],
    runs: int,
    threads: int,
    say: Callable[[str], None],
) -> tuple[list[Result], dict[str, str]]:
    """Measure entries in turn, in this process.

    Before it computes anything itself, it forks a process for each entry on a CPU, which tells the most memory that
    the entry takes; model files are written by such processes too.

    Args:
        entries (sequence): What to measure.
        runs (int): Timed runs of each, after one that is not timed.
        threads (int): Threads on a CPU.
        say (callable): Gets a line about each step.

    Returns:
        tuple: Results; and what could not be measured: title of the entry -> why.
    """
    left_out: dict[str, str] = {}
    memory: dict[Entry, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {entry: entry.file_in(Path(folder), number) for number, entry in enumerate(entries)}
        for entry in entries:
            say(f'{entry.title}: memory')
            try:
                if entry.form in EXPORTED:
                    _in_fork(write_file, entry, paths[entry])
                # a compiler would take more than the model does, and compile twice
                if entry.device == 'cpu' and entry.form != 'compile' and STATUS.exists():
                    memory[entry] = _in_fork(_peak_memory, entry, paths[entry])
            except UserError as error:
                left_out[entry.title] = str(error)
        torch.set_num_threads(threads)
        loaded: list[tuple[Result, Runnable]] = []
        outputs: list[Tensor] = []
        for entry in entries:
            if entry.title in left_out:
                continue
            say(f'{entry.title}: first run')
            try:
                runnable = load(entry, paths[entry], threads)
                result = Result(entry, runnable.form, runnable.dtype, runnable.clip)
                if any(_is_same(result, other) for other, _ in loaded):
                    continue  # a dtype that the model does not take has become another that is there
                outputs.append(_first_run(result, runnable))
            except Exception as error:  # of whatever runs it, as a compiler
                left_out[entry.title] = _reason(error)
                continue
            result.memory = memory.get(entry, result.memory)
            loaded.append((result, runnable))
        results = [result for result, _ in loaded]
        _compare(results, outputs)
        say(f'{len(results)} forms in turn, {runs} times')
        _time(loaded, runs)
    return results, left_out


def _first_run(result: Result, runnable: Runnable) -> Tensor:
    """Run an entry, note what is known of its model, on a GPU its memory too, and give the logits."""
    entry = result.entry
    if entry.source.kind != 'file':
        result.macs = _count(entry.source, runnable.clip)
    row = entry.source.find_row()
    frames = row.input.partition('x')[0] if row else ''
    of_this_clip = not frames.isdecimal() or int(frames) == runnable.clip[2]  # X3D-S was tested with more frames
    if row and of_this_clip and entry.shape is None and not entry.train:
        result.top1, result.views = row.published['top1'], row.num_views if row.views else 1
    output = runnable.call()
    if runnable.model is not None and torch.device(entry.device).type == 'cuda':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        runnable.call()
        torch.cuda.synchronize()
        weights = sum(part.nbytes for part in (*runnable.model.parameters(), *runnable.model.buffers()))
        result.memory = (torch.cuda.max_memory_allocated() - before + weights) / 2**20
    return output.cpu()


def _is_same(result: Result, other: Result) -> bool:
    return (
        all(getattr(result, name) == getattr(other, name) for name in ('form', 'dtype', 'clip'))
        and result.entry.source == other.entry.source
    )


@functools.cache
def _count(source: Source, clip: tuple[int, ...]) -> int:
    return count_cost(as_logits(source.build()), clip).macs


def _compare(results: Sequence[Result], outputs: Sequence[Tensor]) -> None:
    """Compare logits with those of the eager float32 form of the same model and clip, where that is measured too."""
    references = {
        (result.entry.source, result.clip): output
        for result, output in zip(results, outputs)
        if (result.form, result.dtype) == ('eager', 'float32')
    }
    for result, output in zip(results, outputs):
        reference = references.get((result.entry.source, result.clip))
        if reference is not None and not result.entry.train:  # which has dropout
            result.difference = (output - reference).abs().max().item()


def _time(loaded: Sequence[tuple[Result, Runnable]], runs: int) -> None:
    """Time what is loaded in turn, and between them matrix products on the same device in the same dtypes."""

    def timed(call: Callable[[], object], device: torch.device) -> Callable[[int], tuple[float, float]]:
        def run(_: int) -> tuple[float, float]:
            _wait(device)
            start, cpu_start = time.perf_counter(), time.process_time()
            call()
            _wait(device)
            return 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu_start)

        return run

    measures: dict[Any, Callable[[int], tuple[float, float]]] = {}
    products = []  # of each result: its name in measures, and the side of the matrices
    for number, (result, runnable) in enumerate(loaded):
        device = torch.device(result.entry.device)
        dtype = DTYPES.get(result.dtype, torch.float32)  # int8 has none here
        side = SIDE.get(device.type, 1024)
        measures[number] = timed(runnable.call, device)
        products.append(((device, dtype), side))
        if (device, dtype) not in measures:
            factors = torch.randn(2, side, side, device=device).to(dtype)
            measures[device, dtype] = timed(functools.partial(torch.matmul, *factors), device)
    values = collect_turns(measures, runs)
    for number, ((result, _), (product, side)) in enumerate(zip(loaded, products)):
        result.times, result.cpu_times = map(list, zip(*values[number]))
        result.rate = side**3 / (1e-3 * median(times[result.clock] for times in values[product]))


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _peak_memory(entry: Entry, path: Path) -> float:
    """MiB that this process grows by at most when it loads and runs an entry, libraries left out."""
    if entry.form in ('onnx', 'openvino', 'file'):
        _import_runtime(entry, path)
    gc.collect()
    before = _status('VmRSS')
    with contextlib.suppress(OSError):  # where it may not, the peak is of the whole process
        Path('/proc/self/clear_refs').write_text('5')  # the peak is now what it holds
    runnable = load(entry, path, threads=1)
    runnable.call()
    return (_status('VmHWM') - before) / 1024


def _import_runtime(entry: Entry, path: Path) -> None:
    if path.suffix == '.onnx':
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    elif path.suffix == '.xml':
        from mmdualformer.export.packages import import_openvino

        import_openvino()


def _status(name: str) -> int:
    """A number of KiB that Linux says of this process."""
    lines = STATUS.read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f'{name}:')))


def _in_fork(function: Callable, *args: Any) -> Any:
    """Call a function in a fork of this process, which ends after it.

    The fork has one thread: those of this process are not in it, and OpenMP would wait for them.

    Raises:
        UserError: The function fails, or the process is ended.
    """
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, args), daemon=False)
    with frozen_garbage():
        process.start()
    sender.close()
    try:
        value, reason = receiver.recv()
    except EOFError:
        process.join()
        value, reason = None, f'the process that measures it ended with status {process.exitcode}'
    process.join()
    if reason:
        raise UserError(reason)
    return value


def _call(sender: Connection, function: Callable, args: tuple) -> None:
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the parent says it when it loads the same
    try:
        sender.send((function(*args), ''))
    except Exception as error:
        sender.send((None, _reason(error)))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {describe(error)}'
