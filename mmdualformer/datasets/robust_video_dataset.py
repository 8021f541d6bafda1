"""A data set that goes on when videos are broken, and says so."""

import time
import warnings
from pathlib import Path

from filelock import FileLock
from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS

from mmdualformer.errors import UserError
from mmdualformer.randomness import undo_draws
from mmdualformer.video import VideoError
from mmdualformer.video.files import frame_pattern

from .annotations import read_list, read_names
from .decoding import READING_LIMIT
from .reading import reading

LOCK_LIMIT = 10.0  # seconds
DAMAGED = 'damaged_videos.tsv'
LEAST_FAILURES = 10  # fewer say nothing of a share


def record(ledger: Path, video: str, reason: str) -> None:
    """Add a line ``video<tab>reason`` to a ledger that other processes write too, unless the video is in it.

    Where the file cannot be locked or written in time, a warning takes its place: the ledger is only a report.
    """
    try:
        with FileLock(f'{ledger}.lock', timeout=LOCK_LIMIT), open(ledger, 'a+', encoding='utf-8') as file:
            file.seek(0)
            if not any(line.partition('\t')[0] == video for line in file):
                file.write(f'{video}\t{reason}\n')
    except OSError as error:  # filelock's Timeout is one
        warnings.warn(f'{ledger} lacks {video}, which cannot be read ({reason}): {error}', stacklevel=2)


