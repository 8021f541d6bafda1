"""Data workers that die."""

import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from functools import partial
from multiprocessing import resource_sharer

import pytest
import torch
from mmengine.dataset import InfiniteSampler, RepeatDataset
from mmengine.runner import Runner

from mmdualformer.datasets import RobustVideoDataset, reading, surviving_loader
from mmdualformer.datasets.surviving_loader import SurvivingDataLoader
from mmdualformer.errors import UserError
from mmdualformer.video.isolation import frozen_garbage
from tests.helpers import garbage_that_hangs_in_a_fork

COUNT = 32


class Numbers(RobustVideoDataset):
    """Videos of which some end the process that reads them, or never end: ``faults`` has a function for each."""

    def __init__(self, faults=None, **kwargs):
        super().__init__(ann_file='list.txt', pipeline=[], **kwargs)
        self.pipeline = partial(read, faults or {})

    def load_data_list(self):
        return [dict(filename=f'{i}.mp4', label=0) for i in range(COUNT)]


def read(faults, info):
    fault = faults.get(info['filename'])
    if fault and 'unreadable' not in info:
        fault()
    return dict(inputs=torch.tensor(int(info['filename'][:-4])), data_samples=DataSample())


class DataSample:
    def set_metainfo(self, metainfo):
        self.unreadable = metainfo['unreadable']


def die(number=signal.SIGKILL):
    os.kill(os.getpid(), number)


def hang():
    signal.sigwait([signal.SIGUSR1])  # in C, and SIGUSR1 never comes


def numbers(samples) -> list:
    return [int(sample['inputs']) for sample in samples]


def load(dataset, **kwargs) -> SurvivingDataLoader:
    return SurvivingDataLoader(dataset, **dict(dict(batch_size=4, num_workers=2, collate_fn=list), **kwargs))


def ledger(path) -> dict:
    return dict(line.split('\t') for line in path.read_text().splitlines())


@pytest.mark.parametrize('persistent', [False, True])
def test_training_goes_on_without_what_ended_a_worker(tmp_path, persistent):
    faults = {'5.mp4': die, '6.mp4': partial(die, signal.SIGFPE), '17.mp4': hang, '30.mp4': partial(os._exit, 3)}
    dataset = Numbers(faults, time_limit=1)
    dataset.ledger = tmp_path / 'ledger.tsv'
    loader = load(dataset, persistent_workers=persistent)
    for _ in range(3):
        given = numbers(itertools.chain.from_iterable(loader))
        assert len(given) == COUNT
        assert [i for i in range(COUNT) if given[i] != i] == [5, 6, 17, 30]
        assert not {5, 6, 17, 30} & set(given)
    assert ledger(dataset.ledger) == {
        '5.mp4': 'killed: SIGKILL, mostly for want of memory',
        '6.mp4': 'crashed: SIGFPE',
        '17.mp4': 'no answer within 1 s',
        '30.mp4': 'ended its process with status 3',
    }
    del loader
    assert not multiprocessing.active_children()


def test_in_testing_it_is_blank_and_said_to_be_unreadable():
    dataset = Numbers({'3.mp4': die, '31.mp4': die}, test_mode=True)
    samples = list(itertools.chain.from_iterable(load(RepeatDataset(dataset, 1))))
    assert numbers(samples) == list(range(COUNT))
    unreadable = {
        i: sample['data_samples'].unreadable
        for i, sample in enumerate(samples)
        if hasattr(sample['data_samples'], 'unreadable')
    }
    assert unreadable == {i: f'{i}.mp4: killed: SIGKILL, mostly for want of memory' for i in (3, 31)}


def test_spawned_workers():
    dataset = Numbers({'9.mp4': die})
    loader = load(dataset, num_workers=1, multiprocessing_context='spawn')
    given = numbers(itertools.chain.from_iterable(loader))
    assert [i for i in range(COUNT) if given[i] != i] == [9]


def test_workers_leave_what_was_garbage_alone():
    dataset = Numbers(dict.fromkeys(['0.mp4', '9.mp4'], gc.collect), time_limit=1)
    with garbage_that_hangs_in_a_fork():
        assert numbers(itertools.chain.from_iterable(load(dataset))) == list(range(COUNT))
    assert gc.get_freeze_count() == 0


