import pytest

from mmdualformer.files import partial_path, write_atomically


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
