import pytest

from mmdualformer.datasets.annotations import format_line, parse_line, read_list, read_names
from mmdualformer.errors import UserError


@pytest.fixture
def read(tmp_path):
    """Read a list of some content as ``(video, labels)``, or with its frames where it is of frame folders."""

    def read(content, **kwargs):
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / 'list.txt').write_bytes(content)
        samples = read_list(str(tmp_path / 'list.txt'), **kwargs)
        return [tuple(sample if sample.frames else sample[:2]) for sample in samples]

    return read


@pytest.mark.parametrize(
    ('line', 'multi_class', 'expected'),
    [
        ('a.mp4 3', False, ('a.mp4', [3])),
        ('tai chi/two words.mp4 3', False, ('tai chi/two words.mp4', [3])),
        ('tai chi/take 2.mp4', False, ('tai chi/take 2.mp4', [])),
        ('part 2 3', False, ('part 2', [3])),
        ('a.mp4 -1', False, ('a.mp4', [-1])),
        ('a.mp4  7 ', False, ('a.mp4', [7])),
        ('a b.mp4\t 7\t', False, ('a b.mp4', [7])),
        ('7', False, ('7', [])),
        ('', False, ('', [])),
        ('two words.mp4 3 14 15', True, ('two words.mp4', [3, 14, 15])),
        ('two words.mp4', True, ('two words.mp4', [])),
        ('"part 2" 3', True, ('part 2', [3])),
        ('"a ""b"" 1"', True, ('a "b" 1', [])),
        ('"a" b 3', False, ('"a" b', [3])),
        ('"a"b.mp4 3', False, ('"a"b.mp4', [3])),
        ('"a.mp4" 3 4', False, ('a.mp4', [3, 4])),
        ('a.mp4 3.0', False, ('a.mp4 3.0', [])),
        ('a.mp4 ٣', False, ('a.mp4 ٣', [])),
        ('a.mp4\u30003', False, ('a.mp4\u30003', [])),
        (f'a.mp4 {10**18}', False, (f'a.mp4 {10**18}', [])),
        (r'C:\clips\a.mp4 3', False, (r'C:\clips\a.mp4', [3])),
    ],
)
def test_lines_are_read_from_the_right(line, multi_class, expected):
    assert parse_line(line, multi_class=multi_class) == expected


@pytest.mark.parametrize('delimiter', [' ', ',', '\t', '|'])
def test_what_is_written_is_read(read, delimiter):
    """Each line by itself, and all of them as a list."""
    videos = (
        'a b, c.mp4',
        'take 2',
        '2',
        '# x',
        '#',
        '#1.mp4',
        '##\t1',
        '"a"',
        '"a" 3',
        'a "b" 1',
        '"',
        '" ',
        ' a ',
        '\ta',
        'a|1',
        'a,1',
        'a\t1',
        'a, 1',
        'a -1',
        '\u2028',
        'a\u0085\u2028\x0b\x0c\x1cb',
        '\ufeffa',
        '\u3000a\xa0',
        'C:\\a b\\',
        '-1',
    )
    lists = {}
    for video in videos:
        for labels in ([2], [1, 2, 30], [], [0]):
            line = format_line(video, labels, delimiter)
            assert parse_line(line, delimiter, multi_class=True) == (video, labels)
            lists.setdefault(tuple(labels), []).append(line)
    for labels, lines in lists.items():
        expected = [(video, list(labels)) for video in videos]
        options = dict(delimiter=delimiter, need_labels=False)
        assert read('\n'.join(lines), multi_class=True, **options) == expected
        if len(labels) < 2:
            assert read('\n'.join(lines), **options) == expected


def test_quotes_are_only_where_they_must_be():
    assert format_line('a b.mp4', [3]) == 'a b.mp4 3'
    assert format_line('#1_wave!_.avi', [3]) == '#1_wave!_.avi 3'
    assert format_line('take 2', [3]) == '"take 2" 3'


