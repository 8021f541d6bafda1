from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import InitCfg, Positive, Range, Size, check_arguments, check_buildable


class Arch(TypedDict):
    dims: Sequence[Positive]


class Model:
    @check_arguments
    def __init__(
        self,
        arch: str | Arch = 'small',
        size: Size = (1, 2, 3),
        priors: Sequence[Size | Literal['auto'] | None] = (),
        rate: Annotated[float, Range(0, 1, excludes_most=True)] = 0.1,
        flag: bool = False,
        layers: Sequence[int] | None = None,
        init_cfg: InitCfg = None,
        **others,
    ) -> None:
        self.settings = dict(locals())


@pytest.mark.parametrize(
    ('name', 'value', 'expected'),
    [
        ('arch', {'dims': [np.int64(1)]}, {'dims': (1,)}),
        ('size', [1, 2, np.int32(3)], (1, 2, 3)),
        ('priors', ['auto', [1, 1, 1], None], ('auto', (1, 1, 1), None)),
        ('rate', 0, 0.0),
        ('rate', np.float32(0.5), 0.5),
        ('flag', np.bool_(True), True),
        ('layers', range(3), (0, 1, 2)),
        ('init_cfg', [dict(a=1)], [dict(a=1)]),
        ('others', object, object),
    ],
)
def test_what_is_good_is_handed_on_as_annotated(name, value, expected):
    given = Model(**{name: value}).settings
    given = given | given['others']
    assert given[name] == expected and type(given[name]) is type(expected)


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('arch', 5, 'arch=5 must be a string or a dict with dims'),
        ('arch', {}, 'arch={} must be a string or a dict with dims'),
        ('arch', {'dims': 5}, 'arch.dims=5 must be a sequence (each item an integer from 1 to 65536)'),
        ('arch', {'dims': [True]}, 'arch.dims[0]=True must be an integer from 1 to 65536'),
        ('size', 7, 'size=7 must be three positive integers, (t, h, w)'),
        ('size', (1, 2), 'size=(1, 2) must be three positive integers, (t, h, w)'),
        ('size', (1, 2, 3.0), 'size[2]=3.0 must be an integer from 1 to 65536'),
        ('size', (10**5000, 1, 1), 'size[0]=<int> must be an integer from 1 to 65536'),
        ('priors', ['all'], "priors[0]='all' must be three positive integers, (t, h, w), 'auto' or None"),
        ('rate', 1, 'rate=1 must be a number from 0 to less than 1'),
        ('rate', float('nan'), 'rate=nan must be a number from 0 to less than 1'),
        ('rate', 10**400, f'rate={str(10**400)[:200]}... must be a number from 0 to less than 1'),
        ('flag', 1, 'flag=1 must be True or False'),
        ('layers', '12', "layers='12' must be a sequence (each item an integer) or None"),
        ('init_cfg', 5, 'init_cfg=5 must be a dict, a sequence (each item a dict) or None'),
    ],
)
def test_what_is_not_is_one_line(name, value, message):
    with pytest.raises(UserError) as error:
        Model(**{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize('cfg', [dict(type='Nothing'), dict(type='ReLU', x=1), {}])
def test_a_module_that_cannot_be_built(cfg):
    check_buildable('act_cfg', dict(type='ReLU'))
    with pytest.raises(UserError, match=r'^act_cfg=\{.*\} must be the type of a module and its arguments: [^\n]+$'):
        check_buildable('act_cfg', cfg)
