import json
import re
import shutil
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmdualformer.report import write_report
from mmdualformer.report.clips import describe_clips
from mmdualformer.report.facts import describe_model
from mmdualformer.report.strips import spread
from tests.helpers import REPO
from tests.report.test_measures import random_samples, samples
from tests.report.test_runs import write_run

HOSTILE = ['<script>alert(1)</script>', '$x_1$ & "q"', "l'\n\u202eine", '<b>', '{{ 7 * 7 }}', 'f' * 200, 'g', 'h']
VOID = {'meta', 'input', 'br', 'img'}


class Page(HTMLParser):
    """Collects a page's elements and its text, and checks that they are nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ''
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if 'style' not in self.open:
            self.text += data


def read(folder) -> tuple[Page, dict]:
    return Page((folder / 'report.html').read_text(encoding='utf-8')), json.loads((folder / 'report.json').read_bytes())


def test_names_from_files_are_text_whatever_they_are(tmp_path):
    dump = random_samples(60)
    for sample in dump:
        sample['filename'] = 'a"><img src=x onerror=alert(1)>\n\udcff.mp4'
    (tmp_path / 'work/lists').mkdir(parents=True)
    data = dict(
        source='<iframe>',
        classes=HOSTILE,
        left_out=[dict(path='<u>\udcff', reason='<s>')],
        warnings=['<script>'],
        seed='<q>',
    )
    (tmp_path / 'work/lists/data.json').write_text(json.dumps(data))
    write_report(tmp_path / 'out', dump, work_dirs=[tmp_path / 'work'])
    page, _ = read(tmp_path / 'out')
    tags = {tag for tag, _ in page.elements}
    assert not tags & {'script', 's', 'q', 'iframe', 'object', 'link'}
    assert not [attrs for _, attrs in page.elements if any(name.startswith('on') for name in attrs)]
    for text in ('<script>alert(1)</script>', '{{ 7 * 7 }}', r"l'\n\u202eine", r'onerror=alert(1)>\n\udcff.mp4', '<s>'):
        assert text in page.text
    assert '$x_1$ & "q"' in page.text  # in figures too, and no formula


def test_the_page_needs_nothing_else(tmp_path, motion_root):
    dump = random_samples(40)
    clips = sorted(motion_root.glob('videos_val/*.mp4'))
    for i, sample in enumerate(dump):
        sample['filename'] = str(clips[i % len(clips)])
    write_run(tmp_path / 'work', '20260101_100000', range(5, 21, 5), (1, 2))
    write_report(tmp_path / 'out', dump, work_dirs=[tmp_path / 'work'])
    page, numbers = read(tmp_path / 'out')
    sources = [attrs['src'] for tag, attrs in page.elements if 'src' in attrs]
    assert len(sources) >= 6 and all(source.startswith('data:image/jpeg;base64,') for source in sources)
    references = [value for _, attrs in page.elements for name, value in attrs.items() if name.endswith('href')]
    names = {attrs['id'] for _, attrs in page.elements if 'id' in attrs}
    assert all(value.startswith(('#', 'data:')) for value in references)
    assert {value[1:] for value in references if value[0] == '#'} <= names
    text = (tmp_path / 'out/report.html').read_text()
    assert set(re.findall(r'url\(([^)]*)', text)) <= {f'#{name}' for name in names}
    assert "default-src 'none'" in text
    assert len(text) < 3e6
    figures = {path.stem for path in (tmp_path / 'out/figures').iterdir()}
    assert figures == {'accuracy', 'loss', 'learning_rate', 'classes', 'confusion', 'calibration'}
    assert numbers['seed'] == 17 and numbers['seconds']['training'] == 330
    assert numbers['result']['top1']['value'] == pytest.approx(
        np.mean([int(sample['pred_score'].argmax() == sample['gt_label'][0]) for sample in dump])
    )


def test_clips_that_cannot_be_shown_are_lines(tmp_path, clip_file):
    gone = tmp_path / 'gone.mp4'
    shutil.copy(clip_file, tmp_path / 'there.mp4')
    dump = samples([[0.9, 0.1], [0.8, 0.2]], [1, 1])
    for sample, name in zip(dump, ('there.mp4', 'gone.mp4')):
        sample['filename'] = str(tmp_path / name)
    write_report(tmp_path / 'out', dump)
    page, numbers = read(tmp_path / 'out')
    assert sum(tag == 'img' for tag, _ in page.elements) == 6
    assert 'its frames cannot be read: No such file or directory' in page.text
    assert [mistake['file'] for mistake in numbers['mistakes']] == [str(tmp_path / 'there.mp4'), str(gone)]
    for sample in dump:
        del sample['filename']
    write_report(tmp_path / 'out', dump)
    page, _ = read(tmp_path / 'out')
    assert page.text.count('the predictions do not name its file') == 1


def test_a_report_of_another_run_leaves_no_figure(tmp_path):
    write_run(tmp_path / 'work', '20260101_100000', (5, 10), (1,))
    write_report(tmp_path / 'out', random_samples(20), work_dirs=[tmp_path / 'work'])
    assert (tmp_path / 'out/figures/loss.png').exists()
    write_report(tmp_path / 'out', random_samples(20))
    assert not (tmp_path / 'out/figures/loss.png').exists()


def test_several_labels_have_no_confusion_matrix(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.random((50, 4)) < 0.4
    write_report(tmp_path, samples(rng.normal(size=(50, 4)), labels.astype(float)), names=['a', 'b', 'c', 'd'])
    page, numbers = read(tmp_path)
    assert 'Mean average precision' in page.text and 'Wrong labels' in page.text
    assert not (tmp_path / 'figures/confusion.png').exists()
    assert 0 < numbers['result']['mean_average_precision']['value'] < 1


def test_many_classes_are_sorted_and_named_in_the_table_only(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 100
    scores = torch.tensor(rng.normal(size=(200, 100)) + 4 * np.eye(100)[labels]).softmax(1)
    names = [f'class number {i}' for i in range(100)]
    write_report(tmp_path, samples(scores, labels), names=names)
    text = (tmp_path / 'report.html').read_text()
    matrix = text[text.index('aria-label="confusion matrix"') :].partition('</svg>')[0]
    assert 'class number' not in matrix and '<image' in matrix
    rows = re.findall(r'<tr style="--name:(\d+);--clips:\d+;--main:(\d+)[^>]*><td>class number (\d+)<', text)
    assert [int(main) for _, main, _ in rows] == list(range(100))
    assert all(name == number for name, _, number in rows)


def test_what_was_left_out_is_listed(tmp_path):
    (tmp_path / 'lists').mkdir()
    (tmp_path / '20260101_100000').mkdir()
    (tmp_path / '20260101_100000/unreadable_videos.tsv').write_text('b.mp4\tit breaks off\n')
    data = dict(
        source='gestures',
        classes=['up', 'down'],
        counts=dict(train=[3, 4], val=[1, 2]),
        left_out=[dict(path='a.mp4', reason='a copy')],
        near_duplicates=[['c.mp4', 'd.mp4']],
        warnings=['class up is small'],
        test_is_validation=True,
        group_by=None,
    )
    (tmp_path / 'lists/data.json').write_text(json.dumps(data))
    write_report(tmp_path / 'out', samples([[0.9, 0.1]], [0]), work_dirs=[tmp_path])
    page, numbers = read(tmp_path / 'out')
    for text in ('b.mp4', 'it breaks off', 'a copy', 'd.mp4', 'class up is small', 'down', 'split one by one'):
        assert text in page.text
    assert numbers['videos']['lists'] == data


def loader(ann_file: str) -> dict:
    return dict(dataset=dict(type='RobustVideoDataset', ann_file=ann_file, data_prefix=dict(video='v')))


@pytest.mark.parametrize(
    ('test', 'checkpoint', 'lists', 'kind', 'chosen_on'),
    [
        ('val.txt', 'best_acc.pth', {}, 'validation', True),
        ('val.txt', None, {}, 'validation', True),
        ('val.txt', 'epoch_3.pth', {}, 'validation', False),
        ('test.txt', 'best_acc.pth', {}, 'test', False),
        ('test.txt', 'best_acc.pth', dict(test_is_validation=True), 'validation', True),
        ('val.txt', 'best_acc.pth', dict(test_is_validation=False), 'test', False),
        ('val.txt', 'epoch_3.pth', dict(test_is_validation=True, tries=5), 'validation', True),
        ('test.txt', 'epoch_3.pth', dict(test_is_validation=False, tries=5), 'test', False),
    ],
)
def test_what_the_clips_are(test, checkpoint, lists, kind, chosen_on):
    cfg = Config(
        dict(
            val_dataloader=loader('val.txt'),
            test_dataloader=loader(test),
            default_hooks=dict(checkpoint=dict(save_best='auto')),
        )
    )
    clips = describe_clips(cfg, checkpoint, lists)
    assert (clips.kind, clips.chosen_on, clips.source) == (kind, chosen_on, test)
    assert describe_clips(None, checkpoint, lists).kind == ''


@pytest.mark.parametrize(
    ('right', 'total', 'expected'),
    [
        (18, 20, 'is above that of always'),
        (11, 20, 'do not show that it is better'),
        (1, 20, 'is below that of always'),
    ],
)
def test_the_accuracy_is_compared_with_a_guess(right, total, expected, tmp_path):
    """Half of the clips are of each class."""
    labels = np.arange(total) % 2
    guesses = np.where(np.arange(total) < right, labels, 1 - labels)
    write_report(tmp_path, samples(np.eye(2)[guesses] * 0.6 + 0.2, labels))
    assert expected in read(tmp_path)[0].text


def test_frames_are_spread_over_a_clip():
    assert spread(60, 6) == [5, 15, 25, 35, 45, 55]
    assert spread(4, 6) == [0, 1, 2, 3]


def test_letters_that_no_font_has_are_no_warnings(tmp_path):
    with warnings.catch_warnings(action='error'):
        write_report(tmp_path, samples([[0.9, 0.1]], [1]), names=['\u8df3\U0001f642', 'b'])
    assert '\u8df3\U0001f642' in read(tmp_path)[0].text


def test_a_seed_of_0_is_one(tmp_path):
    write_run(tmp_path, '20260101_100000', (5,), ())  # with the seed 17
    cfg = Config(dict(randomness=dict(seed=0)))
    write_report(tmp_path / 'out', samples([[0.9, 0.1]], [0]), cfg, [tmp_path])
    assert read(tmp_path / 'out')[1]['seed'] == 0


def test_lists_that_are_none_are_no_error(tmp_path):
    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists/data.json').write_text(json.dumps(dict(classes=3, counts=[1], warnings='w', left_out=[1])))
    write_report(tmp_path / 'out', samples([[0.9, 0.1]], [0]), work_dirs=[tmp_path])
    assert read(tmp_path / 'out')[1]['result']['classes'][0]['name'] == '0'


def test_several_test_data_sets():
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    alone = describe_model(cfg)
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[cfg.test_dataloader.dataset] * 2)
    assert describe_model(cfg) == alone and alone['params'] > 1e5
    assert describe_model(Config(dict(test_dataloader=loader('a.txt'))))['uncounted']
