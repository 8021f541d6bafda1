"""The batch that a training step fits into the memory with."""

import psutil
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

LARGEST_BATCH = 64


def find_batch_size(cfg: Config, limit: int) -> int:
    """Find a batch that a training step of one process fits into the memory with.

    The memory of one clip is measured; on a GPU, where it is scarce, that of each doubling too.

    Args:
        cfg (Config): With the data in place.
        limit (int): Largest batch of interest.

    Returns:
        int: A power of two, or ``limit``.
    """
    init_default_scope(cfg.default_scope)
    data = DATASETS.build(cfg.train_dataloader.dataset)[0]
    model = MODELS.build(cfg.model).train()
    limit = max(min(limit, LARGEST_BATCH), 1)
    batch = 1
    if torch.cuda.is_available():
        model.cuda()
        room = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()  # free, and this process's
        # twice the batch, and a margin for the optimizer and what is fragmented
        while batch < limit and 2.5 * _step_memory(model, data, batch) < room:
            batch *= 2
        del model
        torch.cuda.empty_cache()
    else:
        room, clip = psutil.virtual_memory().available // 2, _step_memory(model, data, 1)
        while batch < limit and 2 * batch * clip < room:
            batch *= 2
    return min(batch, limit)


def _step_memory(model: BaseModel, data: dict, batch: int) -> int:
    """Bytes that a training step takes: the peak on a GPU, on a CPU what a forward pass keeps, and half of it more."""
    on_gpu = next(model.parameters()).is_cuda
    before = psutil.Process().memory_info().rss
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with torch.autocast('cuda', torch.float16, enabled=on_gpu):
        losses = model(**model.data_preprocessor(pseudo_collate([data] * batch), training=True), mode='loss')
        loss, _ = model.parse_losses(losses)
    kept = psutil.Process().memory_info().rss - before
    loss.backward()
    model.zero_grad()
    return torch.cuda.max_memory_allocated() if on_gpu else max(int(1.5 * kept), 1)
