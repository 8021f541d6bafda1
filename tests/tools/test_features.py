"""The tool that writes features, and the uses of them that its page shows."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config

from mmdualformer import Recognizer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from tests.helpers import REPO, assert_one_line


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> str:
    config = REPO / 'configs/vmf_micro_motion.py'
    torch.manual_seed(0)
    model = init_recognizer(str(config), device='cpu')
    meta = dict(recognizer=describe_recognizer(Config.fromfile(config)), dataset_meta=dict(classes=list('abcdefgh')))
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return str(path)


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file}


def test_a_folder_of_clips(fork_tool, checkpoint, folder, tmp_path):
    (folder / 'jump' / 'broken.mp4').write_bytes(b'no video')
    result = fork_tool('tools/features.py', checkpoint, folder, tmp_path / 'gone.mp4', '--out', 'new/f.npz')
    assert result.returncode == 1, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == len(result.stderr.splitlines()) == 2
    assert 'broken.mp4' in errors[0] and 'gone.mp4' in errors[1]
    assert result.stdout == 'new/f.npz: 8 x 256, of 8 videos\n'
    found = load(tmp_path / 'new/f.npz')
    assert found['sources'].tolist() == [str(path) for path in sorted(folder.rglob('*.mp4')) if path.stem != 'broken']
    recognizer = Recognizer(checkpoint)
    for row, video in enumerate(found['sources']):
        expected = recognizer.features(str(video))
        np.testing.assert_allclose(found['features'][row], expected.array, rtol=1e-5, atol=1e-6)
        assert (found['start'][row], found['end'][row]) == tuple(expected.times)
    assert found['checkpoint'] == 'model.pth'
    assert found['sha256'] == hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest()
    assert (found['level'], found['stage']) == ('clip', 0)


def test_windows_have_a_row_each(fork_tool, checkpoint, folder, tmp_path):
    clips = sorted(map(str, folder.rglob('*.mp4')))[:2]
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    (tmp_path / 'empty').mkdir()
    command = ('tools/features.py', checkpoint, clips[0], 'broken.mp4', 'empty', clips[1], '--out', 'f.npz')
    result = fork_tool(*command, '--level', 'window', '--window', 0.4, '--step', 0.2)
    assert result.returncode == 1
    assert re.fullmatch(r"error: .*'broken\.mp4'.*\nerror: .*'empty'.*known are the endings.*\n", result.stderr)
    found = load(tmp_path / 'f.npz')
    recognizer = Recognizer(checkpoint)
    expected = [recognizer.features(clip, 'window', window=0.4, step=0.2) for clip in clips]
    np.testing.assert_allclose(found['features'], np.concatenate([part.array for part in expected]), rtol=1e-5)
    np.testing.assert_allclose(
        np.stack([found['start'], found['end']], 1), np.concatenate([part.times for part in expected])
    )
    assert found['sources'].tolist() == [clip for clip, part in zip(clips, expected) for _ in part.array]


def test_tokens_of_a_stage(fork_tool, checkpoint, clip_file, tmp_path):
    result = fork_tool(
        'tools/features.py', checkpoint, clip_file, clip_file, '--out', 'f.npz', '--level', 'token', '--stage', 2
    )
    assert result.returncode == 0, result.stderr
    found = load(tmp_path / 'f.npz')
    assert found['features'].shape == (2, 9, 4, 4, 32)
    assert found['global_tokens'].shape == (2, 6, 128)
    assert (found['level'], found['stage']) == ('token', 2)


def test_mistakes_are_one_line_and_write_nothing(fork_tool, checkpoint, clip_file, tmp_path):
    def run(*arguments):
        return fork_tool('tools/features.py', *arguments)

    assert_one_line(run(checkpoint, clip_file, '--out', 'f.csv'), "out='f.csv'", '.npz or .parquet')
    assert_one_line(run(checkpoint, clip_file, '--out', 'f.npz', '--stage', 4), 'stage=4', 'stages 1 to 3')
    assert_one_line(run('a.onnx', clip_file, '--out', 'f.npz'), "'a.onnx' is an exported model", 'no features')
    assert_one_line(run(checkpoint, clip_file, '--out', 'f.npz', '--window', 1), '--level window', status=2)
    assert_one_line(run(checkpoint, clip_file, '--out', 'f.npz', '--step', -1), '-1', status=2)
    assert_one_line(run(checkpoint, 'gone.mp4', '--out', 'f.npz'), "'gone.mp4'", 'does not exist')
    assert not list(tmp_path.glob('*.npz'))


@pytest.fixture
def snippets(folder, checkpoint, tmp_path, monkeypatch) -> list[str]:
    """The programs of the page, where their files are: features of a folder, and its query clip."""
    page = (REPO / 'docs/features.md').read_text(encoding='utf-8')
    blocks = re.findall(r'^```python\n(.*?)^```', page, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    recognizer = Recognizer(checkpoint)
    videos = sorted(folder.rglob('*.mp4'))
    np.savez(
        'motion.npz',
        features=np.stack([recognizer.features(str(video)).array for video in videos]),
        sources=np.array([str(video) for video in videos]),
    )
    shutil.copy(videos[5], 'clip.mp4')
    shutil.copy(checkpoint, 'checkpoint.pth')
    return blocks


def test_the_nearest_neighbour_of_a_clip_is_the_clip(snippets, folder, capsys):
    (block,) = (block for block in snippets if 'nearest' in block)
    exec(block, {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0] == f'1.000 {sorted(folder.rglob("*.mp4"))[5]}'
    assert [float(line.split()[0]) for line in lines] == sorted(
        (float(line.split()[0]) for line in lines), reverse=True
    )


def test_the_linear_probe_learns_what_is_linear(snippets, capsys):
    """Features in which a class is a direction, as those of a trained model has them."""
    (block,) = (block for block in snippets if 'probe' in block)
    rng = np.random.default_rng(0)
    classes = rng.integers(3, size=200)
    means = rng.normal(size=(3, 40))
    np.savez(
        'motion.npz',
        features=means[classes] + 0.5 * rng.normal(size=(200, 40)) + 100,
        sources=np.array([f'videos/{i}_{"abc"[label]}.mp4' for i, label in enumerate(classes)]),
    )
    exec(block, {})
    assert float(re.search(r'([\d.]+) %', capsys.readouterr().out)[1]) > 95
    np.savez('motion.npz', features=rng.normal(size=(200, 40)), sources=np.load('motion.npz')['sources'])
    exec(block, {})
    assert float(re.search(r'([\d.]+) %', capsys.readouterr().out)[1]) < 60
