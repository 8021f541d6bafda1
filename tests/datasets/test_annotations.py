import pytest

from mmdualformer.datasets.annotations import format_line, parse_line


@pytest.mark.parametrize(('line', 'multi_class', 'expected'), [
    ('a.mp4 3', False, ('a.mp4', [3])),
    ('tai chi/two words.mp4 3', False, ('tai chi/two words.mp4', [3])),
    ('tai chi/take 2.mp4', False, ('tai chi/take 2.mp4', [])),
    ('part 2 3', False, ('part 2', [3])),
    ('a.mp4 -1', False, ('a.mp4', [-1])),
    ('a.mp4  7 ', False, ('a.mp4', [7])),
    ('7', False, ('7', [])),
    ('', False, ('', [])),
    ('two words.mp4 3 14 15', True, ('two words.mp4', [3, 14, 15])),
    ('two words.mp4', True, ('two words.mp4', [])),
])
def test_lines_are_read_from_the_right(line, multi_class, expected):
    assert parse_line(line, multi_class=multi_class) == expected


@pytest.mark.parametrize('delimiter', [' ', ','])
def test_what_is_written_is_read(delimiter):
    for video, labels in (('a b, c.mp4', [2]), ('a b, c.mp4', [1, 2, 30]), ('a b, c.mp4', [])):
        line = format_line(video, labels, delimiter)
        assert parse_line(line, delimiter, multi_class=True) == (video, labels)
