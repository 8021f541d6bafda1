"""What is made from the configs and the papers' tables."""

import runpy

from tests.helpers import REPO


def test_the_repository_has_what_the_script_writes():
    """After a change of a config or of a paper's table: python tools/write_generated.py."""
    files = runpy.run_path(str(REPO / 'tools/write_generated.py'))['generate']()
    assert len(files) >= 5
    for path, text in files.items():
        assert (REPO / path).read_text(encoding='utf-8') == text, path
