from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmdualformer import Recognizer
from mmdualformer.checkpoints.recognizer import describe_recognizer
from tests.helpers import REPO, randomize_norms

FAMILIES = ('dualformer', 'vmf', 'vidtr')


def write_checkpoint(path: Path, family: str, **dataset_meta) -> str:
    """Write a checkpoint of a family's smallest model with random weights, which describes itself."""
    cfg = Config.fromfile(REPO / f'configs/{family}_micro_motion.py')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    randomize_norms(model)
    torch.nn.init.normal_(next(part for part in reversed(list(model.cls_head.parameters())) if part.ndim == 2), std=0.5)
    meta = dict(
        recognizer=describe_recognizer(cfg), dataset_meta={'classes': [f'move {i}' for i in range(8)], **dataset_meta}
    )
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return str(path)


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory) -> dict[str, str]:
    """A checkpoint of each family."""
    folder = tmp_path_factory.mktemp('checkpoints')
    return {family: write_checkpoint(folder / f'{family}.pth', family) for family in FAMILIES}


@pytest.fixture(scope='session')
def recognizer(checkpoints) -> Recognizer:
    """A DualFormer, with random weights, of clips of 18 frames."""
    return Recognizer(checkpoints['dualformer'], device='cpu')