def test_samplers_without_an_end():
    dataset = Numbers({'9.mp4': die})
    sampler = InfiniteSampler(dataset, shuffle=True, seed=0)
    expected = list(itertools.islice(InfiniteSampler(dataset, shuffle=True, seed=0), 3 * COUNT))
    loader = load(dataset, sampler=sampler, persistent_workers=True)
    given = numbers(itertools.chain.from_iterable(itertools.islice(loader, 3 * COUNT // 4)))
    differing = [i for i in range(3 * COUNT) if given[i] != expected[i]]
    assert differing == [i for i in range(3 * COUNT) if expected[i] == 9] and len(differing) == 3


@pytest.mark.parametrize(('persistent', 'thread'), [(False, False), (True, False), (True, True)])
def test_death_from_outside_is_no_fault_of_a_video(tmp_path, persistent, thread, request):
    """It shows between batches, where nothing is raised, and in another thread as in the main one."""
    dataset = Numbers({f'{i}.mp4': partial(time.sleep, 0.05) for i in range(COUNT)})
    dataset.ledger = tmp_path / 'ledger.tsv'
    given = []

    def iterate(loader):
        for batch in loader:
            given.extend(numbers(batch))
            if len(given) == 8:
                for worker, number in zip(multiprocessing.active_children(), (signal.SIGTERM, signal.SIGHUP)):
                    os.kill(worker.pid, number)
                    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)

    ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as under nohup
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, ignored))
    loader = load(dataset, persistent_workers=persistent)
    if thread:
        iterating = threading.Thread(target=iterate, args=(loader,))
        iterating.start()
        iterating.join()
    else:
        iterate(loader)
    assert given == list(range(COUNT))
    iterate(loader)
    assert given == 2 * list(range(COUNT))
    assert not dataset.ledger.exists()


def test_what_died_long_ago_did_not_hang(tmp_path):
    """As when the process waits for another one of distributed training."""
    dataset = Numbers({'9.mp4': die}, time_limit=0.1)
    dataset.ledger = tmp_path / 'ledger.tsv'
    batches = iter(load(dataset))
    next(batches)
    time.sleep(1.5)  # longer than the limit and its margin
    assert sum(len(batch) for batch in batches) == COUNT - 4
    assert ledger(dataset.ledger) == {'9.mp4': 'killed: SIGKILL, mostly for want of memory'}


def test_death_between_epochs():
    loader = load(Numbers(), persistent_workers=True)
    assert len(list(loader)) == 8
    for worker in multiprocessing.active_children():
        worker.kill()
    assert numbers(itertools.chain.from_iterable(loader)) == list(range(COUNT))


def test_workers_that_always_die_end_the_run():
    loader = load(Numbers(), worker_init_fn=os._exit)
    with pytest.raises(UserError, match='died 4 times in a row; the last one: ended its process with '):
        list(loader)
    loader = SurvivingDataLoader(Numbers(), num_workers=1, collate_fn=lambda batch: die(signal.SIGBUS))
    with pytest.raises(UserError, match=r'died 4 times .* crashed: SIGBUS; shared memory, /dev/shm, may be full'):
        list(loader)
    assert not multiprocessing.active_children()


def test_too_many_videos_that_end_workers_end_the_run():
    dataset = Numbers({f'{i}.mp4': die for i in range(COUNT)}, max_unreadable=0.25)
    with pytest.raises(UserError, match=r'^1\d of \d\d videos cannot be read, more than max_unreadable=0\.25; '):
        list(load(dataset))
    dataset = Numbers({f'{i}.mp4': die for i in range(COUNT)}, test_mode=True)
    with pytest.raises(UserError, match='died 11 times in a row; the last one: killed: SIGKILL'):
        list(load(dataset, batch_size=16))


@pytest.mark.parametrize('error', [RuntimeError, ConnectionResetError, KeyError])
def test_errors_of_the_data_are_raised_as_ever(error):
    def fail():
        raise error('mine')

    loader = load(Numbers({'9.mp4': fail}))
    batches = iter(loader)
    assert numbers(next(batches)) == [0, 1, 2, 3]
    next(batches)
    with pytest.raises(error, match='mine'):
        next(batches)
    assert numbers(next(batches)) == [12, 13, 14, 15]  # torch goes on after the batch
    for worker in multiprocessing.active_children():  # torch's errors keep it for long
        worker.kill()


