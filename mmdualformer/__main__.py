"""One command for all tools: ``mmdualformer NAME ...`` runs ``tools/NAME.py``, from any folder.

The tools are those of the checkout that the package is in, or those that an installed package carries. This file
imports the package only where it runs a tool, as mmdualformer_command.py says.
"""

import argparse
import ast
import difflib
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import NoReturn

PACKAGE = Path(__file__).resolve().parent
IN_CHECKOUT = (PACKAGE.parent / 'tools' / 'quickstart.sh').is_file()
ROOT = PACKAGE.parent if IN_CHECKOUT else PACKAGE / '.mim'

SEVERAL_PROCESSES = ('train', 'test', 'recognize', 'sweep-views', 'write-token-labels')
COMMAND = 'from mmdualformer_command import main; main()'  # which -m would import the package for
QUICKSTART = 'Train a small DualFormer on made-up clips, test it and recognise one clip.'
USAGE = """usage: mmdualformer NAME [arguments]      run a tool
       mmdualformer NAME --help           show its arguments
       mmdualformer train CONFIG --gpus 8 [arguments]
       mmdualformer test CONFIG CHECKPOINT --gpus 8 [arguments]
       mmdualformer recognize CHECKPOINT FOLDER --out FILE --gpus 8 [arguments]
"""
GPUS_HELP = """--gpus N starts N processes, one for each GPU; without a GPU they run on the CPU. For several machines,
start it on each of them with NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment.
"""


def find_tools() -> dict[str, Path]:
    """Find the files of the tools by their names, which have dashes for underscores."""
    folders = (ROOT / 'tools', ROOT / 'tools' / 'data', ROOT / 'tools' / 'analysis')
    tools = {path.stem.replace('_', '-'): path for folder in folders for path in sorted(folder.glob('*.py'))}
    if not IN_CHECKOUT:
        tools.pop('write-generated', None)  # writes into a checkout
    return tools


def summarize(path: Path) -> str:
    """Read the first line of a tool's docstring, without running the tool."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or '').partition('\n')[0]


def print_help(tools: dict[str, Path]) -> None:
    """Print what the command does, and a line for each tool."""
    print(USAGE)
    lines = {'quickstart': QUICKSTART, **{name: summarize(path) for name, path in tools.items()}}
    width = max(map(len, lines))
    for name, line in lines.items():
        print(f'  {name:{width}}  {line}')
    print(
        f'\n{GPUS_HELP}A config such as configs/dualformer_t_k400.py that the current folder does not have is\n'
        f'taken from {ROOT / "configs"}.'
    )


def find_config(argument: str) -> str:
    """Turn an argument that names a config of ours, and no file of the current folder, into the config's path.

    The argument is a name, or ends in one: ``--config=configs/dualformer_t_k400.py``.
    """
    before, equals, name = argument.rpartition('=')
    path = Path(name)
    is_ours = path.parts[:1] == ('configs',) and path.suffix == '.py' and not path.exists()
    return f'{before}{equals}{ROOT / path}' if is_ours and (ROOT / path).is_file() else argument


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.exit(f'error: {message.removeprefix("argument ")}')


def take_gpus(name: str, path: Path, arguments: list[str]) -> tuple[int | None, list[str]]:
    """Take ``--gpus N`` out of a tool's arguments: the number, or None, and the other arguments."""
    end = arguments.index('--') if '--' in arguments else len(arguments)  # what follows are names of files
    ours, files = arguments[:end], arguments[end:]
    if name not in SEVERAL_PROCESSES:
        has_its_own = "'--gpus'" in path.read_text(encoding='utf-8')
        if not has_its_own and any(argument.partition('=')[0] == '--gpus' for argument in ours):
            sys.exit(f'error: {name} takes no --gpus; {", ".join(SEVERAL_PROCESSES)} do')
        return None, arguments
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument('--gpus', type=int)
    known, others = parser.parse_known_args(ours)
    if known.gpus is not None and known.gpus < 1:
        sys.exit(f'error: --gpus {known.gpus} must be at least 1')
    return known.gpus, [*others, *files]


