"""Rows of results, and the formats that they are written in and read back from."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mmdualformer.errors import UserError, describe_damage, printable

from .results import Failure, Recognition, describe_scores, encodable

DIGITS = 6  # of a score after the point: what differs beyond them is rounding, such as that of another batch
ROW_GROUP = 10_000  # rows of a parquet file that are in memory


@dataclass(frozen=True)
class Row:
    """What is written of a video.

    Attributes:
        source (str): The file or folder.
        seconds (float, optional): How long it is; None if it cannot be read.
        names (tuple): The likeliest classes, ``()`` if it has no answer.
        scores (tuple): Their probabilities.
        error (str): Why it has no answer, ``''`` if it has one.
        damage (str): What of the file is damaged, ``''`` for nothing.
    """

    source: str
    seconds: float | None = None
    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    error: str = ''
    damage: str = ''

    @classmethod
    def of(cls, result: Recognition | Failure, topk: int) -> 'Row':
        """Make a row of what a recognizer says of a video.

        Args:
            result (Recognition or Failure): What it says.
            topk (int): Classes to name; see :meth:`Recognition.top`.
        """
        if isinstance(result, Failure):
            return cls(result.source, error=printable(result.reason))
        names, scores = zip(*result.top(topk))
        return cls(
            result.source,
            round(result.end - result.start, 3),
            names,
            tuple(round(score, DIGITS) for score in scores),
            damage=printable(result.damage),
        )

    @property
    def complaint(self) -> str:
        """What is wrong with the video, in one line that names it; ``''`` for nothing."""
        name = f'video {self.source!r}'
        if self.error:
            return printable(self.error if name in self.error else f'{name} cannot be read: {self.error}')
        return describe_damage(self.source, self.damage) if self.damage else ''


class Format(ABC):
    """How rows are written.

    Attributes:
        head (str): What a file begins with.
        grows (bool): Whether rows can be added to a file one by one.
        is_read (bool): Whether :meth:`read` gives the rows of a file.
    """

    head = ''
    grows = True
    is_read = True

    @abstractmethod
    def text(self, row: Row) -> str:
        """The lines of a row, with their ends."""

    def key(self, source: str) -> str:
        """What :meth:`read` gives for a source."""
        return source

    def read(self, path: Path) -> Iterator[tuple[Row, int]]:
        """Read a file back, up to where a process that was killed wrote its last row in part.

        Yields:
            tuple: A row, and how many bytes the file has up to its end.

        Raises:
            UserError: The file has other content.
        """
        raise NotImplementedError

    def write(self, path: Path, rows: Iterable[Row]) -> None:
        """Write a file of rows, of which few are in memory at a time."""
        with open(path, 'w', encoding='utf-8', newline='') as file:
            file.write(self.head)
            file.writelines(map(self.text, rows))


class Text(Format):
    """Text for people: the name of a video, and a line for each class.

    Args:
        several (bool): Whether a video may have several labels, of which those of at least 50 % are marked.
    """

    is_read = False

    def __init__(self, several: bool) -> None:
        self.several = several

    def text(self, row: Row) -> str:
        """See :meth:`Format.text`. A video without an answer has none: what is wrong is said elsewhere."""
        if row.error:
            return ''
        return '\n'.join([printable(row.source), *describe_scores(row.names, row.scores, self.several), ''])


class JsonLines(Format):
    """A JSON object a line."""

    def text(self, row: Row) -> str:
        """See :meth:`Format.text`."""
        return json_line(asdict(row))

    def read(self, path: Path) -> Iterator[tuple[Row, int]]:
        """See :meth:`Format.read`."""
        end = 0
        with open(path, 'rb') as file:
            for number, line in enumerate(file, 1):
                try:
                    row = self.parse(line)
                except (ValueError, TypeError, KeyError, RecursionError):
                    if not file.read(1):
                        return  # the last line, and torn
                    raise _no_row(path, number) from None
                if not line.endswith(b'\n'):
                    return
                end += len(line)
                yield row, end

    @staticmethod
    def parse(line: bytes) -> Row:
        """Read a line.

        Raises:
            ValueError, TypeError, KeyError, RecursionError: It is no row.
        """
        return _as_row(json.loads(line))


class Csv(Format):
    """A table of text, with a name and a score for each of the likeliest classes.

    Bytes of a name that are no UTF-8 become ``\\udc..``.

    Args:
        topk (int): Classes of a video; of more than these, as several labels may have, the likeliest are written.
    """

    def __init__(self, topk: int) -> None:
        self.topk = topk
        pairs = [f'{what}_{number}' for number in range(1, topk + 1) for what in ('name', 'score')]
        self._columns = ['source', 'seconds', *pairs, 'error', 'damage']
        self.head = csv_line(self._columns)

    def text(self, row: Row) -> str:
        """See :meth:`Format.text`."""
        pairs = [value for pair in zip(row.names, row.scores) for value in pair][: 2 * self.topk]
        pairs += [''] * (2 * self.topk - len(pairs))
        seconds = '' if row.seconds is None else row.seconds
        return csv_line([row.source, seconds, *pairs, row.error, row.damage])

    def key(self, source: str) -> str:
        """See :meth:`Format.key`."""
        return encodable(source)

    def read(self, path: Path) -> Iterator[tuple[Row, int]]:
        """See :meth:`Format.read`."""
        end = reached = 0

        def lines(file: io.BufferedReader) -> Iterator[str]:
            nonlocal reached
            for line in file:
                if not line.endswith(b'\n'):
                    return  # torn
                reached += len(line)
                yield line.decode('utf-8', 'backslashreplace')

        with open(path, 'rb') as file:
            records = csv.reader(lines(file), strict=True)
            while True:
                try:
                    record = next(records)
                except StopIteration:
                    return
                except csv.Error:
                    record = []
                if record != self._columns if end == 0 else len(record) != len(self._columns):
                    if not file.read(1):
                        return
                    raise _no_row(path, records.line_num)
                if end:
                    try:
                        row = self._row(record)
                    except ValueError:
                        raise _no_row(path, records.line_num) from None
                    yield row, reached
                end = reached

    def _row(self, record: list[str]) -> Row:
        source, seconds, *pairs, error, damage = record
        names = tuple(name for name, score in zip(pairs[::2], pairs[1::2]) if score)
        scores = tuple(float(score) for score in pairs[1::2] if score)
        return Row(source, float(seconds) if seconds else None, names, scores, error, damage)


class Parquet(Format):
    """A table for Arrow, pandas, DuckDB and others. Bytes of a name that are no UTF-8 become ``\\udc..``.

    Raises:
        UserError: pyarrow is not installed.
    """

    grows = False

    def __init__(self) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise UserError('parquet needs pyarrow; pip install "mmdualformer[tables]"') from None
        self._arrow, self._parquet = pyarrow, pyarrow.parquet
        strings, scores = pyarrow.list_(pyarrow.string()), pyarrow.list_(pyarrow.float64())
        kinds = dict(source=pyarrow.string(), seconds=pyarrow.float64(), names=strings, scores=scores)
        self._schema = pyarrow.schema({**kinds, 'error': pyarrow.string(), 'damage': pyarrow.string()})

    def text(self, row: Row) -> str:
        """Not there: a table is written as a whole."""
        raise NotImplementedError

    def key(self, source: str) -> str:
        """See :meth:`Format.key`."""
        return encodable(source)

    def read(self, path: Path) -> Iterator[tuple[Row, int]]:
        """See :meth:`Format.read`."""
        try:
            table = self._parquet.ParquetFile(path)
            for batch in table.iter_batches(ROW_GROUP):
                for values in batch.to_pylist():
                    yield _as_row(values), path.stat().st_size
        except (self._arrow.ArrowException, TypeError, KeyError) as error:
            raise UserError(f'{str(path)!r} is no table of results: {error}') from None

    def write(self, path: Path, rows: Iterable[Row]) -> None:
        """See :meth:`Format.write`."""
        rows = iter(rows)
        with self._parquet.ParquetWriter(path, self._schema) as writer:
            while group := [asdict(row) for row in islice(rows, ROW_GROUP)]:
                for values in group:
                    values['source'] = encodable(values['source'])
                writer.write_table(self._arrow.Table.from_pylist(group, self._schema))


FORMATS = ('text', 'jsonl', 'csv', 'parquet')
ENDINGS = {'.txt': 'text', '.jsonl': 'jsonl', '.csv': 'csv', '.parquet': 'parquet'}


def name_format(name: str | None, out: Path | None) -> str:
    """Decide on a format.

    Args:
        name (str, optional): One of ``FORMATS``. Defaults to None, what the ending of ``out`` says.
        out (Path, optional): The file; None for stdout, which defaults to text.

    Raises:
        UserError: The ending says nothing, or parquet should go to stdout.
    """
    if name is None:
        if out is not None and out.suffix.lower() not in ENDINGS:
            raise UserError(f'--out {str(out)!r} must end in {" ".join(ENDINGS)}, or --format say what it is')
        name = 'text' if out is None else ENDINGS[out.suffix.lower()]
    if name == 'parquet' and out is None:
        raise UserError('--format parquet needs --out FILE')
    return name


def make_format(name: str, topk: int, several: bool) -> Format:
    """Make one of ``FORMATS``.

    Args:
        name (str): Which.
        topk (int): Classes of a video.
        several (bool): Whether a video may have several labels.
    """
    if name == 'csv':
        return Csv(topk)
    if name == 'parquet':
        return Parquet()
    return JsonLines() if name == 'jsonl' else Text(several)


def json_line(values: dict[str, Any]) -> str:
    """Write plain values as JSON in a line. What UTF-8 cannot say, as of names in another encoding, is escaped."""
    line = json.dumps(values, ensure_ascii=False)
    if line != encodable(line):
        line = json.dumps(values)
    return f'{line}\n'


def csv_line(values: Iterable[Any]) -> str:
    """Write plain values as a record of a csv file, in several lines if one of them has several."""
    line = io.StringIO()
    # only what is in the end of a line is quoted, and a name may have either character
    csv.writer(line, lineterminator='\r\n').writerow([encodable(str(value)) for value in values])
    return line.getvalue().removesuffix('\r\n') + '\n'


def _as_row(values: dict[str, Any]) -> Row:
    row = Row(**{**values, 'names': tuple(values['names']), 'scores': tuple(values['scores'])})
    texts = (row.source, row.error, row.damage, *row.names)
    numbers = (0 if row.seconds is None else row.seconds, *row.scores)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, int | float) for one in numbers):
        raise TypeError('a row of other kinds')
    return row


def _no_row(path: Path, number: int) -> UserError:
    return UserError(f'{str(path)!r} line {number} is no row of results')
