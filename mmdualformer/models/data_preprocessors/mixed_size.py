from collections.abc import Sequence
from typing import Annotated, Literal

from mmaction.models import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from mmdualformer.errors import UserError
from mmdualformer.models.arguments import Range, check_arguments, check_buildable, show


@MODELS.register_module()
class MixedSizeDataPreprocessor(ActionDataPreprocessor):
    """MMAction2's ``ActionDataPreprocessor``, which leaves clips of different sizes as they are.

    MMAction2 pads the smaller clips of a batch with zeros, which changes what a model sees. Here a batch of one size is
    one tensor, as there, and any other batch is a list; ``MixedSizeRecognizer3D`` takes both.

    Args:
        mean (sequence, optional): Mean of each channel, 0 to 255. Defaults to None, as they are.
        std (sequence, optional): Standard deviation of each channel. Defaults to None.
        to_rgb (bool): Whether to turn BGR into RGB. Defaults to False.
        to_float32 (bool): Whether to turn pixels into float32. Defaults to True.
        blending (dict, optional): Blending of the clips of a batch in training. Defaults to None.
        format_shape (str): ``'NCTHW'`` for clips, ``'NCHW'`` for frames. Defaults to ``'NCHW'``.

    Raises:
        UserError: An argument is unusable.
    """

    @check_arguments
    def __init__(
        self,
        mean: Sequence[Annotated[float, Range(-1e6, 1e6)]] | None = None,
        std: Sequence[Annotated[float, Range(1e-6, 1e6)]] | None = None,
        to_rgb: bool = False,
        to_float32: bool = True,
        blending: dict | None = None,
        format_shape: Literal['NCHW', 'NCTHW', 'MIX2d3d'] = 'NCHW',
    ) -> None:
        if (mean is None) != (std is None) or len(mean or ()) != len(std or ()):
            raise UserError(f'mean={show(mean)} and std={show(std)} must both be given, for the same channels')
        if blending is not None:
            check_buildable('blending', blending)
        super().__init__(mean, std, to_rgb, to_float32, blending, format_shape)
        self._non_blocking = True  # MMEngine's, which MMAction2 has no argument for: a GPU copies while the CPU goes on

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
