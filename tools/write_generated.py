"""Write model-index.yml, the families' metafiles and docs/reproduction.md from the configs and the papers' tables."""

from pathlib import Path

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.papers.metafiles import write_metafiles
from mmdualformer.papers.page import write_page

ROOT = Path(__file__).parents[1]


def main() -> None:
    cli.ArgumentParser(description=__doc__).parse_args()
    for path, text in {**write_metafiles(ROOT), Path('docs/reproduction.md'): write_page()}.items():
        (ROOT / path).write_text(text, encoding='utf-8')
        print(path)


if __name__ == '__main__':
    cli.run(main)
