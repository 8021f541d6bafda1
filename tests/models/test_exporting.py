"""The models as graphs of torch.export, for clips of every length and size, and what torch.fx makes of these."""

import copy
import functools
import io

import pytest
import torch
import torch.nn as nn
from torch.export import Dim
from torch.fx import GraphModule

from mmdualformer.export.programs import export_program
from mmdualformer.models import VidTr
from tests.models.test_compiling import BUILDERS, CLIP, build, mean

# A clip of one patch, lengths that no patch and no window divides, and more windows than in the example.
OTHERS = ((1, 3, 1, 32, 32), (3, 3, 5, 33, 70), (2, 3, 9, 64, 40))
LARGER = (2, 3, 8, 64, 64)  # than a window on each axis
AXES = ('batch', 'time', 'space')
FAMILIES = [pytest.param(name, marks=pytest.mark.slow if name == 'vmf' else ()) for name in BUILDERS]


@functools.cache
def graph(name: str) -> tuple[nn.Module, GraphModule]:
    """A model, and what a file of its graph gives."""
    model = build(name).eval()
    file = io.BytesIO()
    torch.export.save(export_program(model, torch.rand(CLIP), AXES), file)
    file.seek(0)
    return model, torch.export.load(file).module()


@pytest.mark.parametrize('name', FAMILIES)
def test_one_graph_for_clips_of_every_length_and_size(name):
    model, program = graph(name)
    with torch.no_grad():
        for shape in (CLIP, *OTHERS):
            clips = torch.rand(shape)
            torch.testing.assert_close(program(clips), model(clips), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('name', FAMILIES)
def test_a_clip_that_a_graph_cannot_take_is_one_line(name):
    _, program = graph(name)
    for clips in (torch.rand(2, 4, 4, 32, 32), torch.rand(CLIP).double(), torch.zeros(CLIP, dtype=torch.uint8)):
        with pytest.raises((AssertionError, RuntimeError), match=r'^Guard failed: |type') as error:
            program(clips)
        assert '\n' not in str(error.value)


def test_what_is_smaller_than_a_patch_is_refused():
    _, program = graph('dualformer')
    with pytest.raises(AssertionError, match=r'^Guard failed: x\.size\(\)\[3\] >= 4$'):
        program(torch.rand(2, 3, 4, 3, 32))


def compact() -> VidTr:
    torch.manual_seed(0)
    arch = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
    return VidTr(arch, clip_size=(4, 32, 32), pool_layers=(0,), pool_frames=(2,)).eval()


@pytest.mark.slow
def test_pooling_in_a_graph_follows_the_length():
    """Two frames become one, one stays; a second softmax is of the former only."""
    model = compact()
    program = export_program(model, torch.rand(CLIP), AXES).module(check_guards=False)
    with torch.no_grad():
        for shape in ((2, 3, 6, 32, 32), (2, 3, 2, 32, 32), (2, 3, 1, 32, 32)):
            clips = torch.rand(shape)
            torch.testing.assert_close(program(clips), model(clips), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_torch_export_without_our_help():
    """It has a graph refuse what has 1 of something of which the example has more."""
    model = build('dualformer').eval()
    free = dict.fromkeys((0, 2, 3, 4), Dim.DYNAMIC)
    with torch.no_grad():
        program = torch.export.export(model, (torch.rand(LARGER),), dynamic_shapes=(free,)).module()
        clips = torch.rand(OTHERS[2])
        torch.testing.assert_close(program(clips), model(clips), atol=1e-5, rtol=1e-4)
        with pytest.raises(AssertionError, match=r'^Guard failed: ') as error:
            program(torch.rand(OTHERS[0]))
    assert '\n' not in str(error.value)


def test_torch_fx_changes_a_graph():
    """GELU becomes ReLU in the graph: it is what the model with ReLU computes."""
    model, program = graph('vidtr')
    other = build('vidtr', act_cfg=dict(type='ReLU')).eval()
    other.load_state_dict(model.state_dict())
    changed = copy.deepcopy(program)
    nodes = changed.graph.find_nodes(op='call_function', target=torch.ops.aten.gelu.default)
    for node in nodes:
        node.target = torch.ops.aten.relu.default
    changed.recompile()
    clips = torch.rand(OTHERS[1])
    assert len(nodes) == 1
    with torch.no_grad():
        torch.testing.assert_close(changed(clips), other(clips))
        assert (changed(clips) - model(clips)).abs().max() > 1e-3


@pytest.mark.slow
def test_gradients_of_a_graph_are_those_of_the_model():
    model = build('dualformer', drop_path_rate=0.0).train()
    free = dict.fromkeys((0, 2, 3, 4), Dim.DYNAMIC)
    program = torch.export.export(model, (torch.rand(LARGER),), dynamic_shapes=(free,)).module()
    clips = torch.rand(OTHERS[2])
    mean(program(clips)).backward()
    graph = dict(program.named_parameters())
    mean(model(clips)).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(graph[name].grad, parameter.grad, atol=1e-6, rtol=1e-4)
