"""Faults of MMAction2, and what it does not find of ours."""

import importlib
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from mmaction.registry import TRANSFORMS
from mmengine.structures import LabelData
from PIL import Image

from mmdualformer.encoding import write_h264

from .mending import once

OUR_NAMES = {'VideoInit': 'DecordInit', 'VideoDecode': 'DecordDecode'}  # what MMAction2 has in their places


def stub_drn() -> None:
    """mmaction2 1.2.0: the wheel lacks ``mmaction.models.localizers.drn``, so ``import mmaction.models`` fails.

    It also fails with the source, which has that localizer, where there is no torchvision. A stub takes its place, and
    building one says what is missing.
    """
    name = 'mmaction.models.localizers.drn'
    is_there = any((folder / 'models/localizers/drn').exists() for folder in _folders('mmaction'))
    if name in sys.modules or (is_there and importlib.util.find_spec('torchvision') is not None):
        return
    lacking = 'torchvision is missing' if is_there else "it is missing from mmaction2 1.2.0's wheel"

    class DRN(nn.Module):
        def __init__(self, *args, **kwargs) -> None:
            raise ImportError(f'the DRN localizer needs mmaction2 from its source, and torchvision: {lacking}')

    stub, inner = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    stub.__path__ = []  # marks it as a package
    vars(stub)['drn'], vars(inner)['DRN'] = inner, DRN
    sys.modules.update({name: stub, inner.__name__: inner})


def do_without_multimodal() -> None:
    """mmaction2 1.2.0: where transformers is installed, ``mmaction.models`` imports a part that it is not enough for.

    That part also needs timm, and a transformers of its time. Where it cannot be imported, it is left out, as where
    there is no transformers: building one of its models says what to install.
    """
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL:
        return
    try:
        importlib.import_module('mmaction.models')
    except Exception:  # of whatever these packages do
        if not any(name.startswith('mmaction.models.') for name in sys.modules):
            raise  # it has not come so far
        dependency.WITH_MULTIMODAL = False


def shift_hue_beyond_uint8() -> None:
    """mmaction2 1.2.0 with numpy 2: ``ColorJitter`` adds a negative hue to uint8, which overflows."""
    from mmaction.datasets.transforms import ColorJitter

    try:
        ColorJitter.adjust_hue(np.zeros((1, 1, 3), np.uint8), -0.1)
        return
    except OverflowError:
        pass

    def adjust_hue(img, factor):
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)


def train_in_bfloat16() -> None:
    """mmaction2 1.2.0: heads turn their scores into numpy arrays for the accuracy, which bfloat16 cannot become.

    With a GPU they also wait for it there, in the middle of a step, and it waits for the backward pass. Here the
    accuracy stays on the GPU until it is logged.
    """
    from mmaction.models import BaseHead

    def without_waiting(original):

        def loss_by_feat(self, cls_scores, data_samples, *args, **kwargs):
            if cls_scores.dtype == torch.bfloat16:
                cls_scores = cls_scores.float()
            labels = torch.stack([sample.gt_label for sample in data_samples])
            if cls_scores.device.type == 'cpu' or labels.shape != (len(cls_scores), 1):  # several or soft labels
                return original(self, cls_scores, data_samples, *args, **kwargs)
            labels = labels.to(cls_scores.device)[:, 0]
            losses = {f'top{k}_acc': share for k, share in zip(self.topk, top_k_shares(cls_scores, labels, self.topk))}
            if self.label_smooth_eps != 0:
                labels = F.one_hot(labels, self.num_classes)
                labels = (1 - self.label_smooth_eps) * labels + self.label_smooth_eps / self.num_classes
            loss = self.loss_cls(cls_scores, labels)
            losses.update(loss if isinstance(loss, dict) else dict(loss_cls=loss))
            return losses

        return loss_by_feat

    once(BaseHead, 'loss_by_feat', without_waiting)


def top_k_shares(scores: torch.Tensor, labels: torch.Tensor, topk: Sequence[int]) -> list[torch.Tensor]:
    """The share of scores ``[N, classes]`` whose label, of ``[N]``, is among the k greatest, for each k."""
    hits = scores.detach().topk(min(max(topk), scores.shape[1])).indices == labels[:, None]
    return [hits[:, :k].any(1).double().mean() for k in topk]


def score_several_labels() -> None:
    """mmaction2 1.2.0: heads of several labels give logits as ``pred_score``, or with ``'prob'`` what is of one label.

    They give the probability of each class. With ``average_clips='score'`` it is that of the mean logit of a video's
    views, by which videos rank as by the logit itself. With ``'prob'`` it is the mean of the probabilities of the
    views, and with None it is that of each view.
    """
    from mmaction.models import BaseHead

    def by_class(original):

        def average_clip(self, cls_scores, num_segs=1):
            if not self.multi_class or self.average_clips not in ('score', 'prob', None):
                return original(self, cls_scores, num_segs)
            views = cls_scores.float().unflatten(0, (-1, num_segs))  # a half has few numbers just below 1
            if self.average_clips == 'score':
                return views.mean(1).sigmoid()
            return views.sigmoid() if self.average_clips is None else views.sigmoid().mean(1)

        return average_clip

    once(BaseHead, 'average_clip', by_class)


