import re

import torch

from mmdualformer.analysis import PeakMemory


def test_counts_by_hand():
    weight = torch.zeros(1000, requires_grad=True)
    with PeakMemory([weight]) as memory:
        assert memory.current == 4000
        x = weight + 1  # 4000 more
        view = x[:500]
        assert memory.current == 8000
        del x
        assert memory.current == 8000  # the view holds it
        del view
        assert memory.current == 4000
        (weight * 2).square().sum().backward()
        weight.grad = None
    assert memory.current == 4000
    assert 3 * 4000 <= memory.peak <= 6 * 4000


def test_what_the_backward_pass_needs_is_held():
    """Through sine, whose input is kept, but not through addition."""
    weight = torch.zeros(1000, requires_grad=True)
    held = []
    for step in (lambda x: x.sin() + 1, lambda x: x + 1 + 1):
        with PeakMemory([weight]) as memory:
            y = step(weight + 1)
            held.append(memory.current - 4000)
        del y
    assert held == [8000, 4000]


def test_the_meta_device_holds_what_a_cpu_holds():
    """Attention that makes its matrices, with dropout, forward and backward."""
    sizes = []
    for device in ('cpu', 'meta'):
        with torch.device(device):
            model = torch.nn.MultiheadAttention(32, 2, dropout=0.1, batch_first=True)
            x = torch.rand(1, 50, 32)
        with PeakMemory(model.parameters()) as memory:
            model(x, x, x)[0].sum().backward()
        sizes.append(memory.peak)
    assert sizes[0] == sizes[1]


def test_the_tool_measures_a_training_step(run_tool):
    result = run_tool('tools/analysis/attention_memory.py', '--size', 64, '--attention', 'joint')
    assert result.returncode == 0, result.stderr
    rows = re.findall(
        r'(made twice|made|fused)\W+([\d.]+)\W+joint\W+(\d+) MB\W+(\d+) MB\W+(\d+) MB\W+(\d+) MB', result.stdout
    )
    assert [row[:2] for row in rows] == [('made', '0.1'), ('made', '0.0'), ('made twice', '0.1'), ('fused', '0.0')]
    for held, step, total in (map(int, row[2:5]) for row in rows):
        assert abs(held + step - total) <= 1
    dropped, made, twice, fused = (int(row[3]) for row in rows)
    assert dropped > made > fused and dropped > twice
