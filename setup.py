"""Installs mmdualformer; tool settings are in pyproject.toml, exact versions in constraints.txt."""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
URL = 'https://github.com/mmdualformer/mmdualformer'
RAW = 'https://raw.githubusercontent.com/mmdualformer/mmdualformer/main'
# what an OpenMMLab package carries in its .mim folder; the pages are those that its metafiles name
PAGES = ('docs/dualformer.md', 'docs/video_mobile_former.md', 'docs/vidtr.md')
MIM_FILES = ('configs', 'tools', 'model-index.yml', *PAGES)

# Runs mmdualformer/_startup.py, which says why, without importing the package.
STARTUP = (
    "import importlib.util as u; s = u.find_spec('mmdualformer'); "
    "s and s.origin and exec(open(s.submodule_search_locations[0] + '/_startup.py').read(), {})\n"
)

# The lower bounds are run by python tests/versions/check.py lowest; a new one is to be run first.
REQUIREMENTS = [
    'torch>=2.8,<3',
    'mmengine>=0.10.7,<1.0',
    # On Arm it is installed without what it requires: decord has wheels for x86 only, and decord2 is the same module
    'mmaction2>=1.2.0,<2.0; platform_machine != "aarch64" and platform_machine != "arm64"',
    'decord>=0.6.0; platform_machine != "aarch64" and platform_machine != "arm64"',
    'decord2>=3.4; platform_machine == "aarch64" or platform_machine == "arm64"',
    'einops>=0.7',
    'av>=17.1',  # FFmpeg: reads and writes videos
    'filelock>=3.13',
    'numpy>=1.26,<3',
    'psutil>=6',
    'pyyaml>=6.0.1',
    'rich>=13',
    'safetensors>=0.4',
    'matplotlib>=3.8',
    'jinja2>=3.1',  # the page of a report
    'opencv-python>=4.10.0.84',  # the first that works with numpy 2
    'opencv-contrib-python>=4.10.0.84',  # as the one above: both bring the same files
    'pillow>=10',
    'scipy>=1.11.2',  # the paths of moving scenes; mmaction2
    # needed by the above, declared by none of them
    'importlib_metadata>=4.8',  # mmaction2
    'setuptools>=77.0.3,<82',  # mmengine imports pkg_resources, which 82 removed; torch 2.13 needs 77
]
# No requirement, as there may be a full mmcv: the two own the same files, and pip would overwrite one by the other.
MMCV_REQUIREMENTS = ['mmcv-lite>=2.1.0,<2.2']
EXPORT_REQUIREMENTS = ['onnx>=1.18', 'onnxscript>=0.7', 'onnxruntime>=1.20']
OPENVINO_REQUIREMENTS = ['openvino', 'nncf']
TENSORBOARD_REQUIREMENTS = ['tensorboard']
TUNE_REQUIREMENTS = ['optuna>=4']
SERVE_REQUIREMENTS = ['starlette>=1', 'uvicorn', 'python-multipart']
TABLES_REQUIREMENTS = ['pyarrow']
NEIGHBOURS_REQUIREMENTS = ['lightning', 'torchmetrics', 'captum', 'huggingface_hub']  # whose use the docs show
DOCS_REQUIREMENTS = ['sphinx', 'myst-parser', 'furo']
TYPE_CHECKER_REQUIREMENTS = ['mypy', 'types-psutil']


def link_outside(markdown: str, folder: Path = ROOT) -> str:
    """Turn links to files of the repository, as seen from a folder of it, into links that work outside of it."""

    def replace(match: re.Match) -> str:
        before, target = match.groups()
        if not target or not (folder / target).exists():
            return match[0]
        target = Path(os.path.normpath(folder / target)).relative_to(ROOT).as_posix()
        if before != '](':  # an image: the file, not its page
            return f'{before}{RAW}/{target}'
        return f'{before}{URL}/{"tree" if (ROOT / target).is_dir() else "blob"}/main/{target}'

    return re.sub(r'(!\[[^][]*\]\(|src="|\]\()([^)"#:\s]*)', replace, markdown)


class BuildWithMim(build_py):
    """Adds ``mmdualformer/.mim``, links in an editable install and copies in any other, and ``mmdualformer.pth``."""

    def run(self):
        if not self.editable_mode:  # files that an earlier build left are in no wheel
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        target = (ROOT if self.editable_mode else Path(self.build_lib)) / 'mmdualformer' / '.mim'
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_FILES:
            source = ROOT / name
            (target / name).parent.mkdir(exist_ok=True)
            if self.editable_mode:
                try:
                    relative = os.path.relpath(source, (target / name).parent)
                    (target / name).symlink_to(relative, target_is_directory=source.is_dir())
                    continue
                except OSError:  # Windows links for administrators and developers only
                    pass
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__'))
            elif source.suffix == '.md':
                text = link_outside(source.read_text(encoding='utf-8'), source.parent)
                (target / name).write_text(text, encoding='utf-8')
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
    long_description=link_outside((ROOT / 'README.md').read_text(encoding='utf-8')),
    long_description_content_type='text/markdown',
    url=URL,
    project_urls={
        'Source': URL,
        'Documentation': f'{URL}/tree/main/docs',
        'Changelog': f'{URL}/blob/main/CHANGELOG.md',
        'Issues': f'{URL}/issues',
    },
    author='The mmdualformer authors',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Console',
        'Environment :: GPU :: NVIDIA CUDA',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3 :: Only',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 14)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    keywords=['action recognition', 'video transformer', 'MMAction2'],
    packages=find_packages(include=['mmdualformer', 'mmdualformer.*']),
    py_modules=['mmdualformer_command'],
    package_data={
        'mmdualformer.checkpoints': ['*.txt', 'motion_weights/*'],
        'mmdualformer.papers': ['published/*.yaml'],
        'mmdualformer.report': ['templates/*'],
        'mmdualformer.serving': ['page/*'],
    },
    entry_points={'console_scripts': ['mmdualformer = mmdualformer_command:main']},
    python_requires='>=3.10,<3.14',
    install_requires=REQUIREMENTS,
    extras_require={
        'mmcv': MMCV_REQUIREMENTS,
        'docs': DOCS_REQUIREMENTS,
        'export': EXPORT_REQUIREMENTS,
        'openvino': OPENVINO_REQUIREMENTS,
        'serve': SERVE_REQUIREMENTS,
        'tensorboard': TENSORBOARD_REQUIREMENTS,
        'tune': TUNE_REQUIREMENTS,
        'tables': TABLES_REQUIREMENTS,
        'test': [
            'pytest',
            'pytest-xdist',
            'pytest-timeout',
            'ruff',
            *TYPE_CHECKER_REQUIREMENTS,
            *DOCS_REQUIREMENTS,
            *EXPORT_REQUIREMENTS,
            *OPENVINO_REQUIREMENTS,
            *SERVE_REQUIREMENTS,
            *TENSORBOARD_REQUIREMENTS,
            *TUNE_REQUIREMENTS,
            *TABLES_REQUIREMENTS,
            *NEIGHBOURS_REQUIREMENTS,
        ],
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
