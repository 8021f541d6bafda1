"""From data to a number in a table, by the commands that tools/reproduce.py prints."""

import functools
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch.nn as nn
from mmengine.config import Config

from mmdualformer import cli
from mmdualformer.checkpoints.inflate import inflate
from mmdualformer.checks import check_datasets, check_model
from mmdualformer.datasets.preparation import READERS, VIDEOS
from mmdualformer.papers import reproduction
from mmdualformer.papers.families import FAMILIES
from mmdualformer.papers.leaves import named_config
from mmdualformer.papers.published import Row, find_rows, load_rows
from mmdualformer.papers.twins import with_token_labels, without_token_labels
from tests.helpers import REPO, assert_one_line, build_backbone

OURS = [row for paper in FAMILIES for row in load_rows(paper) if row.config]


def commands(row: Row, **machine) -> list[str]:
    return [step.command for step in reproduction.chain(row, reproduction.Machine(**machine))]


MACHINES = {
    '8 GPUs': {},
    '64 GPUs': dict(gpus=64),
    'Slurm': dict(gpus=64, launcher='slurm', partition='gpu'),
    'one process': dict(launcher='none'),
}
RELEASED = (
    'vit_base_patch16_224_in21k.pth',
    'vit_base_patch32_224_in21k.pth',
    'vit_large_patch16_224_in21k.pth',
    'T2T_ViT_19.pth',
)
SHELL = """
set -eu
NODE_RANK=3 MASTER_ADDR=first
say() { printf '%s\\x1f' "$@"; echo; }
python() { say python "$@"; }
bash() { say bash "${NNODES:-1}" "${GPUS:-}" "$@"; }
mkdir() { say mkdir "$@"; }
cp() { say cp "$@"; }
test() { say test "$@"; }
"""


