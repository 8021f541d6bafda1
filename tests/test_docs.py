"""What the docs say to type is accepted, and what they link to is there."""

import argparse
import ast
import doctest
import importlib
import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path

import mmaction
import pytest
from mmengine.config import Config
from torch.distributed.run import get_args_parser

from mmdualformer import cli
from mmdualformer.__main__ import SEVERAL_PROCESSES, find_tools
from tests.helpers import REPO

PAGES = sorted([*REPO.glob('docs/*.md'), *(REPO / f'{name}.md' for name in ('README', 'CONTRIBUTING', 'CHANGELOG'))])
GENERATED = {  # page -> the blocks that tools/write_generated.py fills
    'README.md': ['models'],
    'docs/dualformer.md': ['costs dualformer', 'costs dualformer images'],
    'docs/video_mobile_former.md': ['costs vmf', 'costs vmf baselines'],
    'docs/vidtr.md': ['costs vidtr'],
}
# launcher -> its tool, and where its arguments have the config and, last, the number of GPUs
LAUNCHERS = {
    'dist_train.sh': ('train.py', ['CONFIG', 'GPUS']),
    'dist_test.sh': ('test.py', ['CONFIG', 'CHECKPOINT', 'GPUS']),
    'slurm_train.sh': ('train.py', ['PARTITION', 'JOB', 'CONFIG']),
    'slurm_test.sh': ('test.py', ['PARTITION', 'JOB', 'CONFIG', 'CHECKPOINT']),
}
PROGRAMS = ('cd', 'cp', 'git', 'mkdir', 'pre-commit', 'ruff', 'source', 'srun', 'test')  # others' own, not looked at


