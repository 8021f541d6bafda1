"""MMAction2's lists of videos: a line is ``video label [label ...]``."""

import re


def parse_line(line: str, delimiter: str = ' ', multi_class: bool = False) -> tuple[str, list[int]]:
    """Read a line from the right, so that the video's path may hold white space.

    Args:
        line (str): The line.
        delimiter (str): What parts it. Defaults to ``' '``.
        multi_class (bool): Whether all integers at its end are labels, rather than the last. Defaults to False.

    Returns:
        tuple: The video's path, and its labels, none where the line does not end in an integer.
    """
    video, labels = line.strip(), []
    while multi_class or not labels:
        rest, _, last = video.rpartition(delimiter)
        if not rest or not re.fullmatch(r'-?\d+', last.strip()):
            break
        video, labels = rest.rstrip(), [int(last), *labels]
    return video, labels


def format_line(video: str, labels: list[int], delimiter: str = ' ') -> str:
    """Write a line that :func:`parse_line` reads."""
    return delimiter.join([video, *map(str, labels)])
