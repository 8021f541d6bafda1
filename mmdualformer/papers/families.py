"""The families of models, an entry each: in what their pages, metafiles, tables and figures differ.

What a family's paper prints, and what its models start from, is in ``published/KEY.yaml``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import torch.nn as nn

from .conventions import count_vidtr


@dataclass(frozen=True)
class AccuracyFigure:
    """A paper's figure of accuracy on Kinetics-400 against what a model costs.

    Attributes:
        tables (tuple): Tables of the paper that have its points.
        numbers (tuple): What accuracy is drawn against, a part of the figure each: 'gflops', 'latency'.
    """

    tables: tuple[str, ...]
    numbers: tuple[str, ...] = ('gflops',)


@dataclass(frozen=True)
class Family:
    """A family of models and its paper.

    Attributes:
        key (str): What ``--paper`` takes, and the name of the paper's file.
        name (str): What it is called.
        page (str): Its page is ``docs/PAGE.md``, its metafile ``configs/PAGE.metafile.yml``.
        configs (tuple): Patterns of the names of its configs, in the order of its page.
        models (tuple): Configs that the table of ``README.md`` shows.
        checkpoints (str): Where those are to be had that are not published here, for OpenMIM.
        figure (AccuracyFigure): Drawn as ``docs/figures/KEY_accuracy.png``.
        count_flops (callable, optional): The convention of the paper's GFLOPs: model, that is the backbone and, where
            the file's ``counted`` says so, the head, and shape of the input -> count. True multiply-adds then stand
            beside it. Defaults to None, multiply-adds and normalisation as fvcore counts them.
    """

    key: str
    name: str
    page: str
    configs: tuple[str, ...]
    models: tuple[str, ...]
    checkpoints: str
    figure: AccuracyFigure
    count_flops: Callable[[nn.Module, Sequence[int]], int] | None = None

    def has_config(self, name: str) -> bool:
        """Whether a config is of this family, by its name; its folder does not matter."""
        return any(fnmatch(Path(name).name, pattern) for pattern in self.configs)

    def leaves(self, root: Path) -> list[str]:
        """Names of its configs in ``root/configs``, without ablations and those of the quick start's clips."""
        names = sorted(path.stem for path in (root / 'configs').glob('*.py'))
        return [name for name in names if self.has_config(name) and not name.endswith('_motion')]


CONVERTED = '`mmdualformer convert-checkpoint {0} FILE --out NEW.pth` converts those of its authors (docs/{0}.md)'

FAMILIES = {
    family.key: family
    for family in (
        Family(
            key='dualformer',
            name='DualFormer',
            page='dualformer',
            configs=('dualformer_*',),
            models=(
                'dualformer_t_k400_in1k',
                'dualformer_s_k400_in1k',
                'dualformer_b_k400_in1k',
                'dualformer_b_k400_in21k',
            ),
            checkpoints=CONVERTED.format('dualformer'),
            figure=AccuracyFigure(('1',)),
        ),
        Family(
            key='vmf',
            name='Video Mobile-Former',
            page='video_mobile_former',
            configs=('vmf_*', 'mobile3d_*'),
            models=('vmf_560m_k400', 'vmf_1g_k400', 'vmf_2g_k400', 'vmf_5g_k400'),
            checkpoints='its authors published none; `mmdualformer train` trains it',
            figure=AccuracyFigure(('3',)),
        ),
        Family(
            key='vidtr',
            name='VidTr',
            page='vidtr',
            configs=('vidtr_*', 'cvidtr_*'),
            models=('vidtr_s_k400', 'vidtr_m_k400', 'vidtr_l_k400', 'cvidtr_s_k400', 'cvidtr_m_k400'),
            checkpoints=CONVERTED.format('vidtr'),
            figure=AccuracyFigure(('2', '3'), ('gflops', 'latency')),
            count_flops=count_vidtr,
        ),
    )
}


def family_of(config: str) -> Family | None:
    """Find the family of a config by its name; baselines are of none."""
    return next((family for family in FAMILIES.values() if family.has_config(config)), None)
