"""How fast models are, in every form that they have, measured side by side in one process."""

from .entries import Entry, Result
from .measuring import measure
from .output import ENDINGS, check_output, results_table, write_results
from .sources import Source, read_models, read_source

__all__ = [
    'ENDINGS',
    'Entry',
    'Result',
    'Source',
    'check_output',
    'measure',
    'read_models',
    'read_source',
    'results_table',
    'write_results',
]
