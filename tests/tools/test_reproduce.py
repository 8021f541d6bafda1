"""From data to a number in a table, by the commands that tools/reproduce.py prints."""

import argparse
import shlex
import shutil

import pytest
import torch.nn as nn
from mmengine.config import Config

from mmdualformer import cli
from mmdualformer.checkpoints.inflate import inflate
from mmdualformer.papers import reproduction, tables
from tests.helpers import REPO, assert_one_line, build_backbone

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
            used -= {words[-1], 'vit_base_patch16_224_in21k.pth', 'vit_large_patch16_224_in21k.pth', 'T2T_ViT_19.pth'}
        assert used <= made, command
        trained = [word for word in words if word.startswith('configs/')]
        assert all((REPO / path).is_file() for path in trained)
        if 'tools/dist_train.sh' in words:
            cfg = tables.read_config(trained[0].removeprefix('configs/').removesuffix('.py'))
            wanted = [cfg.load_from, cfg.model.get('teacher', {}).get('checkpoint')]
            assert set(filter(None, wanted)) <= made
            stem = trained[0].rpartition('/')[2].removesuffix('.py')
            folder = words[words.index('--work-dir') + 1] if '--work-dir' in words else f'work_dirs/{stem}'
            made.add(f'{folder}/epoch_{cfg.train_cfg.max_epochs}.pth')


def backbone_of(command: str) -> nn.Module:
    """The backbone that a command trains, on the meta device."""
    parser = argparse.ArgumentParser()
    parser.add_argument('words', nargs='*')
    parser.add_argument('--work-dir')
    parser.add_argument('--cfg-options', nargs='+', action=cli.Options)
    args = parser.parse_args(shlex.split(command))
    cfg = Config.fromfile(REPO / args.words[2])
    cfg.merge_from_dict(args.cfg_options or {})
    return build_backbone(cfg)


@pytest.mark.parametrize('row', {row.config: row for row in OURS if 'ablations/dualformer' in row.config}.values(),
                         ids=lambda row: row.config)
def test_ablations_start_from_image_models_that_fit(row, tmp_path, monkeypatch):
    """Tables 3 to 7: what an image model lacks would end the training, or stay random."""
    monkeypatch.chdir(tmp_path)
    images, videos = (command for command in commands(row) if 'dist_train.sh' in command)
    image, video = (backbone_of(command).state_dict() for command in (images, videos))
    missing = video.keys() - inflate(image, video).keys()
    pairs = {'fine_only': 8, 'gg_gg_gg_gg': 16, 'll_ll_lg_lg': 8, 'conv': 8, 'avgpool': 4}
    wanted = pairs.get(row.config.partition('k400_')[2])
    if wanted:  # what reduces pairs of frames in the last stage, and its norms
        assert len(missing) == wanted and all(name.startswith('stages.3.') and '.attn.' in name for name in missing)
        assert 'model.backbone.init_cfg.strict=False' in videos
    else:
        assert not missing
        assert 'strict' not in videos
    assert image.keys() <= video.keys()
    kept = shlex.split(next(command for command in commands(row) if ' cp ' in command))[-1]
    assert f'checkpoint={kept}' in videos


def test_patches_of_another_size_start_from_a_vit_that_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row, = tables.find_rows('vidtr', '5a', 'Square (1x32^2)')
    convert, train = commands(row)[1:3]
    assert convert.endswith('vit vit_base_patch32_224_in21k.pth checkpoints/vit_b_32.pth')
    assert train.endswith('model.backbone.init_cfg.checkpoint=checkpoints/vit_b_32.pth')


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


def test_small_data_sets_start_from_a_token_labelled_student(tmp_path, monkeypatch):
    """Appendix A.3: so the paper trains DualFormer-S on Kinetics-400."""
    monkeypatch.chdir(tmp_path)
    row, = tables.find_rows('dualformer', '2', 'DualFormer-S', 'HMDB-51')[:1]
    trained = [command.split()[2] for command in commands(row) if 'dist_train.sh' in command]
    assert trained == [f'configs/dualformer_{name}.py' for name in (
        's_in1k', 'b_in1k', 'b_k400_in1k', 's_k400_tokenlabel', 's_hmdb51')]


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
