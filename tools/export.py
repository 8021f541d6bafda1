"""Write a recognizer as a file for ONNX Runtime, OpenVINO, torch.export or TorchScript, and compare it with PyTorch."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)

# isort: split
import torch

from mmdualformer import cli
from mmdualformer.errors import UserError, printable
from mmdualformer.export import (
    AXES,
    DTYPES,
    ENDINGS,
    RUNTIMES,
    TOLERANCES,
    ExportedModel,
    VideoClips,
    as_reference,
    check_choice,
    check_parity,
    compare_speed,
    describe_model,
    export_model,
    find_clips,
    find_format,
    measure_accuracy,
    random_clips,
    shape_of_clips,
    write_shape,
)
from mmdualformer.files import check_target

MOST_CALIBRATED = 100  # clips; more change the ranges by little


def dynamic_axes(text: str) -> tuple[str, ...]:
    """Type of ``--dynamic``."""
    names = () if text == 'none' else tuple(text.split(','))
    unknown = [name for name in names if name not in AXES]
    if unknown:
        raise argparse.ArgumentTypeError(f'{text!r} must be none, or of {", ".join(AXES)} with commas between')
    return names


def share(text: str) -> float:
    """Type of ``--tolerance``."""
    value = float(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} must be a number over 0')
    return value


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser)
    parser.add_argument('--format', choices=list(ENDINGS), help='of the file (default: what the ending of --out says)')
    cli.add_out_arguments(parser, metavar='FILE', help="file to write (default: 'model' with the ending of --format)")
    cli.add_labels_argument(parser)
    parser.add_argument('--dtype', choices=DTYPES, default=DTYPES[0], help='what the file computes in')
    parser.add_argument(
        '--preprocessing',
        action='store_true',
        help='take uint8 pixels and put out probabilities beside the logits (default: take normalised clips)',
    )
    parser.add_argument(
        '--dynamic',
        type=dynamic_axes,
        default=('batch',),
        metavar='AXES',
        help=f'what may be of any length: {", ".join(AXES)} with commas between, or none (default: batch)',
    )
    parser.add_argument(
        '--calibrate', type=Path, metavar='FOLDER', help='videos that show the ranges of int8, or a list'
    )
    parser.add_argument('--clips', nargs='+', type=Path, default=[], metavar='VIDEO', help='videos to compare on')
    parser.add_argument(
        '--accuracy', type=Path, metavar='LIST', help='a list of videos with labels, or a folder with one a class'
    )
    parser.add_argument('--frames', type=cli.at_least(1), help="frames of a clip (default: the test pipeline's)")
    parser.add_argument(
        '--size', type=cli.at_least(1), help="height and width of a clip (default: the test pipeline's)"
    )
    parser.add_argument(
        '--tolerance',
        type=share,
        help='how far apart logits may be, as a share of the largest one, or of 1 (default: '
        + ', '.join(f'{value:g} for {dtype}' for dtype, value in TOLERANCES.items())
        + ')',
    )
    parser.add_argument(
        '--threads', type=cli.at_least(1), default=torch.get_num_threads(), help='threads of the comparison'
    )
    parser.add_argument('--runs', type=cli.at_least(1), default=5, help='timed runs of each')
    return parser.parse_args()


def choose_file(out: Path | None, kind: str | None) -> tuple[Path, str]:
    """The file and its format, of which one may follow from the other.

    Raises:
        UserError: They contradict each other.
    """
    if out is None:
        kind = kind or 'onnx'
        return Path('model' + ENDINGS[kind][0]), kind
    found = find_format(out)
    if found is None or kind not in (None, found):
        allowed = ENDINGS[kind] if kind else [endings[0] for endings in ENDINGS.values()]
        raise UserError(f'--out {str(out)!r} must end in {" or ".join(allowed)}')
    return out, found


def written_files(out: Path, kind: str) -> list[Path]:
    """The files of an export: OpenVINO's weights are beside its graph."""
    return [out, *([out.with_suffix('.bin')] if kind == 'openvino' else [])]


def warn_of(clips: VideoClips, option: str) -> None:
    """Say which videos could not be read."""
    for path, reason in clips.unreadable.items():
        print(f'warning: {option}: {printable(path)} is left out: {printable(reason)}', file=sys.stderr)


def write_times(times: dict[str, float]) -> str:
    return ', '.join(f'{name} {milliseconds:.1f} ms' for name, milliseconds in times.items())


def refuse_missing(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise UserError(f'--clips {str(path)!r} does not exist (looked in {Path.cwd()})')


def main() -> None:
    args = parse_args()
    out, kind = choose_file(args.out, args.format)
    for path in written_files(out, kind):
        check_target(path, args.overwrite)
    check_choice(kind, args.dtype)
    refuse_missing(args.clips)
    if args.calibrate and args.dtype != 'int8':
        raise UserError('--calibrate is for --dtype int8 alone')
    recognizer = cli.load_model(args)
    shape = shape_of_clips(recognizer, args.frames, args.size)
    description = describe_model(recognizer, shape, args.dtype, args.preprocessing, args.dynamic)
    pipeline = description.test_pipeline
    head: Any = recognizer.cls_head
    names = description.classes or tuple(map(str, range(head.num_classes)))
    if args.accuracy and description.multi_class:
        raise UserError('--accuracy is of models that give a video one label; this one gives several')
    calibration = args.calibrate and find_clips(args.calibrate, '--calibrate', pipeline, most=MOST_CALIBRATED)
    listed = args.accuracy and find_clips(args.accuracy, '--accuracy', pipeline, names)
    given = VideoClips(pipeline, args.clips)

    torch.set_num_threads(args.threads)
    reference = as_reference(recognizer, description)
    tolerance = args.tolerance or TOLERANCES[args.dtype]
    lines: list[str] = []

    def check(exported: ExportedModel) -> None:
        made_up = random_clips(description)
        differences = {'random clips': check_parity(exported, reference, made_up, tolerance, 'a clip')}
        if args.clips:
            differences['videos'] = check_parity(exported, reference, given, tolerance, 'a clip of --clips')
        written = ', '.join(f'by {value:.1e} at most on {name}' for name, value in differences.items())
        lines.append(f'logits differ from those of PyTorch {written}')
        if listed:
            result = measure_accuracy(exported, reference, head, listed.views())
            lines.append(
                f'accuracy {result.before:.2%} before, {result.after:.2%} after; the same answer for {result.same:.2%} '
                f'of {result.videos} videos'
            )
        times = dict(compare_speed(exported, reference, args.runs))
        times[RUNTIMES[kind]] = times.pop('file')
        lines.append(f'{write_times(times)} for a clip ({args.threads} threads)')

    export_model(
        recognizer,
        out,
        kind,
        shape,
        dtype=args.dtype,
        preprocessing=args.preprocessing,
        dynamic=args.dynamic,
        calibration=calibration,
        threads=args.threads,
        check=check,
    )
    for clips, option in ((calibration, '--calibrate'), (given, '--clips'), (listed, '--accuracy')):
        if clips:
            warn_of(clips, option)
    size = sum(path.stat().st_size for path in written_files(out, kind)) / 2**20
    takes = 'uint8 pixels' if args.preprocessing else 'normalised float32'
    gives = 'logits and probabilities' if args.preprocessing else 'logits'
    print(
        f'{out}: {RUNTIMES[kind]}, {args.dtype}, {size:.1f} MiB; clips {write_shape(description)} of {takes} in, '
        f'{gives} out'
    )
    print(*lines, sep='\n')


if __name__ == '__main__':
    cli.run(main)
