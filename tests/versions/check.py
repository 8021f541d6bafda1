"""Install and try each combination of versions that setup.py claims: python tests/versions/check.py [NAME ...]

README.md beside this file says what is needed and what is printed. Nothing but Python's own library and the program
`uv` is used here, which finds the Pythons, and installs the lowest versions and those of other platforms too.
"""

import argparse
import ast
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
COMBINATIONS = HERE / 'combinations.csv'
LIMIT = 7200  # seconds a command may take; a full mmcv is built in 20 to 60 minutes
LEFT_OUT = ('PYTHONPATH', 'VIRTUAL_ENV', 'PYTHONDONTWRITEBYTECODE')  # the last makes each process compile torch again
SHOWN = ('torch', 'mmengine', 'mmcv-lite', 'mmcv', 'numpy')


class Failed(Exception):
    """A command of a combination failed; its output is in the log."""


def read_combinations() -> list[dict[str, str]]:
    """The rows of combinations.csv, in their order."""
    with COMBINATIONS.open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def read_requirements(mmcv: str) -> list[str]:
    """What setup.py requires, with what ONNX export needs.

    Args:
        mmcv (str): ``'lite'`` for mmcv-lite too, and ``'full'`` for none.
    """
    wanted = {'REQUIREMENTS', 'EXPORT_REQUIREMENTS', *(['MMCV_REQUIREMENTS'] if mmcv == 'lite' else [])}
    tree = ast.parse((REPO / 'setup.py').read_text(encoding='utf-8'))
    lists = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in wanted
    }
    return [line for name in sorted(wanted) for line in lists[name]]


def read_constraints(pins: list[str]) -> list[str]:
    """The lines of constraints.txt, but for packages that ``pins`` has in another version."""
    names = {pin.partition('==')[0] for pin in pins}
    lines = (REPO / 'constraints.txt').read_text(encoding='utf-8').splitlines()
    return [*(line for line in lines if line.partition('==')[0] not in names), *pins]


class Trial:
    """One combination, installed and tried in a folder of its own.

    Args:
        row (dict): Of ``read_combinations``.
        folder (Path): Where its environment and its log go.
        wheel (Path): Of mmdualformer.
    """

    def __init__(self, row: dict[str, str], folder: Path, wheel: Path) -> None:
        self.row, self.folder, self.wheel = row, folder, wheel
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / 'log.txt'
        self.log.write_text('')
        self.python = folder / 'venv' / 'bin' / 'python'

    def run(self, *command: object, cwd: Path | None = None) -> None:
        """Run a command, whose output goes to the log."""
        words = [str(word) for word in command]
        environ = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        environ['PATH'] = os.pathsep.join([str(self.python.parent), environ['PATH']])  # the compiler's ninja
        with self.log.open('ab') as log:
            log.write(f'$ {" ".join(words)}\n'.encode())
            log.flush()
            try:
                status = subprocess.run(
                    words, cwd=cwd or self.folder, stdout=log, stderr=log, env=environ, timeout=LIMIT
                ).returncode
            except subprocess.TimeoutExpired:
                raise Failed(f'{words[0]} did not end in {LIMIT} s') from None
        if status:
            raise Failed(f'exit status {status} of {" ".join(words)}')

    def try_it(self) -> dict[str, str]:
        """Install and try it.

        Returns:
            dict: Versions of ``SHOWN``, by name.
        """
        row = self.row
        requirements = self.folder / 'requirements.txt'
        requirements.write_text('\n'.join([*read_requirements(row['mmcv']), f'mmdualformer @ {self.wheel.as_uri()}']))
        options: list[object] = ['--only-binary', ':all:']
        pins = row['pins'].split()
        if row['versions'] == 'pinned':
            constraints = self.folder / 'constraints.txt'
            constraints.write_text('\n'.join(read_constraints(pins)))
            options += ['-c', constraints]
        elif row['versions'] == 'lowest':
            options += ['--resolution', 'lowest-direct']
        if row['platform'] != 'x86_64':
            return self._resolve(requirements, options)
        self.run('uv', 'venv', '--clear', '--python', row['python'], self.folder / 'venv')
        install = ['uv', 'pip', 'install', '--python', self.python]
        self.run(*install, *options, '-r', requirements)
        if row['mmcv'] == 'full':  # has no wheels, and is built with the installed torch
            self.run(*install, '-c', constraints, 'ninja', 'wheel')
            os.environ['MMCV_WITH_OPS'] = '1'
            self.run(*install, '-c', constraints, '--no-build-isolation', 'mmcv>=2.1.0,<2.2')
        work = self.folder / 'work'
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        self.run(self.python, HERE / 'smoke.py', cwd=work)
        return json.loads((work / 'versions.json').read_text())

    def _resolve(self, requirements: Path, options: list[object]) -> dict[str, str]:
        """Find wheels of another platform, and install none."""
        out = self.folder / 'resolved.txt'
        with requirements.open('a') as file:
            file.write('\nmmaction2>=1.2.0,<2.0\n')  # which is installed with --no-deps there
        no_deps = self.folder / 'overrides.txt'
        no_deps.write_text('decord; platform_machine == "x86_64"\n')
        where = ['--python-platform', f'{self.row["platform"]}-manylinux_2_28', '--python-version', self.row['python']]
        self.run('uv', 'pip', 'compile', requirements, *options, *where, '--overrides', no_deps, '-o', out)
        return dict(re.findall(r'^([\w-]+)==(\S+)', out.read_text(), flags=re.MULTILINE))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*', metavar='NAME', help='combinations of combinations.csv (default: all)')
    parser.add_argument('--out', type=Path, metavar='FOLDER', help='folder for the logs (default: a temporary one)')
    args = parser.parse_args()
    known = [row['name'] for row in read_combinations()]
    for name in args.names:
        if name not in known:
            parser.error(f'{name!r} is none of {", ".join(known)}')
    return args


def main() -> None:
    args = parse_args()
    if shutil.which('uv') is None:
        sys.exit('error: the program uv is missing: pip install uv')
    out = (args.out or Path(tempfile.mkdtemp(prefix='versions-'))).resolve()
    subprocess.run(['uv', 'build', '--wheel', '-q', '--out-dir', out, REPO], check=True)
    (wheel,) = out.glob('mmdualformer-*.whl')
    print('| name | Python | torch | MMEngine | mmcv | numpy | result |', '| --- ' * 7 + '|', sep='\n', flush=True)
    failed = []
    for row in read_combinations():
        if args.names and row['name'] not in args.names:
            continue
        trial = Trial(row, out / row['name'], wheel)
        versions, result = {}, 'runs' if row['platform'] == 'x86_64' else 'wheels found'
        try:
            versions = trial.try_it()
        except Failed as error:
            failed.append(row['name'])
            print(f'{row["name"]}: {error}; see {trial.log}', file=sys.stderr)
            result = 'FAILED'
        mmcv = f'{versions.get("mmcv-lite") or versions.get("mmcv")}, {row["mmcv"]}'
        cells = [versions.get(name, '') for name in ('torch', 'mmengine')]
        line = [row['name'], row['python'], *cells, mmcv, versions.get('numpy', ''), result]
        print(f'| {" | ".join(line)} |', flush=True)
        shutil.rmtree(out / row['name'] / 'venv', ignore_errors=True)  # up to 6 GB each
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
