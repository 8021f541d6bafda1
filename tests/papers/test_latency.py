"""Latencies beside the papers'."""

import pytest
import torch

from mmdualformer.papers import latency
from mmdualformer.papers.latency import latency_table, measure_latencies
from mmdualformer.papers.published import load_rows
from tests.helpers import assert_one_line

TOOL = 'tools/analysis/benchmark_latency.py'


@pytest.fixture
def timed(monkeypatch):
    """Lists what is run, on models that run nothing, in the place of timing it: each takes 1 ms for a frame."""

    def build(cfg):
        model = torch.nn.Identity()
        model.name = cfg.model.backbone.type
        model.register_forward_hook(lambda module, args, _: runs.append((module.name, tuple(args[0].shape))))
        return model

    def times(calls, _):
        lengths = {}
        for name, call in calls.items():
            start = len(runs)
            call()
            lengths[name] = float(sum(shape[2] for _, shape in runs[start:]))
        return lengths

    runs = []
    monkeypatch.setattr(latency, 'build_scorer', build)
    monkeypatch.setattr(latency, 'median_times', times)
    return runs


def test_a_view_of_every_model_that_there_is(timed):
    rows = load_rows('vidtr', '2')
    times = measure_latencies(rows, torch.device('cpu'), 1)
    measured = {rows[i].row: time for i, time in times.items()}
    assert measured.keys() == {row.row for row in rows if row.config or row.mmaction}
    assert measured['VidTr-M'] == 16 and measured['En-VidTr-M'] == 16 + 8  # the I3D50 of 8 frames follows
    assert ('VidTr', (1, 3, 32, 224, 224)) in timed and ('ResNet3d', (1, 3, 8, 256, 256)) in timed


def test_table_12_has_64_frames_for_all(timed):
    rows = load_rows('vmf', '12')
    times = measure_latencies(rows, torch.device('cpu'), 1)
    assert {rows[i].row: time for i, time in times.items()} == {
        **{f'Video-Mobile-Former-{size}': 64 for size in ('560M', '1G', '2G', '5G')},
        'X3D-S': 64,
    }
    text = latency_table(rows, times, 'some GPU')
    assert '| row | input | model | GPU latency, ms | CPU latency, ms | here, ms (some GPU) |' in text
    assert '| Video-Mobile-Former-1G | 64 | vmf_1g_k400 | 29 | 603.5 | 64.0 |' in text
    assert '| MViT-43G | 64 |  | 73.1 | 6820 |  |' in text


def test_images_are_no_clips(timed):
    rows = [row for row in load_rows('vidtr', '3') if row.row == 'TSM']
    assert rows[0].mmaction and measure_latencies(rows, torch.device('cpu'), 1) == {} and not timed


def test_the_tool_says_what_it_measured_on(fork_tool):
    arguments = ('--paper', 'vmf', '--table', '12', '--device', 'cpu', '--threads', 1, '--runs', 1, '--rows')
    result = fork_tool(TOOL, *arguments, 'Video-Mobile-Former-560M')
    assert result.returncode == 0, result.stderr
    header, _, line = result.stdout.strip().splitlines()
    assert 'CPU (' in header and '1 threads' in header
    assert '| 26.1 | 192.1 |' in line and float(line.split('|')[-2]) > 0
    assert_one_line(fork_tool(TOOL, *arguments, 'VidTr-S'), "--rows 'VidTr-S' must be of Video-Mobile-Former-560M")
    assert_one_line(
        fork_tool(TOOL, '--paper', 'vidtr', '--table', '5a'),
        "--table '5a' of vidtr has no latencies; those that have are vmf/12, vidtr/2, vidtr/3",
    )
