"""The tools as processes, with real files."""

import json
import os
import re
import socket
import stat
from pathlib import Path

import mmaction
import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.runner import CheckpointLoader

from tests.helpers import REPO, assert_one_line

CONFIG = REPO / 'configs/dualformer_micro_motion.py'


def scalars(work_dir: Path) -> list:
    log = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1]
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_two_processes_train_resume_and_test(run_tool, fork_tool, data_options, motion_root, tmp_path):
    """The launchers, from an empty folder: train one epoch, resume for a second one, test, recognise a clip."""
    work_dir = tmp_path / 'work'
    result = run_tool(
        'tools/dist_train.sh',
        CONFIG,
        2,
        '--work-dir',
        work_dir,
        '--cfg-options',
        *data_options,
        'default_hooks.logger.interval=1',
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'WORLD_SIZE: 2' in result.stdout + result.stderr or 'GPU number: 2' in result.stdout + result.stderr
    lines = scalars(work_dir)
    assert sum('loss' in line for line in lines) == 1  # 16 clips are one step of 2 x 8
    assert [line['acc/top1'] for line in lines if 'acc/top1' in line]
    best = work_dir / 'best_acc_top1_epoch_1.pth'
    assert best.exists()

    options = [option for option in data_options if 'max_epochs' not in option]
    result = run_tool(
        'tools/dist_train.sh',
        CONFIG,
        2,
        '--work-dir',
        work_dir,
        '--resume',
        '--cfg-options',
        *options,
        'train_cfg.max_epochs=2',
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'resumed epoch: 1' in result.stdout + result.stderr
    assert (work_dir / 'epoch_2.pth').exists()

    result = run_tool(
        'tools/dist_test.sh',
        CONFIG,
        best,
        2,
        '--work-dir',
        work_dir,
        '--dump',
        tmp_path / 'scores.pkl',
        '--cfg-options',
        *data_options,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    distributed = re.search(r'acc/top1: ([\d.]+)', result.stdout + result.stderr)[1]
    assert (tmp_path / 'scores.pkl').exists()
    result = fork_tool(
        'tools/test.py',
        CONFIG,
        best,
        '--work-dir',
        work_dir,
        '--show-dir',
        tmp_path / 'shown',
        '--cfg-options',
        *data_options,
    )
    assert len(list((tmp_path / 'shown').glob('*'))) == 8
    assert re.search(r'acc/top1: ([\d.]+)', result.stdout + result.stderr)[1] == distributed

    clip = sorted(motion_root.glob('videos_val/*.mp4'))[0]
    result = fork_tool('tools/recognize.py', CONFIG, best, clip, '--labels', motion_root / 'label_map.txt')
    assert result.returncode == 0, result.stderr
    scores = [float(score) for score in re.findall(r'([\d.]+)%', result.stdout)]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    assert 'clockwise' in result.stdout


def test_a_checkpoint_is_read_once(fork_tool, data_options, motion_root, tmp_path, monkeypatch):
    """To test, to start from and to resume, with what it holds in the model and in the state of training."""
    load = CheckpointLoader.load_checkpoint

    def noted(filename, *args, **kwargs):
        with open(tmp_path / 'reads.txt', 'a') as file:
            file.write(f'{Path(filename).name}\n')
        return load(filename, *args, **kwargs)

    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', noted)
    settings = ('--work-dir', tmp_path, '--cfg-options', *data_options)
    assert fork_tool('tools/train.py', CONFIG, *settings).returncode == 0
    assert not (tmp_path / 'reads.txt').exists()
    for command in (
        ('tools/test.py', CONFIG, 'epoch_1.pth', *settings),
        ('tools/train.py', CONFIG, *settings, 'load_from=epoch_1.pth'),
        ('tools/train.py', CONFIG, '--resume', 'epoch_1.pth', *settings, 'train_cfg.max_epochs=2'),
        ('tools/recognize.py', 'epoch_2.pth', next(motion_root.glob('videos_val/*.mp4'))),
    ):
        result = fork_tool(*command)
        assert result.returncode == 0, result.stdout + result.stderr
        (read,) = (tmp_path / 'reads.txt').read_text().split()
        assert read in command or f'load_from={read}' in command
        (tmp_path / 'reads.txt').unlink()
    optimizer = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['optimizer']
    assert {int(state['step']) for state in optimizer['state'].values()} == {4}  # two of each epoch


def test_mmactions_own_tools_know_us_through_custom_imports(run_tool, data_options, tmp_path):
    tools = Path(mmaction.__file__).parent / '.mim' / 'tools'
    settings = ('--work-dir', tmp_path / 'work', '--cfg-options', *data_options)
    result = run_tool(tools / 'train.py', CONFIG, *settings)
    assert result.returncode == 0, result.stdout + result.stderr
    result = run_tool(tools / 'test.py', CONFIG, tmp_path / 'work' / 'epoch_1.pth', *settings)
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'acc/top1' in result.stdout + result.stderr


def test_slurm_launchers_start_one_task_a_gpu(run_tool, data_options, tmp_path):
    """srun and scontrol are stood in for by scripts that start the tasks here."""
    fakes = tmp_path / 'bin'
    fakes.mkdir()
    (fakes / 'scontrol').write_text('#!/bin/sh\necho 127.0.0.1\n')
    (fakes / 'srun').write_text("""#!/bin/bash
echo "$@" > "$SRUN_LOG"
while [ "$1" != python ]; do shift; done
for task in 0 1; do
    SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_NTASKS=2 SLURM_NODELIST=here "$@" & pids="$pids $!"
done
for pid in $pids; do wait "$pid" || exit 1; done
""")
    for fake in fakes.iterdir():
        fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    env = dict(GPUS='2', GPUS_PER_NODE='2', SRUN_ARGS='--qos=low --time=5', SRUN_LOG=str(tmp_path / 'srun.log'))
    path = os.pathsep.join([str(fakes), str(Path(os.sys.executable).parent), os.environ['PATH']])
    work_dir = tmp_path / 'work'
    result = run_tool(
        'tools/slurm_train.sh',
        'part',
        'job',
        CONFIG,
        '--work-dir',
        work_dir,
        '--cfg-options',
        *data_options,
        PATH=path,
        **env,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    srun = (tmp_path / 'srun.log').read_text()
    assert '-p part --job-name=job --gres=gpu:2 --ntasks=2 --ntasks-per-node=2 --cpus-per-task=5' in srun
    assert '--qos=low --time=5 python' in srun
    best = work_dir / 'best_acc_top1_epoch_1.pth'
    result = run_tool(
        'tools/slurm_test.sh',
        'part',
        'job',
        CONFIG,
        best,
        '--work-dir',
        work_dir,
        '--cfg-options',
        *data_options,
        PATH=path,
        **env,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'acc/top1' in result.stdout + result.stderr


def test_the_command_line_wins_over_the_config(fork_tool, data_options, tmp_path):
    """--seed is heard though the config has one; --no-validate, --auto-scale-lr and others do what they say."""
    result = fork_tool(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        tmp_path / 'work',
        '--seed',
        7,
        '--no-validate',
        '--auto-scale-lr',
        '--deterministic',
        '--diff-rank-seed',
        '--cfg-options',
        *data_options,
        'default_hooks.logger.interval=1',
        'param_scheduler=None',
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert re.search(r'\bseed: 7\b', output)
    assert 'deterministic: True' in output and 'diff_rank_seed: True' in output
    assert 'Epoch(val)' not in output
    assert scalars(tmp_path / 'work')[0]['lr'] == pytest.approx(1e-3 * 8 / 16)


def test_resume_without_a_checkpoint_starts_from_load_from(fork_tool, data_options, tmp_path):
    model = init_recognizer(str(CONFIG), device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    result = fork_tool(
        'tools/train.py',
        CONFIG,
        '--work-dir',
        tmp_path / 'work',
        '--resume',
        '--cfg-options',
        *data_options,
        'load_from=model.pth',
        'optim_wrapper.optimizer.lr=0.',
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert 'no checkpoint in' in output and 'training starts from the weights of model.pth' in output
    trained = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=False)['state_dict']
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(trained[name], parameter.data)


class TestBadInput:
    """One clear line and a non-zero exit."""

    def test_unknown_arch_in_two_processes(self, run_tool, data_options):
        result = run_tool(
            'tools/dist_train.sh',
            REPO / 'configs/dualformer_t_k400.py',
            2,
            '--cfg-options',
            'model.backbone.arch=huge',
            *data_options,
            'train_dataloader.dataset.ann_file=train.txt',
            'train_dataloader.dataset.data_prefix.video=videos_train',
            'val_dataloader.dataset.ann_file=val.txt',
            'val_dataloader.dataset.data_prefix.video=videos_val',
        )
        assert_one_line(result, "arch='huge'", "['base', 'small', 'tiny']")

    def test_missing_data(self, fork_tool):
        result = fork_tool('tools/train.py', REPO / 'configs/dualformer_t_k400.py')
        assert_one_line(result, 'kinetics400_train_list_videos.txt', 'configs/_base_/data/k400.py')

    def test_label_outside_the_classes(self, fork_tool, data_options):
        result = fork_tool('tools/train.py', CONFIG, '--cfg-options', *data_options, 'model.cls_head.num_classes=5')
        assert_one_line(result, "label '5' must be a number of 0 to 4")

    def test_clip_smaller_than_a_patch(self, fork_tool, data_options, tmp_path):
        result = fork_tool(
            'tools/train.py',
            CONFIG,
            '--work-dir',
            tmp_path,
            '--cfg-options',
            *data_options,
            'train_dataloader.dataset.pipeline.4.size=3',
        )
        assert_one_line(result, '18 x 3 x 3; DualFormer takes at least 1 x 4 x 4')

    def test_checkpoint_of_another_architecture(self, run_tool, data_options, tmp_path):
        torch.save(dict(state_dict={'backbone.stem.weight': torch.ones(3)}), tmp_path / 'other.pth')
        for tool in (('tools/test.py', CONFIG, 'other.pth'), ('tools/dist_test.sh', CONFIG, 'other.pth', 2)):
            result = run_tool(*tool, '--work-dir', tmp_path, '--cfg-options', *data_options)
            assert_one_line(result, "checkpoint 'other.pth' is of another architecture", 'tensors are missing')

    def test_classes_in_another_order(self, fork_tool, data_options, motion_root, tmp_path):
        classes = (motion_root / 'label_map.txt').read_text().splitlines()
        meta = dict(epoch=1, iter=1, dataset_meta=dict(classes=[classes[1], classes[0], *classes[2:]]))
        state = dict(
            optimizer=dict(state={}, param_groups=[]),
            message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
        )
        model = init_recognizer(str(CONFIG), device='cpu')
        torch.save(dict(meta=meta, state_dict=model.state_dict(), **state), tmp_path / 'model.pth')
        for tool in (('tools/test.py', CONFIG, 'model.pth'), ('tools/train.py', CONFIG, '--resume', 'model.pth')):
            result = fork_tool(*tool, '--work-dir', tmp_path, '--cfg-options', *data_options)
            assert_one_line(result, f'class {classes[0]!r} as label 0', 'trained with it as label 1')

    def test_a_number_of_processes_that_is_none(self, run_tool):
        assert_one_line(run_tool('tools/dist_train.sh', CONFIG, 'many'), 'nproc_per_node', 'many')
        assert_one_line(run_tool('tools/dist_train.sh', CONFIG, 0), '(GPUS) 0 must be at least 1')

    def test_a_process_that_ends(self, run_tool, tmp_path):
        for code, message in (
            ('import os; os.kill(os.getpid(), 9)', 'process 0 was killed by SIGKILL'),
            ('raise SystemExit(3)', 'process 0 failed with exit status 3, see above'),
        ):
            (tmp_path / 'end.py').write_text(code)
            assert_one_line(run_tool('mmdualformer/launch.py', '--standalone', tmp_path / 'end.py'), message)

    def test_a_port_in_use(self, run_tool):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = run_tool('tools/dist_train.sh', CONFIG, 2, PORT=str(port))
        assert_one_line(result, 'address already in use', f'127.0.0.1:{port}')

    def test_missing_config_checkpoint_and_video(self, fork_tool, tmp_path):
        assert_one_line(fork_tool('tools/train.py', 'no.py'), "config 'no.py' does not exist", str(tmp_path))
        (tmp_path / 'bad.py').write_text('model = dict(\n')
        assert_one_line(fork_tool('tools/train.py', 'bad.py'), "config 'bad.py' line 1: '(' was never closed")
        assert_one_line(fork_tool('tools/recognize.py', CONFIG, 'none', 'no.mp4'), "'no.mp4' does not exist")

    def test_options_that_do_not_fit(self, fork_tool, data_options):
        train = ('tools/train.py', CONFIG, '--cfg-options', *data_options)
        result = fork_tool(*train, 'model.backbone')
        assert_one_line(result, 'unrecognized arguments: model.backbone', status=2)
        assert_one_line(fork_tool(*train, 'model.backbone.type.x=1'), '--cfg-options model.backbone.type.x=1 does not')
        assert_one_line(
            fork_tool(*train, 'model.backbone.depth=1'),
            "DualFormer got an unexpected keyword argument 'depth'",
            'arch,',
        )
        for option in ('train_dataloader.num_worker=0', 'optim_wrapper.optimizer.lrr=3'):
            assert_one_line(
                fork_tool(*train, option), f'unexpected keyword argument {option.split("=")[0].split(".")[-1]!r}'
            )
        assert_one_line(fork_tool(*train, 'model.backbone.type=Dual'), 'Dual is not in the', 'registry')
        assert_one_line(fork_tool(*train, 'optim_wraper.optimizer.lr=1'), "nothing reads 'optim_wraper'")
        assert_one_line(
            fork_tool(*train, 'train_pipeline.1.clip_len=8'),
            'would change nothing',
            'train_dataloader.dataset.pipeline',
        )
        assert_one_line(fork_tool(*train, 'motion.num_classes=9'), 'motion.num_classes would change nothing')
        assert_one_line(fork_tool(*train, 'train_dataloader.batch_size=0'), 'train_dataloader.batch_size=0 must be')
        assert_one_line(fork_tool(*train, 'optim_wrapper.type=Other', '--amp'), '--amp takes an OptimWrapper')
        assert_one_line(fork_tool(*train, 'auto_scale_lr=None', '--auto-scale-lr'), 'base_batch_size')

    def test_files_that_are_not_what_they_should_be(self, fork_tool, data_options, tmp_path):
        (tmp_path / 'clip.mp4').write_text('no video')
        assert_one_line(fork_tool('tools/recognize.py', CONFIG, 'none', 'clip.mp4'), "video 'clip.mp4' cannot be read")
        torch.save(torch.ones(2), tmp_path / 'tensor.pth')
        test = ('tools/test.py', CONFIG, 'tensor.pth', '--work-dir', tmp_path, '--cfg-options', *data_options)
        assert_one_line(fork_tool(*test), "'tensor.pth' holds a Tensor, not weights by name")
        (tmp_path / 'base.py').write_text('x = 1\n')
        assert_one_line(fork_tool('tools/train.py', 'base.py'), "config 'base.py' has no model")
        (tmp_path / 'wrong.py').write_text("_base_ = 'nowhere.py'\n")
        assert_one_line(fork_tool('tools/train.py', 'wrong.py'), "config 'wrong.py': FileNotFoundError", 'nowhere.py')

    def test_a_video_that_cannot_be_read_does_not_stop_the_others(self, fork_tool, clip_file, tmp_path):
        (tmp_path / 'broken.mp4').write_text('no video')
        for broken, message in (('broken.mp4', 'cannot be read: '), ('missing.mp4', 'does not exist')):
            result = fork_tool('tools/recognize.py', CONFIG, 'none', broken, clip_file)
            assert_one_line(result, f'video {broken!r} {message}')
            assert clip_file in result.stdout and '%' in result.stdout

    def test_a_video_that_takes_too_long_is_given_up(self, fork_tool, clip_file, monkeypatch):
        monkeypatch.setattr('mmdualformer.recognition.reading.READING_LIMIT', 0.0)
        assert_one_line(fork_tool('tools/recognize.py', CONFIG, 'none', clip_file), 'no answer within 0 s')

    def test_settings_of_a_prediction(self, fork_tool, motion_root, clip_file):
        recognize = ('tools/recognize.py', CONFIG, 'none', clip_file)
        assert_one_line(fork_tool(*recognize, '--topk', 0), '--topk 0 must be at least 1', status=2)
        assert fork_tool(*recognize, '--topk', 20).stdout.count('%') == 8  # of 8 classes
        assert_one_line(fork_tool(*recognize, '--labels', motion_root / 'train.txt'), 'names 16 classes, the model')
        assert_one_line(fork_tool(*recognize, '--device', 'gpu'), "--device 'gpu' cannot be used here", status=2)

    def test_launchers_without_arguments_show_their_usage(self, run_tool):
        for tool in ('dist_train', 'dist_test', 'slurm_train', 'slurm_test'):
            result = run_tool(f'tools/{tool}.sh')
            assert result.returncode == 2
            assert result.stderr.startswith('usage: ')