@DATASETS.register_module()
class RobustVideoDataset(VideoDataset):
    """MMAction2's ``VideoDataset`` for videos of which some may be broken; its pipeline starts with ``VideoInit``.

    In training another sample takes the place of a video that cannot be read. In testing its frames are blank and the
    data sample says ``unreadable``, which ``RobustAccMetric`` counts as wrong. Either way the video and the reason go
    to the ledger that an ``UnreadableVideosHook`` sets.

    Args:
        time_limit (float): Seconds that a video may take from the file to the clip; one that takes longer counts as
            unreadable. ``results['deadline']`` tells the pipeline when they are over, on the clock of
            ``time.monotonic``. Defaults to 60.
        label_map (str, optional): File with the name of a class a line. The names go into ``metainfo['classes']``, and
            so into checkpoints. Defaults to None, ``label_map.txt`` beside the list if it is there.
        max_unreadable (float): Share of training videos that may be unreadable, as one worker of a data loader sees
            it, 0 to 1. Defaults to 0.05.
        damaged (str): What is done with a video that is damaged: it is read as far as it can be and listed in
            ``damaged_videos.tsv`` beside the ledger (``'use'``), or counts as unreadable (``'refuse'``). Defaults to
            ``'use'``.
        rawframes (bool, optional): Whether the list is MMAction2's of raw frames, ``folder total_frames label``. The
            sample then has ``frame_folder``, the arguments of ``FrameFolder``. Defaults to None: it is not, but a list
            that may be either is refused. A folder may stand in the place of a file in ``video label`` lists too.
        with_offset (bool): Whether lines of raw frames are ``folder offset total_frames label``. Defaults to False.
        filename_tmpl (str, optional): Which images of the folders, such as ``img_{:05}.jpg``. Defaults to None, all.
        **kwargs: Those of ``VideoDataset``.

    Attributes:
        ledger (Path, optional): The file that lists what cannot be read.
        reads (int): How many videos were read, by this copy of the data set or, in the main process, by all workers.

    Raises:
        UserError: ``max_unreadable`` or ``damaged`` is out of range, ``label_map`` does not exist, or something is said
            of raw frames without ``rawframes=True``.
    """

    def __init__(
        self,
        *args,
        time_limit: float = READING_LIMIT,
        label_map: str | None = None,
        max_unreadable: float = 0.05,
        damaged: str = 'use',
        rawframes: bool | None = None,
        with_offset: bool = False,
        filename_tmpl: str | None = None,
        **kwargs,
    ) -> None:
        if not 0 <= max_unreadable <= 1:
            raise UserError(f'max_unreadable={max_unreadable} must lie between 0 and 1')
        if damaged not in ('use', 'refuse'):
            raise UserError(f"damaged={damaged!r} must be 'use' or 'refuse'")
        if label_map and not Path(label_map).is_file():
            raise UserError(f'label_map={label_map!r} does not exist: there is no {Path(label_map).absolute()}')
        if not rawframes and (with_offset or filename_tmpl):
            raise UserError(f'with_offset={with_offset} and filename_tmpl={filename_tmpl!r} need rawframes=True')
        if filename_tmpl:
            frame_pattern(filename_tmpl)
        self.rawframes = rawframes
        self.with_offset = with_offset
        self.filename_tmpl = filename_tmpl
        self.time_limit = time_limit
        self.max_unreadable = max_unreadable
        self.damaged = damaged
        self.ledger: Path | None = None
        self.reads = 0
        self._unreadable: dict[str, str] = {}  # why, of each video
        self._damaged: set[str] = set()
        super().__init__(*args, **kwargs)
        path = Path(label_map or Path(self.ann_file).with_name('label_map.txt'))
        if label_map or path.exists():
            self._metainfo['classes'] = read_names(path)

    def load_data_list(self) -> list[dict]:
        """Read the list; in testing a video without a label gets -1, as in MMAction2.

        Raises:
            UserError: A line is not what it must be; see :func:`read_list`.
        """
        lines = read_list(
            self.ann_file,
            self.data_prefix['video'] or '',
            self.delimiter,
            self.multi_class,
            self.rawframes,
            self.with_offset,
            need_labels=not (self.multi_class or self.test_mode),
            num_classes=self.num_classes,
        )
        samples = []
        for video, labels, frames in lines:
            label = labels if self.multi_class else labels[0] if labels else -1
            sample: dict[str, object] = dict(filename=video, label=label)
            if frames:
                offset, total_frames = frames
                sample['frame_folder'] = dict(
                    filename_tmpl=self.filename_tmpl, offset=offset, total_frames=total_frames
                )
            samples.append(sample)
        return samples

    def get_cat_ids(self, idx: int) -> list[int]:
        """List the labels of a video, as MMEngine's ``ClassBalancedDataset`` asks for them.

        Args:
            idx (int): Its place in the list.

        Returns:
            list: One label, with ``multi_class`` any number of them; none for a video without a label.
        """
        label = self.get_data_info(idx)['label']
        if self.multi_class:  # 0 and 1 of each class
            return label.nonzero().flatten().tolist()
        return [label] if label >= 0 else []

    def prepare_data(self, idx: int) -> dict | None:
        """Read a video.

        Args:
            idx (int): Its place in the list.

        Returns:
            dict or None: What the pipeline makes of it; None if it cannot be read, in training.

        Raises:
            UserError: Too many videos cannot be read.
        """
        info = self.get_data_info(idx)
        video = info['filename']
        self.reads += 1
        if video not in self._unreadable:
            info.update(deadline=time.monotonic() + self.time_limit, damage=[])
            try:
                # what takes its place is the same whether it was tried just now or long ago
                with reading(video, self.time_limit), undo_draws(VideoError, TimeoutError):
                    data = self.pipeline(info)
                self._note_damage(video, info['damage'])
                return data
            except VideoError as error:
                self.leave_out(video, error.reason)
            except TimeoutError as error:
                self.leave_out(video, str(error))
        if not self.test_mode:
            return None
        data = self.pipeline(dict(self.get_data_info(idx), unreadable=True))
        data['data_samples'].set_metainfo(dict(unreadable=f'{video}: {self._unreadable[video]}'))
        return data

    def _note_damage(self, video: str, damage: list[str]) -> None:
        """List a damaged video in a ledger of its own, or refuse it."""
        if not damage:
            return
        if self.damaged == 'refuse':
            raise VideoError(f'video {video!r} is damaged: {damage[0]}', f'damaged: {damage[0]}')
        if self.ledger and video not in self._damaged:
            self._damaged.add(video)
            record(self.ledger.with_name(DAMAGED), video, damage[0])

    def leave_out(self, video: str, reason: str) -> None:
        """Read a video never again, and list it in the ledger.

        Raises:
            UserError: In training, too many are left out.
        """
        self._unreadable[video] = reason
        if self.ledger:
            record(self.ledger, video, reason)
        failures = len(self._unreadable)
        if not self.test_mode and failures >= LEAST_FAILURES and failures > self.max_unreadable * self.reads:
            where = f'; {self.ledger} lists them' if self.ledger else ''
            raise UserError(
                f'{failures} of {self.reads} videos cannot be read, more than max_unreadable='
                f'{self.max_unreadable:g}{where}; the last is {video!r}: {reason}'
            )