def show_predictions_of_clips() -> None:
    """mmaction2 1.2.0: ``VisualizationHook`` (--show-dir) takes no batch of views, and the visualizer no ``show``.

    It also writes no labels into the pictures, as it looks for those of older samples. Of several labels it gets those
    that are as likely as not.
    """
    from mmaction.engine.hooks import VisualizationHook
    from mmaction.structures import ActionDataSample

    def as_drawn(sample):
        if not isinstance(sample, ActionDataSample) or 'pred_score' not in sample:
            return sample
        drawn, predicted, truth = sample.new(), sample.pred_label, sample.get('gt_label')
        if truth is not None and truth.numel() > 1:
            predicted, truth = (sample.pred_score >= 0.5).nonzero().flatten(), truth.nonzero().flatten()
        drawn.set_data(dict(pred_labels=LabelData(item=predicted, score=sample.pred_score)))
        if truth is not None:
            drawn.set_data(dict(gt_label=truth, gt_labels=truth))
        return drawn

    def draw_first_view(original):

        def draw_samples(self, batch_idx, data_batch, data_samples, step=0):
            videos = [video[0] if video.ndim == 5 else video for video in data_batch['inputs']]
            if 'show' in self.draw_args:
                self.draw_args['show_frames'] = self.draw_args.pop('show')
            samples = [as_drawn(sample) for sample in data_samples]
            return original(self, batch_idx, {**data_batch, 'inputs': videos}, samples, step)

        return draw_samples

    once(VisualizationHook, '_draw_samples', draw_first_view)


def count_time_where_rates_vary() -> None:
    """mmaction2 1.2.0: ``SampleFrames(target_fps=...)`` takes frames at equal numbers, also where their times vary.

    What it asks for are times, in frames at the mean rate. Videos that have ``frame_times`` give the frames shown then.
    """
    from mmaction.datasets.transforms import SampleFrames

    def by_time(original):

        def transform(self, results):
            results = original(self, results)
            times = results.get('frame_times')
            if self.target_fps is not None and times is not None:
                wanted = (results['frame_inds'] - results['start_index'] + 0.5) / results['avg_fps']
                shown = np.searchsorted(times, wanted, 'right') - 1
                results['frame_inds'] = (shown + results['start_index']).astype(results['frame_inds'].dtype)
            return results

        return transform

    once(SampleFrames, 'transform', by_time)


def write_videos_without_moviepy() -> None:
    """mmaction2 1.2.0: its demos and visualizers write videos with ``moviepy.editor``, which moviepy 2 has no more.

    A stub takes the place of the missing module and has the one class that MMAction2 uses.
    """
    name = 'moviepy.editor'
    if name in sys.modules or any((folder / 'editor.py').exists() for folder in _folders('moviepy')):
        return

    class ImageSequenceClip:
        def __init__(self, sequence: Sequence[np.ndarray], fps: float) -> None:
            self.frames = [np.ascontiguousarray(frame) for frame in sequence]
            self.fps = fps

        def write_videofile(self, filename: str, **_kwargs) -> None:
            write_h264(filename, self.frames, self.fps)

        def write_gif(self, filename: str, **_kwargs) -> None:
            first, *others = map(Image.fromarray, self.frames)
            first.save(filename, save_all=True, append_images=others, duration=1000 / self.fps, loop=0)

    sys.modules[name] = stub = types.ModuleType(name)
    vars(stub)['ImageSequenceClip'] = ImageSequenceClip


def repeat_clips_of_our_decoders() -> None:
    """mmaction2 1.2.0: ``RepeatAugDataset`` takes no transforms but those that are named as decord's."""
    from mmaction.datasets import repeat_aug_dataset

    def translate(original):

        def get_type(transform):
            name = original(transform)
            return OUR_NAMES.get(name, name)

        return get_type

    once(repeat_aug_dataset, 'get_type', translate)


def infer_with_our_decoders() -> None:
    """mmaction2 1.2.0: ``ActionRecogInferencer`` reads all files with decord, whatever the config says.

    It also takes one clip of a video, for speed, if the model is called Recognizer3D, which ours only derive from.
    """
    from mmaction.apis.inferencers import ActionRecogInferencer
    from mmaction.models import Recognizer3D

    def keep(original):

        def _init_pipeline(self, cfg):
            # the original changes the config
            ours = {OUR_NAMES.get(step['type']): step for step in map(dict, cfg.test_dataloader.dataset.pipeline)}
            if isinstance(self.model, Recognizer3D):
                for step in cfg.test_dataloader.dataset.pipeline:
                    if step['type'] == 'SampleFrames':
                        step['num_clips'] = 1
            pipeline = original(self, cfg)
            if self.input_format == 'video':
                pipeline.transforms = [
                    TRANSFORMS.build(ours[name]) if (name := type(step).__name__) in ours else step
                    for step in pipeline.transforms
                ]
            return pipeline

        return _init_pipeline

    once(ActionRecogInferencer, '_init_pipeline', keep)


def pool_features_of_pairs() -> None:
    """mmaction2 1.2.0: ``FeatureHead`` pools no pair but SlowFast's. Of Video Mobile-Former's it takes the features."""
    from mmaction.models import FeatureHead

    def take_features(original):

        def forward(self, x, *args, **kwargs):
            if isinstance(x, tuple) and self.backbone_name is None:
                x = x[0]
            return original(self, x, *args, **kwargs)

        return forward

    once(FeatureHead, 'forward', take_features)


def _folders(package: str) -> list[Path]:
    """The folders of a package; none where it is not installed."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
