import os
import pickle

import pytest
import torch

from mmdualformer.analysis import average_scores, evaluate_scores, load_predictions
from mmdualformer.errors import UserError
from tests.helpers import REPO, Malicious, assert_one_line


def samples(scores: list, labels: list) -> list:
    return [dict(pred_score=torch.tensor(score), gt_label=torch.tensor(label)) for score, label in zip(scores, labels)]


def test_two_models_that_complement_each_other():
    labels = [[0], [1], [2]]
    first = samples([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.2, 0.6]], labels)
    second = samples([[0.4, 0.6, 0.0], [0.1, 0.9, 0.0], [0.2, 0.2, 0.6]], labels)
    ensemble = average_scores([first, second])
    torch.testing.assert_close(ensemble[1]['pred_score'], torch.tensor([0.35, 0.65, 0.0]))
    assert [evaluate_scores(x)['acc/top1'] for x in (first, second, ensemble)] == pytest.approx([2 / 3, 2 / 3, 1])
    weighted = average_scores([first, second], [3, 1])
    torch.testing.assert_close(weighted[0]['pred_score'], torch.tensor([0.775, 0.225, 0.0]))
    assert first[1]['pred_score'][0] == pytest.approx(0.6)  # as it was


def test_several_labels_are_measured_by_average_precision():
    predictions = samples([[0.9, 0.8], [0.7, 0.1], [0.2, 0.9]], [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert evaluate_scores(predictions) == {'acc/mean_average_precision': pytest.approx(1)}


@pytest.mark.parametrize(
    ('second', 'weights', 'message'),
    [
        (samples([[0.5, 0.5]], [[0]]), None, 'of 1, 2 videos'),
        (samples([[0.5, 0.5]] * 2, [[0], [0]]), None, 'the labels of video 1 differ'),
        (samples([[0.5, 0.2, 0.3]] * 2, [[0], [1]]), None, 'of 2 and 3 classes'),
        (samples([[0.5, 0.5]] * 2, [[0], [1]]), [1.0, 1.0, 1.0], '3 weights do not fit 2'),
        *(
            (samples([[0.5, 0.5]] * 2, [[0], [1]]), weights, 'must not be negative, and have a positive, finite sum')
            for weights in ([0.0, 0.0], [2.0, -1.0], [float('nan'), 1.0], [float('inf'), 1.0])
        ),
    ],
)
def test_predictions_of_something_else_are_refused(second, weights, message):
    first = samples([[0.5, 0.5]] * 2, [[0], [1]])
    with pytest.raises(UserError, match=message):
        average_scores([first, second], weights)


def test_logits_and_probabilities_are_not_averaged():
    labels = [[1.0, 0.0], [1.0, 1.0]]
    nan = samples([[float('nan'), 0.2], [0.1, 1.0]], labels)  # is none of both
    average_scores([nan, samples([[0.5, 0.2], [0.1, 1.0]], labels)])
    shares, logits = samples([[0.5, 0.2], [0.1, 1.0]], labels), samples([[0.5, -0.2], [0.1, 1.0]], labels)
    with pytest.raises(UserError, match='predictions 2 of 2 are logits and others are probabilities; save them again'):
        average_scores([shares, logits])
    assert average_scores([logits, logits])[0]['pred_score'].tolist() == pytest.approx([0.5, -0.2])


def test_logits_and_probabilities_of_one_label_are_not_averaged():
    labels = [[0], [1], [1]]
    shares = samples([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], labels)
    for scores in ([2.5, -1.0], [0.9, 0.8]):
        logits = samples([[0.25, 0.75], scores, [0.5, 0.5]], labels)
        words = r'predictions 2 of 2 are logits and others .* --dump --cfg-options model\.cls_head\.average_clips=prob$'
        with pytest.raises(UserError, match=words):
            average_scores([shares, logits])
        average_scores([logits, logits])
        logits[1]['unreadable'] = 'a.mp4: gone'  # what its blank frames gave is of no scale
        average_scores([shares, logits])
    average_scores([shares, samples([[0.9, 0.1], [float('nan')] * 2, [0.4985, 0.4985]], labels)])


def test_what_one_model_could_not_read_is_unreadable_in_the_average():
    first = samples([[0.9, 0.1]] * 3, [[0]] * 3)
    second = [dict(sample) for sample in first]
    first[0]['unreadable'], second[1]['unreadable'] = 'a.mp4: gone', 'b.mp4: gone'
    ensemble = average_scores([first, second])
    assert [sample.get('unreadable') for sample in ensemble] == ['a.mp4: gone', 'b.mp4: gone', None]
    assert evaluate_scores(ensemble)['acc/top1'] == pytest.approx(1 / 3)


def test_the_command_over_saved_predictions(fork_tool, data_options, tmp_path):
    """Predictions of two real models, as tools/test.py saves them."""
    import torch
    from mmaction.registry import MODELS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    names = ('vidtr_micro_motion', 'dualformer_micro_motion')
    for name in names:
        cfg = Config.fromfile(REPO / f'configs/{name}.py')
        init_default_scope('mmaction')
        torch.manual_seed(0)
        torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / f'{name}.pth')
        result = fork_tool(
            'tools/test.py',
            REPO / f'configs/{name}.py',
            f'{name}.pth',
            '--dump',
            f'{name}.pkl',
            '--cfg-options',
            *data_options,
        )
        assert result.returncode == 0, result.stdout + result.stderr
    result = fork_tool('tools/analysis/ensemble.py', *(f'{name}.pkl' for name in names))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split(':')[0] for line in lines] == [*(f'{name}.pkl' for name in names), 'average']
    assert all('acc/top1' in line and 'acc/top5' in line for line in lines)
    loaded = [pickle.loads((tmp_path / f'{name}.pkl').read_bytes()) for name in names]
    assert f'acc/top1 {evaluate_scores(average_scores(loaded))["acc/top1"]:.2%}' in lines[-1]
    assert_one_line(fork_tool('tools/analysis/ensemble.py', 'no.pkl'), "'no.pkl' does not exist")


@pytest.mark.parametrize(
    'call',
    [
        lambda path: Malicious(os.mkdir, path),
        lambda path: Malicious(torch.storage._load_from_bytes, pickle.dumps(Malicious(os.mkdir, path))),
    ],
)
def test_predictions_run_nothing(tmp_path, call):
    with open(tmp_path / 'bad.pkl', 'wb') as file:
        pickle.dump([dict(pred_score=call(str(tmp_path / 'ran')), gt_label=0)], file)
    with pytest.raises(UserError, match=r'bad\.pkl. holds no predictions: ') as error:
        load_predictions(tmp_path / 'bad.pkl')
    assert not (tmp_path / 'ran').exists()
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'content',
    [
        None,  # a folder
        b'',
        b'garbage',
        b'ctorch._utils\n_rebuild_tensor_v2\n)R.',  # a tensor of nothing
        pickle.dumps(dict(pred_score=torch.tensor([0.5]))),
        pickle.dumps([dict(pred_score=[0.5, 0.5], gt_label=0)]),
        pickle.dumps([dict(pred_score=torch.tensor(0.5), gt_label=torch.tensor([0]))]),
    ],
)
def test_files_that_hold_no_predictions(tmp_path, content):
    path = tmp_path / 'other.pkl'
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r'other\.pkl. holds no predictions') as error:
        load_predictions(path)
    assert '\n' not in str(error.value)