@pytest.mark.parametrize('name', ['a\nb.mp4', 'a\rb.mp4', 'a\0.mp4', b'l\xe4.mp4'.decode(errors='surrogateescape'), ''])
def test_names_that_no_list_can_hold(name):
    with pytest.raises(UserError, match=r'^.* has a line break or is no UTF-8, and cannot be in a list; rename it$'):
        format_line(name, [3])


@pytest.mark.parametrize('line_break', ['\n', '\r\n', '\r'])
def test_a_list_of_an_editor(read, line_break):
    """With a mark, comments, empty lines, tabs, and characters that Python takes for line breaks."""
    lines = [
        '\ufeff# MMAction2',
        '',
        'a.mp4\t3',
        ' \t',
        '  b\u2028c\u0085d\x0c.mp4   1  ',
        '#',
        '#comment.mp4 2',
        '## more',
        '"# x.mp4" 0',
    ]
    assert read(line_break.join(lines)) == [
        ('a.mp4', [3]),
        ('b\u2028c\u0085d\x0c.mp4', [1]),
        ('#comment.mp4', [2]),
        ('# x.mp4', [0]),
    ]


def test_absolute_and_relative_paths(read, tmp_path, monkeypatch):
    assert read('a.mp4 0\n/x/b.mp4 1\nc\\d.mp4 2\n', prefix='/data') == [
        ('/data/a.mp4', [0]),
        ('/x/b.mp4', [1]),
        ('/data/c\\d.mp4', [2]),
    ]
    assert read('a.mp4 0\n', prefix='s3://bucket/x') == [('s3://bucket/x/a.mp4', [0])]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('a.mp4 1\n\nb.mp4 x\n', "line 3: 'b.mp4 x' must be a video and its label, a whole number"),
        ('a.mp4 1\n"" 1', 'line 2: \'"" 1\' must be a video and its label'),
        ('a.mp4 1\rb.mp4\r', "line 2: 'b.mp4' must be a video and its label"),
        ('a.mp4 1\r\n"b.mp4" 1 2', 'line 2: \'"b.mp4" 1 2\' must have one label (multi_class=False)'),
        (b'\xef\xbb\xbfa.mp4 1\r\n\r\nb\0.mp4 1\n', 'line 3: a NUL; this is no list of "video label" lines'),
        (b'\xef\xbb\xbfa.mp4 1\r\n\r\nb\xe4.mp4 1\n', 'line 3: byte 0xe4, which is no UTF-8; this is no list'),
        ('a.mp4 1\n'.encode('utf-16'), 'line 1: byte 0xff, which is no UTF-8'),
        ('a.mp4 1\nb.mp4 1\n#\na.mp4 2\n', "line 4: 'a.mp4' has label 2, but in line 1 label 1"),
        ('a.mp4 1\n./a.mp4 2\n', "line 2: './a.mp4' has label 2, but in line 1 label 1"),
        ('x/a.mp4 1\nx//b/../a.mp4 2\n', 'has label 2, but in line 1 label 1'),
        ('run/ 1\nrun 2\n', "line 2: 'run' has label 2, but in line 1 label 1"),
        ('\n# nothing\n', 'is empty; it must have a "video label" line for each video'),
        ('x' * 1000, f"line 1: '{'x' * 199}... must be a video and its label"),
    ],
)
def test_a_line_that_is_wrong_is_named(read, tmp_path, content, message):
    with pytest.raises(UserError) as error:
        read(content)
    assert str(error.value).startswith(f'{tmp_path}/list.txt ') and '\n' not in str(error.value)
    assert message in str(error.value)


