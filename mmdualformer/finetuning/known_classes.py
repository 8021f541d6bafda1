"""The classes that a checkpoint knows, and those that there are videos of."""

from collections.abc import Sequence

from mmdualformer.errors import name_some, printable

SHOWN = 5  # names of a list that a line shows


def order_classes(classes: Sequence[str], known: Sequence[str]) -> list[str]:
    """Order classes: those that a checkpoint knows first, in its order, then the others in theirs.

    So the labels of what it knows stay in order, and predictions before and after can be compared.

    Args:
        classes (sequence): Names of the classes that there are videos of.
        known (sequence): Names that the checkpoint knows.
    """
    kept = [name for name in dict.fromkeys(known) if name in set(classes)]
    return kept + [name for name in classes if name not in set(kept)]


def compare_classes(classes: Sequence[str], known: Sequence[str]) -> list[str]:
    """Say which classes a checkpoint knows, which of them the new model will not know, and which names are alike.

    Args:
        classes (sequence): Names of the classes that there are videos of.
        known (sequence): Names that the checkpoint knows.

    Returns:
        list: Lines for people; none where the checkpoint knows no names.
    """
    kept = [name for name in classes if name in set(known)]
    new = [name for name in classes if name not in set(known)]
    gone = [name for name in known if name not in set(classes)]
    lines = []
    if kept:
        lines.append(
            f'the checkpoint knows {len(kept)} of the {len(classes)} classes'
            + (f'; new: {name_some(new, SHOWN)}' if new else '')
        )
        if gone:
            lines.append(
                f'no videos here, and so unknown to the new model: {name_some(gone, SHOWN)}; '
                'to keep a class of the checkpoint, give videos of it too'
            )
    spellings = {_spell(name): name for name in gone}
    for name in new:
        if _spell(name) in spellings:
            lines.append(
                f'warning: class {printable(name)!r} is new, though the checkpoint knows '
                f'{printable(spellings[_spell(name)])!r}; rename it if they are the same'
            )
    return lines


def _spell(name: str) -> str:
    """A name without what people write in several ways: case, and what parts words."""
    return ''.join(name.casefold().replace('_', ' ').replace('-', ' ').split())
