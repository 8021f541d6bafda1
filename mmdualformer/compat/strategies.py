"""Faults of MMEngine's ``FlexibleRunner``, and of the strategies by which it shards models."""

from typing import Any

import torch
from mmengine._strategy import FSDPStrategy, SingleDeviceStrategy, deepspeed
from mmengine._strategy.base import BaseStrategy
from mmengine.device import get_device
from mmengine.model import MMFullyShardedDataParallel, is_model_wrapper
from mmengine.registry import OPTIMIZERS
from mmengine.runner import weights_to_cpu
from mmengine.runner._flexible_runner import FlexibleRunner
from torch.distributed.fsdp import FullOptimStateDictConfig, FullStateDictConfig, FullyShardedDataParallel

from .engine import compile_backbone, keep_config, without_gpu, write_whole
from .mending import once

_WRAPPED = '_fsdp_wrapped_module.'


def mend_flexible_runner() -> None:
    """mmengine 0.10.7: what is mended of ``Runner``, and ``FlexibleRunner`` does too.

    It overwrites the config of a run, executes the config text in a checkpoint that is resumed, and compiles the whole
    step. The strategy of DeepSpeed writes checkpoints in their place. It also writes its own epoch and step into a
    checkpoint whatever it is told, so that a run would go on from the best one an epoch later. The names of weights
    in it begin with ``module.``, where several processes trained them. It loads a checkpoint before hooks get ready for
    a run, as ``EMAHook`` has to for its averages.
    """

    def drop(original):

        def resume(self, *args, **kwargs):
            checkpoint = original(self, *args, **kwargs)
            checkpoint.get('meta', {}).pop('config', None)
            return checkpoint

        return resume

    def compile_part(original):

        def compile_model(self, model, compile=False):
            options = {key: value for key, value in compile.items() if key != 'target'} if compile else False
            is_step = compile and compile.get('target') == 'train_step'
            if is_step and compile_backbone(model, options, self.logger):
                return model
            return original(self, model, compile)

        return compile_model

    def tell(original):

        def save_checkpoint(self, *args, meta=None, **kwargs):
            told = {key: meta[key] for key in ('epoch', 'iter') if key in meta} if meta else {}
            write = self.strategy.save_checkpoint

            def write_as_told(*args, extra_ckpt, **kwargs):
                extra_ckpt['meta'].update(told)
                write(*args, extra_ckpt=extra_ckpt, **kwargs)

            self.strategy.save_checkpoint = write_as_told
            try:
                original(self, *args, meta=meta, **kwargs)
            finally:
                del self.strategy.save_checkpoint  # the class's own again

        return save_checkpoint

    def unwrap(_original):

        def model_state_dict(self):
            inner = self.model.get_submodule('module') if is_model_wrapper(self.model) else self.model
            return weights_to_cpu(inner.state_dict())

        return model_state_dict

    def get_ready(original):

        def load_or_resume(self):
            self.call_hook('before_run')
            self._is_ready = True
            original(self)

        return load_or_resume

    def call_once(original):

        def call_hook(self, fn_name, **kwargs):
            if fn_name != 'before_run' or not vars(self).pop('_is_ready', False):
                original(self, fn_name, **kwargs)

        return call_hook

    once(FlexibleRunner, 'load_or_resume', get_ready)
    once(FlexibleRunner, 'call_hook', call_once)
    once(FlexibleRunner, 'dump_config', keep_config)
    once(FlexibleRunner, 'save_checkpoint', tell)
    once(SingleDeviceStrategy, 'resume', drop)
    once(deepspeed.DeepSpeedStrategy, 'resume', drop)
    once(deepspeed, 'save_checkpoint', write_whole)
    once(BaseStrategy, 'compile_model', compile_part)
    once(BaseStrategy, 'model_state_dict', unwrap)