def test_the_same_video_with_other_labels(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(read('a.mp4 1\nb.mp4 0\na.mp4 1\n')) == 3  # it may be seen more often
    assert len(read('a.mp4 1 2\na.mp4 2 1\n', multi_class=True)) == 2
    with pytest.raises(UserError, match=r'line 2: .* has label 1 3, but in line 1 label 1 2'):
        read('a.mp4 1 2\na.mp4 1 3\n', multi_class=True)
    with pytest.raises(UserError, match=r"line 2: 'data/a\.mp4' has none, but in line 1 label 1"):
        read('a.mp4 1\na.mp4\n', prefix='data', need_labels=False)
    with pytest.raises(UserError, match=r"line 2: 'data/a\.mp4' has label 2, but in line 1 label 1"):
        read(f'{tmp_path}/data/a.mp4 1\na.mp4 2\n', prefix='data')


def test_labels_that_are_no_class(read):
    for label in (-1, 3):
        with pytest.raises(UserError, match=rf"line 2: label '{label}' must be a number of 0 to 2 \(num_classes=3\)"):
            read(f'a.mp4 2\nb.mp4 {label}\n', num_classes=3)


def test_lists_of_raw_frames(read):
    assert read('a/b 163 1\n"take 2" 4 0\ntake 3 5 0\n', rawframes=True) == [
        ('a/b', [1], (0, 163)),
        ('take 2', [0], (0, 4)),
        ('take 3', [0], (0, 5)),
    ]
    assert read('a 163\n', rawframes=True, need_labels=False) == [('a', [], (0, 163))]
    assert read('a 163 1 3 5\n', rawframes=True, multi_class=True) == [('a', [1, 3, 5], (0, 163))]
    offsets = 'a 12 163 3\na 175 4 2\n'  # two parts of one video
    assert read(offsets, rawframes=True, with_offset=True) == [('a', [3], (12, 163)), ('a', [2], (175, 4))]
    for content, options in (
        ('a 3', {}),
        ('a 0 3', {}),
        ('a 1 3', dict(with_offset=True)),
        ('a -1 1 3', dict(with_offset=True)),
        ('a', dict(need_labels=False)),
    ):
        with pytest.raises(UserError, match=f'line 1: {content!r} must be a folder, .*its number of frames and its'):
            read(content, rawframes=True, **options)


def test_a_folder_and_two_numbers_may_be_either(read, tmp_path):
    (tmp_path / 'run').mkdir()
    prefix = str(tmp_path)
    for options in (dict(), dict(multi_class=True)):
        with pytest.raises(
            UserError,
            match=r"line 2: 'run' is a folder, so 12 may be its number of frames or a label; "
            'set rawframes=True or rawframes=False',
        ):
            read('#\nrun 12 3\n', prefix=prefix, **options)
    assert read('run 12 3\n', prefix=prefix, rawframes=True) == [(f'{prefix}/run', [3], (0, 12))]
    assert read('run 12 3\n', prefix=prefix, rawframes=False) == [(f'{prefix}/run 12', [3])]
    assert read('run 12 3\n', prefix=prefix, rawframes=False, multi_class=True) == [(f'{prefix}/run', [12, 3])]
    assert read('run 3\n', prefix=prefix) == [(f'{prefix}/run', [3])]
    (tmp_path / 'run 12').mkdir()
    assert read('run 12 3\n', prefix=prefix) == [(f'{prefix}/run 12', [3])]


def test_names_of_classes(tmp_path):
    (tmp_path / 'names.txt').write_bytes('\ufefftai chi\r\na\u2028b\r\n\r\nc\r\n'.encode())
    assert read_names(tmp_path / 'names.txt') == ['tai chi', 'a\u2028b', '', 'c']
    (tmp_path / 'names.txt').write_text('a\nb')
    assert read_names(tmp_path / 'names.txt') == ['a', 'b']
    (tmp_path / 'names.txt').write_bytes(b'a\nl\xe4ufer\n')
    with pytest.raises(UserError, match=r'names\.txt line 2: byte 0xe4, which is no UTF-8$'):
        read_names(tmp_path / 'names.txt')
