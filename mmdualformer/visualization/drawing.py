"""Maps laid over the frames that a model saw: as pictures, contact sheets and videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdualformer.encoding import write_h264
from mmdualformer.errors import UserError
from mmdualformer.files import write_atomically

SIDE = 256  # pixels of the short side of a video's frames, at least
CELL = 112  # pixels of the short side of a frame on a contact sheet
COLUMNS = 8
MARGIN = 84  # pixels beside the rows, for their names
LINE = 18  # pixels above the columns, for their times
PLAYED = 5.0  # frames a second where their times are not known


def draw_maps(frames: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Lay maps over frames, from blue for the least of all maps to red for the most.

    Args:
        frames (np.ndarray): RGB, uint8, ``[T, H, W, 3]``.
        maps (np.ndarray): ``[t, h, w]``; map i is laid over frame ``i * T // t``.

    Returns:
        np.ndarray: RGB, uint8, ``[t, H, W, 3]``.
    """
    maps = (maps - maps.min()) / max(maps.max() - maps.min(), np.finfo(float).tiny)
    height, width = frames.shape[1:3]
    drawn = []
    for i, heat in enumerate(maps):
        heat = cv2.resize((255 * heat).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        colours = cv2.applyColorMap(heat, cv2.COLORMAP_JET)[..., ::-1]
        drawn.append(cv2.addWeighted(frames[i * len(frames) // len(maps)], 0.5, np.ascontiguousarray(colours), 0.5, 0))
    return np.stack(drawn)


def scale_frames(frames: np.ndarray, side: int) -> np.ndarray:
    """Resize frames ``[T, H, W, 3]`` so that their short side has so many pixels, and the long one an even number."""
    height, width = frames.shape[1:3]
    scale = side / min(height, width)
    size = tuple(max(round(length * scale / 2) * 2, 2) for length in (width, height))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, size, interpolation=interpolation) for frame in frames])


def contact_sheet(
    frames: np.ndarray, rows: Mapping[str, np.ndarray], times: Sequence[float] | None = None
) -> np.ndarray:
    """Draw frames, and below them maps laid over them.

    Args:
        frames (np.ndarray): RGB, uint8, ``[T, H, W, 3]``. Of more than eight, eight that are evenly spread are shown.
        rows (mapping): By their names, maps ``[T, H, W]``. Names are written in ASCII.
        times (sequence, optional): When each frame is shown, in seconds. Defaults to None, not known.

    Returns:
        np.ndarray: RGB, uint8.
    """
    count = len(frames)
    shown = [(2 * i + 1) * count // (2 * COLUMNS) for i in range(COLUMNS)] if count > COLUMNS else list(range(count))
    frames = scale_frames(frames, CELL)
    lines = {'frames': frames, **{name: draw_maps(frames, maps) for name, maps in rows.items()}}
    height, width = frames.shape[1:3]
    sheet = np.full((LINE + height * len(lines), MARGIN + width * len(shown), 3), 255, np.uint8)
    for row, (name, pictures) in enumerate(lines.items()):
        top = LINE + row * height
        _write(sheet, name, 4, top + height // 2)
        for column, number in enumerate(shown):
            left = MARGIN + column * width
            sheet[top : top + height, left : left + width] = pictures[number]
    for column, number in enumerate(shown):
        label = f'#{number}' if times is None else f'{times[number]:.2f} s'
        _write(sheet, label, MARGIN + column * width + 4, LINE - 5)
    return sheet


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture ``[H, W, 3]``, uint8, as the file's ending says.

    Raises:
        UserError: OpenCV does not write such files.
    """
    try:
        fine, content = cv2.imencode(path.suffix, np.ascontiguousarray(picture[..., ::-1]))
    except cv2.error:
        fine = False
    if not fine:
        raise UserError(f'{str(path)!r} cannot be written; its name must end in .png or .jpg')
    with write_atomically(path) as partial:
        partial.write_bytes(content.tobytes())


def write_overlay(path: Path, frames: np.ndarray, maps: np.ndarray, times: Sequence[float] | None = None) -> None:
    """Write an mp4 file of maps ``[T, H, W]`` laid over frames ``[T, H, W, 3]``, as fast as the frames were.

    Small frames are enlarged. Where the times are not known, five frames are shown a second.
    """
    span = times[-1] - times[0] if times is not None else 0
    fps = min(max((len(frames) - 1) / span, 1), 60) if span > 0 else PLAYED
    frames = scale_frames(frames, max(SIDE, min(frames.shape[1:3]) // 2 * 2))
    with write_atomically(path) as partial:
        write_h264(partial, list(draw_maps(frames, maps)), fps, container='mp4')


def _write(picture: np.ndarray, text: str, left: int, bottom: int) -> None:
    cv2.putText(picture, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
