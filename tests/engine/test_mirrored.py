import numpy as np
import pytest

from mmdualformer.engine.mirrored import describe_pairs, judge, sign_test

LEFT_RIGHT = {0: 1, 1: 0}


def draw(num_classes: int, each: int, accuracy: float, images: dict | None = None, seed: int = 0) -> list:
    """Clips that a model sees: as it should with a probability, else as any other class.

    ``images`` says what class the mirror image of a class is. Both sides of a clip are right or wrong together more
    often than not, as for a real model.
    """
    rng = np.random.default_rng(seed)

    def see(true: int, ease: float) -> int:
        is_right = (ease if rng.random() < 0.7 else rng.random()) < accuracy
        return true if is_right else int((true + rng.integers(1, num_classes)) % num_classes)

    clips = []
    for label in np.repeat(range(num_classes), each).tolist():
        ease = rng.random()
        clips.append((label, see(label, ease), see((images or {}).get(label, label), ease)))
    return clips


def shuffle_pair(clips: list, seed: int = 0) -> list:
    """Clips of a model that takes class 0 for 1 as often as not, whether it is mirrored or not."""
    rng = np.random.default_rng(seed)
    return [(clip[0], *[int(rng.integers(2))] * 2) if clip[0] < 2 else clip for clip in clips]


def kinds_of(count: int, *args, **kwargs) -> list[str]:
    return [judge(draw(*args, **kwargs, seed=seed), args[0]).kind for seed in range(count)]


def test_the_sign_test():
    assert sign_test(0, 0) == 1 and sign_test(0, 5) == 1
    assert sign_test(5, 0) == 1 / 32
    assert sign_test(7, 1) == pytest.approx(9 / 256)


@pytest.mark.parametrize(
    ('num_classes', 'each', 'accuracy'), [(2, 4, 1.0), (2, 20, 0.9), (10, 4, 0.95), (10, 20, 0.8), (400, 20, 0.8)]
)
def test_classes_that_change(num_classes, each, accuracy):
    clips = draw(num_classes, each, accuracy, LEFT_RIGHT)
    verdict = judge(clips, num_classes)
    assert verdict.kind == 'changes' and verdict.pairs and set(verdict.pairs) <= {(0, 1), (1, 0)}
    right = sum(label == seen for label, seen, _ in clips)
    assert f'of {len(clips)} validation clips {right} are recognised, and ' in verdict.figures


def test_a_class_whose_image_is_another_but_not_the_other_way_round():
    assert judge(draw(10, 20, 0.95, {3: 7}), 10).pairs == ((3, 7),)


@pytest.mark.parametrize(
    ('num_classes', 'each', 'accuracy'), [(2, 4, 1.0), (2, 20, 0.9), (10, 4, 0.97), (10, 20, 0.8), (400, 20, 0.8)]
)
def test_classes_that_do_not_change(num_classes, each, accuracy):
    count = 20 if num_classes < 100 else 3
    kinds = kinds_of(count, num_classes, each, accuracy)
    assert 'changes' not in kinds and kinds.count('same') >= 0.6 * count


@pytest.mark.parametrize(('num_classes', 'each'), [(2, 4), (2, 20), (5, 4), (10, 4), (10, 20)])
def test_classes_that_change_are_not_taken_for_the_same(num_classes, each):
    """However well the model knows them, and whether it tells left from right."""
    for accuracy in (0.3, 0.6, 0.8, 0.95):
        assert 'same' not in kinds_of(50, num_classes, each, accuracy, LEFT_RIGHT)
    told = [
        judge(shuffle_pair(draw(num_classes, each, 0.97, seed=seed), seed), num_classes).kind for seed in range(100)
    ]
    assert told.count('same') <= 6  # of 100, and it takes two in a row


def test_a_class_that_is_a_little_worse_is_no_evidence():
    clips = draw(10, 20, 1.0)
    clips[:3] = [(0, 0, 5), (0, 0, 6), (0, 0, 7)]
    assert judge(clips, 10).kind == 'same'
    clips[:12] = [(0, 0, other % 9 + 1) for other in range(12)]  # much worse, but like no class
    assert judge(clips, 10).kind == 'unclear'


def test_too_little_is_unclear():
    assert judge([], 2).kind == 'unclear'
    assert judge(draw(3, 2, 1.0), 3).kind == 'unclear'
    assert judge(draw(10, 20, 0.3), 10).kind == 'unclear'
    assert judge([clip for clip in draw(10, 20, 1.0) if clip[0] != 9], 10).kind == 'unclear'  # no clip of a class
    assert judge([(label, 0, 0) for label in (0, 1) for _ in range(20)], 2).kind == 'unclear'  # all is the first class


def test_many_pairs_are_said_shortly():
    classes = list('abcdefg')
    assert describe_pairs([(0, 1)], classes) == 'mirrored clips of `a` look like `b`'
    assert describe_pairs([(0, 3), (1, 3), (3, 2), (2, 3)], classes, most=2) == (  # what is each other's image first
        'mirrored clips of `d` look like `c`, of `c` look like `d`, of 2 more classes like others'
    )
    assert describe_pairs([(i, i + 1) for i in range(6)], classes, most=2) == (
        'mirrored clips of `a` look like `b`, of `b` look like `c`, of 4 more classes like others'
    )
