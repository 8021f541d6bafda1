import pytest

from mmdualformer.engine.time_left import TimeLeft


class Clock:
    """Shows what it is set to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def pass_steps(time_left, clock, *seconds):
    for took in seconds:
        clock.now += took
        time_left.end_step()


def validate(time_left, clock, *seconds):
    time_left.begin_validation()
    for took in seconds:
        clock.now += took
        time_left.end_validation_step()
    time_left.end_validation()


def test_the_first_step_warms_up(clock):
    time_left = TimeLeft(clock)
    time_left.begin_epoch()
    assert time_left.seconds(10, 0, 0, 0) is None and time_left.step is None
    pass_steps(time_left, clock, 30)
    assert time_left.seconds(10, 0, 0, 0) == 300
    pass_steps(time_left, clock, 2)
    assert time_left.seconds(9, 0, 0, 0) == 18
    pass_steps(time_left, clock, 4)
    assert time_left.step == 3


def test_only_recent_steps_count(clock):
    time_left = TimeLeft(clock, window=3)
    pass_steps(time_left, clock, 30, 9, 9, 1, 2, 3)
    assert time_left.step == 2


def test_validations_and_changes_of_epoch_count(clock):
    time_left = TimeLeft(clock)
    time_left.begin_epoch()
    pass_steps(time_left, clock, 30, 2, 2)
    assert time_left.seconds(6, 2, 3, guess=5) == 6 * 2 + 3 * 5 * 2  # nothing of them is known yet
    clock.now += 1  # a checkpoint
    validate(time_left, clock, 8, 4, 4)
    assert time_left.seconds(6, 2, 2, guess=5) == 6 * 2 + 2 * 16
    time_left.begin_epoch()
    pass_steps(time_left, clock, 7)  # new data workers
    assert time_left.step == 2  # it is not the step of another epoch
    assert time_left.seconds(5, 1, 2, guess=5) == 5 * 2 + 1 * (1 + 7 - 2) + 2 * 16


def test_epochs_of_one_step(clock):
    time_left = TimeLeft(clock)
    for took in (20, 3, 5):
        time_left.begin_epoch()
        pass_steps(time_left, clock, took)
    assert time_left.seconds(4, 4, 0, 0) == 20


def test_a_validation_in_the_middle_of_an_epoch_is_no_part_of_a_step(clock):
    time_left = TimeLeft(clock)
    pass_steps(time_left, clock, 30, 2)
    validate(time_left, clock, 50)
    pass_steps(time_left, clock, 2)
    assert time_left.step == 2


def test_the_validation_under_way(clock):
    time_left = TimeLeft(clock)
    time_left.begin_validation()
    clock.now += 4
    assert time_left.seconds_of_validation(4) is None
    time_left.end_validation_step()
    assert time_left.seconds_of_validation(4) == 12
    clock.now += 2
    time_left.end_validation_step()
    assert time_left.seconds_of_validation(4) == 6