def launch(path: Path, processes: int, arguments: list[str]) -> None:
    """Run a tool in several processes of this machine, as tools/dist_train.sh does."""
    from mmdualformer.launch import main as launch_main

    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        free = probe.getsockname()[1]
    nodes = os.environ.get('NNODES', '1')
    port = os.environ.get('PORT', free if nodes == '1' else 29500)  # all machines must name the same
    sys.argv = [
        'mmdualformer.launch',
        f'--nnodes={nodes}',
        f'--node-rank={os.environ.get("NODE_RANK", "0")}',
        f'--master-addr={os.environ.get("MASTER_ADDR", "127.0.0.1")}',
        f'--master-port={port}',
        f'--nproc-per-node={processes}',
        str(path),
        '--launcher',
        'pytorch',
        *arguments,
    ]
    launch_main()


def run_tool(name: str, path: Path, arguments: list[str]) -> None:
    """Run a tool in this process, or with ``--gpus`` in several."""
    gpus, arguments = take_gpus(name, path, arguments)
    if name in SEVERAL_PROCESSES and {'-h', '--help'} & set(arguments):
        print(f'{GPUS_HELP}The other arguments are:\n')

    if name != 'doctor':  # which says why the package cannot be imported
        import mmdualformer  # noqa: F401  (says what is missing, whatever the tool imports first)

    if gpus is not None:
        return launch(path, gpus, arguments)
    sys.argv = [str(path), *arguments]
    runpy.run_path(str(path), run_name='__main__')


def quickstart(arguments: list[str]) -> None:
    """Run tools/quickstart.sh, or, from an installed package, its steps after the environment, in the current folder.

    As there, what an earlier run finished is reused.
    """
    argparse.ArgumentParser(prog='mmdualformer quickstart', description=QUICKSTART).parse_args(arguments)
    from mmdualformer.processes import run

    if IN_CHECKOUT:
        sys.exit(run(['bash', str(ROOT / 'tools' / 'quickstart.sh')]))

    def step(*command: object) -> None:
        print('==', 'mmdualformer', *command, flush=True)
        code = run([sys.executable, '-c', COMMAND, *map(str, command)])
        if code:
            sys.exit(code)

    step('doctor', '--brief')

    import torch

    config, data, work = 'configs/dualformer_micro_motion.py', Path('data/motion'), Path('work_dirs/quickstart')
    # as many processes as GPUs, of a number that divides the batch of 16; two without a GPU
    processes = max(count for count in (1, 2, 4, 8) if count <= (torch.cuda.device_count() or 2))
    several = ('--gpus', processes, '--work-dir', work)
    if not (data / 'label_map.txt').exists():
        step('make-motion-clips', '--out', data)
    trained = work / 'trained'
    if not trained.exists():
        step('train', config, *several, '--resume', '--cfg-options', f'train_dataloader.batch_size={16 // processes}')
        best = max(work.glob('best_acc_top1_epoch_*.pth'), key=os.path.getmtime)
        trained.write_text(f'{best}\n')
    checkpoint = trained.read_text().strip()
    step('test', config, checkpoint, *several)
    step('recognize', checkpoint, max((data / 'videos_val').glob('*.mp4')))


def main() -> None:
    """Run the tool that the command line names."""
    tools = find_tools()
    name, *arguments = sys.argv[1:] or ['--help']
    name = name.replace('_', '-')
    if IN_CHECKOUT:  # the processes of a tool import this checkout too
        os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    os.environ['MMDUALFORMER_COMMAND'] = name  # for mmdualformer.commands
    arguments = [find_config(argument) for argument in arguments]
    if name in ('-h', '--help'):
        print_help(tools)
    elif name == 'quickstart':
        quickstart(arguments)
    elif name in tools:
        run_tool(name, tools[name], arguments)
    else:
        close = difflib.get_close_matches(name, ['quickstart', *tools])
        hint = f'did you mean {" or ".join(close)}?' if close else 'mmdualformer --help lists them'
        sys.exit(f'error: there is no tool {name!r}; {hint}')


if __name__ == '__main__':
    main()
