import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from mmdualformer.analysis.gpu_check.steps import TrainingStep
from mmdualformer.analysis.training_memory import estimate_training_memory


def test_counts_by_hand():
    """Weights in float32, each with a gradient and two averages; what autograd keeps in bfloat16."""
    with torch.device('meta'):
        model = nn.Linear(100, 1000, bias=False)
        clips = torch.empty(500, 100)
    state = 4 * 4 * 100 * 1000
    held = [state + 2 * (100 * 1000 + 500 * 100 + 500 * 1000)]  # weight, input and output in bfloat16
    estimate = estimate_training_memory(model, lambda model: model(clips).sum())
    assert held[0] <= estimate <= held[0] + 500 * 1000 * 4


def test_attention_is_fused_and_normalisation_in_float32():
    dtypes = []

    def loss(model: nn.Module) -> torch.Tensor:
        q = model(torch.empty(1, 2, 1000, 16))
        dtypes.append(q.dtype)
        attended = F.scaled_dot_product_attention(q, q, value=q, dropout_p=0.0)
        attended = F.scaled_dot_product_attention(attended, q, q, None, 0.0)
        dtypes.append(attended.dtype)
        dtypes.append(F.layer_norm(attended, (16,)).dtype)
        return attended.float().sum()

    with torch.device('meta'):
        estimate = estimate_training_memory(nn.Linear(16, 16), loss)
    assert dtypes == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert estimate < 2 * 1000 * 1000  # a byte for each number of the two matrices


@pytest.mark.parametrize('config', ['dualformer_micro_motion', 'vmf_micro_motion'])
def test_computing_again_takes_less(config):
    def estimate(batch: int, with_cp: bool) -> int:
        step = TrainingStep(config, batch, 'meta', torch.float32, with_cp)
        return estimate_training_memory(step.model, lambda _: step.loss())

    plain, more, again = estimate(8, False), estimate(16, False), estimate(16, True)
    assert again < 0.9 * more and plain < more
