"""Files that compute in 8 bits, whose ranges are those of clips."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from torch import Tensor

from .packages import import_nncf
from .programs import quiet

# Where the time goes. What is between them stays in float32, as do softmax and normalisation.
_QUANTIZED = ['Conv', 'MatMul', 'Gemm']


def quantize_onnx(source: Path, target: Path, clips: Iterable[Tensor], as_input: Callable[[Tensor], Tensor]) -> None:
    """Quantize an ONNX file with ONNX Runtime: weights for each channel, activations by the ranges that clips show.

    Args:
        source (Path): The file at float32.
        target (Path): The file to write.
        clips (iterable): Clips of pixels, ``[1, 3, T, H, W]`` each.
        as_input (callable): From such a clip to what the file takes.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.clips = iter(clips)

        def get_next(self) -> dict | None:
            clip = next(self.clips, None)
            return None if clip is None else {'clip': as_input(clip).numpy()}

    with quiet():
        quantize_static(
            str(source),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=_QUANTIZED,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=dict(MatMulConstBOnly=True, QuantizeBias=False),  # not the products of attention
        )
    props = {entry.key: entry.value for entry in onnx.load(source, load_external_data=False).metadata_props}
    model = onnx.load(target)
    onnx.helper.set_model_props(model, props)
    onnx.save(model, target)


def quantize_openvino(
    model: Any, clips: Iterable[Tensor], as_input: Callable[[Tensor], Tensor], sensitive: Sequence[str] = ()
) -> Any:
    """Quantize OpenVINO's graph with NNCF, whose rules for transformers keep what is sensitive in float32.

    Args:
        model (openvino.Model): The graph at float32.
        clips (iterable): Clips of pixels, ``[1, 3, T, H, W]`` each, which are gone through several times.
        as_input (callable): From such a clip to what the file takes.
        sensitive (sequence): Regular expressions of names of operators that stay in float32. Defaults to none.

    Returns:
        openvino.Model: The graph at int8.

    Raises:
        UserError: NNCF is missing.
    """
    nncf = import_nncf()
    data = nncf.Dataset(clips, lambda clip: as_input(clip).numpy())
    with redirect_stdout(sys.stderr):  # its progress
        return nncf.quantize(
            model,
            data,
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=sum(1 for _ in clips),
            ignored_scope=nncf.IgnoredScope(patterns=list(sensitive), validate=False),
        )
