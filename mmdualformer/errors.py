"""The one exception the command-line tools turn into a single line."""


class UserError(ValueError):
    """Something the user gave cannot work: an argument, a path, a checkpoint or a clip.

    The message is one line that names the argument, its value and what would be valid. The tools print it without a
    traceback and exit with status 1; in Python it is an ordinary ``ValueError``.
    """
