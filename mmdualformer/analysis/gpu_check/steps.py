"""Training steps as a run takes them, of configs and made-up clips."""

import copy

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from torch import Tensor

from mmdualformer.analysis.scorer import clip_shape
from mmdualformer.commands import ROOT
from mmdualformer.configs import read_config
from mmdualformer.models.precision import compute_in

FAMILIES = ('dualformer_t_k400', 'vidtr_s_k400', 'cvidtr_s_k400', 'vmf_1g_k400', 'mobile3d_1g_k400')
SMALL = (
    'dualformer_micro_motion',
    'vidtr_micro_motion',
    'cvidtr_micro_motion',
    'vmf_micro_motion',
    'mobile3d_micro_motion',
)


class TrainingStep:
    """A step: the batch goes to the device and is normalised, forward, backward, AdamW.

    Args:
        config (str): Name of a config of this repository, without its ending.
        batch (int): Clips.
        device (str): Where, also ``'meta'``.
        dtype (torch.dtype): What products are computed in. Defaults to bfloat16.
        with_cp (bool): Whether blocks are computed again in the backward pass. Defaults to False.
    """

    def __init__(
        self, config: str, batch: int, device: str, dtype: torch.dtype = torch.bfloat16, with_cp: bool = False
    ) -> None:
        cfg = read_config(str(ROOT / 'configs' / f'{config}.py'))
        init_default_scope('mmaction')
        cfg.model.backbone.with_cp = with_cp
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.dtype = dtype
        self.model = MODELS.build(cfg.model).train().to(self.device)
        self.shape = clip_shape(cfg)[1:]
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-6)
        # clips come from the loader, on the CPU; of the meta device they can only be there
        where = self.device if self.device.type == 'meta' else None
        clips = torch.zeros(batch, 1, *self.shape, dtype=torch.uint8, device=where)
        self._clips = clips.pin_memory() if self.device.type == 'cuda' else clips
        label = torch.zeros(1, dtype=torch.long, device=where)
        self._samples = [ActionDataSample().set_gt_label(label) for _ in range(batch)]

    def loss(self) -> Tensor:
        """Compute the loss of the batch."""
        batch = dict(inputs=list(self._clips), data_samples=copy.copy(self._samples))
        data = self.model.data_preprocessor(batch, training=True)
        with compute_in(self.dtype, 'cpu' if self.device.type == 'meta' else self.device.type):
            losses = self.model(**data, mode='loss')
        loss, _ = self.model.parse_losses(losses)
        return loss

    def __call__(self) -> None:
        """Take the step."""
        self.loss().backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
