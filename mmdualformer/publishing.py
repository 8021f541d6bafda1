"""Checkpoints that are given away: without the state of training, named by their content, with a model card."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

import torch.nn as nn
import yaml

from mmdualformer.analysis import as_scorer, clip_shape, count_cost
from mmdualformer.checkpoints import load_recognizer
from mmdualformer.checkpoints.converters import Converted, write_converted
from mmdualformer.checkpoints.trained import convert_trained
from mmdualformer.errors import UserError, printable
from mmdualformer.files import check_target, sha256, write_atomically
from mmdualformer.weights import load_safely

FORMATS = ('safetensors', 'pth')
CARD = 'README.md'  # as the Hugging Face hub names it
HASHED = re.compile(r'_\d{8}-[0-9a-f]{8}$')  # what a name ends in, before its suffix
TIMES = ('val/time', 'val/data_time')  # of the log, where all else of a validation is a metric


@dataclass(frozen=True)
class Metrics:
    """What the log in a checkpoint says of the last validation.

    Attributes:
        values (dict): Name -> value.
        is_of_weights (bool): Whether they are sure to be those of the checkpoint's weights: it was written then.
        is_best (bool): Whether the checkpoint is the best of its run by them.
    """

    values: dict[str, float]
    is_of_weights: bool
    is_best: bool


def publish(
    source: Path,
    out: Path,
    form: str | None = None,
    license: str | None = None,
    data: str | None = None,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write what is given away of a checkpoint, and a model card beside it.

    The name ends in the date and in the first 8 hex digits of the file's SHA-256, as MMAction2's ``publish_model.py``
    has it.

    Args:
        source (Path): A checkpoint that a run or a converter of ours has written.
        out (Path): A folder, or a file ``NAME.safetensors`` or ``NAME.pth``, whose name is completed.
        form (str, optional): ``'safetensors'`` or ``'pth'``. Defaults to None, that of ``out``, or else the former.
        license (str, optional): License of the weights, such as ``'apache-2.0'``. Defaults to None, as the card says.
        data (str, optional): What it was trained on, as Markdown. Defaults to None, which the card says.
        overwrite (bool): Replace files that are there. Defaults to False.

    Returns:
        tuple: The file and the card.

    Raises:
        UserError: The checkpoint cannot be read or does not describe itself, or a file is there already.
    """
    folder, name, form = _place(source, out, form)
    card = folder / CARD
    check_target(card, overwrite)
    converted = convert_trained(source)
    model = load_recognizer(str(source))
    metrics = read_metrics(source)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.publish-', dir=folder) as made:
        partial = Path(made, f'{name}.{form}')
        write_converted(converted, source, partial)
        digest = sha256(partial)
        target = folder / f'{name}_{date.today():%Y%m%d}-{digest[:8]}.{form}'
        check_target(target, overwrite)
        partial.replace(target)
    text = describe_model(model, converted, target.name, digest, metrics, license, data)
    with write_atomically(card) as partial:
        partial.write_text(text, encoding='utf-8')
    return target, card


def find_published(folder: Path) -> Path:
    """Find the only file of weights in a folder.

    Raises:
        UserError: There is none, or there are several.
    """
    found = sorted(path for form in FORMATS for path in folder.glob(f'*.{form}'))
    if len(found) != 1:
        names = ', '.join(printable(path.name) for path in found[:3]) or 'none'
        raise UserError(f'folder {str(folder)!r} must have one file of weights, .safetensors or .pth, not {names}')
    return found[0]


def read_metrics(source: Path) -> Metrics:
    """Read what the log in a checkpoint says of its last validation."""
    log = load_safely(str(source)).get('message_hub')
    scalars, info = ((log.get(part) if isinstance(log, Mapping) else None) for part in ('log_scalars', 'runtime_info'))
    values = {}
    for name, history in scalars.items() if isinstance(scalars, Mapping) else ():
        if isinstance(name, str) and name.startswith('val/') and name not in TIMES and hasattr(history, 'current'):
            if len(history.data[0]) and isfinite(history.current()):
                values[name.removeprefix('val/')] = float(history.current())
    told = info if isinstance(info, Mapping) else {}
    best = [Path(str(path)).name for name, path in told.items() if str(name).startswith('best_ckpt')]
    return Metrics(values, told.get('loop_stage') == 'val', source.name in best)


