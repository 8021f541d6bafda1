"""A file of results that a run which was killed leaves whole, that another goes on with, and that several may write.

One process adds its rows to the file itself, if its format lets it. Otherwise each process has a part beside it,
``OUT.part-0``, ``OUT.part-1`` ..., of JSON lines. Who is done last joins them. No process waits for another, so nothing
hangs when one dies; what it has written stays for ``--resume``.
"""

import errno
import fcntl
import glob
import hashlib
import json
import os
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from mmdualformer.errors import UserError
from mmdualformer.files import sha256, write_atomically
from mmdualformer.version import __version__
from mmdualformer.work_dirs import NO_LOCKS

from .bulk import Listing
from .recognizer import Recognizer
from .scorers import TorchScorer
from .writing import Format, JsonLines, Row

PART_LINES = JsonLines()
SAME = {'format': '--format', 'topk': '--topk', 'dtype': '--dtype', 'classes': 'the names of the classes'}


@dataclass(frozen=True)
class Count:
    """How many rows there are.

    Attributes:
        rows (int): All.
        errors (int): Those of videos without an answer.
    """

    rows: int = 0
    errors: int = 0

    def __add__(self, other: 'Count') -> 'Count':
        return Count(self.rows + other.rows, self.errors + other.errors)


@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    Attributes:
        listing (Listing): All videos.
        places (list): Those that have no row yet, by their places in it.
        done (Count): The rows that there are.
        is_direct (bool): Whether rows are added to the file itself.
    """

    listing: Listing
    places: list[int]
    done: Count
    is_direct: bool

    def share(self, rank: int, processes: int) -> Listing:
        """What one of several processes does of it."""
        return self.listing.take(self.places[rank::processes])


class ResultFile:
    """A file of results, its parts, and ``OUT.run.json``, which says what wrote it.

    Args:
        path (Path): The file.
        output (Format): Its format.
    """

    def __init__(self, path: Path, output: Format) -> None:
        self.path = path
        self.output = output
        self.run = path.with_name(f'{path.name}.run.json')

    def check(self, resume: bool) -> list[Path]:
        """Look at which files there are, before anything takes long.

        Args:
            resume (bool): Whether to go on with what is there; otherwise nothing may be there.

        Returns:
            list: The file and its parts, as far as they are there.

        Raises:
            UserError: There are results of another run, or none that can be gone on with.
        """
        if resume and not self.output.is_read:
            raise UserError('--resume needs --format jsonl, csv or parquet; text cannot be read back')
        there = [path for path in (self.path, *self._parts()) if path.exists()]
        if there and not resume:
            raise UserError(
                f'--out {str(self.path)!r}: there is {str(there[0])!r} of another run; --resume goes on with it, or '
                'choose another name'
            )
        return there

    def plan(self, listing: Listing, writer: dict[str, Any], resume: bool, processes: int) -> Plan:
        """Look at what is there, and decide what is left. One process does, before any of them writes.

        Args:
            listing (Listing): The videos.
            writer (dict): What writes; see :func:`describe_writer`.
            resume (bool): See :meth:`check`.
            processes (int): How many write.

        Raises:
            UserError: There are results of another run, or this one cannot go on with them.
        """
        there = self.check(resume)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if there:
            self._check_writer(writer)
        else:
            with write_atomically(self.run) as partial:
                partial.write_text(json.dumps(writer, indent=2) + '\n', encoding='utf-8')
        counts, known, errors = Counter[str](), Counter[str](), 0
        for path in there:
            output = self.output if path == self.path else PART_LINES
            keys = counts if path == self.path else known
            for row in _mend(path, output):
                keys[row.source] += 1
                errors += bool(row.error)
        done = Count(counts.total() + known.total(), errors)
        places = []
        for place, source in enumerate(listing.videos):
            key = self.output.key(source)
            if known[source] > 0:
                known[source] -= 1
            elif counts[key] > 0:
                counts[key] -= 1
            else:
                places.append(place)
        return Plan(
            listing, places, done, is_direct=self.output.grows and processes == 1 and there in ([], [self.path])
        )

    def open(self, plan: Plan, rank: int) -> 'Rows':
        """Open what a process writes into."""
        if plan.is_direct:
            return Rows(self.path, self.output)
        return Rows(self.path.with_name(f'{self.path.name}.part-{rank}'), PART_LINES)

    def finish(self, plan: Plan, rank: int, written: Count) -> Count | None:
        """Say that a process has written its share; the last one joins the parts, in the order of the videos.

        Args:
            plan (Plan): What there was to do.
            rank (int): The number of the process.
            written (Count): What it has written.

        Returns:
            Count or None: All rows of the file; None if others have not ended, or say it.
        """
        if plan.is_direct:
            return plan.done + written
        if not written.rows and (plan.places or rank > 0):
            return None
        with FileLock(f'{self.path}.lock'):
            parts = self._parts()
            count = None if written.rows else plan.done  # where there are no parts any more
            if parts:
                lines, count = self._order(plan.listing.videos, parts)
                if lines is None:
                    return None
                with write_atomically(self.path) as partial:
                    self.output.write(partial, self._rows(parts, lines))
                for part in parts:
                    part.unlink()
            Path(f'{self.path}.lock').unlink(missing_ok=True)  # who waits for it finds no parts
        return count

    def _parts(self) -> list[Path]:
        return sorted(self.path.parent.glob(f'{glob.escape(self.path.name)}.part-*'))

    def _check_writer(self, writer: dict[str, Any]) -> None:
        """Check that what writes now would have written the same."""
        try:
            before = json.loads(self.run.read_text(encoding='utf-8'))
            checkpoint = [before[key] for key in ('checkpoint', 'sha256')]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise UserError(f'--resume: {str(self.run)!r} does not say what wrote {str(self.path)!r}') from None
        if any(before.get(key) != writer[key] for key in ('sha256', 'model')):
            raise UserError(
                f'--resume: {str(self.path)!r} was written with checkpoint {checkpoint[0]!r} (sha256 '
                f'{str(checkpoint[1])[:12]}), not with {writer["checkpoint"]!r} ({writer["sha256"][:12]})'
            )
        for key, name in SAME.items():
            if before.get(key) != writer[key]:
                was, now = (_short(values.get(key)) for values in (before, writer))
                raise UserError(f'--resume: {str(self.path)!r} was written with {name} {was}, not {now}')

    def _order(self, videos: Sequence[str], parts: Sequence[Path]) -> tuple[list[tuple[int, int]] | None, Count]:
        """Find the line of each row that the file lacks, as a part and the place in it; None if videos have no row.

        A row that the file has already is left out: who joined the parts was killed before it removed them.
        """
        places: dict[str, deque[int]] = defaultdict(deque)
        for place, source in enumerate(videos):
            places[self.output.key(source)].append(place)
        seen, errors, rows = set(), 0, 0
        if self.path.exists():
            for row, _ in self.output.read(self.path):
                seen.add(row.source)
                rows += 1
                errors += bool(row.error)
                if places.get(row.source):
                    places[row.source].popleft()
        lines: list[tuple[int, int, int]] = []
        for number, part in enumerate(parts):
            start = 0
            for row, end in PART_LINES.read(part):
                key = self.output.key(row.source)
                if places.get(key) or key not in seen:
                    lines.append((places[key].popleft() if places.get(key) else len(videos), number, start))
                    errors += bool(row.error)
                seen.add(key)
                start = end
        if any(places.values()):
            return None, Count()
        return [(number, start) for _, number, start in sorted(lines)], Count(rows + len(lines), errors)

    def _rows(self, parts: Sequence[Path], lines: Sequence[tuple[int, int]]) -> Iterator[Row]:
        """The rows of the file, and then those of the parts."""
        if self.path.exists():
            for row, _ in self.output.read(self.path):
                yield row
        with ExitStack() as stack:
            files = [stack.enter_context(open(part, 'rb')) for part in parts]
            for number, start in lines:
                files[number].seek(start)
                yield PART_LINES.parse(files[number].readline())


class Rows:
    """A file that rows are added to, each at once; it is locked, so that no other run writes into it.

    Args:
        path (Path): The file.
        output (Format): Its format.

    Raises:
        UserError: Another process writes it.
    """

    def __init__(self, path: Path, output: Format) -> None:
        self._output = output
        self._file = open(path, 'a', encoding='utf-8', newline='')
        _lock(self._file.fileno(), path)
        if not path.stat().st_size:
            self._file.write(output.head)
            self._file.flush()

    def add(self, row: Row) -> None:
        """Write a row."""
        self._file.write(self._output.text(row))
        self._file.flush()

    def __enter__(self) -> 'Rows':
        return self

    def __exit__(self, *_) -> None:
        self._file.close()


def describe_writer(recognizer: Recognizer, checkpoint: str, output: str, topk: int, dtype: str) -> dict[str, Any]:
    """What must be the same when a run is resumed: plain values, for ``OUT.run.json``.

    Args:
        recognizer (Recognizer): What recognizes.
        checkpoint (str): Its file, or ``'none'`` for random weights, which are never the same.
        output (str): The format.
        topk (int): Classes to name.
        dtype (str): What products are computed in.
    """
    scorer = recognizer.scorer
    described: Any = scorer.model.cfg if isinstance(scorer, TorchScorer) else None
    model = described.model if described else None
    return dict(
        checkpoint=checkpoint,
        sha256=uuid.uuid4().hex if checkpoint == 'none' else _hash_model(Path(checkpoint)),
        model=hashlib.sha256(repr([model, scorer.test_pipeline]).encode()).hexdigest(),
        classes=list(recognizer.classes),
        topk=topk,
        dtype=dtype,
        format=output,
        mmdualformer=__version__,
    )


def _hash_model(path: Path) -> str:
    """The checksum of a checkpoint; of a file for OpenVINO, that of its weights too."""
    parts = (path, path.with_suffix('.bin')) if path.suffix == '.xml' else (path,)
    return ' '.join(map(sha256, parts))


def _mend(path: Path, output: Format) -> Iterator[Row]:
    """Yield the rows of a file, and then cut off what is behind the last one that is whole."""
    with open(path, 'rb+') as file:
        _lock(file.fileno(), path)
    whole = 0
    for row, end in output.read(path):
        whole = end
        yield row
    if output.grows and path.stat().st_size > whole:
        os.truncate(path, whole)


def _lock(descriptor: int, path: Path) -> None:
    """Keep other processes out of an open file until this one closes it or ends, however that ends."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise UserError(f'{str(path)!r} is being written by another run; wait for it, or stop it') from None
        if error.errno not in NO_LOCKS:
            raise


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
