import ast

from mmdualformer.doctor import faults
from mmdualformer.doctor.running import FAULT, OK, Result
from tests.helpers import REPO


def test_every_mend_is_tried():
    """Those that importing the package applies."""
    tree = ast.parse((REPO / 'mmdualformer/compat/__init__.py').read_text(encoding='utf-8'))
    (apply,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == 'apply')
    names = {
        node.func.attr
        for node in ast.walk(apply)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert [name for name, _, _ in faults.FAULTS] == list(dict.fromkeys(name for name, _, _ in faults.FAULTS))
    given = {
        'survive_dead_data_workers',
        'read_checkpoints_with',
        'resume_from_what_loads',
    }  # what lower rows do not know
    assert not (names | given) - {name for name, _, _ in faults.FAULTS}


def test_what_is_mended_gone_or_still_there(monkeypatch):
    table = [(name, f'{name} words', None) for name in ('mended', 'gone', 'there')]
    monkeypatch.setattr(faults, 'FAULTS', table)
    errors = {False: ('an error', '', 'an error'), True: ('', '', 'it is as it was')}
    monkeypatch.setattr(
        faults, '_try_all', lambda mended: (Result(row[0], OK, error) for row, error in zip(table, errors[mended]))
    )
    package, *found = faults.check_stack()
    assert package.status == OK and 'mmengine 0.10.7' in package.text
    assert [(result.status, result.text) for result in found] == [
        (OK, 'mended: mended words (mended)'),
        (OK, 'not in this stack: gone words (gone)'),
        (FAULT, 'not mended: there words (there): it is as it was'),
    ]
    assert 'pip install' in found[-1].mend