def describe_model(
    model: nn.Module,
    converted: Converted,
    name: str,
    digest: str,
    metrics: Metrics,
    license: str | None = None,
    data: str | None = None,
) -> str:
    """Write a model card: Markdown, with what the Hugging Face hub reads as YAML in front of it.

    Args:
        model (nn.Module): The recognizer.
        converted (Converted): Its weights.
        name (str): Name of the file.
        digest (str): SHA-256 of the file.
        metrics (Metrics): What the log in the checkpoint says.
        license, data (str, optional): See :func:`publish`.

    Returns:
        str: The card.
    """
    parts: Any = model
    kind = type(parts.backbone).__name__
    classes = [str(each) for each in (parts.dataset_meta or {}).get('classes') or ()]
    title = HASHED.sub('', name.rpartition('.')[0])
    front: dict[str, Any] = dict(
        library_name='mmdualformer',
        pipeline_tag='video-classification',
        tags=['mmaction2', 'action-recognition', 'video-classification', kind.lower()],
    )
    if license:
        is_identifier = re.fullmatch(r'[a-z0-9][a-z0-9.-]*', license)
        front |= dict(license=license) if is_identifier else dict(license='other', license_name=license)
    sections = {
        '': f'A {kind} that recognises {parts.cls_head.num_classes} classes of videos.\n\n{_say_file(name, digest)}',
        'How to use it': _say_use(name),
        'Data': data.strip() if data and data.strip() else 'Whoever published it did not say what it was trained on.',
        'Metrics': _say_metrics(metrics),
        'Cost': _say_cost(model),
        'Classes': _say_classes(classes),
        'License': escape(license) if license else 'Whoever published it gave no license.',
    }
    body = '\n\n'.join(f'## {heading}\n\n{text}' if heading else text for heading, text in sections.items())
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f'---\n{head}---\n\n# {escape(title)}\n\n{body}\n'


def escape(text: object) -> str:
    """Write a text so that Markdown shows it as it is, also in a table: it makes no links, tags or marks."""
    return re.sub(r'[\\`*\[\]<>|~&!$:@#]|(?<![^\W_])_|_(?![^\W_])', r'\\\g<0>', printable(text))


def _place(source: Path, out: Path, form: str | None) -> tuple[Path, str, str]:
    """The folder to write to, the name before its hash, and the form."""
    if form is not None and form not in FORMATS:
        raise UserError(f'format={form!r} must be one of {", ".join(FORMATS)}')
    suffix = out.suffix.removeprefix('.')
    if suffix not in FORMATS or out.is_dir():
        if out.exists() and not out.is_dir():
            raise UserError(f'--out {str(out)!r} is a file; give a folder, or a name that ends in .safetensors or .pth')
        stem = HASHED.sub('', source.name.removesuffix(source.suffix))
        return out, re.sub(r'[^\w.+-]+', '_', stem), form or FORMATS[0]
    if form not in (None, suffix):
        raise UserError(f'--out {str(out)!r} and --format {form} are two forms; give one')
    name = HASHED.sub('', out.stem)
    if not re.fullmatch(r'\w[\w.+-]*', name):
        raise UserError(f'--out {str(out)!r} must have a name of letters, digits and . _ + -')
    return out.parent, name, suffix


def _say_file(name: str, digest: str) -> str:
    text = f'Its weights, test pipeline and class names are in `{name}`.'
    if not name.endswith('.safetensors'):
        text += ' The file is of `torch.save`, and mmdualformer reads it as plain data.'
    return f'{text} SHA-256: `{digest}`.'


def _say_use(name: str) -> str:
    program = [
        'from mmdualformer import Recognizer',
        f'recognizer = Recognizer({name!r})',
        "print(recognizer('clip.mp4'))",
    ]
    return '\n'.join(['```python', *program, '```', '', '```bash', f'mmdualformer recognize {name} clip.mp4', '```'])


def _say_metrics(metrics: Metrics) -> str:
    if not metrics.values:
        return 'The checkpoint has none in its log.'
    said = 'Of these weights, on the validation videos of the run.'
    if not metrics.is_of_weights:
        said = (
            'Of the last validation in the log of the run. The checkpoint was written at another time, so these are '
            'the numbers of earlier weights of the run.'
        )
    if metrics.is_best:
        said += ' They were chosen as the best on these videos, so others may be recognised less well.'
    rows = [(escape(name), f'{value:.4f}') for name, value in metrics.values.items()]
    return f'{said}\n\n{_table(("metric", "value"), rows)}'


def _say_cost(model: nn.Module) -> str:
    parts: Any = model
    scorer = as_scorer(model)
    rows = [('parameters', _count(sum(parameter.numel() for parameter in scorer.parameters())))]
    try:
        shape = clip_shape(parts.cfg)
    except UserError as error:
        return f'{_table(("", ""), rows)}\n\nMultiply-adds were not counted: {escape(error)}.'
    rows.append(('multiply-adds of a clip', _count(count_cost(scorer, shape).macs)))
    rows.append(('clip', '{} frames of {} x {} pixels (height x width)'.format(*shape[2:])))
    return _table(('', ''), rows)


def _say_classes(classes: Sequence[str]) -> str:
    if not classes:
        return 'The checkpoint does not name its classes.'
    return _table(('number', 'name'), [(str(label), escape(name)) for label, name in enumerate(classes)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _count(number: int) -> str:
    for unit, size in (('G', 10**9), ('M', 10**6), ('k', 10**3)):
        if number >= size:
            return f'{number / size:.3g} {unit}'
    return str(number)
