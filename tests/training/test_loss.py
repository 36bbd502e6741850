"""The loss and its gradient against torch's own, and its bounds."""

import math

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.training.loss import divergence, smoothed_cross_entropy


@given(st.integers(1, 9), st.integers(2, 30), st.floats(0, 0.9), st.integers(0, 99))
def test_loss_and_gradient_equal_torch(tokens: int, vocab: int, smoothing: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(tokens, vocab, generator=generator, dtype=torch.double) * 3).requires_grad_()
    targets = torch.randint(vocab, (tokens,), generator=generator)
    loss, nll = smoothed_cross_entropy(logits, targets, smoothing)
    expected = F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, F.cross_entropy(logits.detach(), targets, reduction="sum"))
    (gradient,) = torch.autograd.grad(3 * loss, logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(3 * expected, logits)[0])


def test_bf16_logits_are_summed_in_fp32() -> None:
    logits = torch.randn(50, 1000).bfloat16().requires_grad_()
    targets = torch.randint(1000, (50,))
    loss, _ = smoothed_cross_entropy(logits, targets, 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(
        loss, F.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=0.1), rtol=1e-6, atol=1e-4
    )
    loss.backward()
    assert logits.grad is not None and logits.grad.dtype == torch.bfloat16


def test_a_model_that_knows_nothing_loses_log_vocabulary_a_token() -> None:
    loss, nll = smoothed_cross_entropy(torch.zeros(4, 50), torch.arange(4), 0.1)
    assert math.isclose(loss.item(), 4 * math.log(50), rel_tol=1e-6)
    assert math.isclose(nll.item(), 4 * math.log(50), rel_tol=1e-6)


def test_divergence_is_torchs_kl_both_ways() -> None:
    a, b = torch.randn(2, 5, 7, dtype=torch.double).requires_grad_()
    p, q = a.log_softmax(-1), b.log_softmax(-1)
    expected = (F.kl_div(q, p, reduction="sum", log_target=True) + F.kl_div(p, q, reduction="sum", log_target=True)) / 2
    torch.testing.assert_close(divergence(a, b), expected)
    assert divergence(a, a) == 0