def name_of(page: Path) -> str:
    return page.relative_to(REPO).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page that are of a language."""
    text = page.read_text(encoding='utf-8')
    return [body for kind, body in re.findall(r'^```(\w*)\n(.*?)^```', text, re.M | re.S) if kind == language]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)


def commands(block: str) -> list[list[str]]:
    """The commands of a bash block, each as its words."""
    block = re.sub(r""""?\$\(python -c '[^']*'\)"?""", 'MMACTION', block.replace('\\\n', ' '))
    found = []
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        while '&&' in words:
            found.append(words[: words.index('&&')])
            words = words[words.index('&&') + 1 :]
        found.append(words)
    return [words for words in found if words]


class Parsed(Exception):
    """The arguments were accepted."""


@cache
def load_tool(path: Path) -> dict:
    return runpy.run_path(str(path), run_name='docs')


def parse(path: Path, arguments: list[str]) -> None:
    """Have a tool parse arguments; ends with SystemExit where it does not take them."""
    if 'ArgumentParser' not in path.read_text(encoding='utf-8'):
        assert not arguments, f'{path.name} takes no arguments'
        return
    tool = load_tool(path)
    original_parse, original_argv = cli.ArgumentParser.parse_args, sys.argv

    def parse_and_stop(parser, *args):
        original_parse(parser, *args)
        raise Parsed

    sys.argv = [str(path), *arguments]
    try:
        if 'parse_args' in tool:
            tool['parse_args']()
        else:
            cli.ArgumentParser.parse_args = parse_and_stop
            tool['main']()
    except Parsed:
        pass
    except SystemExit as stop:
        assert not stop.code, f'{path.name} does not take {arguments}'
    finally:
        cli.ArgumentParser.parse_args, sys.argv = original_parse, original_argv


def check_launcher(script: Path, arguments: list[str]) -> None:
    tool, positions = LAUNCHERS[script.name]
    assert len(arguments) >= len(positions), f'{script.name} {arguments}'
    given = dict(zip(positions, arguments))
    assert given.get('GPUS', '8').isdigit(), f'{script.name} takes a number of GPUs, not {given["GPUS"]!r}'
    files = [given[name] for name in ('CONFIG', 'CHECKPOINT') if name in given]
    parse(REPO / 'tools' / tool, [*files, '--launcher', 'pytorch', *arguments[len(positions) :]])


def check_named_tool(name: str, arguments: list[str]) -> None:
    """Check ``mmdualformer NAME ...``."""
    if name in ('--help', 'quickstart'):
        assert not arguments
        return
    assert name in find_tools(), f'there is no tool {name!r}'
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    if name in SEVERAL_PROCESSES:
        parser.add_argument('--gpus', type=int)
    parse(find_tools()[name], parser.parse_known_args(arguments)[1])


def check_python(arguments: list[str]) -> None:
    match arguments:
        case ['-c', code]:
            compile(code, 'docs', 'exec')
        case ['-m', 'mmdualformer', name, *rest]:
            check_named_tool(name, rest)
        case ['-m', 'mmdualformer.launch', *rest]:
            args = get_args_parser().parse_args(rest)  # torchrun's
            parse(REPO / args.training_script, args.training_script_args)
        case ['-m', 'pytest', *rest]:
            assert not [word for word in rest if '/' in word and not (REPO / word).exists()]
        case [tool, *rest] if tool.startswith('MMACTION/'):
            assert Path(mmaction.__path__[0], tool.partition('/')[2]).is_file()
        case [tool, *rest]:
            assert (REPO / tool).is_file(), f'there is no {tool}'
            parse(REPO / tool, rest)


def check_pip(arguments: list[str]) -> None:
    assert arguments[0] == 'install'
    if '-c' in arguments:
        assert (REPO / arguments[arguments.index('-c') + 1]).is_file()
    extras = re.search(r'extras_require=\{(.*?)\n    \}', (REPO / 'setup.py').read_text(encoding='utf-8'), re.S)[1]
    wanted = {
        extra for word in arguments for extra in re.findall(r'[\w-]+', (re.findall(r'\[(.+)\]$', word) or [''])[0])
    }
    assert not [extra for extra in wanted if f"'{extra}':" not in extras]


def check_command(words: list[str]) -> None:
    """Check a command as far as it is ours; one of a program that is not known here is an error."""
    while re.fullmatch(r'[A-Z_]+=\S*', words[0]):
        words = words[1:]
    for word in words:
        if re.fullmatch(r'configs/[\w/]+\.py', word) and not re.search('[A-Z]{3}', word):
            assert (REPO / word).is_file(), f'there is no {word}'
    match words:
        case ['mmdualformer']:
            pass
        case ['mmdualformer', name, *rest]:
            check_named_tool(name, rest)
        case ['python', *rest]:
            check_python(rest)
        case ['bash', script, *rest]:
            assert (REPO / script).is_file(), f'there is no {script}'
            if Path(script).name in LAUNCHERS:
                check_launcher(REPO / script, rest)
        case ['pip', *rest]:
            check_pip(rest)
        case ['sphinx-build', *rest]:
            importlib.import_module('sphinx.cmd.build').get_parser().parse_args(rest)
        case ['mpirun', *rest]:
            check_command(rest[rest.index('python') :])
        case ['mim', command, *rest]:
            assert command in ('install', 'search', 'list', 'train', 'test', 'run')
        case [program, *_]:
            assert program in PROGRAMS, f'{program!r} is unknown to this test'


COMMANDS = [
    pytest.param(words, id=f'{page.stem}: {" ".join(words)}'[:100])
    for page in PAGES
    for block in blocks(page, 'bash')
    for words in commands(block)
]


@pytest.mark.parametrize('words', COMMANDS)
def test_commands_are_accepted(words, monkeypatch):
    monkeypatch.chdir(REPO)
    check_command(words)


@pytest.mark.parametrize(
    'line',
    [
        'mmdualformer recognise CHECKPOINT VIDEO',
        'mmdualformer recognize CHECKPOINT VIDEO --no-option 3',
        'mmdualformer train',
        'python tools/no_tool.py',
        'python tools/train.py configs/no_config.py',
        'bash tools/dist_train.sh configs/dualformer_t_k400.py --resume',
        'bash tools/dist_test.sh configs/dualformer_t_k400.py 8',
        'pip install ".[no-extra]"',
        'curl x',
    ],
)
def test_commands_that_do_not_work_are_found(line, monkeypatch):
    monkeypatch.chdir(REPO)
    with pytest.raises((AssertionError, SystemExit)):
        for words in commands(line):
            check_command(words)


def python_blocks():
    return [
        pytest.param(block, id=f'{name_of(page)} {number}')
        for page in PAGES
        for number, block in enumerate(blocks(page, 'python'), 1)
    ]


@pytest.mark.parametrize('block', python_blocks())
def test_python_blocks_compile_and_import_what_exists(block, tmp_path):
    code = '\n'.join(line[4:] for line in block.splitlines() if line.startswith(('>>> ', '... '))) or block
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), f'{node.module} has no such name'
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
    if '_base_' in code:
        config = tmp_path / 'config.py'
        config.write_text(code, encoding='utf-8')
        assert Config.fromfile(config).model


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_sessions_print_what_they_say(page):
    for block in blocks(page, 'python'):
        if '>>>' in block:
            session = doctest.DocTestParser().get_doctest(block, {}, name_of(page), str(page), 0)
            assert doctest.DocTestRunner(verbose=False).run(session).failed == 0


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and MyST give to the headings of a page."""
    headings = re.findall(r'^#+ +(.+)$', prose(page), re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', prose(page)):
        if re.match(r'https?:|mailto:', target):
            continue
        name, _, anchor = target.partition('#')
        file = (page.parent / name).resolve() if name else page
        assert file.exists() and file.is_relative_to(REPO), f'{target} is not there'
        assert not anchor or anchor in anchors(file), f'{target}: there is no such heading'


def expand(name: str) -> list[str]:
    """``a_{b,c}`` as ``a_b`` and ``a_c``."""
    parts = re.split(r'\{([^}]*)\}', name)
    choices = [part.split(',') if i % 2 else [part] for i, part in enumerate(parts)]
    return [''.join(choice) for choice in product(*choices)]


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_files_and_tools_that_are_named_exist(page):
    for code in re.findall(r'`([^`]+)`', prose(page)):
        words = code.split()
        for word in words:
            if re.match(r'(configs|docs|mmdualformer|tests|tools)/[\w/{},.-]+$', word) and 'NAME' not in word:
                missing = [name for name in expand(word) if not (REPO / name).exists()]
                assert not missing, f'{word} is not there'
        if words[0] == 'mmdualformer' and len(words) > 1 and words[1].islower():
            assert words[1] in (*find_tools(), 'quickstart'), f'{code}: there is no such tool'


def test_the_readme_is_short_and_has_one_figure():
    text = (REPO / 'README.md').read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 120
    assert len(re.findall(r'!\[', text)) == 1


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_generated_blocks_are_marked(page):
    markers = re.findall(r'^<!-- (generated: .+|end generated) -->$', page.read_text(encoding='utf-8'), re.M)
    assert markers == [m for name in GENERATED.get(name_of(page), []) for m in (f'generated: {name}', 'end generated')]


def test_the_diagrams_are_what_their_script_draws(tmp_path):
    subprocess.run([sys.executable, REPO / 'docs/diagrams/draw.py', tmp_path], check=True, capture_output=True)
    drawn = {path.name: path.read_text(encoding='utf-8') for path in tmp_path.glob('*.svg')}
    assert drawn == {path.name: path.read_text(encoding='utf-8') for path in REPO.glob('docs/diagrams/*.svg')}
    shown = ''.join(page.read_text(encoding='utf-8') for page in PAGES)
    assert not [name for name in drawn if f'diagrams/{name}' not in shown]


def test_every_page_is_in_the_contents():
    index = (REPO / 'docs/index.md').read_text(encoding='utf-8')
    entries = set(re.findall(r'^[\w/]+$', index, re.M))
    assert {path.stem for path in REPO.glob('docs/*.md')} - {'index'} <= entries


def test_the_api_pages_have_all_public_packages():
    documented = {
        name for page in REPO.glob('docs/api/*.rst') for name in re.findall(r'automodule:: (\S+)', page.read_text())
    }
    packages = {
        '.'.join(path.parent.relative_to(REPO).parts)
        for path in REPO.glob('mmdualformer/*/__init__.py')
        if '__all__' in path.read_text(encoding='utf-8')
    }
    papers = {f'mmdualformer.papers.{path.stem}' for path in REPO.glob('mmdualformer/papers/*.py')}
    assert packages | papers - {'mmdualformer.papers.__init__'} <= documented
    assert not [name for name in documented if not importlib.util.find_spec(name)]


def imported(path: Path) -> set[str]:
    """The modules and packages beside ``mmdualformer/__init__.py`` that a file imports by their full names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return {name.split('.')[1] for name in names if name.startswith('mmdualformer.')}


def test_imports_go_down_the_rows_of_the_design():
    text = (REPO / 'docs/design.md').read_text(encoding='utf-8').partition('## What may import what')[2]
    rows = [
        re.findall(r'`(\w+)`', row) for row in re.findall(r'^\| [^|]+ \| (`.+) \|$', text.partition('\n- ')[0], re.M)
    ]
    row_of = {module: number for number, row in enumerate(rows) for module in row}
    package = REPO / 'mmdualformer'
    modules = {path.stem for path in package.iterdir() if path.suffix == '.py' or (path / '__init__.py').exists()}
    assert modules - {'__init__', '_startup', 'utils'} == set(row_of)
    upward = [
        f'{path.relative_to(REPO)} imports {other}'
        for path in package.rglob('*.py')
        for own in [path.relative_to(package).parts[0].removesuffix('.py')]
        for other in imported(path)
        if own in row_of and row_of.get(other, -1) < row_of[own]
    ]
    assert not upward
