from pathlib import Path

import torch.nn as nn

REPO = Path(__file__).parents[1]


def assert_one_line(result, *parts: str) -> None:
    """A tool's process failed with one line of error, which has ``parts`` in it, and nothing like a traceback."""
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert 'Traceback' not in output, output
    errors = [line for line in output.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1, output
    for part in parts:
        assert part in errors[0]


def randomize_norms(model: nn.Module) -> None:
    """Give batch normalisation parameters and running statistics that a mistake in it would show."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm3d)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
