"""Files of features: NumPy's npz, and parquet."""

import importlib.util
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically

SUFFIXES = ('.npz', '.parquet')
BLOCK = 1 << 24  # bytes that are copied at a time, or one row


class FeatureTable:
    """Rows of features on their way to a file: one for each clip, window or map.

    The features wait on the disk, in files without a name, so that no more of them than a row is in memory.

    Args:
        folder (Path): Where they wait.
        described (mapping): What is said of all rows, such as the model: text and whole numbers.
    """

    def __init__(self, folder: Path, described: Mapping[str, str | int]) -> None:
        self.folder = folder
        self.described = dict(described)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.sources: list[str] = []
        self.times: list[tuple[float, float]] = []
        self.stack = ExitStack()
        self.files: dict[str, IO[bytes]] = {}

    def __len__(self) -> int:
        return len(self.sources)

    def add(self, source: str, arrays: Mapping[str, np.ndarray], start: float, end: float) -> None:
        """Add a row.

        Args:
            source (str): Where it is from.
            arrays (mapping): ``features``, and what else there is, in float32.
            start, end (float): Seconds.

        Raises:
            UserError: The arrays have other shapes than those of the rows before.
        """
        shapes = {name: array.shape for name, array in arrays.items()}
        if not self.shapes:
            self.shapes = shapes
            self.files = {name: self.stack.enter_context(tempfile.TemporaryFile(dir=self.folder)) for name in shapes}
        if shapes != self.shapes:
            raise UserError(
                f'its features are {_say(shapes)}, those of the first video {_say(self.shapes)}: '
                'they need a file of their own'
            )
        for name, array in arrays.items():
            self.files[name].write(np.ascontiguousarray(array, np.float32).tobytes())
        self.sources.append(source.encode('utf-8', 'backslashreplace').decode())  # names that are no text
        self.times.append((start, end))

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        """Yield the rows of an array again, some at a time: ``[rows, ...]``."""
        sizes = {name: 4 * int(np.prod(shape)) for name, shape in self.shapes.items()}
        rows = max(1, BLOCK // sum(sizes.values()))  # as many of each array
        self.files[name].seek(0)
        while block := self.files[name].read(rows * sizes[name]):
            yield np.frombuffer(block, np.float32).reshape(-1, *self.shapes[name])


@contextmanager
def write_features(target: Path, described: Mapping[str, str | int]) -> Iterator[FeatureTable]:
    """Write a file of features, which is in its place when the block ends without an error and has added rows.

    Args:
        target (Path): ``.npz`` or ``.parquet``.
        described (mapping): See :class:`FeatureTable`.

    Yields:
        FeatureTable: To add rows to.

    Raises:
        UserError: The file has another ending, is a folder, or needs pyarrow, which is not installed.
    """
    if target.suffix not in SUFFIXES or target.is_dir():
        raise UserError(f'out={str(target)!r} must be a file that ends in {" or ".join(SUFFIXES)}')
    if target.suffix == '.parquet' and importlib.util.find_spec('pyarrow') is None:
        raise UserError(f'out={str(target)!r} needs the package pyarrow: pip install "mmdualformer[tables]"')
    target.parent.mkdir(parents=True, exist_ok=True)
    table = FeatureTable(target.parent, described)
    with table.stack:
        yield table
        if len(table):
            with write_atomically(target) as partial:
                (_write_npz if target.suffix == '.npz' else _write_parquet)(table, partial)


def _write_npz(table: FeatureTable, target: Path) -> None:
    """Write what ``np.load`` reads without pickle."""
    starts, ends = np.array(table.times).T
    others: dict[str, Any] = dict(sources=np.array(table.sources), start=starts, end=ends, **table.described)
    with zipfile.ZipFile(target, 'w') as archive:
        for name, shape in table.shapes.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                header = dict(descr='<f4', fortran_order=False, shape=(len(table), *shape))
                np.lib.format.write_array_header_1_0(member, header)
                for block in table.blocks(name):
                    member.write(block.tobytes())
        for name, value in others.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(value), allow_pickle=False)


def _write_parquet(table: FeatureTable, target: Path) -> None:
    """Write lists of a fixed size, whose shapes are in the metadata with what is said of all rows."""
    import pyarrow
    import pyarrow.parquet

    metadata = {name: str(value) for name, value in table.described.items()}
    metadata |= {f'{name}_shape': json.dumps(shape) for name, shape in table.shapes.items()}
    sizes = {name: int(np.prod(shape)) for name, shape in table.shapes.items()}
    fields = [('source', pyarrow.string()), ('start', pyarrow.float64()), ('end', pyarrow.float64())]
    fields += [(name, pyarrow.list_(pyarrow.float32(), size)) for name, size in sizes.items()]
    schema = pyarrow.schema(fields, metadata)
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        first = 0
        for blocks in zip(*map(table.blocks, sizes)):
            rows = slice(first, first + len(blocks[0]))
            columns = [table.sources[rows], *zip(*table.times[rows])]
            arrays = [
                pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(block.ravel()), size)
                for block, size in zip(blocks, sizes.values())
            ]
            writer.write_table(pyarrow.table([*map(pyarrow.array, columns), *arrays], schema=schema))
            first = rows.stop


def _say(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ' and '.join(' x '.join(map(str, shape)) for shape in shapes.values())
