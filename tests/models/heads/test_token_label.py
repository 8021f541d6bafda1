import pytest
import torch
from mmaction.structures import ActionDataSample

from mmdualformer.errors import UserError
from mmdualformer.models import TokenLabelHead


def build(**kwargs) -> TokenLabelHead:
    torch.manual_seed(0)
    settings = dict(num_classes=6, in_channels=4, dropout_ratio=0.0, num_token_labels=2)
    return TokenLabelHead(**{**settings, **kwargs}).double()


def samples(logits) -> list:
    return [ActionDataSample(token_logits=x).set_gt_label(i) for i, x in enumerate(logits)]


def test_losses_are_the_released_ones():
    """gamma * CE(clip) + (1 - gamma) * soft CE(tokens), the targets from the two highest logits, the others 0."""
    head = build(gamma=0.3)
    feats = torch.randn(2, 4, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(2, 6, 2, 3, 3)
    losses = head.loss(feats, samples(logits))

    clip = torch.nn.functional.cross_entropy(head.fc_cls(feats.mean((2, 3, 4))), torch.tensor([0, 1]))
    torch.testing.assert_close(losses['loss_cls'], 0.3 * clip)
    total = 0
    for n, t, h, w in torch.cartesian_prod(*map(torch.arange, (2, 2, 3, 3))):
        kept = torch.zeros(6, dtype=torch.float64)
        best = logits[n, :, t, h, w].argsort()[-2:]
        kept[best] = logits[n, best, t, h, w].double()
        total -= (kept.softmax(0) * head.token_branch(feats[n, :, t, h, w]).log_softmax(0)).sum()
    torch.testing.assert_close(losses['loss_token'], 0.7 * total / 36, rtol=1e-6, atol=0)

    (losses['loss_cls'] + losses['loss_token']).backward()
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())


def test_a_longer_map_of_the_teacher_is_averaged():
    head = build()
    logits = torch.randn(1, 6, 4, 3, 3)
    torch.testing.assert_close(
        head.token_targets(logits, (2, 3, 3)), head.token_targets(logits.unflatten(2, (2, 2)).mean(3), (2, 3, 3))
    )


def test_predictions_do_not_use_the_token_branch():
    head = build().eval()
    feats = torch.randn(2, 4, 2, 3, 3, dtype=torch.float64)
    before = head(feats)
    head.token_branch.apply(lambda module: module.reset_parameters() if hasattr(module, 'reset_parameters') else None)
    torch.testing.assert_close(head(feats), before)


def test_five_labels_of_a_token_are_kept_and_both_losses_count_alike():
    head = TokenLabelHead(num_classes=8, in_channels=4)
    targets = head.token_targets(torch.arange(8.0).view(1, 8, 1, 1, 1), (1, 1, 1))
    torch.testing.assert_close(targets[0], torch.tensor([0.0, 0.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0]).softmax(0))
    assert head.gamma == 0.5


def test_the_token_branch_has_the_dropout_of_the_head():
    assert [m.p for m in build(dropout_ratio=0.3).token_branch if isinstance(m, torch.nn.Dropout)] == [0.3, 0.3]


def test_bad_arguments_and_missing_labels():
    with pytest.raises(UserError, match='gamma=2 must be a number from 0 to 1'):
        build(gamma=2)
    with pytest.raises(UserError, match='num_token_labels=7 must be at most num_classes=6'):
        build(num_token_labels=7)
    with pytest.raises(UserError, match=r'set model\.teacher, or put LoadTokenLabels'):
        build().loss(torch.randn(1, 4, 1, 1, 1), [ActionDataSample().set_gt_label(0)])
