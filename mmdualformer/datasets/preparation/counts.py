"""How many classes and videos each data set has, as published."""

from dataclasses import dataclass

CLASSES = dict(
    kinetics400=400, kinetics600=600, kinetics700=700, diving48=48, hmdb51=51, ucf101=101, sthv2=174, charades=157
)


@dataclass(frozen=True)
class Published:
    """A number of videos, who states it, and whether it is rounded."""

    count: int
    source: str
    rounded: bool = False


DUALFORMER = 'the DualFormer paper, Section 4.1'
VIDEO_MOBILE_FORMER = 'the Video Mobile-Former paper, Datasets'
VIDTR = 'the VidTr paper, Section 4.1'
HMDB51 = '70 training and 30 test videos of each of 51 classes'
UCF101 = 'the lists of its owners'
DIVING48 = 'the lists of V2'
SOMETHING_SOMETHING = 'its owners'
CHARADES = 'the lists of its owners'

VIDEOS = {
    'kinetics400': {
        'train_list': Published(240_000, DUALFORMER, rounded=True),
        'val_list': Published(20_000, DUALFORMER, rounded=True),
    },
    'kinetics600': {
        'train_list': Published(392_000, VIDEO_MOBILE_FORMER, rounded=True),
        'val_list': Published(28_000, DUALFORMER, rounded=True),
    },
    'kinetics700': {
        'train_list': Published(650_000, VIDTR, rounded=True),
        'val_list': Published(35_000, VIDTR, rounded=True),
    },
    'diving48': {'train_list': Published(15_027, DIVING48), 'val_list': Published(1_970, DIVING48)},
    'hmdb51': {
        **{f'train_split_{i}': Published(3_570, HMDB51) for i in (1, 2, 3)},
        **{f'val_split_{i}': Published(1_530, HMDB51) for i in (1, 2, 3)},
    },
    'ucf101': {
        'train_split_1': Published(9_537, UCF101),
        'val_split_1': Published(3_783, UCF101),
        'train_split_2': Published(9_586, UCF101),
        'val_split_2': Published(3_734, UCF101),
        'train_split_3': Published(9_624, UCF101),
        'val_split_3': Published(3_696, UCF101),
    },
    'sthv2': {
        'train_list': Published(168_913, SOMETHING_SOMETHING),
        'val_list': Published(24_777, SOMETHING_SOMETHING),
    },
    'charades': {'train_list': Published(7_985, CHARADES), 'val_list': Published(1_863, CHARADES)},
}
TOLERANCE = 0.05  # of a rounded number


def compare_with_published(count: int, published: Published) -> str:
    """Say what is published, and by how much a count differs from it."""
    said = f'published: {"about " if published.rounded else ""}{published.count:,} ({published.source})'
    difference = count - published.count
    if abs(difference) <= (TOLERANCE * published.count if published.rounded else 0):
        return said
    return f'{said}, {abs(difference):,} {"more" if difference > 0 else "fewer"} here'
