from pathlib import Path

REPO = Path(__file__).parents[1]


class Malicious:
    """Pickles to a call."""

    def __init__(self, function, *args) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


def assert_one_line(result, *parts: str) -> None:
    """A tool's process failed with one line of error, which has ``parts`` in it, and nothing like a traceback."""
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert 'Traceback' not in output, output
    errors = [line for line in output.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1, output
    for part in parts:
        assert part in errors[0]
