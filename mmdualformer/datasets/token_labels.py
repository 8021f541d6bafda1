"""Token labels on disk: a teacher's highest logits of every token of a whole video, and what a clip needs of them.

A video's file is an ``.npz`` with ``labels`` (uint16) and ``logits`` (float16), ``[L, H, W, k]``, for L moments of the
video with a map over its whole frame each, and ``frames`` (float32, ``[L]``), the mean index of the frames behind each.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.datasets.transforms import Resize, SampleFrames
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmdualformer.commands import tool_command
from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically


def label_file(root: str | Path, video: str | Path) -> Path:
    """Where the token labels of a video are: under the names of its folder and of itself."""
    video = Path(video).absolute()
    return Path(root, video.parent.name, f'{video.name}.npz')


def write_token_labels(path: Path, logits: Tensor, frame_inds: np.ndarray, num_labels: int) -> None:
    """Write the token labels of a video.

    Args:
        path (Path): See :func:`label_file`. It appears when it is complete.
        logits (Tensor): A teacher's ``[clips, classes, T, H, W]`` of clips that cover the video.
        frame_inds (ndarray): The frames of the clips, ``[clips, frames]``.
        num_labels (int): Labels to keep of each token, the highest.
    """
    values, labels = rearrange(logits, 'N K T H W -> (N T) H W K').topk(num_labels, dim=-1)
    frames = [part.mean() for clip in frame_inds for part in np.array_split(clip, logits.shape[2])]
    with write_atomically(path) as partial, open(partial, 'wb') as file:
        np.savez(
            file,
            labels=labels.cpu().numpy().astype(np.uint16),
            logits=values.cpu().numpy().astype(np.float16),
            frames=np.array(frames, dtype=np.float32),
        )


@TRANSFORMS.register_module()
class SampleWholeVideo(SampleFrames):
    """Sample as many clips, evenly placed, as it takes to cover a video.

    The arguments are those of ``SampleFrames``; ``num_clips`` is not used.
    """

    def _sample_clips(self, num_frames: int, ori_clip_len: float) -> np.ndarray:
        num_clips = -(-num_frames // int(ori_clip_len))
        return np.round(np.linspace(0, max(num_frames - ori_clip_len, 0), num_clips)).astype(np.int64)

    def transform(self, results: dict) -> dict:
        """Set ``frame_inds``, ``clip_len``, ``frame_interval`` and ``num_clips``."""
        results = super().transform(results)
        results['num_clips'] = len(results['frame_inds']) // self.clip_len
        return results


@TRANSFORMS.register_module()
class ResizeToMultiple(BaseTransform):
    """Resize frames so that the short side is about ``short_side`` and both are multiples of ``divisor``.

    So that the map of a teacher, whose stride is ``divisor``, covers the frame and nothing else.

    Args:
        short_side (int): In pixels.
        divisor (int): In pixels.
    """

    def __init__(self, short_side: int, divisor: int) -> None:
        self.short_side = short_side
        self.divisor = divisor

    def transform(self, results: dict) -> dict:
        """Resize ``results['imgs']``."""
        height, width = results['img_shape']
        scale = self.short_side / min(height, width)
        size = tuple(max(round(side * scale / self.divisor), 1) * self.divisor for side in (width, height))
        return Resize(scale=size, keep_ratio=False)(results)


@TRANSFORMS.register_module()
class LoadTokenLabels(BaseTransform):
    """Load the stored token labels of a clip, aligned with what was cropped and flipped.

    It stands after everything that crops or flips. Each frame takes the map of the moment nearest to it, and each token
    the map's value where its centre is; the frames of a token are averaged.

    Required keys: ``filename``, ``frame_inds``, ``num_clips``; if there, ``crop_quadruple``, ``flip`` and
    ``flip_direction``. Added key: ``token_logits`` (Tensor ``[num_classes, T, H, W]``, 0 where no label is stored).

    Args:
        root (str): Folder that ``tools/write_token_labels.py`` wrote.
        num_classes (int): The teacher's classes.
        map_size (tuple): The student's map ``(T, H, W)``.

    Raises:
        UserError: The folder is missing.
    """

    def __init__(self, root: str, num_classes: int, map_size: tuple[int, int, int]) -> None:
        if not Path(root).is_dir():
            raise UserError(
                f'LoadTokenLabels.root={root!r} does not exist: there is no {Path(root).absolute()}; write '
                f'it with {tool_command("write-token-labels")}'
            )
        self.root = root
        self.num_classes = num_classes
        self.map_size = map_size

    def transform(self, results: dict) -> dict:
        """Set ``results['token_logits']``.

        Raises:
            UserError: The video has no token labels, or there are several clips.
        """
        if results['num_clips'] != 1:
            raise UserError(
                f'LoadTokenLabels takes one clip a video, not SampleFrames.num_clips={results["num_clips"]}'
            )
        path = label_file(self.root, results['filename'])
        try:
            stored = dict(np.load(path, allow_pickle=False))
        except FileNotFoundError:
            raise UserError(
                f'{results["filename"]!r} has no token labels: there is no {path}; write it with '
                f'{tool_command("write-token-labels")}'
            ) from None
        nearest = abs(results['frame_inds'][:, None] - stored['frames']).argmin(axis=1)
        used, nearest = np.unique(nearest, return_inverse=True)
        labels = torch.from_numpy(stored['labels'][used].astype(np.int64))
        logits = torch.from_numpy(stored['logits'][used].astype(np.float32))
        dense = torch.zeros(*labels.shape[:3], self.num_classes).scatter_(-1, labels, logits)
        maps = self._resample(rearrange(dense, 'L H W K -> L K H W'), results)  # [L, K, H', W']
        tokens = [maps[frames].mean(dim=0) for frames in np.array_split(nearest, self.map_size[0])]
        results['token_logits'] = torch.stack(tokens, dim=1)
        return results

    def _resample(self, maps: Tensor, results: dict) -> Tensor:
        """Read maps ``[L, K, H, W]`` of whole frames, bilinearly, at the centres of the student's tokens."""
        left, top, width, height = (float(value) for value in results.get('crop_quadruple', (0, 0, 1, 1)))
        _, rows, columns = self.map_size
        x = left + width * (torch.arange(columns) + 0.5) / columns
        y = top + height * (torch.arange(rows) + 0.5) / rows
        if results.get('flip', False):
            x, y = (x.flip(0), y) if results['flip_direction'] == 'horizontal' else (x, y.flip(0))
        # -1 and 1 are the edges of the frame
        grid = torch.stack(torch.meshgrid(2 * x - 1, 2 * y - 1, indexing='xy'), dim=-1)
        grid = grid.expand(len(maps), -1, -1, -1)
        return F.grid_sample(maps, grid, padding_mode='border', align_corners=False)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(root={self.root!r}, num_classes={self.num_classes}, map_size={self.map_size})'