def register_optimizers_that_are_there() -> None:
    """mmengine 0.10.7 imports one-bit optimizers of DeepSpeed, which 0.19 has no more."""

    def register(original):

        def register_deepspeed_optimizers():
            try:
                return original()
            except ImportError:
                from deepspeed.ops.adam import DeepSpeedCPUAdam, FusedAdam

                for optimizer in (DeepSpeedCPUAdam, FusedAdam):
                    OPTIMIZERS.register_module(module=optimizer, force=True)
                return ['DeepSpeedCPUAdam', 'FusedAdam']

        return register_deepspeed_optimizers

    once(deepspeed, 'register_deepspeed_optimizers', register)


def shard_without_gpu() -> None:
    """mmengine 0.10.7 and torch 2.13 shard models (FSDP) on GPUs only.

    MMEngine gives the number of a GPU. PyTorch takes what it has gathered on a CPU for a copy, so that it frees weights
    that are to be written, and writes one average of the optimizer over the other.
    """

    def place(original):

        def init(self, module, *args, **kwargs):
            if without_gpu():
                kwargs['device_id'] = torch.device(get_device())
            original(self, module, *args, **kwargs)

        return init

    def copy(original):

        def _wrap_model(self, model):
            if without_gpu():
                self.state_dict_config = FullStateDictConfig(rank0_only=True, offload_to_cpu=False)
                self.optim_state_dict_config = FullOptimStateDictConfig(rank0_only=True, offload_to_cpu=False)
            return original(self, model)

        return _wrap_model

    once(MMFullyShardedDataParallel, '__init__', place)
    once(FSDPStrategy, '_wrap_model', copy)


def resume_shards() -> None:
    """mmengine 0.10.7 hands the state of a sharded optimizer to torch 2.13 in the order of torch 2.0.

    It also names parameters in it, where other runs number them. Here a checkpoint of a sharded model is one of any
    other run, to go on from with or without shards.
    """

    def number(_original):

        def optim_state_dict(self):
            state = FullyShardedDataParallel.optim_state_dict(self.model, self.optim_wrapper.optimizer)
            if not state:  # in all processes but the first
                return {}
            numbers = {name: i for i, name in enumerate(_parameter_names(self))}
            groups = [
                {**group, 'params': [numbers[name] for name in group['params']]} for group in state['param_groups']
            ]
            kept = {numbers[name]: values for name, values in state['state'].items()}
            return {**self.optim_wrapper.state_dict(), 'state': kept, 'param_groups': groups}

        return optim_state_dict

    def name(_original):

        def load_optim_state_dict(self, state_dict):
            names = _parameter_names(self)
            named = dict(
                state={names[number]: values for number, values in state_dict['state'].items()},
                param_groups=[
                    {**group, 'params': [names[number] for number in group['params']]}
                    for group in state_dict['param_groups']
                ],
            )
            shards = FullyShardedDataParallel.optim_state_dict_to_load(self.model, self.optim_wrapper.optimizer, named)
            self.optim_wrapper.load_state_dict({**state_dict, **shards})

        return load_optim_state_dict

    once(FSDPStrategy, 'optim_state_dict', number)
    once(FSDPStrategy, 'load_optim_state_dict', name)


def unsharded_name(name: str) -> str:
    """The name of a parameter or buffer of a model, of which parts may be sharded, where they are not."""
    return name.replace(_WRAPPED, '')


def is_sharded(runner: Any) -> bool:
    """Whether a runner shards its model, so that all processes have to take part in writing it."""
    return isinstance(getattr(runner, 'strategy', None), (FSDPStrategy, deepspeed.DeepSpeedStrategy))


def _parameter_names(strategy: Any) -> list[str]:
    """The names of an optimizer's parameters, in the order of their numbers in its state."""
    names = {id(parameter): unsharded_name(name) for name, parameter in strategy.model.named_parameters()}
    groups = strategy.optim_wrapper.optimizer.param_groups
    return [names[id(parameter)] for group in groups for parameter in group['params']]
