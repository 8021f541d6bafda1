"""Show where a recognizer looks in a video, or where the score of a class comes from, over time.

FILE.mp4 is a video of the maps, laid over the frames that the model saw; FILE.png or FILE.jpg is a contact sheet;
FILE.npz has the maps as numbers.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import mmdualformer  # noqa: F401  (registers the models and mends the installed stack)
from mmdualformer import cli
from mmdualformer.errors import UserError, describe_damage, name_some, printable
from mmdualformer.files import check_target, write_atomically
from mmdualformer.visualization import (
    Explanation,
    View,
    contact_sheet,
    explain,
    read_view,
    write_overlay,
    write_picture,
)

ENDINGS = ('.mp4', '.png', '.jpg', '.npz')
METHODS = {'attention': 'attention', 'grad-cam': 'grad_cam'}


def out_file(text: str) -> Path:
    """Type of ``--out``."""
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f'{text!r} must end in {", ".join(ENDINGS[:-1])} or {ENDINGS[-1]}')
    return path


def parse_args() -> argparse.Namespace:
    parser = cli.ArgumentParser(description=__doc__)
    cli.add_model_arguments(parser, 'videos', least=1, most=1)
    cli.add_out_arguments(
        parser, type=out_file, required=True, metavar='FILE', help='.mp4, .png, .jpg or .npz file to write'
    )
    parser.add_argument(
        '--method',
        choices=METHODS,
        help="where the model's attention looks, or where the score of a class comes from (default: attention; "
        'grad-cam with --class or --target-layer, and for models without attention to draw)',
    )
    parser.add_argument(
        '--class', dest='class_name', metavar='NAME|NUMBER', help='class to explain (default: the predicted one)'
    )
    parser.add_argument(
        '--target-layer',
        metavar='LAYER',
        help="layer of Grad-CAM, such as backbone/layer4 (default: backbone/feature_map of this package's models, "
        'backbone of others)',
    )
    cli.add_labels_argument(parser)
    cli.add_device_argument(parser)
    return parser.parse_args()


def find_class(text: str, names: Sequence[str], num_classes: int) -> int:
    """Find a class by its name or else by its number.

    Raises:
        UserError: There is no such class.
    """
    if text in names:
        return list(names).index(text)
    if text.isdecimal() and int(text) < num_classes:
        return int(text)
    folded = {name.casefold(): name for name in names}
    close = [folded[name] for name in difflib.get_close_matches(text.casefold(), folded, n=3)]
    hint = f'did you mean {" or ".join(map(repr, map(printable, close)))}' if close else ''
    known = f'it has {name_some(names, 5)}' if names else 'it names none'
    raise UserError(
        f'--class {printable(text)!r} is no class of the model; {hint or known}; a number is 0 to {num_classes - 1}'
    )


def write(path: Path, view: View, explanation: Explanation, class_name: str) -> None:
    """Write what the file's ending says."""
    ending = path.suffix.lower()
    if ending == '.mp4':
        write_overlay(path, view.frames, explanation.maps, view.times)
    elif ending == '.npz':
        known = {} if view.times is None else {'times': view.times}
        parts = {name.replace(' ', '_'): maps for name, maps in explanation.parts.items()}
        with write_atomically(path) as partial, open(partial, 'wb') as file:
            np.savez_compressed(
                file,
                maps=explanation.maps,
                frame_numbers=view.numbers,
                method=explanation.method,
                class_number=explanation.label,
                class_name=class_name,
                scores=explanation.scores,
                **known,
                **parts,
            )
    else:
        row = 'attention' if explanation.method == 'attention' else 'Grad-CAM'
        parts = {name: maps for name, maps in explanation.parts.items() if not np.array_equal(maps, explanation.maps)}
        rows = {row: explanation.maps, **parts}
        write_picture(path, contact_sheet(view.frames, rows, view.times))


def main() -> None:
    args = parse_args()
    method = METHODS.get(args.method)
    for option, value in (('--class', args.class_name), ('--target-layer', args.target_layer)):
        if method == 'attention' and value is not None:
            raise UserError(f'{option} {value!r} needs --method grad-cam; attention is of no class or layer')
    (video,) = args.videos
    if args.out.exists() and Path(video).exists() and args.out.samefile(video):
        raise UserError(f'--out {str(args.out)!r} is the video itself')
    check_target(args.out, args.overwrite)
    model = cli.load_model(args)
    names = model.dataset_meta.get('classes') or ()
    num_classes = model.cls_head.num_classes
    target = None if args.class_name is None else find_class(args.class_name, names, num_classes)

    view = read_view(model, video)
    for what in view.damage:
        print(f'warning: {describe_damage(video, what)}', file=sys.stderr)
    explanation = explain(model, view.clips, method, target, args.target_layer, view.times)

    def say(label: int) -> str:
        return f'{printable(names[label]) if label < len(names) else label} {explanation.scores[label]:.2%}'

    label = explanation.label
    write(args.out, view, explanation, names[label] if label < len(names) else '')
    of_view = f' (the middle one of {view.count} views)' if view.count > 1 else ''
    print(f'{printable(video)}: {say(explanation.predicted)}{of_view}')
    shown = 'attention, for all classes' if explanation.method == 'attention' else f'Grad-CAM of {say(label)}'
    when = '' if view.times is None else f' from {view.times[0]:.2f} to {view.times[-1]:.2f} s'
    print(f'{printable(args.out)}: {len(view.frames)} frames{when}, {shown}')


if __name__ == '__main__':
    cli.run(main)
