"""Optimizer wrappers that take no step from a gradient that is not finite."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn as nn
from mmaction.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel

from mmdualformer.errors import UserError
from mmdualformer.models.precision import choose_dtype

DTYPES = ('float16', 'bfloat16', 'float32')
LEAST_SCALE = 1.0  # a loss that overflows even when nothing multiplies it is no matter of its scale


@OPTIM_WRAPPERS.register_module(name='OptimWrapper')
class FiniteOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper``, which takes no step from a gradient, or a loss, that is not finite.

    It takes the place of MMEngine's in configs whose scope is ``mmaction``. The arguments are the same. A
    ``NonFiniteHook`` decides what becomes of the run.

    A loss that is not finite makes its gradient so, also where the gradient would not see it. Gradients are those of
    all processes, so all decide alike. Of a model that is sharded (FSDP) each process has some, and the norm is that of
    all of them.

    Attributes:
        fault (bool): Whether the last step was left out for a number that is not finite.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._keep_norm()

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Compute gradients."""
        self.fault = False
        super().backward(loss, gradient=1 + 0 * loss.detach(), **kwargs)  # 0 times what is not finite is NaN

    def step(self, **kwargs) -> None:
        """Take a step, unless the gradient is not finite."""
        self.fault = not self._clip_and_check()
        if not self.fault:
            self.optimizer.step(**kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of the optimizer, also from a run in mixed precision."""
        if state_dict.pop('loss_scaler', None):
            self._say('the checkpoint has a loss scale, and this run needs none: it goes on without')
        super().load_state_dict(state_dict)

    def _keep_norm(self) -> None:
        """Have clipping leave the norm that it computes."""
        self.fault = False
        self._sharded: FullyShardedDataParallel | None = None
        self._grad_norm: Tensor | None = None
        self._clips_norm = bool(self.clip_grad_kwargs) and self.grad_name == 'grad_norm'
        if self._clips_norm:
            self.clip_func = self._clip_norm

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward pass: no exchange of gradients while they accumulate."""
        self._sharded = model if isinstance(model, FullyShardedDataParallel) else None
        with super().optim_context(model):
            yield

    def _clip_and_check(self) -> bool:
        """Clip the gradients, and say whether they were finite. The norm is computed once."""
        if self._sharded is not None:
            return self._clip_and_check_shards(self._sharded)
        gradients = [p.grad for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        self._grad_norm = None if self._clips_norm else nn.utils.get_total_norm(gradients, math.inf)
        if self.clip_grad_kwargs:
            self._clip_grad()
        return self._grad_norm is None or math.isfinite(self._grad_norm)

    def _clip_and_check_shards(self, model: FullyShardedDataParallel) -> bool:
        """The same where this process has a part of the gradients, or none."""
        if self._clips_norm:
            settings = {
                key: self.clip_grad_kwargs[key] for key in ('max_norm', 'norm_type') if key in self.clip_grad_kwargs
            }
            norm = model.clip_grad_norm_(**settings)
            self.message_hub.update_scalar(f'train/{self.grad_name}', float(norm))
            return math.isfinite(norm)
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        bad = (~nn.utils.get_total_norm(gradients, math.inf).isfinite()).float().to(get_device())
        all_reduce(bad)
        if self.clip_grad_kwargs:
            self._clip_grad()
        return not bad

    def _clip_norm(self, *args, **kwargs) -> Tensor:
        self._grad_norm = nn.utils.clip_grad_norm_(*args, **kwargs)
        return self._grad_norm

    @staticmethod
    def _say(message: str, level: int = logging.INFO) -> None:
        print_log(message, logger='current', level=level)


@OPTIM_WRAPPERS.register_module(name='AmpOptimWrapper')
class FiniteAmpOptimWrapper(FiniteOptimWrapper, AmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper``, which takes no step from a loss that is not finite, and works on a CPU too.

    It takes the place of MMEngine's in configs whose scope is ``mmaction``. In float16 the loss is scaled, and a step
    whose gradient overflows only makes the scale smaller. It is a fault if the loss itself is not finite, if the scale
    is fixed, or if it has become less than 1.

    Args:
        loss_scale (str, float or dict): Of float16: ``'dynamic'``, a fixed scale, or arguments of torch's
            ``GradScaler``. Defaults to ``'dynamic'``.
        dtype (str or torch.dtype, optional): ``'float16'``, ``'bfloat16'`` or ``'float32'``. Defaults to None, float16
            on a GPU. A CPU trains in bfloat16 if it is asked to, and else in float32; a model that is slower in
            bfloat16 there stays in float32.
        use_fsdp (bool): Whether the model is torch's ``FullyShardedDataParallel``. Defaults to False.
        **kwargs: Those of ``OptimWrapper``.

    Raises:
        UserError: ``dtype`` or ``loss_scale`` is none, or the GPU has no bfloat16.
    """

    def __init__(
        self,
        loss_scale: str | float | dict = 'dynamic',
        dtype: str | torch.dtype | None = None,
        use_fsdp: bool = False,
        **kwargs,
    ) -> None:
        self._loss: Tensor | None = None  # 0 or NaN: of the losses since the last step
        self._said: set[str] = set()
        name = str(dtype or 'float16').removeprefix('torch.')
        if name not in DTYPES:
            raise UserError(f'optim_wrapper.dtype={name!r} must be one of {", ".join(map(repr, DTYPES))}')
        if isinstance(loss_scale, int) and not isinstance(loss_scale, bool):
            loss_scale = float(loss_scale)
        if loss_scale != 'dynamic' and not isinstance(loss_scale, (float, dict)):
            raise UserError(f"optim_wrapper.loss_scale={loss_scale!r} must be 'dynamic', a number or a dict")
        device = get_device()
        if device in ('cpu', 'mps'):
            OptimWrapper.__init__(self, **kwargs)  # MMEngine's own refuses them
            self._keep_norm()
            if name == 'float16' or device == 'mps':
                hint = '; optim_wrapper.dtype=bfloat16 works here' if device == 'cpu' else ''
                self._say(f'mixed precision in {name} needs a GPU: training is in float32{hint}')
                name = 'float32'
        else:
            if name == 'bfloat16' and device == 'cuda' and not torch.cuda.is_bf16_supported():
                raise UserError("optim_wrapper.dtype='bfloat16' is not supported by this GPU; take 'float16'")
            super().__init__(loss_scale=loss_scale, dtype=name, use_fsdp=use_fsdp, **kwargs)
        self.cast_dtype = getattr(torch, name)
        if name != 'float16':  # the others have the range of float32
            self._scale_update_param = None
            self.loss_scaler = torch.amp.GradScaler(device, enabled=False)

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Compute gradients of the scaled loss."""
        checked = 0 * loss.detach()
        self._loss = checked if self._loss is None else self._loss + checked
        super().backward(loss, **kwargs)

    def step(self, **kwargs) -> None:
        """Take a step, unless the gradient is not finite."""
        self.loss_scaler.unscale_(self.optimizer)
        finite = self._clip_and_check()
        if finite or self.loss_scaler.is_enabled():  # which leaves out itself what overflowed
            self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._scale_update_param)
        self.fault = not (finite or self._is_overflow())
        self._loss = None

    def state_dict(self) -> dict:
        """The state of the optimizer, and of the loss scale where there is one."""
        state = super().state_dict()
        if not state['loss_scaler']:
            del state['loss_scaler']  # MMEngine would not load it
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of the optimizer and of the loss scale, also from a run without one."""
        if self.loss_scaler.is_enabled():
            state = state_dict.pop('loss_scaler', None)
            if state:
                self.loss_scaler.load_state_dict(state)
            else:
                self._say(f'the checkpoint has no loss scale: it begins at {self.loss_scaler.get_scale():g}')
        super().load_state_dict(state_dict)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward pass: mixed precision, and no exchange of gradients while they accumulate."""
        if self.cast_dtype == torch.bfloat16:  # has no loss scale, so that float32 can take its place
            device_type = next(model.parameters()).device.type
            self.cast_dtype = choose_dtype(model, self.cast_dtype, device_type, self._say_once)
        self._sharded = model if isinstance(model, FullyShardedDataParallel) else None
        parent = OptimWrapper if self.cast_dtype == torch.float32 else AmpOptimWrapper
        with parent.optim_context(self, model):
            yield

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message, logging.WARNING)  # it was asked for, as the config's float16 was not

    def _is_overflow(self) -> bool:
        """Whether a gradient that is not finite, in all processes alike, comes of the scale of the loss alone."""
        if not self.loss_scaler.is_enabled() or self._scale_update_param is not None or self._loss is None:
            return False
        all_reduce(self._loss)  # their sum is NaN if one is
        return bool(self._loss.isfinite()) and self.loss_scaler.get_scale() >= LEAST_SCALE
