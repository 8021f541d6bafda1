import pytest

from mmdualformer.datasets.preparation import CLASSES, READERS, VIDEOS
from tests.datasets.preparation.test_readers import make_charades, make_hmdb51, make_kinetics
from tests.helpers import assert_one_line, write_video


@pytest.fixture
def root(tmp_path):
    make_kinetics(tmp_path / 'data' / 'kinetics400')
    return tmp_path / 'data' / 'kinetics400'


def contents(folder) -> dict:
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob('*') if path.is_file()}


def test_lists_links_and_counts(fork_tool, root):
    before = contents(root)
    result = fork_tool('tools/data/prepare.py', 'kinetics400')
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        'kinetics400: 3 classes (published: 400)',
        'train_list: 3 videos, 1 missing; published: about 240,000 (the DualFormer paper, Section 4.1), 239,997 fewer '
        'here',
        'val_list: 1 videos, 1 missing; published: about 20,000 (the DualFormer paper, Section 4.1), 19,999 fewer here',
    ]
    assert (root / 'label_map.txt').read_text() == 'air drumming\npassing, in game\ntai chi\n'
    assert (root / 'kinetics400_train_list_videos.txt').read_text().splitlines() == [
        'tai chi/-abcdefghi1_000003_000013.mp4 2',
        'air drumming/bbbbbbbbbb__000010_000020.mp4 0',
        'passing, in game/cccccccccc2_000120_000130.mp4 1',
    ]
    assert before.items() <= contents(root).items()  # nothing was moved or changed


def test_check_lists_the_broken_ones(fork_tool, root):
    command = ('tools/data/prepare.py', 'kinetics400', '--root', root, '--check', '--workers', 2)
    assert fork_tool(*command).returncode == 0
    broken = root / 'train' / 'tai chi' / '-abcdefghi1_000003_000013.mp4'
    broken.write_bytes(broken.read_bytes()[:600])
    result = fork_tool(*command)
    assert_one_line(result, '1 videos are broken')
    assert f'{broken.name}: End of file\n' in result.stdout


def test_resize_goes_on_where_it_stopped_and_leaves_out_what_is_broken(fork_tool, tmp_path):
    root, out = tmp_path / 'hmdb51', tmp_path / 'resized'
    classes = make_hmdb51(root)
    write_video(root / 'hmdb51_org/wave/#2_wave!_clip.avi', 'mpeg4', frames=1)
    (root / 'hmdb51_org/wave/#0_wave!_clip.avi').write_bytes(b'')
    command = ('tools/data/prepare.py', 'hmdb51', '--root', root, '--resize', out, '--workers', 2)
    result = fork_tool(*command)
    assert result.returncode == 0, result.stderr
    assert 'lacks the 1 broken videos' in result.stdout and '#0_wave!_clip.avi: Invalid data' in result.stdout
    assert (out / 'label_map.txt').read_text().splitlines() == classes
    assert (out / 'hmdb51_train_split_1_videos.txt').read_text().splitlines() == [
        'brush_hair/#0_brush_hair!_clip.mp4 0',
        'brush_hair/#1_brush_hair!_clip.mp4 0',
        'wave/#1_wave!_clip.mp4 1',
    ]
    written = contents(out / 'videos')
    assert sorted(path.suffix for path in written) == ['.mp4'] * 7

    (out / 'videos/brush_hair/#1_brush_hair!_clip.mp4').unlink()
    write_video(root / 'hmdb51_org/wave/#0_wave!_clip.avi', 'mpeg4')
    assert fork_tool(*command).returncode == 0
    again = contents(out / 'videos')
    assert len(again) == 8
    assert len(written.items() & again.items()) == 6


def test_several_labels_a_video(fork_tool, tmp_path):
    make_charades(tmp_path / 'data' / 'charades')
    assert fork_tool('tools/data/prepare.py', 'charades').returncode == 0
    lists = tmp_path / 'data/charades/charades_{}_list_videos.txt'
    assert open(str(lists).format('train')).read() == 'AAAAA.mp4 0 2\nBBBBB.mp4 1\n'
    assert open(str(lists).format('val')).read() == 'CCCCC.mp4\nDDDDD.mp4 2\n'


def test_mistakes_are_one_line(fork_tool, root, tmp_path):
    assert_one_line(fork_tool('tools/data/prepare.py', 'kinetics600'), "--root 'data/kinetics600' is no folder")
    command = ('tools/data/prepare.py', 'kinetics400', '--root', root)
    assert_one_line(fork_tool(*command, '--resize', root), 'must be another folder than --root')
    assert_one_line(fork_tool(*command, '--workers', 0), '--workers 0 must be at least 1', status=2)
    (root / 'annotations' / 'val.csv').unlink()
    assert_one_line(fork_tool(*command), 'has no annotations/val.csv or val.csv')
    assert fork_tool('tools/data/prepare.py', 'kinetics').returncode == 2


def test_nothing_is_written_outside_the_target(fork_tool, root, tmp_path):
    command = ('tools/data/prepare.py', 'kinetics400', '--root', root)
    write_video(tmp_path / 'x_000000_000010.mp4', frames=2)
    annotations = (root / 'annotations' / 'val.csv').read_text()
    (root / 'annotations' / 'val.csv').write_text(f'{annotations}tai chi,../../../x,0,10,val\n')
    assert_one_line(fork_tool(*command, '--resize', 'a/b'), "'../../../x_000000_000010.mp4' of val_list leads out of")
    assert not (tmp_path / 'a').exists() and not (root / 'label_map.txt').exists()

    (root / 'annotations' / 'val.csv').write_text(annotations)
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'videos_val').symlink_to(root / 'val')
    before = contents(root / 'val')
    assert_one_line(fork_tool(*command, '--resize', 'out'), 'videos_val', 'where alone is written to; remove the link')
    assert contents(root / 'val') == before and contents(tmp_path / 'out') == {}


def test_every_data_set_has_published_counts():
    assert READERS.keys() == CLASSES.keys() == VIDEOS.keys()
    assert all(
        VIDEOS['ucf101'][f'train_split_{i}'].count + VIDEOS['ucf101'][f'val_split_{i}'].count == 13320
        for i in (1, 2, 3)
    )
