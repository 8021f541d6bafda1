import multiprocessing
import time
import types

import pytest
import torch
from filelock import FileLock
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from PIL import Image

from mmdualformer.datasets import robust_video_dataset
from mmdualformer.datasets.robust_video_dataset import record
from mmdualformer.engine import UnreadableVideosHook
from mmdualformer.errors import UserError
from mmdualformer.evaluation import RobustAccMetric
from mmdualformer.video.isolation import frozen_garbage
from tests.helpers import REPO


@pytest.fixture
def broken_root(motion_root, tmp_path):
    """Twelve clips of which number 3 is missing, 5 empty and 7 no video."""
    (tmp_path / 'videos').mkdir()
    clips = sorted(motion_root.glob('videos_train/*.mp4'))[:12]
    for i, clip in enumerate(clips):
        content = {5: b'', 7: b'no video'}.get(i, clip.read_bytes())
        if i != 3:
            (tmp_path / 'videos' / f'{i}.mp4').write_bytes(content)
    (tmp_path / 'list.txt').write_text(''.join(f'{i}.mp4 {i % 8}\n' for i in range(12)))
    return tmp_path


def build(root, loader: str, **kwargs):
    cfg = Config.fromfile(REPO / 'configs/dualformer_micro_motion.py')
    init_default_scope('mmaction')
    dataset = cfg[loader].dataset
    dataset.update(data_root=str(root), ann_file='list.txt', data_prefix=dict(video='videos'), **kwargs)
    dataset = DATASETS.build(dataset)
    dataset.ledger = root / 'ledger.tsv'
    return dataset


def ledger(root) -> dict:
    lines = (root / 'ledger.tsv').read_text().splitlines()
    entries = dict(line.split('\t') for line in lines)
    assert len(entries) == len(lines)
    return entries


@pytest.mark.parametrize('workers', [0, 2])
def test_training_goes_on_with_other_samples(broken_root, workers):
    dataset = build(broken_root, 'train_dataloader')
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, num_workers=workers, collate_fn=list)
    for _ in range(2):
        samples = [sample for batch in loader for sample in batch]
        assert len(samples) == 12
        assert all(sample['inputs'].float().std() > 0 for sample in samples)
        assert all('unreadable' not in sample['data_samples'] for sample in samples)
    entries = ledger(broken_root)
    assert sorted(entries) == [str(broken_root / 'videos' / f'{i}.mp4') for i in (3, 5, 7)]
    assert set(entries.values()) == {'Invalid data found when processing input', 'No such file or directory'}


def test_testing_replaces_nothing_and_counts_it_as_wrong(broken_root):
    dataset = build(broken_root, 'test_dataloader')
    samples = [dataset[i] for i in range(12)]
    metric = RobustAccMetric()
    for i, sample in enumerate(samples):
        assert sample['inputs'].shape == (1, 3, 18, 32, 32)
        assert (sample['inputs'].max().item() == 0) is (i in (3, 5, 7))
        scores = torch.zeros(8).index_fill(0, torch.tensor([i % 8]), 1.0)  # right about every one
        data = sample['data_samples'].set_pred_score(scores).to_dict()
        metric.process(None, [data])
    assert ('unreadable' in samples[3]['data_samples']) and ('unreadable' not in samples[4]['data_samples'])
    metrics = metric.evaluate(12)
    assert metrics['acc/top1'] == pytest.approx(9 / 12)
    assert metrics['acc/top5'] == pytest.approx(9 / 12)
    assert metrics['acc/unreadable'] == 3
    assert len(ledger(broken_root)) == 3


def test_videos_of_several_labels_count_as_wrong_too():
    """They rank last by every class, of logits too: not before the true videos of class 0, nor those of class 1."""
    metric = RobustAccMetric(metric_list=('mean_average_precision',))
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    logits = torch.tensor([[-3.0, -7.0], [-5.0, -4.0], [9.0, 9.0]])
    metric.process(None, [dict(gt_label=label, pred_score=scores) for label, scores in zip(labels[:2], logits)])
    metric.process(None, [dict(gt_label=labels[2], pred_score=logits[2], unreadable='a.mp4: gone')])
    # class 0: the true videos are first and third of three; class 1: the true one is first
    assert metric.evaluate(3)['acc/mean_average_precision'] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)


def test_a_readable_test_says_nothing_of_unreadable_videos():
    metric = RobustAccMetric()
    metric.process(None, [dict(gt_label=torch.tensor([1]), pred_score=torch.tensor([0.1, 0.9]))])
    assert 'acc/unreadable' not in metric.evaluate(1)


