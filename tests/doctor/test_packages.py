import re
import sys
from pathlib import Path

import pytest

from mmdualformer.doctor import packages
from mmdualformer.doctor.running import FAULT, OK, WARNING
from tests.helpers import REPO


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put the metadata of distributions, such as pip leaves them, before those that are installed."""

    def write(**versions: str) -> None:
        for name, version in versions.items():
            version, *requires = version.split('; ')
            info = tmp_path / 'site' / f'{name}-{version}.dist-info'
            info.mkdir(parents=True)
            lines = ['Metadata-Version: 2.1', f'Name: {name.replace("_", "-")}', f'Version: {version}']
            lines += [f'Requires-Dist: {line}' for line in requires]
            (info / 'METADATA').write_text('\n'.join(lines) + '\n')
        monkeypatch.syspath_prepend(tmp_path / 'site')

    return write


def faults_of(check) -> list:
    return [result for result in check() if result.status != OK]


def test_the_installed_packages_are_in_order():
    for check in (packages.check_python, packages.check_requirements, packages.check_pins, packages.check_conflicts):
        assert not faults_of(check)


@pytest.mark.parametrize(
    ('versions', 'status', 'text', 'mend'),
    [
        (
            dict(torchvision='0.24.0; torch (==2.9.0)'),
            FAULT,
            r'torchvision: 0\.24\.0 is built for torch 2\.9\.0',
            'pip uninstall -y torchvision',
        ),
        # of the right version, and yet it cannot be imported
        (dict(torchvision='0.28.0; torch==2.13.0'), FAULT, 'torchvision is missing', 'pip uninstall -y torchvision'),
        (dict(transformers='4.50.0'), FAULT, 'need timm and torchvision too', 'pip uninstall -y transformers'),
        (dict(mmcv='2.1.0'), FAULT, 'mmcv and mmcv-lite overwrite', r"uninstall -y mmcv mmcv-lite && .* 'mmcv-lite>="),
        (dict(decord2='3.4.0'), FAULT, 'decord and decord2 overwrite', 'uninstall -y decord decord2 && .* decord$'),
        (dict(mmengine_lite='0.10.7'), FAULT, 'mmengine and mmengine-lite overwrite', ' mmengine$'),
        (
            dict(opencv_python_headless='4.1'),
            WARNING,
            'differ: opencv-python 5.*, opencv-python-headless 4.1',
            'install .*opencv-contrib-python opencv-python$',
        ),
        (dict(openmim='0.3.9'), WARNING, 'openmim', 'uninstall -y openmim'),
        (dict(moviepy='1.0.3', decorator='5.1.1'), WARNING, 'moviepy 1 needs', "'decorator<5'"),
        (dict(moviepy='2.1.0', decorator='5.1.1', transformers='4.20.0'), OK, '', ''),
    ],
)
def test_conflicts_come_with_the_command_that_mends_them(versions, status, text, mend, install):
    install(**versions)
    found = faults_of(packages.check_conflicts)
    assert [result.status for result in found] == [status] * (status != OK)
    for result in found:
        assert re.search(text, f'{result.name}: {result.text}') and re.search(mend, result.mend)


def test_an_mmcv_that_is_missing_or_too_new(monkeypatch):
    versions: dict = {}
    monkeypatch.setattr(packages, 'version_of', versions.get)
    (result,) = packages._mmcv()
    assert result.status == FAULT and result.mend.endswith("install -c constraints.txt 'mmcv-lite>=2.1.0,<2.2'")
    versions['mmcv'] = '2.2.0'
    (result,) = packages._mmcv()
    assert '2.2.0 is installed' in result.text and 'uninstall -y mmcv && ' in result.mend
    versions['mmcv'] = '2.1.0'
    assert not list(packages._mmcv())


def test_what_requirements_do_not_allow(install):
    install(setuptools='82.0.1', numpy='1.0', mmengine='0.10.7; no-such-package>=3; no-extra;extra == "all"')
    found = {result.text: result.mend for result in faults_of(packages.check_requirements)}
    text, mend = next(item for item in found.items() if 'mmdualformer needs setuptools' in item[0])
    assert '82.0.1 is installed; 82 has no pkg_resources' in text and mend.endswith("'setuptools<82,>=77.0.3'")
    assert 'mmengine needs no-such-package>=3, which is missing' in found
    assert not [text for text in found if 'no-extra' in text]
    assert [text for text in found if 'numpy' in text and '1.0 is installed' in text]


def test_what_is_not_as_pinned(install):
    install(einops='0.7.0', pytest='1.0')  # the second of which a run does not need
    (result,) = packages.check_pins()
    assert result.status == WARNING and result.text.endswith('tested: einops 0.7.0 for 0.8.2')
    assert '-e ' in result.mend and '[mmcv]' in result.mend


def test_a_python_that_is_too_old_or_new(monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 14, 0))
    (result,) = packages.check_python()
    assert result.status == FAULT and 'make_venv.sh .venv' in result.mend


def test_the_stack_that_is_named_is_the_pinned_one():
    pins = (REPO / 'constraints.txt').read_text(encoding='utf-8').splitlines()
    assert set(packages.TESTED) <= set(pins)


def test_an_installed_package_names_its_requirements_and_no_checkout(monkeypatch):
    monkeypatch.setattr(packages, 'IN_CHECKOUT', False)
    monkeypatch.setattr('mmdualformer.doctor.running.IN_CHECKOUT', False)
    assert any(re.match(r'torch\b.*>=2\.\d', line) for line in packages.read_requirements())
    assert packages.install_all().endswith(" -m pip install mmengine==0.10.7 mmaction2==1.2.0 'mmcv-lite>=2.1.0,<2.2'")
    assert not list(packages.check_pins())
    assert Path(packages.install_all().split()[0]).name.startswith('python')


def test_on_arm_mmaction2_is_installed_without_decord(monkeypatch):
    """It requires decord, which has no wheels there."""
    monkeypatch.setattr(packages.platform, 'machine', lambda: 'aarch64')
    first, second = packages.install_all().split(' && ')
    assert first.endswith('[mmcv]"') and second.endswith(' --no-deps mmaction2==1.2.0')
    monkeypatch.setattr(packages, 'IN_CHECKOUT', False)
    first, second = packages.install_all().split(' && ')
    assert 'mmaction2' not in first and second.endswith(' --no-deps mmaction2==1.2.0')
