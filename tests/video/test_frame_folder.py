import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdualformer.video import VideoError
from mmdualformer.video.frame_folder import FrameFolder


def numbered(number: int, shape=(12, 16)) -> Image.Image:
    return Image.fromarray(np.full((*shape, 3), number, np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Eleven images, each as bright as its number."""
    for i in range(1, 12):
        numbered(i).save(tmp_path / f'frame{i}.png')
    return tmp_path


def bright(frames) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


def test_frames_in_any_order(folder):
    with FrameFolder(str(folder)) as video:
        assert len(video) == 11 and video.average_fps == 25
        assert video.frame_times[:3] == pytest.approx([0, 0.04, 0.08])
        frames = video.get_frames([10, 0, np.int64(4), 4, 1])
        assert bright(frames) == [11, 1, 5, 5, 2]
        assert all(frame.shape == (12, 16, 3) and frame.dtype == np.uint8 for frame in frames)
        frames[2][:] = 99  # some transforms write to them
        assert bright(frames) == [11, 1, 99, 5, 2]
        for index in (-1, 11):
            with pytest.raises(IndexError, match=f'has no frame {index}; it has 0 to 10'):
                video.get_frames([0, index])
    assert FrameFolder(folder, average_fps=10).frame_times[-1] == 1


def test_a_part_of_the_frames(folder):
    for i in range(1, 6):
        numbered(100 + i).save(folder / f'img_{i:05}.png')
    part = FrameFolder(folder, filename_tmpl='img_{:05}.png', offset=1, total_frames=3)
    assert bright(part.get_frames(range(len(part)))) == [102, 103, 104]
    with pytest.raises(VideoError, match='5 images, where frames 2 to 5 are wanted'):
        FrameFolder(folder, filename_tmpl='img_{:05}.png', offset=2, total_frames=4)
    with pytest.raises(VideoError, match='a folder of several series'):
        FrameFolder(folder)


def ramp() -> Image.Image:
    x, y = np.meshgrid(np.arange(40), np.arange(24))
    return Image.fromarray(np.stack([5 * x, 9 * y, 2 * x + 3 * y], axis=-1).astype(np.uint8))


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.convert('RGBA')
    image.putalpha(image.getchannel('R'))
    return image


@pytest.mark.parametrize(
    ('image', 'suffix'),
    [
        (ramp(), '.jpg'),
        (ramp().convert('L'), '.jpeg'),
        (ramp().convert('L'), '.png'),
        (ramp().quantize(16), '.png'),
        (ramp().convert('1'), '.bmp'),
        (with_alpha(ramp()), '.png'),
        (ramp(), '.webp'),
        (Image.fromarray((np.arange(24 * 40) * 68).reshape(24, 40).astype(np.uint16)), '.png'),
    ],
)
def test_pixels_are_those_of_opencv(tmp_path, image, suffix):
    """Grey, palettes, one bit, alpha and 16 bits too."""
    image.save(tmp_path / f'1{suffix}')
    (frame,) = FrameFolder(tmp_path).get_frames([0])
    assert np.array_equal(frame, cv2.imread(str(tmp_path / f'1{suffix}'))[..., ::-1])


@pytest.mark.parametrize('orientation', range(1, 9))
def test_images_are_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for i in (1, 2):
        ramp().save(tmp_path / f'{i}.jpg', exif=exif)
    frame = FrameFolder(tmp_path).get_frames([1])[0]
    assert frame.shape == ((24, 40, 3) if orientation < 5 else (40, 24, 3))
    assert np.array_equal(frame, cv2.imread(str(tmp_path / '2.jpg'))[..., ::-1])


def test_broken_images_are_named_when_they_are_asked_for(folder):
    content = (folder / 'frame3.png').read_bytes()
    (folder / 'frame3.png').write_bytes(content[: len(content) // 2])
    (folder / 'frame4.png').write_text('no image')
    (folder / 'frame5.png').write_text('%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n')
    numbered(6, shape=(16, 12)).save(folder / 'frame6.png')
    (folder / 'frame7.png').unlink()
    os.mkfifo(folder / 'frame7.png')
    video = FrameFolder(folder)
    (folder / 'frame8.png').unlink()
    assert bright(video.get_frames([0, 1, 10])) == [1, 2, 11]
    for index, reason in (
        (2, 'frame3.png: '),
        (3, 'frame4.png: no image of BMP, JPEG, PNG, WEBP'),
        (4, 'frame5.png: no image of'),
        (5, 'frame6.png has 12 x 16 pixels, frame1.png 16 x 12'),
        (6, 'frame7.png: a named pipe, not a regular file'),
        (7, 'frame8.png: No such file'),
    ):
        with pytest.raises(VideoError, match=f'video .* cannot be read: {reason}') as error:
            video.get_frames([0, index])
        assert error.value.reason.startswith(reason)


def test_the_first_image_need_not_be_asked_for_to_tell_the_size(folder):
    numbered(1, shape=(16, 12)).save(folder / 'frame1.png')
    with pytest.raises(VideoError, match=r'frame5\.png has 16 x 12 pixels, frame1\.png 12 x 16'):
        FrameFolder(folder).get_frames([4])
