"""How many clips a second training takes, and how many processes must read them."""

import os

import torch
from mmengine.registry import init_default_scope

from mmdualformer.analysis.data_speed import (
    SAMPLINGS,
    build_loader,
    time_loaders,
    time_training,
    use_pipeline,
    write_sample_videos,
)
from mmdualformer.commands import ROOT
from mmdualformer.configs import read_config
from mmdualformer.datasets.preparation import resize_videos
from mmdualformer.datasets.wrappers import iterate_configs

from .setting import Setting

CONFIGS = ('dualformer_t_k400', 'dualformer_b_k400', 'vidtr_s_k400', 'vmf_1g_k400')
BATCH = 8


def run(setting: Setting) -> None:
    """Time steps of training, and a loader of Kinetics-like videos that were resized to 256 pixels."""
    cores = os.cpu_count() or 1
    workers = 1 if setting.quick else cores
    init_default_scope('mmaction')
    folder = setting.folder / 'videos'
    folder.mkdir(exist_ok=True)
    count, seconds = (1, 3.0) if setting.quick else (4, 10.0)
    given = write_sample_videos(folder, count, seconds, workers=cores)
    videos = [folder / 'resized' / path.name for path in given]
    resize_videos(dict(zip(given, videos)), cores)
    batch = 2 if setting.quick else BATCH
    clips = batch if setting.quick else 4 * batch * max(workers // 4, 1)
    results: dict = {'workers': workers, 'batch': batch, 'rows': []}
    for config in ('vmf_micro_motion',) if setting.quick else CONFIGS:
        cfg = read_config(str(ROOT / 'configs' / f'{config}.py'))
        _, dataset = next(iterate_configs('train_dataloader.dataset', cfg.train_dataloader.dataset))
        sampling = SAMPLINGS['16x4'] if setting.quick else None
        pipeline = use_pipeline(dataset, 'mmdualformer', sampling)
        loader = build_loader(pipeline, videos, clips, batch, workers, setting.folder / f'{config}.txt')
        needed = time_training(cfg, next(iter(loader)), setting.device)
        rate = time_loaders({config: loader}, 1 if setting.quick else 2)[config]
        del loader
        row = {'config': config, 'needed': round(needed, 2), 'read': round(rate, 2)}
        row['workers_needed'] = -(-needed * workers // rate)
        results['rows'].append(row)
        setting.keep('data', results)
        if setting.is_gpu:
            torch.cuda.empty_cache()
