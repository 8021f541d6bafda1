"""Write the files and tables that are made from the configs and the papers' tables.

These are model-index.yml, the metafiles, docs/reproduction.md, and the tables of README.md and docs/ that stand
between markers.
"""

from pathlib import Path

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.errors import UserError
from mmdualformer.papers.blocks import write_blocks
from mmdualformer.papers.metafiles import write_metafiles
from mmdualformer.papers.page import write_page

ROOT = Path(__file__).parents[1]


def generate() -> dict[Path, str]:
    """Path within the repository -> text."""
    return {**write_metafiles(ROOT), Path('docs/reproduction.md'): write_page(), **write_blocks(ROOT)}


def main() -> None:
    cli.ArgumentParser(description=__doc__).parse_args()
    if not (ROOT / 'README.md').is_file():
        raise UserError(f'write-generated works in a checkout; {ROOT} is none')
    for path, text in generate().items():
        (ROOT / path).write_text(text, encoding='utf-8')
        print(path)


if __name__ == '__main__':
    cli.run(main)
