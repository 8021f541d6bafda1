import tracemalloc

import numpy as np
import pytest
import torch
from mmaction.evaluation import mean_average_precision

from mmdualformer.analysis import evaluate_scores
from mmdualformer.errors import UserError
from mmdualformer.report.calibration import calibrate
from mmdualformer.report.intervals import average_precision, bootstrap_map, wilson, wilson_of_mean
from mmdualformer.report.measures import find_mistakes, measure
from mmdualformer.report.predictions import gather


def samples(scores, labels, **more) -> list:
    """Data samples of scores ``[N, C]`` and labels."""
    return [
        dict(
            pred_score=torch.as_tensor(score, dtype=torch.float32),
            gt_label=torch.as_tensor(label).reshape(-1),
            filename=f'{i}.mp4',
            **more,
        )
        for i, (score, label) in enumerate(zip(scores, labels))
    ]


def random_samples(count=200, classes=8, seed=0) -> list:
    """Logits that are right more often than by chance, made probabilities."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    logits = rng.normal(size=(count, classes)) + 2 * np.eye(classes)[labels]
    return samples(torch.tensor(logits).softmax(1), labels)


def test_wilson_intervals_are_those_of_the_textbook():
    low, high = wilson(np.array([0, 8, 10, 0]), np.array([10, 10, 10, 0]))
    assert low == pytest.approx([0, 0.4902, 0.7225, 0], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.9433, 1, 1], abs=1e-4)


def test_the_interval_of_a_mean():
    """Of one class it is Wilson's, of more it is shorter, and where all are right it is no point."""
    assert wilson_of_mean(np.array([8]), np.array([10])) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson_of_mean(np.full(4, 8), np.full(4, 10))
    assert (low, high) == pytest.approx((0.8 - (0.8 - 0.4902) / 2, 0.8 + (0.9433 - 0.8) / 2), abs=1e-4)
    low, high = wilson_of_mean(np.full(4, 10), np.full(4, 10))
    assert low < 0.9 and high == 1


def test_accuracies_are_those_that_a_test_prints():
    dump = random_samples()
    numbers, printed = measure(gather(dump)), evaluate_scores(dump)
    assert numbers['top1']['value'] == pytest.approx(printed['acc/top1'])
    assert numbers['top5']['value'] == pytest.approx(printed['acc/top5'])
    assert numbers['mean_class']['value'] == pytest.approx(printed['acc/mean1'])
    assert numbers['top1']['low'] < numbers['top1']['value'] < numbers['top1']['high']
    assert numbers['chance'] == 1 / 8
    assert sum(clips for _, _, clips in numbers['confusion']) == 200


def test_what_has_no_scores_counts_as_wrong_and_is_no_mistake_of_the_model():
    dump = samples([[0.9, 0.1], [0.9, 0.1], [float('nan'), 0.5], [0.2, 0.8]], [0, 0, 0, 0])
    dump[1]['unreadable'] = '1.mp4: it ends'
    predictions = gather(dump)
    numbers = measure(predictions)
    assert numbers['top1']['value'] == 0.25 and numbers['failed'] == 2
    assert numbers['classes'][0]['accuracy'] == 0.25 and numbers['classes'][0]['precision'] == 1
    assert [mistake['file'] for mistake in find_mistakes(predictions, 10)] == ['3.mp4']
    assert numbers['calibration']['of'] == 2


def test_classes_and_the_pairs_that_are_confused():
    scores = np.eye(3)[[0, 0, 1, 1, 1, 2]] * 0.8 + 0.2 / 3
    numbers = measure(gather(samples(scores, [0, 0, 0, 1, 2, 2]), ['a', 'b', 'c']))
    first, second, third = numbers['classes']
    assert (first['name'], first['clips'], first['accuracy'], first['precision']) == ('a', 3, 2 / 3, 1)
    assert (second['accuracy'], second['precision']) == (1, 1 / 3)
    assert third['f1'] == pytest.approx(2 / 3)
    pairs = [(pair['true'], pair['predicted'], pair['clips'], pair['of']) for pair in numbers['confused']]
    assert pairs == [('c', 'b', 1, 2), ('a', 'b', 1, 3)]
    assert numbers['majority'] == dict(name='a', value=0.5)
    assert numbers['top5'] is None


def test_the_most_confident_mistakes_come_first():
    scores = [[0.6, 0.4], [0.9, 0.1], [0.3, 0.7], [0.2, 0.8]]
    found = find_mistakes(gather(samples(scores, [1, 1, 0, 1])), 2)
    assert [(part['file'], part['true'], part['predicted']) for part in found] == [
        ('1.mp4', ['1'], '0'),
        ('2.mp4', ['0'], '1'),
    ]
    assert found[0]['probability'] == pytest.approx(0.9)
    assert found[0]['probability_of_true'] == pytest.approx(0.1)


