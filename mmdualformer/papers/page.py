"""``docs/reproduction.md``, from the papers' tables and the configs."""

from collections.abc import Sequence
from itertools import groupby

from .comparison import Cell, compare
from .families import FAMILIES
from .published import UNITS, Row, load_paper, load_rows, paper_name
from .report import cell_texts, config_link, markdown_table
from .twins import TOKEN_LABELLED, has_twins, without_token_labels

SETTINGS = ('data', 'pretraining', 'input', 'views')
UNRESOLVED = 'unresolved'  # how the reason of a number begins that no reading of the model gives
HEAD = """# Reproduction

<!-- Written by tools/write_generated.py; a test compares. -->

The result and ablation tables of the papers, with what the configs of this repository cost and, where it was run,
what they reach.

## What was verified here

- **Costs.** Of the {costs} printed GFLOPs and parameter counts that a config of ours stands for, {met} are met within
  2 %; each of the {differ} others has its reason below. All are counted again by a test. No reading of a model gives
  {unresolved}.
- **Equality with the released models.** DualFormer and VidTr compute what the authors' released implementations do, to
  rounding in float64; tests compare them with recorded outputs. They learn alike too: from the same weights and clip,
  by the recipes of `configs/released/`, the gradients, the statistics of the BatchNorms and one step of every
  parameter are theirs. Video Mobile-Former was never released: ours is a model that costs what its paper prints.
- **Learning.** Small models learn the quick start's motion classes on a CPU (see the [quick start](quickstart.md) and
  the families' pages); DualFormers that see one frame, or the frames in random order, do not.
- **The chain.** `mmdualformer reproduce` goes through every step, from data to a cell, on the quick start's data set.
  The commands that it prints for every other row are gone through by a test with stand-ins for the programs: each
  config, checkpoint and list that one names is there or made by one before it.

## What needs GPUs and data

Every accuracy below is the paper's: none of the papers' data sets was trained on or tested here. So are latencies and
memory, of the papers' machines; `mmdualformer benchmark-latency` and `mmdualformer attention-memory` measure them on
yours. The authors report about 31 hours on 8 A100 for DualFormer-T, 3 days for DualFormer-B, and 12 hours on 64 V100
for VidTr-S.

```bash
mmdualformer reproduce --table dualformer/1 --row DualFormer-T            # prints all commands; --run runs them
mmdualformer reproduce --table vidtr/2 --row En-VidTr-S --gpus 64 --launcher slurm --partition gpu
mmdualformer paper-tables --paper dualformer --table 1 --results work_dirs   # fills what was measured
mmdualformer plot-papers --views Kinetics-400=work_dirs/dualformer_t_k400/views.csv    # the figures
```

An accuracy counts only if the test used the config's model, clips and views.
"""


def write_page() -> str:
    """Write the page; costs are counted, accuracies are left empty."""
    rows = [row for paper in FAMILIES for row in load_rows(paper) if row.config]
    cells = compare(rows)
    verdicts = [cell.verdict for cell in cells if cell.here is not None]
    met = verdicts.count('met')
    parts = [HEAD.format(costs=len(verdicts), met=met, differ=len(verdicts) - met, unresolved=_unresolved(cells))]
    for paper, of_paper in groupby(cells, key=lambda cell: cell.row.paper):
        content = load_paper(paper)
        parts.append(f'\n## {content["title"]}\n\n[{content["url"]}]({content["url"]})\n')
        parts.append(f'\n![accuracy against GFLOPs](figures/{paper}_accuracy.png)\n')
        parts.append('\nWhere the paper contradicts itself or its released model, and what it leaves open:\n\n')
        parts += [f'- {text.strip()}\n' for text in content['inconsistencies']]
        titles = {entry['table']: entry['title'] for entry in content['tables']}
        for table, of_table in groupby(of_paper, key=lambda cell: cell.row.table):
            parts.append(f'\n### Table {table}: {titles[table]}\n\n{_table(list(of_table))}')
    return ''.join(parts)


def _unresolved(cells: Sequence[Cell]) -> str:
    """Name the numbers that recounting did not explain."""
    tables: dict[str, list[str]] = {}
    for cell in cells:
        if cell.row.reason.get(cell.name, '').startswith(UNRESOLVED):
            table = f'{paper_name(cell.row.paper)}, Table {cell.row.table}'
            tables.setdefault(table, []).append(f'{cell.published:g}')
    return '; '.join(f'{" and ".join(numbers)} ({table})' for table, numbers in tables.items())


def _table(cells: Sequence[Cell]) -> str:
    """A line a row, each number of the paper's beside ours where there is one, and the reasons of differences."""
    lines = []
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for _, group in groupby(cells, key=lambda cell: id(cell.row)):
        of_row = list(group)
        lines.append(_line(of_row[0].row, of_row))
        for cell in of_row:
            if cell.name in cell.row.reason:
                named = reasons.setdefault((UNITS[cell.name], cell.row.reason[cell.name]), {})
                named[cell.row.row] = None
    columns = list(dict.fromkeys(column for line in lines for column in line))
    texts = {column: [line.get(column, '') for line in lines] for column in columns}
    shared = [column for column in SETTINGS if len(set(texts[column])) == 1]
    caption = '; '.join(f'{column}: {texts[column][0]}' for column in shared if texts[column][0])
    columns = [column for column in columns if column not in shared and any(texts[column])]
    table = markdown_table(columns, [{column: line.get(column, '') for column in columns} for line in lines])
    rows = [cell.row for cell in cells]
    twins = _twins(rows) if has_twins(rows[0].paper, rows[0].table) else ''
    notes = ''.join(f'- {unit}, {", ".join(rows)}: {reason}.\n' for (unit, reason), rows in reasons.items())
    notes += twins
    return f'{caption}\n\n' * bool(caption) + table + f'\n{notes}' * bool(notes)


def _twins(rows: Sequence[Row]) -> str:
    """Which rows of a table have token labels here, and how to have all with them, or all without."""
    default, plain = next((row, twin) for row, twin in zip(rows, without_token_labels(rows)) if row != twin)
    return (
        f'- Token labels: {default.row}, the default, has them here, as in the paper; the other rows have none. To '
        'compare like with like, `--token-labels` of `mmdualformer reproduce` and '
        f'`mmdualformer paper-tables` takes the twins of the other rows, `CONFIG{TOKEN_LABELLED}`, and '
        f'`--no-token-labels` takes `{plain.config}` for the default.\n'
    )


def _line(row: Row, cells: Sequence[Cell]) -> dict[str, str]:
    config = config_link(row.config, '../')
    line = dict(zip(('row', *SETTINGS, 'config'), (row.row, row.data, row.pretrain, row.input, row.views, config)))
    for cell in sorted(cells, key=lambda cell: list(UNITS).index(cell.name)):
        texts = cell_texts(cell)
        unit = UNITS[cell.name]
        of_view = ' a view' if cell.name == 'gflops' and row.gflops_of == 'view' else ''
        line[unit] = texts['paper'] + of_view
        line[f'{unit}, here'] = texts['ours']
        if FAMILIES[row.paper].count_flops and texts['multiply-adds, G']:
            line['multiply-adds, G, here'] = texts['multiply-adds, G']
    return line
