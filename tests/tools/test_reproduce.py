"""From data to a number in a table, by the commands that tools/reproduce.py prints."""

import shutil

import pytest

from mmdualformer.papers import reproduction, tables
from tests.helpers import REPO, assert_one_line

OURS = [row for paper in tables.PAPERS for row in tables.load_rows(paper) if row.config]


def commands(row: tables.Row, **machine) -> list[str]:
    return [step.command for step in reproduction.chain(row, reproduction.Machine(**machine))]


@pytest.mark.parametrize('row', {(row.paper, row.data, row.pretrain): row for row in OURS}.values(),
                         ids=lambda row: row.config)
def test_files_of_a_chain_are_made_before_they_are_used(row, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # without checkpoints
    made = set()
    assert len(set(commands(row))) == len(commands(row))
    for command in commands(row):
        words = command.split()
        used = {word.rpartition('=')[2] for word in words if word.endswith('.pth')}
        if 'cp' in words or 'tools/convert_checkpoint.py' in words:
            made.add(words[-1])
            used -= {words[-1], 'vit_base_patch16_224.pth', 'vit_large_patch16_224.pth', 'T2T_ViT_19.pth'}
        assert used <= made, command
        trained = [word for word in words if word.startswith('configs/')]
        assert all((REPO / path).is_file() for path in trained)
        if 'tools/dist_train.sh' in words:
            cfg = tables.read_config(trained[0].removeprefix('configs/').removesuffix('.py'))
            wanted = [cfg.load_from, cfg.model.get('teacher', {}).get('checkpoint')]
            assert set(filter(None, wanted)) <= made
            stem = trained[0].rpartition('/')[2].removesuffix('.py')
            made.add(f'work_dirs/{stem}/epoch_{cfg.train_cfg.max_epochs}.pth')


def test_patches_of_another_size_start_from_a_vit_that_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row, = tables.find_rows('vidtr', '5a', 'Square (1x32^2)')
    convert, train = commands(row)[1:3]
    assert convert.endswith('vit vit_base_patch32_224.pth checkpoints/vit_b_32.pth')
    assert train.endswith('model.backbone.init_cfg.checkpoint=checkpoints/vit_b_32.pth')


def test_kernels_of_another_shape_start_at_random(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, inflated in (('AvgPool', True), ('Conv', False)):
        row, = tables.find_rows('dualformer', '5', name)
        assert any('Inflated' in command for command in commands(row)) is inflated


def test_the_chain_of_table_1(fork_tool):
    result = fork_tool('tools/reproduce.py', '--table', 'dualformer/1', '--row', 'DualFormer-B')
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line and not line.startswith('#')] == [
        'python tools/data/prepare.py kinetics400 --root data/kinetics400 --check',
        'test -d data/imagenet/train',
        'bash tools/dist_train.sh configs/dualformer_b_in1k.py 8',
        'mkdir -p checkpoints && cp work_dirs/dualformer_b_in1k/epoch_300.pth checkpoints/dualformer_b_in1k.pth',
        'bash tools/dist_train.sh configs/dualformer_b_k400_in1k.py 8',
        'bash tools/dist_test.sh configs/dualformer_b_k400_in1k.py work_dirs/dualformer_b_k400_in1k/epoch_30.pth 8',
        'python tools/analysis/paper_tables.py --paper dualformer --table 1 --results work_dirs',
    ]
    assert 'the authors took about 576 A100 hours, 72 on 8' in result.stdout
    assert '# another row of this name: --data Kinetics-400 --pretrain ImageNet-21K' in result.stdout


def test_slurm_other_numbers_of_gpus_and_checkpoints_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'checkpoints/vidtr_l_k400.pth').touch()
    row, = tables.find_rows('vidtr', '6', 'VidTr-L', 'UCF-101')
    assert commands(row, gpus=64, launcher='slurm', partition='gpu') == [
        'python tools/data/prepare.py ucf101 --root data/ucf101 --check',
        'GPUS=64 GPUS_PER_NODE=8 bash tools/slurm_train.sh gpu vidtr_l_ucf101 configs/vidtr_l_ucf101.py',  # 64 x 6
        'GPUS=64 GPUS_PER_NODE=8 bash tools/slurm_test.sh gpu vidtr_l_ucf101 configs/vidtr_l_ucf101.py '
        'work_dirs/vidtr_l_ucf101/epoch_6.pth',
        'python tools/analysis/paper_tables.py --paper vidtr --table 6 --results work_dirs',
    ]
    assert '--auto-scale-lr' in commands(row, gpus=8)[1]


def test_every_step_on_the_toy_data_set(run_tool, motion_root, data_options, tmp_path):
    """Data, pretraining, training, test and cell, on the CPU."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(REPO / name)
    shutil.copytree(motion_root, tmp_path / 'data/motion')
    options = [option for option in data_options if 'data_root' not in option]
    command = ('tools/reproduce.py', '--table', 'quickstart/1', '--launcher', 'none', '--run', '--row')
    result = run_tool(*command, 'DualFormer-micro fine-tuned', '--cfg-options', *options, cwd=tmp_path)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert '== 6/6 cell of quickstart/1' in output
    assert (tmp_path / 'checkpoints/dualformer_micro_motion.pth').is_file()
    assert 'Load checkpoint from checkpoints/dualformer_micro_motion.pth' in output
    row, = (line for line in result.stdout.splitlines() if line.startswith('| DualFormer-micro fine-tuned'))
    assert 'not run' not in row
    other, = (line for line in result.stdout.splitlines() if line.startswith('| One frame'))
    assert 'not run' in other

    # a failing step ends the chain
    shutil.rmtree(tmp_path / 'data')
    (tmp_path / 'data').touch()
    result = run_tool(*command, 'DualFormer-micro', cwd=tmp_path)
    assert result.returncode == 1
    assert "error: step 1 of 4, 'data: data/motion', ended with status" in result.stderr
    assert '== 2/4' not in result.stdout


@pytest.mark.parametrize(('arguments', 'message'), [
    (('--table', 'swin/1', '--row', 'x'), "--table 'swin/1' must be dualformer, vmf, vidtr"),
    (('--table', 'dualformer/1', '--row', 'Swin-T'), "--row 'Swin-T' must be one of DualFormer-T"),
    (('--table', 'dualformer/1', '--row', 'DualFormer-B', '--run'), 'means 3 rows; choose one of: --data Kinetics-400'),
    (('--table', 'vidtr/2', '--row', 'VidTr-S', '--gpus', 0), '--gpus 0 must be at least 1'),
    (('--table', 'vidtr/2', '--row', 'VidTr-S', '--launcher', 'slurm', '--run'), 'slurm needs --partition'),
])
def test_mistakes_are_one_line(fork_tool, arguments, message):
    assert_one_line(fork_tool('tools/reproduce.py', *arguments), message)