def test_a_temperature_undoes_one_that_was_put_in():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6000, 4)) * 1.5
    shares = torch.tensor(logits).softmax(1).numpy()
    labels = (rng.random((6000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    right = calibrate(gather(samples(shares, labels)))
    assert right['ece'] < 0.03 and right['temperature'] == pytest.approx(1, abs=0.08)
    for factor in (0.5, 3):
        off = calibrate(gather(samples(torch.tensor(logits * factor).softmax(1), labels)))
        assert off['temperature'] == pytest.approx(factor, rel=0.08)
        assert off['ece'] > 0.1 and off['ece_after'] < 0.03


def test_no_temperature_mends_what_is_never_wrong():
    calibration = calibrate(gather(samples([[0.9, 0.1], [0.2, 0.8]], [0, 1])))
    assert calibration['temperature'] is None and calibration['ece_after'] is None
    assert calibration['ece'] == pytest.approx(0.15)


def test_logits_become_probabilities():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
    single = gather(samples(logits, [0, 1]))
    assert single.scores == pytest.approx(logits.softmax(1).numpy(), abs=1e-6)
    several = gather(samples(logits, [[1, 0, 0], [0, 1, 1]]))
    assert several.scores == pytest.approx(logits.sigmoid().numpy(), abs=1e-6)
    assert gather(samples(logits.sigmoid(), [[1, 0, 0], [0, 1, 1]])).scores == pytest.approx(several.scores, abs=1e-6)


def test_several_labels():
    rng = np.random.default_rng(0)
    labels = rng.random((300, 6)) < 0.3
    logits = (rng.normal(size=(300, 6)) + 2 * labels - 1).round(1)  # some are equal
    predictions = gather(samples(logits, labels.astype(float)))
    numbers = measure(predictions)
    mean = numbers['mean_average_precision']
    expected = mean_average_precision(list(predictions.scores), list(labels.astype(int)))
    assert mean['value'] == pytest.approx(expected)
    assert mean['low'] < expected < mean['high'] and mean['high'] - mean['low'] < 0.15
    guesses = logits >= 0
    assert numbers['precision']['value'] == pytest.approx((guesses & labels).sum() / guesses.sum())
    assert numbers['recall']['value'] == pytest.approx((guesses & labels).sum() / labels.sum())
    worst = numbers['confused'][0]
    true, wrong = int(worst['true']), int(worst['predicted'])
    assert worst['clips'] == (labels[:, true] & guesses[:, wrong] & ~labels[:, wrong]).sum()
    assert 'confusion' not in numbers


def test_average_precision_with_weights_is_that_of_repeated_clips():
    scores, labels = np.array([0.9, 0.8, 0.8, 0.3]), np.array([True, False, True, True])
    weights = np.array([1, 2, 0, 3])
    repeated = average_precision(np.repeat(scores, weights), np.repeat(labels, weights))
    assert average_precision(scores, labels, weights[None]) == pytest.approx(repeated)
    assert np.isnan(average_precision(scores, np.zeros(4, bool))[0])
    assert bootstrap_map(np.eye(3), np.eye(3, dtype=bool)) == (1, 1)


def test_a_label_that_was_missed_is_a_mistake_too():
    logits = np.array([[5.0, 4.0, -5.0], [-6.0, 5.0, -5.0]])
    first, second = find_mistakes(gather(samples(logits, [[1, 0, 0], [1, 1, 0]]), ['a', 'b', 'c']), 5)
    assert (first['file'], first['predicted'], first['missed'], first['true']) == ('1.mp4', None, 'a', ['a', 'b'])
    assert (second['file'], second['predicted']) == ('0.mp4', 'b')


def test_clips_without_a_label_are_left_out():
    dump = samples([[0.9, 0.1], [0.2, 0.8]], [0, -1])
    assert measure(gather(dump))['without_label'] == 1
    assert measure(gather(dump))['clips'] == 1


@pytest.mark.parametrize(
    ('dump', 'message'),
    [
        (samples([[0.9, 0.1]], [-1]), 'without a label'),
        (samples([[0.9, 0.1]], [[0, 0]]), 'without a label'),
        (samples([[0.9, 0.1]], [2]), 'of 2 classes, and a clip has the label 2'),
        (samples([[0.9, 0.1], [0.2, 0.3, 0.5]], [0, 0]), 'of 2 and 3 classes'),
        (samples([[0.9, 0.1]], [[1, 0, 0]]), r'of 2 classes, and have labels of \[3\] numbers'),
        (samples([[0.9, 0.1]], [0], unreadable='a.mp4: gone'), 'no clip has predictions; the first: a.mp4: gone'),
        ([dict(pred_score=torch.ones(2, 3), gt_label=torch.tensor([0]))], 'pred_score'),
    ],
)
def test_what_cannot_be_measured_is_one_line(dump, message):
    with pytest.raises(UserError, match=message):
        gather(dump)


def test_names_that_do_not_fit():
    dump = samples([[0.2, 0.3, 0.5]], [0])
    assert gather(dump, ['a', 'b']).classes == ['a', 'b', '2']
    assert gather(dump, ['a', 'b', 'c', 'd']).classes == ['0', '1', '2']


def test_many_classes_take_no_square_of_them():
    """Of 4,000 classes a matrix would take 128 MB."""
    scores = np.full((3, 4000), 1e-6)
    scores[[0, 1, 2], [5, 5, 3999]] = 0.9
    predictions = gather(samples(scores, [5, 7, 7]))
    tracemalloc.start()
    numbers = measure(predictions)
    assert tracemalloc.get_traced_memory()[1] < 3e7
    tracemalloc.stop()
    assert numbers['confusion'] == [[5, 5, 1], [7, 5, 1], [7, 3999, 1]]
    assert [(pair['true'], pair['predicted']) for pair in numbers['confused']] == [('7', '5'), ('7', '3999')]
    assert numbers['top1']['hits'] == 1 and numbers['classes'][5]['precision'] == 0.5


def test_tensors_as_a_training_leaves_them():
    """With gradients, and labels that are no numbers."""
    dump = samples([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    dump[0]['pred_score'].requires_grad_()
    dump[1]['gt_label'] = torch.tensor([float('nan')])
    predictions = gather(dump)
    assert predictions.scores == pytest.approx(np.array([[0.9, 0.1]])) and predictions.without_label == 1
    del dump[1]['gt_label']
    with pytest.raises(UserError, match='without a label'):
        gather(dump)
