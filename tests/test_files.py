import pytest

from mmdualformer.errors import UserError
from mmdualformer.files import check_target, partial_path, write_atomically


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / 'new' / 'file.txt'
    with write_atomically(target) as partial:
        partial.write_text('half')
        assert not target.exists() and partial == partial_path(target)
        partial.write_text('whole')
    assert target.read_text() == 'whole'
    assert [path.name for path in target.parent.iterdir()] == ['file.txt']


def test_after_an_error_the_old_file_is_there(tmp_path):
    target = tmp_path / 'file.txt'
    target.write_text('old')
    with pytest.raises(KeyboardInterrupt), write_atomically(target) as partial:
        partial.write_text('half')
        raise KeyboardInterrupt
    assert target.read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['file.txt']


def test_what_is_there_is_replaced_only_where_that_is_wanted(tmp_path):
    target, link = tmp_path / 'file.txt', tmp_path / 'link.txt'
    check_target(target)
    target.write_text('old')
    link.symlink_to(tmp_path / 'gone')
    for path in (target, link):
        with pytest.raises(UserError, match=r"^--out '.*' is there already; choose another name$"):
            check_target(path)
        with pytest.raises(UserError, match=r'--stills .* or replace it with --overwrite$'):
            check_target(path, overwrite=False, option='--stills')
        check_target(path, overwrite=True)
    with pytest.raises(UserError, match='is a folder'):
        check_target(tmp_path, overwrite=True)
