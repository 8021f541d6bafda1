"""The notebook runs from its first cell to its last."""

import json
import subprocess
import sys

from tests.helpers import REPO

NOTEBOOK = REPO / 'docs/tour.ipynb'
LESS = {'--epochs 8': '--epochs 1', 'epoch_8': 'epoch_1', 'range(16)': 'range(4)'}  # for a test


def as_script(cells: list[dict]) -> str:
    """The code of a notebook as a script, in which ``!command {name}`` is a process, as in IPython."""
    lines = ['import subprocess', 'import matplotlib', "matplotlib.use('agg')"]
    for cell in cells:
        if cell['cell_type'] == 'code':
            for line in ''.join(cell['source']).splitlines():
                command = line.removeprefix('!')
                lines.append(line if command == line else f'subprocess.run(f{command!r}, shell=True, check=True)')
    script = '\n'.join(lines)
    for whole, part in LESS.items():
        assert whole in script
        script = script.replace(whole, part)
    return script


def test_the_tour_runs_and_says_what_it_has_shown(tmp_path):
    cells = json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
    script = tmp_path / 'tour.py'
    script.write_text(as_script(cells), encoding='utf-8')
    result = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count('tour/clips/down/00.mp4\n') == 2  # recognized by the checkpoint, and by the ONNX file
    assert result.stdout.endswith('True\n')
    assert (tmp_path / 'tour/why.png').is_file() and (tmp_path / 'tour/fit/report/report.html').is_file()


def test_its_outputs_are_those_of_a_run():
    cells = json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
    shown = [cell for cell in cells if cell['cell_type'] == 'code' and cell['outputs']]
    assert len(shown) >= 6
    assert not [output for cell in shown for output in cell['outputs'] if output['output_type'] == 'error']
