from pathlib import Path

from mmdualformer.datasets.own_videos import OwnVideos, Video, order_videos
from mmdualformer.finetuning.known_classes import compare_classes, order_classes


def test_videos_take_the_labels_of_the_new_order():
    videos = [Video(Path(name), labels) for name, labels in (('a', (0,)), ('b', (0, 2)), ('c', (1,)))]
    found = OwnVideos(['0', '1', '10'], videos)
    ordered = order_videos(found, order_classes(found.classes, ['10', '9', '0']))
    assert ordered.classes == ['10', '0', '1']
    names = [[ordered.classes[label] for label in video.labels] for video in ordered.videos]
    assert names == [['0'], ['10', '0'], ['1']]
    assert order_videos(found, order_classes(found.classes, [])) == found


def test_people_are_told_what_is_known_what_goes_and_what_is_spelt_otherwise():
    lines = compare_classes(['walk', 'Long Jump', 'new\n'], ['walk', 'long_jump', 'run'])
    assert lines[0] == r'the checkpoint knows 1 of the 3 classes; new: Long Jump, new\n'
    assert lines[1].startswith('no videos here, and so unknown to the new model: long_jump, run;')
    assert lines[2].startswith("warning: class 'Long Jump' is new, though the checkpoint knows 'long_jump'")
    assert len(lines) == 3
    assert compare_classes(['a', 'b'], [f'class {i}' for i in range(400)]) == []
    assert compare_classes(['a', 'b'], ['b', 'a']) == ['the checkpoint knows 2 of the 2 classes']
