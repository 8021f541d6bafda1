"""Settings of the docs site: ``sphinx-build -W --keep-going -b html docs docs/_build``.

Sphinx, as MMAction2, MMEngine and PyTorch use it: it makes the API pages from the docstrings.
"""

import re
from pathlib import Path

from mmdualformer import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
URL = 'https://github.com/mmdualformer/mmdualformer'

project = 'mmdualformer'
author = 'The mmdualformer authors'
copyright = author
version = release = __version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']

myst_heading_anchors = 3  # as GitHub gives them to headings
myst_links_external_new_tab = True

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # the docstrings name the types
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False

highlight_language = 'none'  # blocks without a language are output

html_theme = 'furo'
html_title = f'mmdualformer {version}'
html_theme_options = {'source_repository': URL, 'source_branch': 'main', 'source_directory': 'docs/'}
html_copy_source = False
html_static_path = ['_static']
html_css_files = ['site.css']


def link_to_repository(app, docname, source) -> None:
    """Turn links to files beside the docs, such as ``../configs/x.py``, into links to the repository."""

    def replace(match: re.Match) -> str:
        kind = 'tree' if (REPOSITORY / match[1]).is_dir() else 'blob'
        return f']({URL}/{kind}/main/{match[1]})'

    source[0] = re.sub(r'\]\(\.\./([^)\s]+)\)', replace, source[0])


def setup(app) -> None:
    app.connect('source-read', link_to_repository)
