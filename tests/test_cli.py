import argparse
import errno
import os
import runpy
import subprocess
import sys

import pytest

from mmdualformer import cli
from tests.helpers import REPO, assert_one_line

# but the doctor, which runs where cli cannot be imported
TOOLS = sorted(path.relative_to(REPO) for path in (REPO / 'tools').rglob('*.py') if path.stem != 'doctor')


@pytest.fixture(autouse=True)
def deaf(monkeypatch):
    """In this process pytest hears the signals."""
    monkeypatch.setattr(cli.signals, 'listen', lambda: None)


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_one_line(number, capsys):
    def main() -> None:
        raise OSError(number, os.strerror(number), 'work_dirs/epoch_1.pth')

    with pytest.raises(SystemExit, match='1'):
        cli.run(main)
    assert capsys.readouterr().err == f"error: {os.strerror(number)}: 'work_dirs/epoch_1.pth'\n"


def test_other_errors_of_the_system_are_not():
    def main() -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    with pytest.raises(OSError, match='Bad file descriptor'):
        cli.run(main)


def test_a_folder_below_a_file(fork_tool, tmp_path):
    (tmp_path / 'file').write_text('')
    assert_one_line(
        fork_tool('tools/data/make_motion_clips.py', '--out', 'file/motion', '--train', 8, '--val', 8),
        'Not a directory',
        'file/motion',
    )


def test_a_reader_that_has_read_enough_is_no_error():
    tool = f'{sys.executable} -u tools/reproduce.py --table dualformer/1 --row DualFormer-T'
    command = f'{tool} | true; echo ${{PIPESTATUS[0]}}'
    result = subprocess.run(['bash', '-c', command], cwd=REPO, capture_output=True, text=True, timeout=300)
    assert (result.stdout, result.stderr) == ('141\n', '')  # as of any program that SIGPIPE ends


class Parsed(Exception):
    """Ends a tool at its command line."""


def read_parser(tool, monkeypatch) -> argparse.ArgumentParser:
    """The parser of a tool."""

    def stop(self, *_):
        raise Parsed(self)

    monkeypatch.setattr(cli.ArgumentParser, 'parse_args', stop)
    monkeypatch.setattr(sys, 'argv', [str(tool)])
    with pytest.raises(Parsed) as parsed:
        runpy.run_path(str(REPO / tool), run_name='__main__')
    return parsed.value.args[0]


@pytest.mark.parametrize('tool', TOOLS, ids=str)
def test_every_argument_has_a_help_text_that_says_its_default(tool, monkeypatch):
    parser = read_parser(tool, monkeypatch)
    assert parser.format_help()  # a % of a text is to be %%
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        text = formatter._get_help_string(action)
        assert text, action.dest
        if action.default not in (None, {}, [], argparse.SUPPRESS) and action.default is not False:
            assert 'default' in text, action.dest


