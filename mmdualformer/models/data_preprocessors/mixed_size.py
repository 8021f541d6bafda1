from collections.abc import Sequence

from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmdualformer.errors import UserError


@MODELS.register_module()
class MixedSizeDataPreprocessor(ActionDataPreprocessor):
    """MMAction2's ``ActionDataPreprocessor``, which leaves clips of different sizes as they are.

    MMAction2 pads the smaller clips of a batch with zeros, which changes what a model sees. Here a batch of one size is
    one tensor, as there, and any other batch is a list; ``MixedSizeRecognizer3D`` takes both. The arguments are those
    of ``ActionDataPreprocessor``.
    """

    def preprocess(
        self, inputs: Sequence[Tensor], data_samples: Sequence[ActionDataSample], training: bool = False
    ) -> tuple[Tensor | list[Tensor], Sequence[ActionDataSample]]:
        """Normalise the clips of a batch.

        Args:
            inputs (sequence): For each video its views ``[views, C, T, H, W]``.
            data_samples (sequence): Their data samples.
            training (bool): Whether to blend. Defaults to False.

        Returns:
            tuple: The views ``[N, views, C, T, H, W]``, or a list of ``[views, C, T, H, W]`` if they differ in size,
            and the data samples.

        Raises:
            UserError: Clips of different sizes are to be blended.
        """
        if len({clip.shape for clip in inputs}) == 1:
            return super().preprocess(inputs, data_samples, training)
        if training and self.blending is not None:
            sizes = ', '.join(sorted({' x '.join(map(str, clip.shape[2:])) for clip in inputs}))
            raise UserError(f'data_preprocessor.blending needs clips of one size, not of {sizes}; crop or resize them')
        return [super(MixedSizeDataPreprocessor, self).preprocess([clip], None)[0][0] for clip in inputs], data_samples
