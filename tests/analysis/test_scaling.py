import json

import pytest
import torch
import torch.nn as nn
from torch.nn.parallel import DistributedDataParallel

from mmdualformer.analysis.scaling import (
    Cluster,
    Link,
    Step,
    all_reduce_time,
    fit_growth,
    list_points,
    split_buckets,
    step_time,
)
from mmdualformer.errors import UserError
from tests.helpers import assert_one_line

FAST = Link(1e9, 0.0)


class Chain(nn.Module):
    """Uses one parameter after another, so that their gradients are ready in reverse."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(size) for size in sizes)

    def forward(self) -> torch.Tensor:
        value = torch.ones(())
        for weight in self.weights:
            value = (value + weight.mean()).cos()
        return value


def test_growth_is_a_power():
    growth = fit_growth({8: 3.0, 32: 12.0, 16: 6.0})
    assert (growth.exponent, growth.last) == (1.0, 1.0) and growth.error < 1e-9
    growth = fit_growth({1: 10 + 1.0, 16: 10 + 16.0, 256: 10 + 256.0})  # a part that does not grow
    assert 0.5 < growth.exponent < growth.last < 1.0 and growth.error > 0.1


def test_one_length_is_varied_at_a_time():
    points = list_points((16, 112, 1), dict(frames=[32, 8], batch=[1, 4], size=[]))
    assert points == dict(frames={8: (8, 112, 1), 32: (32, 112, 1)}, batch={1: (16, 112, 1), 4: (16, 112, 4)})
    with pytest.raises(UserError, match='--size 112 must be two lengths or more'):
        list_points((16, 112, 1), dict(size=[112, 112]))
    with pytest.raises(UserError, match='nothing grows'):
        list_points((16, 112, 1), {})


@pytest.mark.parametrize('sizes', [[100, 300, 200], [10, 600_000, 20, 7_000_000, 9_000_000, 30], [3_000_000] * 6])
def test_buckets_are_those_of_pytorch(one_process, sizes):
    parallel = DistributedDataParallel(Chain(sizes))
    for _ in range(3):  # PyTorch takes the order of the first backward pass
        parallel().backward()
    described = parallel._get_ddp_logging_data()['rebuilt_bucket_sizes']
    assert split_buckets([4 * size for size in sizes]) == [int(size) for size in described.split(',')]


def test_rings():
    two = Cluster(1, 2, Link(1e9, 1e-3), FAST)
    assert all_reduce_time(1e9, two) == pytest.approx(1.0 + 2e-3)  # each sends half of it, twice
    assert all_reduce_time(1e9, Cluster(1, 8, FAST, FAST)) == pytest.approx(2 * 7 / 8)
    # four machines: each GPU stands for an eighth of the bytes between them
    assert all_reduce_time(1e9, Cluster(4, 8, FAST, FAST)) == pytest.approx(2 * 7 / 8 + 2 * 3 / 4 / 8)
    assert all_reduce_time(1e9, Cluster(1, 1, FAST, FAST)) == 0


def test_what_is_sent_hides_behind_the_backward_pass():
    step = Step(forward=1.0, backward=2.0, update=0.5)
    assert step_time(step, [10**9], Cluster(1, 1, FAST, FAST)) == 3.5
    two = Cluster(1, 2, FAST, FAST)
    small, large = [10**8] * 4, [10**9] * 4
    # only the last bucket is still to be sent when the pass ends
    assert step_time(step, small, two) == pytest.approx(3.5 + 0.1)
    assert step_time(step, small, two, overlap=False) == pytest.approx(3.5 + 0.4)
    # the link is the limit from the first bucket on, which is filled after a quarter of the pass
    assert step_time(step, large, two) == pytest.approx(1.0 + 0.5 + 4.0 + 0.5)


def test_growth_of_a_model(fork_tool, tmp_path):
    result = fork_tool(
        'tools/analysis/sweep_sizes.py',
        *('mmdualformer::vmf_micro_motion.py', '--base', '4x32', '--frames', 4, 8, '--size', 32, 64, '--batch', 1, 2),
        *('--runs', 1, '--threads', 1, '--out', 'growth.json'),
    )
    assert result.returncode == 0, result.stderr
    rows = [line.split(' | ') for line in result.stdout.splitlines() if 'vmf_micro' in line]
    assert [row[1] for row in rows] == ['frames', 'size', 'batch']
    assert 'a batch of 1 x 4 x 32 x 32, where not varied' in result.stdout
    clips = [[row[key] for key in ('batch', 'frames', 'height')] for row in read(tmp_path / 'growth.json')['results']]
    assert clips == [[1, 4, 32], [1, 8, 32], [1, 4, 64], [2, 4, 32]]  # the first one once


def test_training_of_two_processes(fork_tool, tmp_path):
    result = fork_tool(
        'tools/analysis/scale_training.py',
        *('mmdualformer::vmf_micro_motion.py', '--shape', '4x32', '--runs', 1, '--gpu-ms', 100, '--out', 'scale.json'),
    )
    assert result.returncode == 0, result.stderr
    scale = read(tmp_path / 'scale.json')
    (here,) = scale['here']
    assert here['clip'] == [1, 3, 4, 32, 32] and here['buckets'] == 2
    assert here['two_ms'] > 0 and here['predicted_ms'] > here['two_alone_ms'] and here['link_gb_per_s'] > 0
    paper = {row['gpus']: row['efficiency'] for row in scale['on_paper']}
    assert list(paper) == [1, 8, 16, 32, 64] and paper[1] == 1.0
    assert 0.9 < paper[64] < paper[8] < 1.0  # 4 MB of gradients beside 100 ms


def test_what_cannot_be_measured_is_said(fork_tool):
    tool = 'tools/analysis/sweep_sizes.py'
    assert_one_line(fork_tool(tool, 'none.py'), "config 'none.py' does not exist")
    model = 'mmdualformer::vmf_micro_motion.py'
    assert_one_line(fork_tool(tool, model, '--base', '4x32x64'), '--base 4x32x64 must be frames and one size')
    for measuring in (tool, 'tools/analysis/scale_training.py'):
        assert_one_line(fork_tool(measuring, model, '--out', 'a.csv'), "--out 'a.csv' must end in .json")


def read(path) -> dict:
    return json.loads(path.read_text())
