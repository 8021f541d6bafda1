from collections.abc import Sequence
from typing import Any

import torch
from mmaction.models import FeatureHead, Recognizer3D
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmdualformer.errors import UserError


@MODELS.register_module()
class MixedSizeRecognizer3D(Recognizer3D):
    """MMAction2's ``Recognizer3D``, which also takes a batch of clips of different sizes.

    Clips of one size go through the model together, so that each scores as it does alone: nothing is padded. The
    arguments are those of ``Recognizer3D``; a ``MixedSizeDataPreprocessor`` makes such batches. Processes may have
    different numbers of sizes, so training on several must not have ``sync_bn``: they would wait for each other.

    ``test_cfg`` may have, beside MMAction2's ``max_testing_views``, MMAction2 0.x's ``feature_extraction``: where it is
    True, predictions are features ``[N, C]``, the mean of the backbone's map over time, place and views.
    """

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: Sequence[ActionDataSample] | None = None,
        mode: str = 'tensor',
        **kwargs,
    ) -> dict | list:
        """Run the model on a batch.

        Args:
            inputs (Tensor or sequence): Views ``[N, views, C, T, H, W]``, or N of ``[views, C, T, H, W]``.
            data_samples (sequence, optional): The N data samples. Defaults to None.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``. Defaults to ``'tensor'``.

        Returns:
            dict or list: Of a tensor what ``Recognizer3D`` returns. Of a sequence: the losses, averaged over its
            clips, for each clip what the head predicts, a data sample or a feature, or its features ``[views, ...]``.
        """
        if isinstance(inputs, Tensor):
            return super().forward(inputs, data_samples, mode, **kwargs)
        results = {}  # of each size: places in the batch, and what the model makes of them
        for size in dict.fromkeys(clip.shape for clip in inputs):
            places = [i for i, clip in enumerate(inputs) if clip.shape == size]
            samples = None if data_samples is None else [data_samples[i] for i in places]
            results[size] = places, super().forward(torch.stack([inputs[i] for i in places]), samples, mode, **kwargs)
        if mode == 'loss':
            names = dict.fromkeys(name for _, losses in results.values() for name in losses)
            return {
                name: sum(losses[name] * (len(places) / len(inputs)) for places, losses in results.values())
                for name in names
            }
        outputs: dict[int, Any] = {}
        for places, parts in results.values():
            outputs.update(zip(places, parts if mode == 'predict' else _split(parts, len(places))))
        return [outputs[i] for i in range(len(inputs))]

    def predict(self, inputs: Tensor, data_samples: Sequence[ActionDataSample], **kwargs) -> Any:
        """Predict classes, or with ``test_cfg.feature_extraction`` features.

        Args:
            inputs (Tensor): Normalised views ``[N, views, C, T, H, W]``.
            data_samples (sequence): The N data samples.
            **kwargs: See ``Recognizer3D``.

        Returns:
            list or Tensor: The data samples with ``pred_score`` and ``pred_label``, or the features ``[N, C]``.
        """
        if not (self.test_cfg or {}).get('feature_extraction'):
            return super().predict(inputs, data_samples, **kwargs)
        features, _ = self.extract_feat(inputs, test_mode=True)
        return FeatureHead(average_clips='score').predict(features, data_samples)

    def extract_feat(self, inputs: Tensor, *args, test_mode: bool = False, **kwargs) -> tuple:
        """Extract features, as ``Recognizer3D`` does.

        ``test_cfg.max_testing_views`` takes batches of several videos too, and counts their views together.

        Args:
            inputs (Tensor): Views ``[N, views, C, T, H, W]``.
            *args: See ``Recognizer3D``.
            **kwargs: Likewise.
            test_mode (bool): Whether ``test_cfg`` counts. Defaults to False.

        Returns:
            tuple: Features ``[N * views, ...]``, and a dict for the head.
        """
        if test_mode:
            inputs = inputs.flatten(0, 1)[None]  # views of one video, which is all that MMAction2 has in parts
        return super().extract_feat(inputs, *args, test_mode=test_mode, **kwargs)

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Say how deep a parameter lies, for learning rates that decay from layer to layer, as in MMPretrain.

        Args:
            param_name (str): Name of a parameter.

        Returns:
            tuple: The depth, from 0 to ``num_layers - 1``, and ``num_layers``.

        Raises:
            UserError: The backbone does not say it.
        """
        backbone: Any = self.backbone
        if not hasattr(backbone, 'get_layer_depth'):
            raise UserError(
                f'model.backbone is a {type(backbone).__name__}, which has no get_layer_depth; learning rates cannot '
                'decay from layer to layer'
            )
        return backbone.get_layer_depth(param_name, 'backbone.')


def _split(features: Tensor | tuple, clips: int) -> list:
    """Split features of a batch, or a tuple of them, into those of each clip."""
    if isinstance(features, Tensor):
        return list(features.unflatten(0, (clips, -1)))
    return list(zip(*(_split(part, clips) for part in features)))
