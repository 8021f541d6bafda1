"""Whether the clips of a training are mirrored, by what the user says, the names of the classes, or a measurement."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

from mmengine.config import Config

from mmdualformer.errors import name_some

FLIPS = ('Flip', 'SwitchableFlip')
MOST_NAMED = 5

# Words that say a direction, in lower case. Left out are those that mean more in their language, as the French `droit`.
DIRECTIONS = frozenset(
    """
    left leftward leftwards leftmost lefthand lefthanded leftside
    right rightward rightwards rightmost righthand righthanded rightside
    clockwise anticlockwise counterclockwise contraclockwise cw ccw acw starboard larboard portside
    links linke linker linken linkes linksherum nachlinks rechts rechte rechter rechten rechtes rechtsherum nachrechts
    uhrzeigersinn gegenuhrzeigersinn
    gauche droite antihoraire
    izquierda izquierdo derecha antihorario
    esquerda esquerdo direita
    sinistra destra antiorario
    """.split()
)
JOINED = re.compile(
    r'(swipe|turn|swing|move|slide|go|look|kick|punch|wave|lean|hand|step|jump|roll|tilt|pan|scroll|point|steer|to)'
    r'(left|right)'
)
SCRIPT = re.compile('左|右|顺时针|逆时针|順時針|逆時針|時計回り')  # without spaces between words
SIGN_WORDS = frozenset('asl bsl fingerspelling gebärdensprache gebärde arrow arrows pfeil pfeile'.split())
NUMBERS = frozenset('zero one two three four five six seven eight nine ten'.split())
SYMBOL_KINDS = frozenset(
    'letter char character digit number numeral buchstabe ziffer zahl lettre chiffre letra'.split()
)


def find_mirrored_names(classes: Sequence[str]) -> list[str]:
    """Find the classes that change when a clip is mirrored, as far as their names say so.

    Those are directions, letters, digits, signs of a sign language, and arrows. Words count, in whatever way they are
    put together, and not parts of words. Numbers that only count the classes, such as 1 to 12, say nothing.

    Args:
        classes (sequence): Names.

    Returns:
        list: The names found, in their order.
    """
    words = [_split(name) for name in classes]
    known = set(map(tuple, words))
    are_numbered = _are_numbered(classes)
    return [
        name
        for name, parts in zip(classes, words)
        if SCRIPT.search(name)
        or any('ARROW' in unicodedata.name(character, '') for character in name)
        or any(part in DIRECTIONS or part in SIGN_WORDS or JOINED.fullmatch(part) for part in parts)
        or any(pair == ('sign', 'language') for pair in pairwise(parts))
        or any(kind in SYMBOL_KINDS and _is_symbol(symbol) for kind, symbol in pairwise(parts))
        or (len(parts) == 1 and _is_letter_or_digit(parts[0]) and not are_numbered)
        or _has_twin(parts, known)
    ]


def set_flip(cfg: Config, choice: bool | None, classes: Sequence[str]) -> str:
    """Have a training mirror half of its clips, none, or those that it finds out not to change.

    Test pipelines mirror nothing afterwards.

    Args:
        cfg (Config): Changed in place.
        choice (bool, optional): What the user says; None to look at the names, and then to measure, by a
            ``MirrorHook``, where a clip has one label.
        classes (sequence): Names.

    Returns:
        str: The line that says so.
    """
    found = find_mirrored_names(classes)
    named = name_some([f'`{name}`' for name in found], MOST_NAMED)
    several_labels = cfg.model.cls_head.get('multi_class')
    if choice is None and not found and not several_labels:
        kind = 'SwitchableFlip'
        line = 'clips are not mirrored until training shows that the classes do not change (--flip, --no-flip)'
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='MirrorHook')]
    elif choice:
        kind = 'Flip'
        line = 'half of the training clips are mirrored, by --flip'
        line += f'; warning: mirrored clips of {named} may show another class' if found else ''
    else:
        kind = None
        line = 'clips are not mirrored'
        if choice is False:
            line += ', by --no-flip'
        elif found:
            line += f': {named} may change when mirrored; if not, give --flip'
        else:  # what is measured is which one class a mirrored clip is taken for
            line += ', as training cannot tell whether several labels of a clip change; if they do not, give --flip'

    _change_pipelines(cfg, 'train_pipeline', 'train_dataloader', lambda steps: _put(steps, kind))
    for name in ('val', 'test'):
        _change_pipelines(cfg, f'{name}_pipeline', f'{name}_dataloader', lambda steps: _put(steps, None))
    return line


def _split(name: str) -> list[str]:
    """The words and numbers of a name in lower case, however they are put together."""
    name = re.sub(r'(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', ' ', name)
    return [part.lower() for part in re.findall(r'[^\W\d_]+|\d+', name)]


def _is_letter_or_digit(part: str) -> bool:
    return len(part) == 1 and (part.isdigit() or 'LATIN' in unicodedata.name(part, ''))


def _is_symbol(part: str) -> bool:
    return _is_letter_or_digit(part) or part.isdigit() or part in NUMBERS


def _are_numbered(classes: Sequence[str]) -> bool:
    """Whether names only count the classes, from 0 or 1; ten of one digit each are taken for digits."""
    if not all(name.isdecimal() for name in classes):
        return False
    numbers = sorted(map(int, classes))
    return len(numbers) != 10 and numbers in ([*range(len(numbers))], [*range(1, len(numbers) + 1)])


def _has_twin(parts: Sequence[str], known: set[tuple[str, ...]]) -> bool:
    """Whether there is another name with an L for an R, or an R for an L, as `kick_l` and `kick_r`."""
    twins = {'l': 'r', 'r': 'l'}
    return any(
        part in twins and (*parts[:i], twins[part], *parts[i + 1 :]) in known
        for i, part in enumerate(parts)
        if len(parts) > 1
    )


def _change_pipelines(cfg: Config, variable: str, loader: str, change: Callable[[Sequence[dict]], list[dict]]) -> None:
    """Change a pipeline where a config has it by name, and in its data sets, also those within others."""
    if variable in cfg:
        cfg[variable] = change(cfg[variable])

    def visit(part: object) -> None:
        if isinstance(part, dict):
            for name, value in part.items():
                if name == 'pipeline' and isinstance(value, (list, tuple)):
                    part[name] = change(value)
                else:
                    visit(value)
        elif isinstance(part, (list, tuple)):
            for value in part:
                visit(value)

    visit(cfg.get(loader))


def _put(steps: Sequence[dict], kind: str | None) -> list[dict]:
    """Make every flip of a pipeline one of a kind, or none; where there is none, put one in after the crops."""
    changed = _replace(steps, kind)
    if kind and not _has_flip(changed):
        places = [i for i, step in enumerate(changed) if step['type'] in ('FormatShape', 'PackActionInputs')]
        changed.insert(places[0] if places else len(changed), dict(type=kind, flip_ratio=0.5))
    return changed


def _replace(steps: Sequence[dict], kind: str | None) -> list[dict]:
    changed = []
    for step in steps:
        if 'transforms' in step:  # such as RandomApply
            step = dict(step, transforms=_replace(step['transforms'], kind))
        elif step['type'] in FLIPS:
            if kind is None:
                continue
            step = dict(step, type=kind)
        changed.append(step)
    return changed


def _has_flip(steps: Sequence[dict]) -> bool:
    return any(step['type'] in FLIPS or _has_flip(step.get('transforms', [])) for step in steps)
