import torch

from mmdualformer.models import VideoMobileFormerHead


def test_dropout_comes_before_the_classifier():
    head = VideoMobileFormerHead(3, 4, token_dim=8, hidden_dim=16, dropout_ratio=1.0)
    feats = torch.randn(2, 4, 2, 3, 3), torch.randn(2, 6, 8)
    torch.testing.assert_close(head(feats), head.fc_cls.bias.expand(2, -1))
    assert not torch.allclose(head.eval()(feats), head.fc_cls.bias)


def test_a_batch_of_one_clip_trains():
    """One clip has no variance: it goes by the running statistics, which stay, and its gradient reaches the weights."""
    torch.manual_seed(0)
    head = VideoMobileFormerHead(3, 4, token_dim=8, hidden_dim=16)
    feats = torch.randn(5, 4, 2, 3, 3), torch.randn(5, 6, 8)
    head.train()(feats)  # statistics of a batch
    statistics = [buffer.clone() for buffer in head.norm.buffers()]
    one = tuple(part[:1] for part in feats)
    head.expand.eval()  # a feature map has values enough for statistics of its own
    scores = head(one)
    scores.sum().backward()
    for buffer, before in zip(head.norm.buffers(), statistics):
        torch.testing.assert_close(buffer, before)
    assert head.fc.weight.grad.abs().sum() > 0
    torch.testing.assert_close(scores, head.eval()(one))