@functools.cache
def load_tool_config(tool: str, arguments: tuple[str, ...]) -> Config:
    """The config of a command, read as the tool reads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', [tool, *arguments])
        return cli.load_config(runpy.run_path(REPO / tool)['parse_args']())


class DryRun:
    """Stands in for the programs of a chain, in the working folder: leaves what they make, and fails as they would."""

    def __init__(self, machine: dict) -> None:
        self.gpus = machine.get('gpus', 8)
        self.tested = []
        for name in RELEASED:
            Path(name).touch()

    def run(self, commands: list[str]) -> None:
        shell = subprocess.run(['bash', '-c', SHELL + '\n'.join(commands)], capture_output=True, text=True, check=True)
        for line in shell.stdout.splitlines():
            program, *arguments = line.split('\x1f')[:-1]
            getattr(self, program)(*arguments)

    def mkdir(self, _: str, folder: str) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)

    def cp(self, source: str, target: str) -> None:
        shutil.copy(source, target)

    def test(self, _: str, path: str) -> None:
        assert path in ('data/imagenet/train', 'data/imagenet21k/train', 'data/motion/label_map.txt')

    def python(self, script: str, *arguments: str) -> None:
        assert (REPO / script).is_file()
        kind = Path(script).stem
        getattr(self, 'evaluate' if kind == 'test' else kind)(*arguments)

    def bash(self, nodes: str, gpus: str, script: str, *arguments: str) -> None:
        assert (REPO / script).is_file()
        launcher, kind = Path(script).stem.split('_')
        if launcher == 'slurm':
            assert int(gpus) == self.gpus and arguments[0] == 'gpu'
            arguments = arguments[2:]
        else:
            place = 1 if kind == 'train' else 2
            assert int(nodes) * int(arguments[place]) == self.gpus and int(arguments[place]) <= 8
            arguments = (*arguments[:place], *arguments[place + 1 :])
        getattr(self, kind if kind == 'train' else 'evaluate')(*arguments)

    def prepare(self, dataset: str, _: str, root: str, check: str = '--check') -> None:
        assert dataset in READERS and root == f'data/{dataset}' and check == '--check'
        folders = ('videos_train', 'videos_val') if 'kinetics' in dataset else ('videos',)
        for folder in folders:
            Path(root, folder).mkdir(parents=True, exist_ok=True)
        for split in VIDEOS[dataset]:
            Path(root, f'{dataset}_{split}_videos.txt').write_text('video.mp4 0\n')

    def convert_checkpoint(self, family: str, source: str, target: str) -> None:
        assert family in ('vit', 'vidtr', 'dualformer') and Path(source).is_file()
        self.mkdir('-p', str(Path(target).parent))
        Path(target).touch()

    def train(self, *arguments: str) -> None:
        cfg = load_tool_config('tools/train.py', arguments)
        assert '--resume' in arguments
        check_model(cfg)
        needed = [cfg.load_from, (cfg.model.get('teacher') or {}).get('checkpoint')]
        assert all(Path(path).is_file() for path in needed if path)
        self.check_data(cfg, 'train_dataloader', 'val_dataloader')
        Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
        Path(cfg.work_dir, f'epoch_{cfg.train_cfg.max_epochs}.pth').touch()

    def evaluate(self, *arguments: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('sys.argv', ['tools/test.py', *arguments])
            args = runpy.run_path(REPO / 'tools/test.py')['parse_args']()
        assert Path(args.checkpoint).is_file()
        cfg = load_tool_config('tools/test.py', arguments)
        self.check_data(cfg, 'test_dataloader')
        self.tested.append(Path(cfg.work_dir).name)
        Path(cfg.work_dir).mkdir(parents=True, exist_ok=True)
        if args.dump:
            Path(args.dump).touch()

    def ensemble(self, first: str, second: str, _: str, out: str) -> None:
        assert Path(first).is_file() and Path(second).is_file()
        self.tested.append(Path(out).stem)

    def paper_tables(self, *arguments: str) -> None:
        assert arguments[4:6] == ('--results', 'work_dirs')
        assert arguments[6:] in ((), ('--token-labels',), ('--no-token-labels',))

    @staticmethod
    def check_data(cfg: Config, *loaders: str) -> None:
        if 'data/imagenet' not in repr(cfg.train_dataloader):
            check_datasets(cfg, loaders)


@pytest.mark.parametrize('machine', MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize('paper', FAMILIES)
def test_every_chain_is_complete(paper, machine, tmp_path, monkeypatch):
    """Each command is one that its tool takes, and each file it names is there or was made by one before it."""
    rows = [row for row in OURS if row.paper == paper]
    if not machine:
        for twins in (with_token_labels(rows), without_token_labels(rows)):
            rows += [twin for row, twin in zip(rows, twins) if twin != row]
    for i, row in enumerate(rows):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / 'configs').symlink_to(REPO / 'configs')
        monkeypatch.chdir(folder)
        steps = reproduction.chain(row, reproduction.Machine(**machine))
        assert len(set(steps)) == len(steps)
        run = DryRun(machine)
        run.run([step.command for step in steps])
        assert run.tested[-1] == row.tested.rpartition('/')[2], row


def test_rows_of_one_name_are_told_apart():
    for paper in FAMILIES:
        for row in (row for row in OURS if row.paper == paper):
            assert len(find_rows(paper, row.table, row.row, row.data, row.pretrain, row.views)) == 1, row


@pytest.mark.parametrize('data', ['diving48', 'hmdb51', 'ucf101'])
def test_twelve_views_test_the_model_of_four(data, tmp_path, monkeypatch):
    """Table 2: one training, two tests."""
    monkeypatch.chdir(tmp_path)
    (row,) = (row for row in OURS if row.config == f'dualformer_s_{data}_4x3')
    trained = [command for command in commands(row) if f'train.sh configs/dualformer_s_{data}' in command]
    assert len(trained) == 1 and f'configs/dualformer_s_{data}.py' in trained[0]
    ours, theirs = (named_config(f'dualformer_s_{data}{end}').to_dict() for end in ('_4x3', ''))
    changed = {key for key in ours if ours[key] != theirs[key]}
    assert changed == {'test_pipeline', 'test_dataloader'}


def test_ablations_have_twins_with_token_labels(tmp_path, monkeypatch):
    """Tables 3 to 7, whose default row has them: the twin starts from the same image model, and has a teacher."""
    monkeypatch.chdir(tmp_path)
    rows = [row for row in OURS if row.paper == 'dualformer' and row.config.startswith('ablations/')]
    twins = with_token_labels(rows)
    assert len(rows) == 19 and all(twin.config == f'{row.config}_tokenlabel' for row, twin in zip(rows, twins))
    for row, twin in zip(rows, twins):
        started = [
            next(word for word in commands(each)[-3].split() if 'init_cfg.checkpoint' in word) for each in (row, twin)
        ]
        assert started[0] == started[1]
        assert any('checkpoints/dualformer_b_k400.pth' in command for command in commands(twin))
        ours, theirs = (named_config(each.config).to_dict() for each in (twin, row))
        ours.pop('token_labels')  # a variable, which no run reads
        assert {key for key in ours if ours[key] != theirs[key]} == {'model'}
        assert ours['model']['backbone'] == theirs['model']['backbone']
    assert with_token_labels([OURS[0]]) == [OURS[0]]


@pytest.mark.parametrize('table', '34567')
def test_a_default_row_has_a_twin_without_token_labels(table, tmp_path, monkeypatch):
    """So that all rows of Tables 3 to 7 can be had without; those of Tables 1 and 9 stay."""
    monkeypatch.chdir(tmp_path)
    rows = load_rows('dualformer', table)
    changed = [(row, twin) for row, twin in zip(rows, without_token_labels(rows)) if row != twin]
    ((row, twin),) = changed
    assert (row.config, twin.config) == ('dualformer_t_k400_tokenlabel', 'dualformer_t_k400')
    assert commands(row)[-1].endswith('--results work_dirs')
    assert commands(twin)[-1].endswith('--results work_dirs --no-token-labels')
    assert not any('tokenlabel' in command for command in commands(twin))
    assert 'Inflated' in commands(twin)[-3] and 'dualformer_t_in1k.pth' in commands(twin)[-3]
    for other in '19':
        rows = load_rows('dualformer', other)
        assert without_token_labels(rows) == rows


def test_ensembles_are_averaged_and_broken_videos_are_no_end(run_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (row,) = find_rows('vidtr', '6', 'En-VidTr-L', 'Charades')
    assert commands(row)[-2] == (
        'python tools/analysis/ensemble.py work_dirs/vidtr_l_charades/predictions.pkl '
        'work_dirs/i3d_r50_8x16_charades/predictions.pkl --out work_dirs/vidtr_l_charades+i3d_r50_8x16_charades.json'
    )
    steps = [
        reproduction.Step('lists', 'echo lists'),
        reproduction.Step('check', 'exit 3', reports=True),
        reproduction.Step('train', 'echo trained > trained'),
    ]
    reproduction.run_steps(steps)
    assert (tmp_path / 'trained').is_file()


def backbone_of(command: str) -> nn.Module:
    """The backbone that a command trains, on the meta device."""
    parser = cli.ArgumentParser()
    parser.add_argument('words', nargs='*')
    parser.add_argument('--work-dir')
    parser.add_argument('--resume', action='store_true')
    cli.add_options_argument(parser)
    args = parser.parse_args(shlex.split(command))
    cfg = Config.fromfile(REPO / args.words[2])
    cfg.merge_from_dict(args.cfg_options)
    return build_backbone(cfg)


@pytest.mark.parametrize(
    'row',
    {row.config: row for row in OURS if 'ablations/dualformer' in row.config}.values(),
    ids=lambda row: row.config,
)
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
    (row,) = find_rows('vidtr', '5a', 'Square (1x32^2)')
    convert, train = commands(row)[2:4]
    assert convert.endswith('vit vit_base_patch32_224_in21k.pth checkpoints/vit_b_32.pth')
    assert train.endswith('model.backbone.init_cfg.checkpoint=checkpoints/vit_b_32.pth')


def test_the_chain_of_table_1(fork_tool):
    result = fork_tool('tools/reproduce.py', '--table', 'dualformer/1', '--row', 'DualFormer-B')
    assert result.returncode == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line and not line.startswith('#')] == [
        'python tools/data/prepare.py kinetics400 --root data/kinetics400',
        'python tools/data/prepare.py kinetics400 --root data/kinetics400 --check',
        'test -d data/imagenet/train',
        'bash tools/dist_train.sh configs/dualformer_b_in1k.py 8 --resume',
        'mkdir -p checkpoints && cp work_dirs/dualformer_b_in1k/epoch_300.pth checkpoints/dualformer_b_in1k.pth',
        'bash tools/dist_train.sh configs/dualformer_b_k400_in1k.py 8 --resume',
        'bash tools/dist_test.sh configs/dualformer_b_k400_in1k.py work_dirs/dualformer_b_k400_in1k/epoch_30.pth 8',
        'python tools/analysis/paper_tables.py --paper dualformer --table 1 --results work_dirs',
    ]
    assert 'the authors took about 576 A100 hours, 72 on 8' in result.stdout
    assert '# another row of this name: --data Kinetics-400 --pretrain ImageNet-21K --views 4x1' in result.stdout


def test_small_data_sets_start_from_a_token_labelled_student(tmp_path, monkeypatch):
    """Appendix A.3: so the paper trains DualFormer-S on Kinetics-400."""
    monkeypatch.chdir(tmp_path)
    (row,) = find_rows('dualformer', '2', 'DualFormer-S', 'HMDB-51')[:1]
    trained = [command.split()[2] for command in commands(row) if 'dist_train.sh' in command]
    assert trained == [
        f'configs/dualformer_{name}.py' for name in ('s_in1k', 'b_in1k', 'b_k400_in1k', 's_k400_tokenlabel', 's_hmdb51')
    ]


def test_slurm_other_numbers_of_gpus_and_checkpoints_that_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'checkpoints/vidtr_l_k400.pth').touch()
    (row,) = find_rows('vidtr', '6', 'VidTr-L', 'UCF-101')
    assert commands(row, gpus=64, launcher='slurm', partition='gpu') == [
        'python tools/data/prepare.py ucf101 --root data/ucf101',
        'python tools/data/prepare.py ucf101 --root data/ucf101 --check',
        # 64 x 6 clips, as the paper
        'GPUS=64 GPUS_PER_NODE=8 bash tools/slurm_train.sh gpu vidtr_l_ucf101 configs/vidtr_l_ucf101.py --resume',
        'GPUS=64 GPUS_PER_NODE=8 bash tools/slurm_test.sh gpu vidtr_l_ucf101 configs/vidtr_l_ucf101.py '
        'work_dirs/vidtr_l_ucf101/epoch_6.pth',
        'python tools/analysis/paper_tables.py --paper vidtr --table 6 --results work_dirs',
    ]
    assert '--auto-scale-lr' in commands(row, gpus=8)[2]
    several = commands(row, gpus=64)[2]
    assert several == (
        'NNODES=8 NODE_RANK=$NODE_RANK MASTER_ADDR=$MASTER_ADDR bash tools/dist_train.sh '
        'configs/vidtr_l_ucf101.py 8 --resume'
    )


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
    (row,) = (line for line in result.stdout.splitlines() if line.startswith('| DualFormer-micro fine-tuned'))
    assert 'not run' not in row
    (other,) = (line for line in result.stdout.splitlines() if line.startswith('| One frame'))
    assert 'not run' in other

    # a failing step ends the chain
    shutil.rmtree(tmp_path / 'data')
    (tmp_path / 'data').touch()
    result = run_tool(*command, 'DualFormer-micro', cwd=tmp_path)
    assert result.returncode == 1
    assert "error: step 1 of 4, 'data: data/motion', ended with status" in result.stderr
    assert '== 2/4' not in result.stdout


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--table', 'swin/1', '--row', 'x'), "--table 'swin/1' must be dualformer, vmf, vidtr"),
        (('--table', 'dualformer/1', '--row', 'Swin-T'), "--row 'Swin-T' must be one of DualFormer-T"),
        (
            ('--table', 'dualformer/1', '--row', 'DualFormer-B', '--run'),
            'means 3 rows; choose one of: --data Kinetics-400',
        ),
        (('--table', 'vidtr/2', '--row', 'VidTr-S', '--gpus', 12), '--gpus 12 must be at most 8, those of one machine'),
        (('--table', 'vidtr/2', '--row', 'VidTr-S', '--gpus', 64, '--run'), '--gpus 64 takes --launcher slurm'),
        (('--table', 'vidtr/2', '--row', 'VidTr-S', '--launcher', 'slurm', '--run'), 'slurm needs --partition'),
    ],
)
def test_mistakes_are_one_line(fork_tool, arguments, message):
    assert_one_line(fork_tool('tools/reproduce.py', *arguments), message)
    assert_one_line(fork_tool('tools/reproduce.py', *arguments, '--gpus', 0), '--gpus 0 must be at least 1', status=2)
