"""Starts the command ``mmdualformer``, whose code is mmdualformer/__main__.py, without importing the package.

So the command lists the tools at once, and also where the package cannot be imported for want of an mmcv.
"""

import runpy
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Run the command."""
    (package,) = find_spec('mmdualformer').submodule_search_locations
    runpy.run_path(str(Path(package, '__main__.py')), run_name='__main__')
