"""VidTr's Table 4: which classes one model recognises better than another."""

import pickle

import pytest
import torch

from mmdualformer.analysis import compare_classes
from mmdualformer.errors import UserError
from mmdualformer.papers.published import load_paper
from tests.helpers import assert_one_line


def predictions(labels: list, guesses: list) -> list[dict]:
    return [
        dict(pred_score=torch.eye(3)[guess], gt_label=torch.tensor([label])) for label, guess in zip(labels, guesses)
    ]


LABELS = [0, 0, 0, 0, 1, 1, 2]
FIRST = [0, 0, 0, 1, 0, 0, 2]  # 75, 0 and 100 %
SECOND = [0, 1, 1, 1, 1, 0, 2]  # 25, 50 and 100 %


def test_gains_of_each_class_the_largest_first():
    gains = compare_classes(predictions(LABELS, FIRST), predictions(LABELS, SECOND))
    assert [(gain.label, gain.videos, gain.first, gain.second, gain.gain) for gain in gains] == [
        (0, 4, 0.75, 0.25, 0.5),
        (2, 1, 1, 1, 0),
        (1, 2, 0, 0.5, -0.5),
    ]


def test_what_could_not_be_read_is_not_recognised():
    first = predictions(LABELS, FIRST)
    first[0]['unreadable'] = 'a.mp4: gone'
    assert compare_classes(first, predictions(LABELS, SECOND))[0].first == 0.5


def test_other_videos_and_several_labels_are_refused():
    with pytest.raises(UserError, match='different videos: the labels of video 0 differ'):
        compare_classes(predictions([1], [1]), predictions([2], [1]))
    several = [dict(pred_score=torch.ones(2), gt_label=torch.tensor([1.0, 1.0]))]
    with pytest.raises(UserError, match='several labels'):
        compare_classes(several, several)


def test_the_command_prints_both_ends_and_what_the_paper_has(fork_tool, tmp_path):
    for name, guesses in (('first', FIRST), ('second', SECOND)):
        (tmp_path / f'{name}.pkl').write_bytes(pickle.dumps(predictions(LABELS, guesses)))
    (tmp_path / 'names.txt').write_text('making a cake\nlunge\nzumba\n')
    command = ('tools/analysis/compare_classes.py', 'first.pkl', 'second.pkl', '--labels', 'names.txt', '--top', 1)
    result = fork_tool(*command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        'first.pkl is better',
        '   +50.0%  making a cake: 75.0% and 25.0% of 4 videos (paper +26.0 %)',
        'second.pkl is better',
        '   -50.0%  lunge: 0.0% and 50.0% of 2 videos (paper -19.9 %)',
    ]
    (tmp_path / 'names.txt').write_text('making a cake\n')
    assert_one_line(fork_tool(*command), "'names.txt' names 1 classes, the predictions have 3")


def test_the_gains_of_table_4_are_there():
    gains = load_paper('vidtr')['class_gains']
    assert len(gains) == 10 and sum(gain > 0 for gain in gains.values()) == 5
