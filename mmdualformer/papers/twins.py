"""Twins of configs that are trained with token labels, ``CONFIG_tokenlabel``.

The default row of DualFormer's Tables 3 to 7 has token labels; the paper does not say whether the others have.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

from .leaves import is_config
from .published import Row, load_rows

TOKEN_LABELLED = '_tokenlabel'  # how the name of a twin ends


def with_token_labels(rows: Sequence[Row]) -> list[Row]:
    """Put the token-labelled twin in the place of each config that has one."""
    twins = (row.config + TOKEN_LABELLED for row in rows)
    return [replace(row, config=twin) if is_config(twin) else row for row, twin in zip(rows, twins)]


def without_token_labels(rows: Sequence[Row]) -> list[Row]:
    """Put the twin without token labels in the place of the default row of each table whose other rows have twins."""
    return [
        replace(row, config=row.config.removesuffix(TOKEN_LABELLED)) if has_twins(row.paper, row.table) else row
        for row in rows
    ]


@functools.cache
def has_twins(paper: str, table: str) -> bool:
    """Whether configs of a table have twins with token labels."""
    return any(row.config and is_config(row.config + TOKEN_LABELLED) for row in load_rows(paper, table))
