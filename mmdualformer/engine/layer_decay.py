from typing import Any

import torch.nn as nn
from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import DefaultOptimWrapperConstructor

from mmdualformer.errors import UserError


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Builds optimizers whose learning rate decays from the head to the first layer.

    A parameter of depth ``d`` of ``n`` learns at ``layer_decay_rate ** (n - 1 - d)`` of its rate, as with MMPretrain's
    ``LearningRateDecayOptimWrapperConstructor``. The model says the depths, by its ``get_layer_depth``. All other
    settings of ``paramwise_cfg`` are MMEngine's, and a custom key's ``lr_mult`` counts beside the decay.

    Args:
        optim_wrapper_cfg (dict): The wrapper and its optimizer, which has an ``lr``.
        paramwise_cfg (dict, optional): ``layer_decay_rate``, and what ``DefaultOptimWrapperConstructor`` takes.

    Raises:
        UserError: ``layer_decay_rate`` is missing or out of range, or the optimizer has no ``lr``.

    Example:
        >>> optim_wrapper = dict(
        ...     constructor='LayerDecayOptimWrapperConstructor',
        ...     optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05),
        ...     paramwise_cfg=dict(layer_decay_rate=0.75, norm_decay_mult=0.0, bias_decay_mult=0.0),
        ... )
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        rate = (paramwise_cfg or {}).get('layer_decay_rate')
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
            raise UserError(
                f'optim_wrapper.paramwise_cfg.layer_decay_rate={rate!r} must be a number above 0 and at most 1'
            )
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        if self.base_lr is None:
            raise UserError('optim_wrapper.optimizer.lr must be given: the rates of the layers are shares of it')

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', *args, **kwargs) -> None:
        """Add a group for each parameter of a model, in place.

        Args:
            params (list): The groups.
            module (nn.Module): The model, and then what is in it.
            prefix (str): Its name in the model. Defaults to ``''``, the model.
            *args: See ``DefaultOptimWrapperConstructor``.
            **kwargs: Likewise.

        Raises:
            UserError: The model does not say how deep its parameters are.
        """
        if prefix:
            super().add_params(params, module, prefix, *args, **kwargs)
            return
        get_layer_depth: Any = getattr(module, 'get_layer_depth', None)
        if get_layer_depth is None:
            raise UserError(
                f'{type(self).__name__} needs a model with get_layer_depth, such as MixedSizeRecognizer3D with a '
                f'backbone of mmdualformer, not a {type(module).__name__}'
            )
        super().add_params(params, module, prefix, *args, **kwargs)
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        for group in params:
            depth, num_layers = get_layer_depth(names[id(group['params'][0])])
            rate = self.paramwise_cfg['layer_decay_rate'] ** (num_layers - 1 - depth)
            group['lr'] = rate * group.get('lr', self.base_lr)