def test_a_video_that_takes_too_long_is_unreadable_and_read_once(broken_root):
    dataset = build(broken_root, 'train_dataloader', time_limit=0.05)

    def give_up(info):
        assert 0 < info['deadline'] - time.monotonic() <= 0.05
        raise TimeoutError('no answer within 0.05 s')

    dataset.pipeline = give_up
    assert dataset.prepare_data(0) is None
    dataset.pipeline = None
    assert dataset.prepare_data(0) is None  # it would be waited for in every epoch
    assert ledger(broken_root) == {str(broken_root / 'videos' / '0.mp4'): 'no answer within 0.05 s'}


def test_a_video_without_a_label_is_of_none(broken_root):
    (broken_root / 'list.txt').write_text('take 2.mp4\n3.mp4 4\n')
    dataset = build(broken_root, 'test_dataloader')
    assert [dataset.get_data_info(i)['label'] for i in range(2)] == [-1, 4]


def test_rare_classes_are_balanced_by_the_wrapper_of_mmengine(broken_root):
    (broken_root / 'list.txt').write_text(''.join(f'{i}.mp4 {int(i == 8)}\n' for i in range(12)))
    balanced = ClassBalancedDataset(build(broken_root, 'train_dataloader'), oversample_thr=0.5)
    labels = [balanced.get_cat_ids(i) for i in range(len(balanced))]
    assert labels.count([0]) == 11 and labels.count([1]) == 3  # sqrt(0.5 / (1 / 12)), rounded up
    assert balanced[8]['data_samples'].gt_label == 1


@pytest.mark.parametrize(
    ('lines', 'kwargs', 'labels'),
    [
        ('0.mp4 1 4\n1.mp4 2\n', dict(multi_class=True, num_classes=8), [[1, 4], [2]]),
        ('0.mp4\n1.mp4 0\n', dict(test_mode=True), [[], [0]]),
    ],
)
def test_a_video_may_have_several_labels_or_none_to_balance(broken_root, lines, kwargs, labels):
    (broken_root / 'list.txt').write_text(lines)
    dataset = build(broken_root, 'train_dataloader', **kwargs)
    assert [dataset.get_cat_ids(i) for i in range(2)] == labels


def test_a_video_to_train_on_needs_a_label(broken_root):
    (broken_root / 'list.txt').write_text('3.mp4 4\ntake 2.mp4\n')
    with pytest.raises(UserError, match=r"list\.txt line 2: 'take 2\.mp4' must be a video and its label"):
        build(broken_root, 'train_dataloader')


def test_lists_of_raw_frames_say_which_frames(broken_root):
    (broken_root / 'list.txt').write_text('run 12 163 3\n/x/jump 0 4 2\n')
    options = dict(rawframes=True, with_offset=True, filename_tmpl='img_{:05}.jpg')
    dataset = build(broken_root, 'train_dataloader', **options)
    infos = [dataset.get_data_info(i) for i in range(2)]
    assert [(info['filename'], info['label']) for info in infos] == [(f'{broken_root}/videos/run', 3), ('/x/jump', 2)]
    assert infos[0]['frame_folder'] == dict(filename_tmpl='img_{:05}.jpg', offset=12, total_frames=163)
    with pytest.raises(UserError, match=r"filename_tmpl='img\.jpg' must have one number"):
        build(broken_root, 'train_dataloader', **dict(options, filename_tmpl='img.jpg'))
    with pytest.raises(UserError, match=r'with_offset=True and filename_tmpl=None need rawframes=True'):
        build(broken_root, 'train_dataloader', with_offset=True)


