"""What the numbers of a report mean, in words."""

from collections.abc import Mapping

from .clips import Clips
from .runs import Curves

FEW = 5  # clips of a class that say little of it
WIDE = 0.2  # of an interval
GOOD = 0.03  # error of a calibration that needs no mending


def number(value: float) -> str:
    """Write a whole number so that it can be read."""
    return f'{value:,.0f}'


def duration(seconds: float) -> str:
    """Write a duration, such as ``1 h 4 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f'{seconds} s'
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f'{minutes} min {seconds} s'
    return f'{minutes // 60} h {minutes % 60} min'


def plural(count: int, what: str, more: str = 's') -> str:
    """Write a number of things."""
    return f'{number(count)} {what}{"" if count == 1 else more}'


def explain(numbers: Mapping, clips: Clips, lists: Mapping) -> list[dict]:
    """Say what the result is worth: lines with ``text``, and ``care`` where it may mislead."""
    lines = [_explain_clips(clips), *_explain_split(lists)]
    several = numbers['has_several_labels']
    main = numbers['mean_average_precision' if several else 'top1']
    what = 'mean average precision' if several else 'accuracy'
    if not several:
        lines.append(_explain_level(numbers))
        gap = main['value'] - numbers['mean_class']['value']
        if gap > 0.1:
            lines.append(
                _care(
                    f'The mean class accuracy is {100 * gap:.0f} points lower than the top-1 accuracy: frequent '
                    'classes are recognised better than rare ones.'
                )
            )
    elif numbers['sums_to_one']:
        lines.append(
            _care(
                'The probabilities of a clip add up to 1, as those of a softmax do: seldom more than one label reaches '
                '0.5. A head of several labels (multi_class) needs average_clips="score".'
            )
        )
    if main['high'] - main['low'] > WIDE:
        lines.append(
            _care(
                f'The 95 % interval is {100 * (main["high"] - main["low"]):.0f} points wide: '
                f'{plural(numbers["clips"], "clip")} do not tell the {what} better than that.'
            )
        )
    few = [part for part in numbers['classes'] if 0 < part['clips'] < FEW]
    if few:
        lines.append(
            _care(
                f'{number(len(few))} of {plural(numbers["num_classes"], "class", "es")} have fewer than {FEW} clips '
                'here, which says little about them.'
            )
        )
    missing = numbers['num_classes'] - numbers['classes_with_clips']
    if missing:
        lines.append(_care(f'{plural(missing, "class", "es")} of the model have no clip here.'))
    if numbers['failed']:
        lines.append(
            _care(f'Counted as wrong, as without scores or not to be read: {plural(numbers["failed"], "clip")}.')
        )
    if numbers['without_label']:
        lines.append(_care(f'Left out, as without a label: {plural(numbers["without_label"], "clip")}.'))
    return lines


def explain_calibration(calibration: Mapping, has_several_labels: bool) -> dict:
    """Say whether probabilities can be trusted, and how that was found."""
    off = sum(part['clips'] * (part['confidence'] - part['accuracy']) for part in calibration['bins'])
    off /= calibration['of']
    if calibration['ece'] <= GOOD:
        verdict = 'The probabilities can be taken as they are: about as many are right as they say.'
    elif abs(off) < calibration['ece'] / 3:
        verdict = 'Some probabilities are too high and others too low.'
    elif off > 0:
        verdict = 'The model is too sure of itself: fewer are right than its probabilities say.'
    else:
        verdict = 'The model is less sure than it could be: more are right than its probabilities say.'
    pairs = 'pairs of a clip and a class' if has_several_labels else 'clips'
    note = (
        f'Each point is the mean of the {pairs} whose probability is in one of ten bins, with the 95 % interval of '
        'what is right. The numbers below count them. On the dashed line the probabilities are right. '
    )
    if calibration['temperature'] is None:
        note += 'No temperature makes these labels most likely, as where no clip is recognised wrongly.'
    else:
        note += (
            'Logits divided by the temperature make these labels most likely (negative log-likelihood). It was fitted '
            'on these very clips, so the error with it is a little too low.'
        )
    return dict(verdict=verdict, note=note)


def describe_training(curves: Curves) -> str:
    """Say what the curves are of."""
    last = curves.train[-1]
    text = f'{plural(last["iter"], "iteration")}'
    if curves.by_epoch:
        text = f'{plural(last["epoch"], "epoch")}, {text}'
    if curves.seconds:
        text += f', {duration(curves.seconds)}'
    if curves.runs > 1:
        text += f', in {curves.runs} runs that are joined here'
    return f'{text}.'


def _care(text: str) -> dict:
    return dict(text=text, care=True)


def _explain_clips(clips: Clips) -> dict:
    if clips.kind == 'test':
        return dict(text='These are clips of a test split, which are neither trained nor validated on.', care=False)
    if clips.kind == 'validation' and clips.chosen_on:
        return _care(
            'These are the clips that the best epoch, or the best of several tries, was chosen on, so the result is '
            'somewhat too good. Only clips that nothing was chosen on tell what new videos will give.'
        )
    if clips.kind == 'validation':
        return _care(
            'These are validation clips. The checkpoint was not chosen by them; where settings were, the result is '
            'somewhat too good.'
        )
    return _care(
        'What clips these are is not known without a config. If the checkpoint or a setting was chosen on them, the '
        'result is too good.'
    )


def _explain_split(lists: Mapping) -> list[dict]:
    """Say whether clips of one recording may be on both sides of a split."""
    if 'group_by' not in lists:
        return []
    if lists['group_by']:
        return [dict(text=f'No group of videos (by {lists["group_by"]}) is on two sides of the split.', care=False)]
    return [
        _care(
            'The videos were split one by one. If several are of one recording or person, the model may have seen '
            'those in training, and new ones will be harder.'
        )
    ]


def _explain_level(numbers: Mapping) -> dict:
    main, majority = numbers['top1'], numbers['majority']
    level, name = max((majority['value'], 'guessing the most frequent class'), (numbers['chance'], 'guessing'))
    if main['low'] > level:
        return dict(text=f'The accuracy is above that of always {name}, which is {100 * level:.1f} %.', care=False)
    if main['high'] < level:
        return _care(f'The accuracy is below that of always {name}, which is {100 * level:.1f} %.')
    return _care(f'These clips do not show that it is better than always {name}, which gives {100 * level:.1f} %.')
