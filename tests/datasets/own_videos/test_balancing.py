"""How often an epoch shows the videos of rare classes."""

from collections import Counter
from pathlib import Path

import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset

from mmdualformer.datasets.own_videos import Video, count_repeats, repeat


def videos(*counts: int) -> list[Video]:
    return [Video(Path(f'{label}/{i}.mp4'), (label,)) for label, count in enumerate(counts) for i in range(count)]


class Labels(BaseDataset):
    """The labels of some videos, as MMEngine's wrapper asks for them."""

    def __init__(self, found: list[Video]) -> None:
        self.found = found
        super().__init__()

    def load_data_list(self) -> list[dict]:
        return [dict(label=video.labels[0]) for video in self.found]

    def get_cat_ids(self, idx: int) -> list[int]:
        return [self.get_data_info(idx)['label']]


@pytest.mark.parametrize('counts', [(20, 20, 3), (40, 2, 1, 30), (100, 1)])
def test_they_are_those_of_mmengine(counts):
    found = videos(*counts)
    balanced = ClassBalancedDataset(Labels(found), oversample_thr=0.5 / len(counts))
    expected = Counter(balanced.get_cat_ids(i)[0] for i in range(len(balanced)))
    repeats = count_repeats(found, len(counts))
    assert repeats and Counter(video.labels[0] for video in repeat(found, repeats)) == expected


@pytest.mark.parametrize('counts', [(10, 10), (12, 10, 7), (10, 5, 0)])
def test_classes_that_are_not_rare_are_left_as_they_are(counts):
    found = videos(*counts)
    assert count_repeats(found, 2 if 0 in counts else len(counts)) == {}
    assert repeat(found, {}) == found


def test_videos_of_several_labels_are_left_as_they_are():
    found = [Video(Path('a.mp4'), (0, 1)), Video(Path('b.mp4'), ()), *videos(20)]
    assert count_repeats(found, 2) == {}
    assert repeat(found, {}) == found