def test_frames_of_folders_are_those_of_the_list(tmp_path):
    """Of twelve images, each as bright as its number, the third to the sixth; flow beside them is not read."""
    (tmp_path / 'run').mkdir()
    for i in range(1, 13):
        Image.new('RGB', (8, 8), (i,) * 3).save(tmp_path / 'run' / f'img_{i:05}.png')
        Image.new('L', (8, 8)).save(tmp_path / 'run' / f'flow_x_{i:05}.jpg')
    (tmp_path / 'list.txt').write_text('run 2 4 1\n')
    init_default_scope('mmaction')
    pipeline = [
        dict(type='VideoInit'),
        dict(type='SampleFrames', clip_len=4, test_mode=True),
        dict(type='VideoDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    dataset = DATASETS.build(
        dict(
            type='RobustVideoDataset',
            ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(video=str(tmp_path)),
            pipeline=pipeline,
            rawframes=True,
            with_offset=True,
            filename_tmpl='img_{:05}.png',
        )
    )
    assert dataset[0]['inputs'][0, 0, :, 0, 0].tolist() == [3, 4, 5, 6]


def test_names_of_classes_come_from_the_file_that_is_given_or_lies_beside_the_list(broken_root):
    (broken_root / 'names.txt').write_text('cat\ndog\n')
    assert build(broken_root, 'train_dataloader').metainfo.get('classes') is None
    (broken_root / 'label_map.txt').write_text('ant\nbee\n')
    assert build(broken_root, 'train_dataloader').metainfo['classes'] == ['ant', 'bee']
    names = str(broken_root / 'names.txt')
    assert build(broken_root, 'train_dataloader', label_map=names).metainfo['classes'] == ['cat', 'dog']
    with pytest.raises(UserError, match=r"label_map='none\.txt' does not exist: there is no /.*none\.txt"):
        build(broken_root, 'train_dataloader', label_map='none.txt')


def test_too_many_failures_stop_training(broken_root):
    (broken_root / 'list.txt').write_text(''.join(f'{i}.mp4 0\n' for i in range(100, 200)))
    dataset = build(broken_root, 'train_dataloader')
    with pytest.raises(UserError, match=r'10 of \d+ videos cannot be read, more than max_unreadable=0\.05; .*ledger'):
        dataset[0]
    tested = build(broken_root, 'test_dataloader')
    assert all('unreadable' in tested[i]['data_samples'] for i in range(12))
    with pytest.raises(UserError, match='max_unreadable=5 must lie between 0 and 1'):
        build(broken_root, 'train_dataloader', max_unreadable=5)


def test_the_ledger_is_one_line_a_video_from_many_processes(tmp_path):
    """Four processes record the same hundred videos at once."""
    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=_record_hundred, args=(tmp_path / 'ledger.tsv',)) for _ in range(4)]
    with frozen_garbage():
        for process in processes:
            process.start()
    for process in processes:
        process.join()
    assert sorted(ledger(tmp_path)) == sorted(f'{i}.mp4' for i in range(100))


def test_a_ledger_that_stays_locked_is_gone_without(tmp_path, monkeypatch):
    monkeypatch.setattr(robust_video_dataset, 'LOCK_LIMIT', 0.0)
    with FileLock(tmp_path / 'ledger.tsv.lock'), pytest.warns(UserWarning, match=r'lacks a\.mp4.*gone'):
        record(tmp_path / 'ledger.tsv', 'a.mp4', 'gone')
    assert not (tmp_path / 'ledger.tsv').exists()


def test_the_ledger_is_that_of_all_data_under_wrappers_and_of_several_loaders(broken_root):
    datasets = [build(broken_root, 'train_dataloader') for _ in range(3)]
    wrapped = ConcatDataset(datasets[:2]), RepeatDataset(datasets[2], times=2)
    loaders = [torch.utils.data.DataLoader(dataset) for dataset in wrapped]
    runner = types.SimpleNamespace(
        log_dir=broken_root / 'log', train_loop=types.SimpleNamespace(multi_loaders=loaders), train_dataloader=None
    )
    UnreadableVideosHook().before_train(runner)
    assert {dataset.ledger for dataset in datasets} == {broken_root / 'log' / 'unreadable_videos.tsv'}


def _record_hundred(path):
    for i in range(100):
        record(path, f'{i}.mp4', 'gone')


@pytest.mark.parametrize('damaged', ['use', 'refuse'])
def test_damaged_videos_are_used_and_listed_or_refused(motion_root, tmp_path, damaged):
    clips = sorted(motion_root.glob('videos_train/*.mp4'))[:3]
    (tmp_path / 'videos').mkdir()
    for i, clip in enumerate(clips):
        (tmp_path / 'videos' / f'{i}.mp4').write_bytes(clip.read_bytes())
    content = bytearray(clips[1].read_bytes())
    start = content.index(b'mdat') + 40
    content[start : start + 200] = bytes(200)  # of the first picture
    (tmp_path / 'videos' / '1.mp4').write_bytes(content)
    (tmp_path / 'list.txt').write_text('0.mp4 0\n1.mp4 1\n2.mp4 2\n')
    train = build(tmp_path, 'train_dataloader', damaged=damaged)
    test = build(tmp_path, 'test_dataloader', damaged=damaged)
    assert (train.prepare_data(1) is None) == (damaged == 'refuse')
    assert ('unreadable' in test[1]['data_samples']) == (damaged == 'refuse')
    assert train.prepare_data(0) is not None and 'unreadable' not in test[2]['data_samples']
    listed = tmp_path / ('ledger.tsv' if damaged == 'refuse' else 'damaged_videos.tsv')
    lines = listed.read_text().splitlines()
    assert len(lines) == 1 and lines[0].startswith(f'{tmp_path}/videos/1.mp4\t')
    assert damaged == 'use' or '\tdamaged: ' in lines[0]


def test_another_word_for_damaged_is_refused(motion_root):
    with pytest.raises(UserError, match=r"damaged='skip' must be 'use' or 'refuse'"):
        build(motion_root, 'train_dataloader', damaged='skip')
