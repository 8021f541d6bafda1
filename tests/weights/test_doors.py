"""What is wrong with a checkpoint is one line, whichever door it comes in by, and nothing in it runs."""

import copy
import logging
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmdualformer.errors import UserError
from mmdualformer.weights import load_safely
from tests.helpers import assert_one_line
from tests.weights.constructions import CONFIG, CONSTRUCTIONS, CONVERTERS, DOORS, EVERY, good_checkpoint, write


@pytest.fixture(scope='module')
def good(tmp_path_factory) -> dict:
    """A checkpoint that is right."""
    return good_checkpoint(tmp_path_factory.mktemp('good'))


@pytest.fixture(autouse=True)
def _quiet():
    """MMEngine warns of what it passes over."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize('name', CONSTRUCTIONS)
def test_doors_that_refuse(good, tmp_path, name):
    refusing = CONSTRUCTIONS[name][1]
    # what reading refuses no door takes, as all read alike
    try_doors(good, tmp_path, name, {'read', 'progress', 'mmaction'} if refusing == EVERY else {'read', *refusing})


@pytest.mark.parametrize('name', ['nothing', 'code', *(pytest.param(n, marks=pytest.mark.slow) for n in CONSTRUCTIONS)])
def test_each_door(good, tmp_path, name):
    try_doors(good, tmp_path, name, set(DOORS))


def try_doors(good: dict, tmp_path: Path, name: str, doors: set[str]) -> None:
    """Bring a construction in by some doors."""
    change, refusing = CONSTRUCTIONS[name]
    checkpoint = copy.deepcopy(good)
    change(checkpoint)
    path = write(checkpoint, tmp_path / 'model.pth')
    for door in sorted(doors):
        if door in refusing | CONVERTERS:
            with pytest.raises(UserError) as error:
                DOORS[door](path, tmp_path)
            assert '\n' not in str(error.value) and len(str(error.value)) < 500
        else:
            DOORS[door](path, tmp_path)


@pytest.mark.parametrize('name', ['array called', 'array of objects', 'dtype becomes one of fields', 'code'])
def test_torch_alone_makes_nothing_of_them(good, tmp_path, name):
    """What stands in for numpy's classes does so in each weights-only reading."""
    checkpoint = copy.deepcopy(good)
    CONSTRUCTIONS[name][0](checkpoint)
    path = write(checkpoint, tmp_path / 'model.pth')
    try:
        content = torch.load(path)
    except pickle.UnpicklingError:
        return
    with pytest.raises(pickle.UnpicklingError):
        torch.save(content, tmp_path / 'again.pth')


def test_statistics_of_a_file_are_not_taken(good, tmp_path):
    before = dict(HistoryBuffer._statistics_methods)
    checkpoint = copy.deepcopy(good)
    CONSTRUCTIONS['history with statistics'][0](checkpoint)
    history = load_safely(write(checkpoint, tmp_path / 'model.pth'))['message_hub']['log_scalars']['a']
    assert type(history) is HistoryBuffer and history.statistics('mean').size == 1
    assert HistoryBuffer._statistics_methods == before


@pytest.mark.parametrize('name', ['meta list', 'array called', 'hub None', 'optimizer group size', 'weight sparse'])
def test_training_says_it_in_one_line(good, fork_tool, data_options, tmp_path, name):
    checkpoint = copy.deepcopy(good)
    del checkpoint['meta']['dataset_meta']  # others than the data's
    CONSTRUCTIONS[name][0](checkpoint)
    path = write(checkpoint, tmp_path / 'model.pth')
    result = fork_tool(
        'tools/train.py', CONFIG, '--resume', path, '--work-dir', tmp_path, '--cfg-options', *data_options
    )
    assert_one_line(result, f'checkpoint {path!r}')


@pytest.mark.parametrize('name', ['array of objects', 'description of code', 'weight meta', 'dataset_meta number'])
def test_recognizing_says_it_in_one_line(good, fork_tool, clip_file, tmp_path, name):
    checkpoint = copy.deepcopy(good)
    CONSTRUCTIONS[name][0](checkpoint)
    write(checkpoint, tmp_path / 'model.pth')
    assert_one_line(fork_tool('tools/recognize.py', 'model.pth', clip_file), "checkpoint 'model.pth'")