def test_with_a_thread_that_pins_memory(monkeypatch):
    monkeypatch.setattr(torch.accelerator, 'is_available', lambda: True)
    monkeypatch.setattr(torch.accelerator, 'current_accelerator', lambda: None)
    monkeypatch.setattr(torch.accelerator, 'current_device_index', lambda: 0)
    monkeypatch.setattr(torch.accelerator, 'set_device_index', lambda index: None)
    monkeypatch.setattr(torch.Tensor, 'pin_memory', lambda tensor: tensor + 100)
    given = numbers(itertools.chain.from_iterable(load(Numbers({'9.mp4': die}), pin_memory=True)))
    assert [i for i in range(COUNT) if given[i] != i + 100] == [9]
    for thread in threading.enumerate():
        if '_pin_memory_loop' in thread.name:
            thread.join()


def test_runners_build_it_and_other_data_has_torchs_own():
    config = dict(batch_size=4, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=False))
    ours = dict(config, dataset=Numbers({'9.mp4': die}), collate_fn=dict(type=list))
    for part, length in ({}, 8), (dict(num_batch_per_epoch=3), 3):
        loader = Runner.build_dataloader(dict(ours, **part), seed=0)
        assert isinstance(loader, SurvivingDataLoader)
        assert Runner.build_dataloader(loader) is loader
        assert len(loader) == length and len(list(loader)) == length
    loader = Runner.build_dataloader(dict(config, dataset=list(range(COUNT))))
    assert type(iter(loader)).__module__ == 'torch.utils.data.dataloader'


def test_without_workers_a_hang_ends_the_process_with_one_line(tmp_path):
    process = multiprocessing.get_context('fork').Process(target=read_alone, args=(tmp_path / 'stderr',))
    with frozen_garbage():
        process.start()
    process.join()
    assert process.exitcode == 1
    assert (tmp_path / 'stderr').read_text() == (
        "error: video '2.mp4' cannot be read: no answer within 0.1 s; with num_workers > 0 a run goes on without it\n"
    )


def read_alone(stderr):
    sys.stderr = open(stderr, 'w')
    dataset = Numbers({'2.mp4': hang}, time_limit=0.1)
    for i in range(COUNT):
        dataset[i]


def test_time_in_which_all_were_suspended_is_no_hang(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(reading.time, 'monotonic', lambda: clock[0])
    slot = reading.Slot()
    watch = reading.Watch(slot)
    slot.fill('a.mp4', 20.0)
    clock[0] += 1000.0
    assert not watch.is_over()  # nobody looked meanwhile
    clock[0] += 1.9
    assert not watch.is_over()
    slot.fill('b.mp4', 20.0)  # it went on
    clock[0] += 20.5
    assert not watch.is_over()
    clock[0] += 2.0  # it does not
    assert watch.is_over()


def test_a_slot_holds_any_path():
    slot = reading.Slot()
    assert slot.read() is None and not slot.is_overdue()
    for video in ('a b.mp4', 'läufer\udce4.mp4', 1000 * 'long/' + 'a.mp4'):
        slot.fill(video, 60.0)
        assert slot.read() == video[:4096] and not slot.is_overdue()
    slot.fill('a.mp4', -2.0)
    assert slot.is_overdue()
    slot.clear()
    assert slot.read() is None and not slot.is_overdue()


def test_a_worker_whose_reader_is_gone_prints_no_trace(monkeypatch, capsys):
    """The thread of a worker that hands out a batch, with a reader that hangs up while it is greeted."""
    sharer = resource_sharer._ResourceSharer()
    errors = iter([ConnectionResetError('gone'), ValueError('a fault')])

    class Listener:
        def accept(self):
            error = next(errors, None)
            if error is None:
                raise SystemExit
            raise error

    def end(kind, error, trace):
        if kind is SystemExit:
            raise error
        print(kind.__name__)

    monkeypatch.setattr(sharer, '_listener', Listener())
    monkeypatch.setattr(sys, 'excepthook', partial(surviving_loader._report, end))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(SystemExit):
        sharer._serve()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert capsys.readouterr().out == 'ValueError\n'
