"""Files of features, which other programs read."""

import json
import tracemalloc

import numpy as np
import pytest

from mmdualformer.errors import UserError
from mmdualformer.features import write_features, writing

DESCRIBED = dict(checkpoint='a.pth', sha256='0f', level='clip', stage=2)


def write(target, rows: int, shape=(5,), **others) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {name: rng.random((rows, *size), np.float32) for name, size in dict(features=shape, **others).items()}
    with write_features(target, DESCRIBED) as table:
        for row in range(rows):
            table.add(f'{row} ü.mp4', {name: array[row] for name, array in arrays.items()}, row, row + 0.5)
        assert len(table) == rows
    return arrays


@pytest.mark.parametrize('others', [{}, dict(global_tokens=(3, 2))])
def test_npz_needs_no_pickle(tmp_path, monkeypatch, others):
    monkeypatch.setattr(writing, 'BLOCK', 200)
    expected = write(tmp_path / 'new' / 'f.npz', 7, (2, 2, 3, 5), **others)
    with np.load(tmp_path / 'new' / 'f.npz', allow_pickle=False) as file:
        assert set(file) == {*expected, 'sources', 'start', 'end', *DESCRIBED}
        for name, array in expected.items():
            np.testing.assert_array_equal(file[name], array)
        assert file['sources'].tolist() == [f'{row} ü.mp4' for row in range(7)]
        assert file['start'].tolist() == list(range(7))
        assert file['end'].tolist() == [row + 0.5 for row in range(7)]
        assert {name: file[name].item() for name in DESCRIBED} == DESCRIBED
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['f.npz']


def test_parquet_has_lists_of_a_fixed_size(tmp_path, monkeypatch):
    parquet = pytest.importorskip('pyarrow.parquet')
    monkeypatch.setattr(writing, 'BLOCK', 200)
    expected = write(tmp_path / 'f.parquet', 7, (2, 5), global_tokens=(3,))
    table = parquet.read_table(tmp_path / 'f.parquet')
    assert str(table.schema.field('features').type) == 'fixed_size_list<element: float>[10]'
    found = np.stack(table['features'].to_numpy()).reshape(expected['features'].shape)
    np.testing.assert_array_equal(found, expected['features'])
    np.testing.assert_array_equal(np.stack(table['global_tokens'].to_numpy()), expected['global_tokens'])
    assert table['source'].to_pylist()[6] == '6 ü.mp4'
    assert table['start'].to_pylist() == list(range(7))
    assert table['end'].to_pylist()[6] == 6.5
    said = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert said.items() >= dict(checkpoint='a.pth', sha256='0f', level='clip', stage='2').items()
    assert json.loads(said['features_shape']) == [2, 5]


@pytest.mark.parametrize('suffix', writing.SUFFIXES)
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    pytest.importorskip('pyarrow')
    target = tmp_path / f'f{suffix}'
    write(target, 2)
    before = target.read_bytes()
    with pytest.raises(KeyboardInterrupt), write_features(target, DESCRIBED) as table:
        table.add('a', dict(features=np.zeros(5)), 0, 1)
        raise KeyboardInterrupt
    assert target.read_bytes() == before
    with write_features(target, DESCRIBED):
        pass  # no row
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_rows_of_other_shapes_are_refused_and_leave_the_rest(tmp_path):
    with write_features(tmp_path / 'f.npz', DESCRIBED) as table:
        table.add('a', dict(features=np.zeros((2, 5))), 0, 1)
        with pytest.raises(UserError, match='its features are 3 x 5, those of the first video 2 x 5: they need a file'):
            table.add('b', dict(features=np.zeros((3, 5))), 0, 1)
        table.add('c', dict(features=np.ones((2, 5))), 0, 1)
    with np.load(tmp_path / 'f.npz') as file:
        assert file['sources'].tolist() == ['a', 'c']
        assert file['features'].mean((1, 2)).tolist() == [0, 1]


@pytest.mark.parametrize('suffix', writing.SUFFIXES)
def test_names_that_are_no_text_can_be_written(tmp_path, suffix):
    pytest.importorskip('pyarrow')
    with write_features(tmp_path / f'f{suffix}', DESCRIBED) as table:
        table.add(b'\xff.mp4'.decode(errors='surrogateescape'), dict(features=np.zeros(5)), 0, 1)
    assert (tmp_path / f'f{suffix}').stat().st_size


@pytest.mark.parametrize('name', ['f.csv', 'f', 'folder.npz'])
def test_other_files_are_refused(tmp_path, name):
    (tmp_path / 'folder.npz').mkdir()
    with (
        pytest.raises(UserError, match=r'must be a file that ends in \.npz or \.parquet'),
        write_features(tmp_path / name, DESCRIBED),
    ):
        pass


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(UserError, match=r'needs the package pyarrow: pip install "mmdualformer\[tables\]"'):
        write(tmp_path / 'f.parquet', 1)


def test_no_more_than_some_rows_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, 'BLOCK', 1 << 20)
    tracemalloc.start()
    with write_features(tmp_path / 'f.npz', DESCRIBED) as table:
        for row in range(50):
            table.add(str(row), dict(features=np.full(200_000, row, np.float32)), 0, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / 'f.npz').stat().st_size > 40e6
    assert peak < 10e6
