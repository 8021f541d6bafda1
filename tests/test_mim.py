"""What OpenMIM and MMEngine's hub say where they look for weights of ours, of which none are published."""

import os
import subprocess
import sys

import pytest
from mmengine.hub import get_config, get_model

from tests.helpers import REPO

# What openmim has of this; it takes requests and setuptools to old versions, so that it is not installed for tests.
OPENMIM = {
    'mim/__init__.py': 'from .commands import download\n',
    'mim/commands/__init__.py': 'from .download import download\nfrom .search import get_model_info\n',
    'mim/commands/search.py': (
        'def get_model_info(package, configs=None, shown_fields=None, to_dict=False):\n'
        '    assert "weight" not in shown_fields or package != "mmdualformer", "Expected fields"\n'
        '    names = ["dualformer_b_k400", "vidtr_s_k400", "vmf_1g_k400", "tsn"]\n'
        '    return {name: {field: f"{field} of {name}" for field in shown_fields} for name in names}\n'
    ),
    'mim/commands/download.py': (
        'from mim.commands.search import get_model_info\n'
        'def download(package, configs):\n'
        '    info = get_model_info(package, shown_fields=["weight", "config"], to_dict=True)\n'
        '    return [info[name]["weight"] + info[name]["config"] for name in configs]\n'
    ),
}


@pytest.fixture
def download(tmp_path):
    """Call ``mim.download`` several times, in one process of its own: what it gives, or a line of what it raises."""
    for name, text in OPENMIM.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*calls: str, before: str = '') -> list[str]:
        code = f'{before}\nimport mim\n' + ''.join(
            f'try: print(mim.download({call}))\nexcept Exception as error: print(type(error).__name__, error)\n'
            for call in calls
        )
        env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), str(REPO)])}
        result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120, env=env)
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    return run


def test_mim_download_says_in_a_line_that_nothing_is_published(download):
    other, dualformer, vmf, unknown = download(
        '"mmaction2", ["tsn"]',
        '"mmdualformer", ["dualformer_b_k400"]',
        '"mmdualformer", ["vmf_1g_k400"]',
        '"mmdualformer", ["dualformer_x"]',
    )
    assert other == "['weight of tsnconfig of tsn']"
    assert dualformer == (
        'ClickException no weights of dualformer_b_k400 are published; `mmdualformer convert-checkpoint dualformer '
        'FILE --out NEW.pth` converts those of its authors (docs/dualformer.md)'
    )
    assert vmf.endswith('vmf_1g_k400 are published; its authors published none; `mmdualformer train` trains it')
    assert unknown == "KeyError 'dualformer_x'"  # OpenMIM's own error lists the names


def test_mim_download_says_so_where_mmdualformer_came_first(download):
    (line,) = download('"mmdualformer", ["vidtr_s_k400"]', before='import mmdualformer')
    assert 'convert-checkpoint vidtr' in line


@pytest.fixture
def package_with_metafiles():
    """The hub reads them from where an installation puts them."""
    if not (REPO / 'mmdualformer/.mim/model-index.yml').exists():
        pytest.skip('mmdualformer is not installed in place: it has no .mim')


@pytest.mark.parametrize('get', [get_config, get_model])
@pytest.mark.parametrize(
    'name, hint',
    [
        ('dualformer_t_k400', '`mmdualformer convert-checkpoint dualformer FILE'),
        ('vmf_560m_k400', 'its authors published none'),
        ('vmf_micro_motion', '`mmdualformer train` trains it'),
    ],
)
def test_pretrained_models_of_the_hub(package_with_metafiles, get, name, hint):
    with pytest.raises(LookupError, match=f'no weights of {name} are published; {hint}'):
        get(f'mmdualformer::{name}.py', pretrained=True)


def test_configs_of_the_hub_are_those_of_the_files(package_with_metafiles):
    assert get_config('mmdualformer::vidtr_s_k400.py').filename.endswith('configs/vidtr_s_k400.py')
    assert get_config('mmdualformer::vmf_micro_motion.py').filename.endswith('configs/vmf_micro_motion.py')
    with pytest.raises(FileNotFoundError, match=r'vidtr_x_k400\.py'):
        get_config('mmdualformer::vidtr_x_k400.py')
    assert get_config('mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py', True)
