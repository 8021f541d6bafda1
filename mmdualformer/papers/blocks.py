"""The tables of ``README.md`` and of the families' pages that are made from the configs and the papers' tables.

A page has them between ``<!-- generated: NAME -->`` and ``<!-- end generated -->``. The names are ``models``,
``costs KEY``, ``costs KEY images`` and ``costs KEY baselines``, where KEY is that of a family.
"""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from mmdualformer.errors import UserError

from .costs import comparable_gflops, model_cost
from .families import FAMILIES, Family
from .leaves import DATASETS, data_folder, dataset_of, input_of, named_config, views_of
from .published import Row, load_paper, load_rows, rows_of_configs
from .report import config_link, markdown_table, rounded

START, END = '<!-- generated: ', '<!-- end generated -->'
BLOCK = re.compile(f'{START}(.+?) -->\n(?:(?!{START}).)*?{END}', re.DOTALL)


def write_blocks(root: Path) -> dict[Path, str]:
    """Write the text of the pages that have generated tables.

    Args:
        root (Path): Folder with ``README.md``, ``docs/`` and ``configs/``.

    Returns:
        dict: Path within ``root`` -> text.

    Raises:
        UserError: A marker has no other, or the name of a block is unknown.
    """
    writers = _writers(root)
    pages = {}
    for path in [root / 'README.md', *sorted((root / 'docs').rglob('*.md'))]:
        page = path.relative_to(root)
        text = path.read_text(encoding='utf-8')
        names = BLOCK.findall(text)
        if not len(names) == text.count(START) == text.count(END):
            raise UserError(f'{page} must have {END!r} after each {START!r} and nowhere else')
        for name in names:
            if name not in writers:
                raise UserError(f'{page}: {START}{name} --> must name one of {", ".join(writers)}')
        if names:
            up = '../' * (len(page.parts) - 1)
            pages[page] = BLOCK.sub(partial(_block, writers, up), text)
    return pages


def _block(writers: Mapping[str, Callable[[str], str]], up: str, block: re.Match) -> str:
    return f'{START}{block[1]} -->\n\n{writers[block[1]](up)}\n{END}'


def _writers(root: Path) -> dict[str, Callable[[str], str]]:
    """Name of a block -> what writes it for a page from which a path leads to the root."""
    writers: dict[str, Callable[[str], str]] = {'models': _models}
    for family in FAMILIES.values():
        for kind in ('', 'images', 'baselines'):
            writers[f'costs {family.key} {kind}'.rstrip()] = partial(_costs, root, family, kind)
    return writers


def _configs(root: Path, family: Family, kind: str) -> list[str]:
    """Configs of a table, in the order of their patterns, data sets and costs; baselines in the paper's."""
    if kind == 'baselines':
        return list(dict.fromkeys(row.config for row in load_rows(family.key) if row.is_baseline))
    folders = {config: data_folder(named_config(config)) for config in family.leaves(root)}

    def place(config: str) -> tuple:
        pattern = next(i for i, pattern in enumerate(family.configs) if fnmatch(config, pattern))
        data = list(DATASETS).index(folders[config])
        return pattern, data, model_cost(config, load_paper(family.key)['counted']).macs, config

    return sorted((config for config in folders if ('imagenet' in folders[config]) is (kind == 'images')), key=place)


def _models(up: str) -> str:
    lines = []
    for key, family in FAMILIES.items():
        counted, rows = load_paper(key)['counted'], rows_of_configs(key)
        for config in family.models:
            clips, crops = views_of(named_config(config))
            lines.append(
                {
                    'model': f'[{family.name}]({up}docs/{family.page}.md)',
                    'config': config_link(config, up),
                    'parameters': f'{model_cost(config, counted).params:.1f} M',
                    'GFLOPs x views': f'{rounded(comparable_gflops(config, counted))} x {clips * crops}',
                    "paper's top-1 on Kinetics-400": f'{rows[config].published["top1"]:.1f} %',
                }
            )
    return markdown_table(list(lines[0]), lines)


def _costs(root: Path, family: Family, kind: str, up: str) -> str:
    """What configs cost and reach, beside what the paper prints; columns that say nothing are left out."""
    paper, configs = family.key, _configs(root, family, kind)
    if not configs:
        raise UserError(
            f'{START}costs {paper} {kind} --> must not be on a page: {family.name} has no {kind or "configs"}'
        )
    printed: dict[str, dict[str, Row]] = {config: {} for config in configs}  # config -> number -> its first row
    for row in load_rows(paper):
        if row.config in printed and not row.partner:
            printed[row.config] = {**dict.fromkeys(row.published, row), **printed[row.config]}
    counted = next((rows['params'].counted for rows in printed.values() if 'params' in rows), None)
    counted = counted or load_paper(paper)['counted']
    best = rows_of_configs(paper)
    lines = [_cost_line(paper, config, counted, printed[config], best.get(config), up) for config in configs]
    columns = [column for column in lines[0] if any(line[column] for line in lines)]
    return markdown_table(columns, lines)


def _cost_line(
    paper: str, config: str, counted: str, printed: Mapping[str, Row], best: Row | None, up: str
) -> dict[str, str]:
    cfg = named_config(config)
    cost = model_cost(config, counted)
    clips, crops = views_of(cfg)
    has_views = clips * crops > 1
    gflops = params = accuracies = ''
    if 'gflops' in printed:
        row = printed['gflops']
        gflops = f'{row.published["gflops"]:g}' + ' a view' * (has_views and row.gflops_of == 'view')
    if 'params' in printed:
        params = f'{printed["params"].published["params"]:g} M'
    if best:
        numbers = [best.published[name] for name in ('top1', 'top5') if name in best.published]
        accuracies = ' / '.join(f'{number:.1f}' for number in numbers) or f'{best.published["map"]:.1f} (mAP)'
    return {
        'config': config_link(config, up),
        'data': dataset_of(cfg),
        'input': input_of(cfg),
        'views': f'{clips}x{crops}' if has_views else '',
        'GFLOPs x views': f'{rounded(cost.gflops)} x {clips * crops}',
        "paper's GFLOPs": gflops,
        'true multiply-adds, G': rounded(cost.macs) if FAMILIES[paper].count_flops else '',
        f'parameters of the {counted}': f'{cost.params:.1f} M',
        "paper's parameters": params,
        "paper's top-1 / top-5, %": accuracies,
    }
