"""Python, and the packages: what is missing, too old or new, or in the way of another."""

from __future__ import annotations

import ast
import platform
import re
import shlex
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Any

from mmdualformer.commands import IN_CHECKOUT, ROOT
from mmdualformer.version import __version__

from .running import FAULT, MMCV, OK, WARNING, Result, import_or_fault, pip, shown

PYTHONS = ((3, 10), (3, 14))  # from, and below
TESTED = ('mmengine==0.10.7', 'mmaction2==1.2.0')  # as in constraints.txt
# distributions that bring the same files, of which pip lets one overwrite another's
SAME_FILES = (('mmcv', 'mmcv-lite', 'mmcv-full'), ('mmengine', 'mmengine-lite'), ('decord', 'decord2'))
REASONS = {'setuptools': '; 82 has no pkg_resources, which MMEngine imports'}
OPENCV = ('opencv-python', 'opencv-contrib-python', 'opencv-python-headless', 'opencv-contrib-python-headless')


def version_of(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _is_arm() -> bool:
    return platform.machine() in ('aarch64', 'arm64')


def install_all() -> str:
    """The command that installs the stack that is tested; in a checkout mmdualformer too."""
    has_full_mmcv = version_of('mmcv') or version_of('mmcv-full')  # which stays as it is
    by_itself = [line for line in TESTED if _is_arm() and line.startswith('mmaction2')]  # as setup.py says
    if IN_CHECKOUT:
        command = pip(f'install -e "{shown(ROOT)}{"" if has_full_mmcv else "[mmcv]"}"')
    else:
        together = [line for line in TESTED if line not in by_itself]
        command = pip('install ' + shlex.join([*together, *([] if has_full_mmcv else [MMCV])]))
    return ' && '.join([command, *(pip(f'install --no-deps {line}') for line in by_itself)])


def replace(names: Iterable[str], *requirements: str) -> str:
    """The command that removes distributions and installs others."""
    return f'{pip("uninstall -y " + " ".join(names))} && {pip("install " + shlex.join(requirements))}'


def check_python() -> Iterator[Result]:
    """Version and platform."""
    lowest, above = PYTHONS
    text = f'{platform.python_version()}, {struct.calcsize("P") * 8} bit, on {platform.system()} {platform.machine()}'
    if not lowest <= sys.version_info < above:
        mend = 'PYTHON=python3.11 bash tools/make_venv.sh .venv' if IN_CHECKOUT else 'python3.11 -m venv .venv'
        yield Result('python', FAULT, f'{text}; 3.10 to 3.13 are supported', mend)
    elif platform.system() != 'Linux':
        yield Result('python', WARNING, f'{text}; only Linux is tested', 'docker run -it --shm-size=8g python:3.11')
    else:
        yield Result('python', OK, text)


def read_requirements() -> list[str]:
    """What mmdualformer requires: of the checkout, or of what is installed."""
    if IN_CHECKOUT:
        tree = ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8'))
        (value,) = (
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'REQUIREMENTS'
        )
        return ast.literal_eval(value)
    return metadata.requires('mmdualformer') or []


def _walk() -> Iterator[tuple[str, Any, str | None]]:
    """What mmdualformer requires, what that requires in turn, and so on: who, what and the installed version."""
    from packaging.requirements import Requirement

    todo = [('mmdualformer', Requirement(line)) for line in read_requirements()]
    seen = set()
    while todo:
        owner, requirement = todo.pop(0)
        if requirement.marker and not requirement.marker.evaluate({'extra': ''}):
            continue
        version = version_of(requirement.name)
        yield owner, requirement, version
        if version is not None and requirement.name.lower() not in seen:
            seen.add(requirement.name.lower())
            lines = metadata.requires(requirement.name) or []
            todo += [(requirement.name, Requirement(line)) for line in lines]


def check_requirements() -> Iterator[Result]:
    """Whether what is required is there, in a version that is wanted."""
    if version_of('mmdualformer') is None:
        text = f'{__version__} is run from {shown(ROOT)}, but not installed'
        yield Result('mmdualformer', WARNING, text, install_all())
    names, good = set(), True
    for owner, requirement, version in _walk():
        names.add(requirement.name.lower())
        if version is None:
            is_wrong, found = not _has_stand_in(requirement.name), 'which is missing'
        else:
            is_wrong = not requirement.specifier.contains(version, prereleases=True)
            found = f'and {version} is installed{REASONS.get(requirement.name, "")}'
        if is_wrong:
            good = False
            wanted = f'{requirement.name}{requirement.specifier}'
            mend = pip(f'install {shlex.quote(wanted)}')
            yield Result('requirements', FAULT, f'{owner} needs {wanted}, {found}', mend)
    if good:
        yield Result('requirements', OK, f'{len(names)} packages, in versions that the others need')


def _has_stand_in(name: str) -> bool:
    """Whether another distribution brings the files of one that is missing."""
    group = next((group for group in (OPENCV, *SAME_FILES) if name in group), ())
    return any(version_of(other) for other in group)


def check_pins() -> Iterator[Result]:
    """The versions that CI tries, in a checkout."""
    from packaging.requirements import Requirement

    if not IN_CHECKOUT:
        return
    needed = {requirement.name.lower(): version for _, requirement, version in _walk() if version}
    others = []
    for line in (ROOT / 'constraints.txt').read_text(encoding='utf-8').splitlines():
        if line.partition('#')[0].strip():
            pinned = Requirement(line.partition('#')[0])
            version = needed.get(pinned.name.lower())
            is_meant = pinned.marker is None or pinned.marker.evaluate()
            if version and is_meant and not pinned.specifier.contains(version, prereleases=True):
                others.append(f'{pinned.name} {version} for {str(pinned.specifier).lstrip("=")}')
    if others:
        yield Result('pinned versions', WARNING, f'not those that are tested: {", ".join(others)}', install_all())
    else:
        yield Result('pinned versions', OK, 'those of constraints.txt')


def check_conflicts() -> Iterator[Result]:
    """Packages that are in each other's way."""
    found = [result for look in CONFLICTS for result in look()]
    yield from found
    if not found:
        yield Result('conflicts', OK, 'no package is in the way of another')


def _same_files() -> Iterator[Result]:
    for group in SAME_FILES:
        there = [name for name in group if version_of(name)]
        if len(there) > 1:
            keep = MMCV if 'mmcv' in group else next(name for name in group if name in there)
            text = f'{" and ".join(there)} overwrite the files of each other'
            yield Result('conflicts', FAULT, text, replace(there, keep))


def _mmcv() -> Iterator[Result]:
    there = [name for name in SAME_FILES[0] if version_of(name)]
    if not there:
        yield Result('mmcv', FAULT, 'no mmcv is installed', pip(f"install '{MMCV}'"))
    elif len(there) == 1:
        (name,) = there
        version = version_of(name) or ''
        if not (2, 1) <= _numbers(version) < (2, 2):
            text = f'MMAction2 needs mmcv 2.1, and {name} {version} is installed'
            yield Result('mmcv', FAULT, text, replace([name], MMCV))


def _opencv() -> Iterator[Result]:
    versions = {name: version for name in OPENCV if (version := version_of(name))}
    if len(set(versions.values())) > 1:
        mend = replace(versions, 'opencv-contrib-python', 'opencv-python')
        text = 'they overwrite the files of each other, and differ: '
        yield Result('opencv', WARNING, text + ', '.join(map(' '.join, versions.items())), mend)


def _torchvision() -> Iterator[Result]:
    version, torch = version_of('torchvision'), version_of('torch')
    if version is None:
        return
    mend = pip('uninstall -y torchvision')
    wanted = next((line for line in metadata.requires('torchvision') or [] if re.match(r'torch\b', line)), 'torch')
    built_for = re.search(r'== *([\d.]+)', wanted)
    if torch is not None and built_for and _numbers(built_for[1]) != _numbers(torch):
        text = f'{version} is built for torch {built_for[1]}, and {torch} is installed; MMEngine stops at it'
        yield Result('torchvision', FAULT, text, mend)
        return
    _, faults = import_or_fault('torchvision')
    yield from (fault._replace(mend=mend) for fault in faults)


def _transformers() -> Iterator[Result]:
    if _numbers(version_of('transformers') or '0') < (4, 28):  # MMAction2 looks for none before
        return
    missing = [name for name in ('timm', 'torchvision') if version_of(name) is None]
    if missing:
        text = f'MMAction2 takes it for its multi-modal models, which need {" and ".join(missing)} too'
        yield Result('transformers', FAULT, text, pip('uninstall -y transformers'))


def _decord() -> Iterator[Result]:
    if version_of('decord2') and not version_of('decord') and not _is_arm():
        text = 'decord2 is in its place, whose frames can differ from those of decord'
        yield Result('decord', WARNING, text, replace(['decord2'], 'decord'))


def _moviepy() -> Iterator[Result]:
    if _numbers(version_of('moviepy') or '2') < (2,) and _numbers(version_of('decorator') or '4') >= (5,):
        yield Result('moviepy', WARNING, 'moviepy 1 needs decorator below 5', pip("install 'decorator<5'"))


def _openmim() -> Iterator[Result]:
    if version_of('openmim'):
        text = 'openmim takes setuptools and requests to old versions; pip installs all that is needed'
        yield Result('openmim', WARNING, text, pip('uninstall -y openmim opendatalab openxlab'))


CONFLICTS: tuple[Callable[[], Iterator[Result]], ...] = (
    _same_files,
    _mmcv,
    _opencv,
    _torchvision,
    _transformers,
    _decord,
    _moviepy,
    _openmim,
)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, without zeros at the end: (2, 13) of 2.13.0+cpu."""
    numbers = [int(number) for number in re.match(r'[\d.]*', version)[0].strip('.').split('.') if number]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