class TestCommandLine:
    @pytest.fixture
    def parse(self, monkeypatch):
        """The command line of tools/recognize.py, parsed."""
        parse_args = runpy.run_path(str(REPO / 'tools/recognize.py'))['parse_args']

        def parse(*arguments: str) -> argparse.Namespace:
            monkeypatch.setattr(sys, 'argv', ['recognize.py', *arguments])
            return parse_args()

        return parse

    @pytest.mark.parametrize(
        'line',
        [
            'c.py --topk 3 m.pth --cfg-options a=1 b=2,3 v.mp4 w.mp4',
            '--cfg-options a=1 c.py m.pth --cfg-options b=[2,3] v.mp4 --topk 3 w.mp4',
            'c.py m.pth v.mp4 w.mp4 --topk=3 --cfg-options=a=1 b=2,3',
            '--topk 3 --cfg-options a=1 b=2,3 -- c.py m.pth v.mp4 w.mp4',
        ],
    )
    def test_options_may_stand_anywhere(self, parse, line):
        args = parse(*line.split())
        assert (args.config, args.checkpoint, args.videos, args.topk) == ('c.py', 'm.pth', ['v.mp4', 'w.mp4'], 3)
        assert args.cfg_options == dict(a=1, b=[2, 3])

    def test_the_config_may_be_left_out(self, parse):
        args = parse('m.pth', 'v.mp4')
        assert (args.config, args.checkpoint, args.videos, args.cfg_options) == (None, 'm.pth', ['v.mp4'], {})

    def test_after_two_dashes_a_name_may_begin_with_one(self, parse):
        args = parse('--topk', '3', 'm.pth', '--', '-v.mp4', '--topk')
        assert (args.videos, args.topk) == (['./-v.mp4', './--topk'], 3)

    @pytest.mark.parametrize(
        ('tool', 'line', 'values'),
        [
            ('train', '--resume c.py', dict(config='c.py', resume='auto')),
            ('train', '--resume -- c.py', dict(config='c.py', resume='auto')),
            ('train', '--resume e.pth c.py', dict(config='c.py', resume='e.pth')),
            ('train', '--work-dir w -- c.py', dict(config='c.py', work_dir='w')),
            (
                'analysis/ensemble',
                '--weights 1 2.5 a.pkl b.pkl',
                dict(predictions=['a.pkl', 'b.pkl'], weights=[1, 2.5]),
            ),
            (
                'visualize_attention',
                '--layers 4 8 c.pth v.mp4',
                dict(checkpoint='c.pth', videos=['v.mp4'], layers=[4, 8]),
            ),
            ('visualize_attention', '--layers 4 -- c.pth -v.mp4', dict(videos=['./-v.mp4'], layers=[4])),
        ],
    )
    def test_options_of_several_values_leave_the_files(self, tool, line, values, monkeypatch):
        monkeypatch.setattr(sys, 'argv', ['tool.py', *line.split()])
        parse = cli.ArgumentParser.parse_args

        def stop(self):
            raise Parsed(parse(self))

        monkeypatch.setattr(cli.ArgumentParser, 'parse_args', stop)
        with pytest.raises(Parsed) as parsed:
            runpy.run_path(str(REPO / f'tools/{tool}.py'), run_name='__main__')
        args = vars(parsed.value.args[0])
        assert {name: args[name] for name in values} == values

    def test_settings_of_one_call_are_not_those_of_the_next(self, parse):
        parse('c.py', 'm.pth', 'v.mp4', '--cfg-options', 'a=1')
        assert parse('c.py', 'm.pth', 'v.mp4').cfg_options == {}

    @pytest.mark.parametrize(
        ('line', 'message'),
        [
            ('', 'the following arguments are required: [CONFIG] CHECKPOINT VIDEO...'),
            ('c.py', 'a checkpoint is needed'),
            ('m.pth', '0 videos given after the checkpoint, at least 1 needed'),
            ('m.pth v.mp4 --topk 0', '--topk 0 must be at least 1'),
            ('m.pth v.mp4 --topk x', "--topk invalid number value: 'x'"),
            ('m.pth v.mp4 --device gpu', "--device 'gpu' cannot be used here: "),
            ('m.pth v.mp4 --cfg-options a', "--cfg-options 'a' must be key=value"),
            (
                'm.pth v.mp4 --topk 3 --no-such',
                'there is no option --no-such; a file that begins',
            ),
        ],
    )
    def test_mistakes_are_one_line(self, parse, line, message, capsys):
        with pytest.raises(SystemExit, match='2'):
            parse(*line.split())
        said = capsys.readouterr().err
        assert said.startswith(f'error: {message}') and said.endswith('; see recognize.py --help\n')
        assert said.count('\n') == 1


@pytest.mark.parametrize('key', ['test_pipeline', 'test_dataloader.dataset.pipeline'])
def test_inference_has_one_pipeline_whatever_its_option_is_called(key):
    args = argparse.Namespace(
        config=str(REPO / 'configs/dualformer_micro_motion.py'), checkpoint='none', cfg_options={f'{key}.1.clip_len': 7}
    )
    cfg = cli.load_model(args).cfg
    for pipeline in (cfg.test_pipeline, cfg.test_dataloader.dataset.pipeline):
        assert pipeline[1].clip_len == 7
