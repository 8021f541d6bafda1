"""Installs mmdualformer; tool settings are in pyproject.toml, exact versions in constraints.txt."""

import os
import shutil
import site
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FILES = ('configs', 'tools', 'model-index.yml')  # what an OpenMMLab package carries in its .mim folder

# Runs mmdualformer/_startup.py, which says why, without importing the package.
STARTUP = (
    "import importlib.util as u; s = u.find_spec('mmdualformer'); "
    "s and s.origin and exec(open(s.submodule_search_locations[0] + '/_startup.py').read(), {})\n"
)

REQUIREMENTS = [
    'torch>=2.6',
    'mmengine>=0.10.7,<1.0',
    'mmaction2>=1.2.0,<2.0',
    'einops',
    # decord has wheels for x86 only; decord2 is the same module for Arm
    'decord>=0.6.0; platform_machine != "aarch64" and platform_machine != "arm64"',
    'decord2; platform_machine == "aarch64" or platform_machine == "arm64"',
    'av>=17',  # FFmpeg: reads and writes videos
    'filelock',
    'numpy',
    'psutil',
    'pyyaml',
    'matplotlib',
    'opencv-python',
    'pillow',
    # needed by the above, declared by none of them
    'importlib_metadata>=4.8',  # mmaction2
    'setuptools>=77.0.3,<82',  # mmengine imports pkg_resources, which 82 removed; torch 2.13 needs 77
]
EXPORT_REQUIREMENTS = ['onnx', 'onnxscript', 'onnxruntime']
DOCS_REQUIREMENTS = ['sphinx', 'myst-parser', 'furo']


def mmcv_requirements():
    """mmcv-lite, unless the environment that is installed into has an mmcv: the two own the same files.

    pip builds in an isolated environment, but with the interpreter, and so the paths, of the one it installs into.
    """
    paths = {sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}
    venv = Path(sys.prefix, 'pyvenv.cfg')
    if not venv.exists() or 'include-system-site-packages = true' in venv.read_text(encoding='utf-8'):
        paths.update([site.getusersitepackages(), *site.getsitepackages([sys.base_prefix])])
    installed = {dist.metadata['Name'] for dist in metadata.distributions(path=sorted(paths))}
    return [] if installed & {'mmcv', 'mmcv-full', 'mmcv_full'} else ['mmcv-lite>=2.1.0,<2.2']


class BuildWithMim(build_py):
    """Adds ``mmdualformer/.mim``, links in an editable install and copies in any other, and ``mmdualformer.pth``."""

    def run(self):
        super().run()
        target = (ROOT if self.editable_mode else Path(self.build_lib)) / 'mmdualformer' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_FILES:
            source = ROOT / name
            if self.editable_mode:
                try:
                    (target / name).symlink_to(os.path.relpath(source, target), target_is_directory=source.is_dir())
                    continue
                except OSError:  # Windows links for administrators and developers only
                    pass
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copy2(source, target / name)
        # site-packages: the build folder becomes it, and an editable install has its own
        site_packages = self.get_finalized_command('install').install_lib if self.editable_mode else self.build_lib
        Path(site_packages, 'mmdualformer.pth').write_text(STARTUP)


version = {}
exec((ROOT / 'mmdualformer' / 'version.py').read_text(), version)

setup(
    name='mmdualformer',
    version=version['__version__'],
    description='DualFormer, Video Mobile-Former and VidTr for MMAction2',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The mmdualformer authors',
    license='Apache-2.0',
    classifiers=[
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 14)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    keywords=['action recognition', 'video transformer', 'MMAction2'],
    packages=find_packages(include=['mmdualformer', 'mmdualformer.*']),
    package_data={'mmdualformer.checkpoints': ['*.txt'], 'mmdualformer.papers': ['published/*.yaml']},
    entry_points={'console_scripts': ['mmdualformer = mmdualformer.__main__:main']},
    python_requires='>=3.10,<3.14',
    install_requires=REQUIREMENTS + mmcv_requirements(),
    extras_require={
        'docs': DOCS_REQUIREMENTS,
        'export': EXPORT_REQUIREMENTS,
        'test': ['pytest', 'pytest-xdist', 'ruff', *DOCS_REQUIREMENTS, *EXPORT_REQUIREMENTS],
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
