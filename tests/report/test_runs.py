import json

from mmdualformer.report.runs import find_work_dirs, read_curves, read_ledgers, read_lists, read_seed


def write_run(work_dir, stamp, iterations, epochs, end='10:05:30', ending='', value=1.0) -> None:
    """Write what MMEngine leaves of a run: lines of iterations, of which an epoch has ten, and of validations."""
    folder = work_dir / stamp
    (folder / 'vis_data').mkdir(parents=True)
    lines = [
        dict(loss=value, lr=0.1, epoch=(iteration - 1) // 10 + 1, iter=iteration, step=iteration)
        for iteration in iterations
    ]
    lines += [{'acc/top1': value / 10, 'step': epoch} for epoch in epochs]
    text = '\n'.join(map(json.dumps, lines)) + ending
    (folder / 'vis_data' / 'scalars.json').write_text(text)
    day = f'{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}'
    log = f'{day} 10:00:01 - mmengine - INFO - \n    seed: 17\n{day} {end} - mmengine - INFO - last\n'
    (folder / f'{stamp}.log').write_text(log)


def test_a_resumed_run_goes_on_where_it_starts(tmp_path):
    write_run(tmp_path, '20260101_100000', range(5, 31, 5), (1, 2, 3), ending='\n{"loss": 1, "it')
    write_run(tmp_path, '20260102_100000', range(25, 41, 5), (3, 4), value=2.0, end='10:01:00')
    write_run(tmp_path, '20260103_100000', (), (0,))  # a test
    curves = read_curves(tmp_path)
    assert [line['iter'] for line in curves.train] == [5, 10, 15, 20, 25, 30, 35, 40]
    assert [line['loss'] for line in curves.train] == [1] * 4 + [2] * 4
    assert [(line['step'], line['acc/top1']) for line in curves.val] == [(1, 0.1), (2, 0.1), (3, 0.2), (4, 0.2)]
    assert (curves.by_epoch, curves.epoch_length, curves.runs, curves.seconds) == (True, 10, 2, 330 + 60)


def test_a_run_that_goes_on_after_the_last_step_only_validates(tmp_path):
    write_run(tmp_path, '20260101_100000', (5, 10, 15, 20), (1,))
    write_run(tmp_path, '20260102_100000', (), (2,), value=2.0)
    assert [(line['step'], line['acc/top1']) for line in read_curves(tmp_path).val] == [(1, 0.1), (2, 0.2)]
    write_run(tmp_path, '20260103_100000', (), (2,), value=3.0)
    assert [(line['step'], line['acc/top1']) for line in read_curves(tmp_path).val] == [(1, 0.1), (2, 0.3)]


def test_a_run_that_starts_anew_hides_the_one_before(tmp_path):
    write_run(tmp_path, '20260101_100000', range(5, 101, 5), range(1, 11))
    write_run(tmp_path, '20260102_100000', (5, 10), (1,), value=2.0)
    curves = read_curves(tmp_path)
    assert [line['loss'] for line in curves.train] == [2, 2]
    assert [line['step'] for line in curves.val] == [1]
    assert curves.runs == 1


def test_ledgers_lists_and_seed(tmp_path):
    write_run(tmp_path, '20260101_100000', (5,), ())
    write_run(tmp_path, '20260102_100000', (5,), ())
    for stamp, text in (('20260101_100000', 'a.mp4\tgone\nb.mp4\tcut\n'), ('20260102_100000', 'a.mp4\tstill gone\n')):
        (tmp_path / stamp / 'unreadable_videos.tsv').write_text(text)
    (tmp_path / '20260102_100000' / 'damaged_videos.tsv').write_text('c.mp4\tends early\n')
    assert read_ledgers([tmp_path, tmp_path / 'no']) == dict(
        unreadable=[('a.mp4', 'still gone'), ('b.mp4', 'cut')], damaged=[('c.mp4', 'ends early')]
    )
    assert read_seed([tmp_path / 'no', tmp_path]) == 17
    assert read_lists([tmp_path]) == {}
    (tmp_path / 'lists').mkdir()
    for content, expected in (('{"seed": 1}', dict(seed=1)), ('[1]', {}), ('{"se', {})):
        (tmp_path / 'lists' / 'data.json').write_text(content)
        assert read_lists([tmp_path]) == expected


def test_where_nothing_ran_there_is_nothing(tmp_path):
    assert read_curves(tmp_path) is None and read_seed([tmp_path]) is None


def test_the_folders_of_a_test(tmp_path):
    write_run(tmp_path / 'trained', '20260101_100000', (5,), ())
    checkpoint = str(tmp_path / 'trained' / 'best.pth')
    assert find_work_dirs(checkpoint, str(tmp_path / 'test')) == [tmp_path / 'trained', tmp_path / 'test']
    assert find_work_dirs(checkpoint, str(tmp_path / 'trained')) == [tmp_path / 'trained']
    assert find_work_dirs(str(tmp_path / 'best.pth'), str(tmp_path / 'test')) == [tmp_path / 'test']
