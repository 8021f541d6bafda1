"""What is wanted of a GPU, and whether it was met."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .training import LEAST

SHARE = 0.35  # of the measured rate of matrix products
TIMES = 3.0  # as many clips a second as Swin-B
MEMORY = 80.0  # GB
BASE, SWIN, TINY = 'dualformer_b_k400', 'swin-base', 'dualformer_t_k400'


@dataclass(frozen=True)
class Goal:
    """A goal.

    Attributes:
        part (str): The part that measures it.
        text (str): What is wanted.
        met (bool, optional): Whether it is met; None where that was not measured.
        said (str): What was measured, or why not.
    """

    part: str
    text: str
    met: bool | None
    said: str


def judge(results: Mapping[str, Any]) -> list[Goal]:
    """Compare what the parts have found with the goals.

    Args:
        results (mapping): Name of a part -> what it has written; parts that have written nothing are left out.

    Returns:
        list[Goal]: All goals.
    """
    return [
        _tests(results.get('tests')),
        *(_training(results.get('training'), dtype) for dtype in ('float16', 'bfloat16')),
        _waiting(results.get('waiting')),
        *_speed(results.get('speed')),
        _memory(results.get('memory')),
    ]


def _tests(results: dict | None) -> Goal:
    text = 'all tests marked gpu pass'
    if results is None or not (results['passed'] or results['failed']):
        return Goal('tests', text, None, 'skipped, as there is no GPU' if results else 'not run')
    said = f'{results["passed"]} passed, {len(results["failed"])} failed, {results["skipped"]} skipped'
    return Goal('tests', text, not results['failed'], said)


def _training(results: dict | None, dtype: str) -> Goal:
    text = f'the quick start reaches {LEAST:.0%} in {dtype} with NCCL'
    of_dtype = (results or {}).get(dtype, {})
    if of_dtype.get('top1') is None:
        return Goal('training', text, None, 'no validation was reached' if results else 'not run')
    said = f'{of_dtype["top1"]:.1%} after {of_dtype["epochs"]} epochs, with {of_dtype["backend"]}'
    return Goal('training', text, of_dtype['top1'] >= LEAST if of_dtype['backend'] == 'nccl' else None, said)


def _waiting(results: dict | None) -> Goal:
    text = 'no wait for the GPU in a training step'
    if not results or not results['waits']:
        return Goal('waiting', text, None, 'not run')
    waits = {name: place for name, place in results['waits'].items() if place}
    if waits:
        return Goal('waiting', text, False, '; '.join(f'{name}: {place}' for name, place in waits.items()))
    said = f'none in {len(results["waits"])} steps on {results["on"]}'
    return Goal('waiting', text, None if results['on'] == 'meta' else True, said)


def _speed(results: dict | None) -> list[Goal]:
    share_text = f"DualFormer-B infers at {SHARE:.0%} of the GPU's bfloat16 matrix products"
    times_text = f'DualFormer-B infers {TIMES:g} times as many clips a second as Swin-B'
    rows = [row for row in (results or {}).get('results', []) if row['step'] == 'test' and row['device'] != 'cpu']
    ours = [row for row in rows if row['model'] == BASE]
    theirs = [row for row in rows if row['model'].startswith(SWIN)]
    share = Goal('speed', share_text, None, 'not measured')
    times = Goal('speed', times_text, None, 'not measured')
    in_bfloat16 = [row for row in ours if row['dtype'] == 'bfloat16' and row['share'] is not None]
    if in_bfloat16:
        best = max(in_bfloat16, key=lambda row: row['share'])
        share = Goal('speed', share_text, best['share'] >= SHARE, f'{best["share"]:.1%}, {best["form"]}')
    if ours and theirs:
        best, other = (max(of, key=lambda row: row['clips_per_s']) for of in (ours, theirs))
        ratio = best['clips_per_s'] / other['clips_per_s']
        said = ' to '.join(f'{row["clips_per_s"]:.1f} ({row["form"]}, {row["dtype"]})' for row in (best, other))
        times = Goal('speed', times_text, ratio >= TIMES, f'{ratio:.2f} times: {said}')
    return [share, times]


def _memory(results: dict | None) -> Goal:
    text = f'DualFormer-T trains 64 clips of 32 x 224 x 224 within {MEMORY:g} GB'
    rows = [row for row in (results or {}).get('rows', []) if (row['config'], row['batch']) == (TINY, 64)]
    plain = next((row for row in rows if not row['with_cp']), None)
    if plain is None:
        return Goal('memory', text, None, 'not measured')
    estimate = (
        f'{_gigabytes(plain["estimate_gib"]):.1f} GB by the estimate' if 'estimate_gib' in plain else 'no estimate'
    )
    if 'measured_gib' not in plain:
        return Goal('memory', text, None, estimate)
    if plain['measured_gib'] is None:
        return Goal('memory', text, False, f'{plain["reason"]}; {estimate}')
    measured = _gigabytes(plain['measured_gib'])
    return Goal('memory', text, measured <= MEMORY, f'{measured:.1f} GB; {estimate}')


def _gigabytes(gib: float) -> float:
    return gib * 2**30 / 1e9
