"""What OpenMIM and MMEngine's hub say where they look for weights of ours, of which none are published."""

import os
import subprocess
import sys

import pytest
from mmengine.hub import get_config, get_model

from tests.helpers import REPO

# openmim takes requests and setuptools to old versions, so that it is not installed where these tests run
OPENMIM = {
    'mim/__init__.py': 'from .commands import download\n',
    'mim/commands/__init__.py': 'from .download import download\n',
    'mim/commands/download.py': (
        'def download(package, configs=None, dest_root=None, check_certificate=True, dataset=None):\n'
        '    return f"downloaded {configs} of {package}"\n'
    ),
}


@pytest.fixture(scope='module')
def download(tmp_path_factory):
    """Call ``mim.download`` several times, in one process of its own: what it gives, or a line of what it raises."""
    folder = tmp_path_factory.mktemp('openmim')
    for name, text in OPENMIM.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def run(*calls: str, before: str = '') -> list[str]:
        code = f'{before}\nimport mim\n' + ''.join(
            f'try: print(mim.download({call}))\nexcept Exception as error: print(type(error).__name__, error)\n'
            for call in calls
        )
        env = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(folder), str(REPO)])}
        result = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, env=env, cwd=folder
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    return run


def test_mim_download_says_in_a_line_that_nothing_is_published(download):
    other, dualformer, vmf, several, unknown, data, nothing = download(
        '"mmaction2", ["tsn"]',
        '"mmdualformer", ["dualformer_b_k400"]',
        '"mmdualformer", ["vmf_1g_k400"]',
        '"mmdualformer", ["vidtr_s_k400", "vmf_1g_k400"], dest_root="."',
        '"mmdualformer", ["dualfomer_b_k400"]',
        '"mmdualformer", dataset="kinetics400"',
        '"mmdualformer"',
    )
    assert other == "downloaded ['tsn'] of mmaction2"
    assert dualformer == (
        'ClickException no weights of dualformer_b_k400 are published; `mmdualformer convert-checkpoint dualformer '
        'FILE --out NEW.pth` converts those of its authors (docs/dualformer.md)'
    )
    assert vmf.endswith('vmf_1g_k400 are published; its authors published none; `mmdualformer train` trains it')
    assert 'vidtr_s_k400, vmf_1g_k400 are' in several
    assert 'convert-checkpoint vidtr' in several and 'its authors published none' in several
    assert "no model 'dualfomer_b_k400'; did you mean dualformer_b_k400" in unknown
    assert 'mmdualformer prepare' in data
    assert '--config' in nothing


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
