"""The loss and its gradient against torch's own, and its bounds."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seq2seq.training import loss as training_loss
from seq2seq.training.loss import (
    alignment_cross_entropy,
    divergence,
    output_cross_entropy,
    output_log_probabilities,
    smoothed_cross_entropy,
)


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


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
def test_the_alignments_cross_entropy_and_its_gradient_are_the_plain_ones(
    batch: int, tgt_len: int, src_len: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(batch, tgt_len, src_len, generator=generator, dtype=torch.double, requires_grad=True)
    alignment = (torch.rand(scores.shape, generator=generator) < 0.3).double()
    alignment = alignment / alignment.sum(-1, keepdim=True).clamp_min(1)
    loss = alignment_cross_entropy(scores.softmax(-1), alignment)
    plain = torch.zeros((), dtype=torch.double)
    for b in range(batch):
        for t in range(tgt_len):
            for s in range(src_len):
                plain = plain - alignment[b, t, s] * (scores[b, t, s] - scores[b, t].exp().sum().log())
    torch.testing.assert_close(loss, plain)
    (gradient,) = torch.autograd.grad(loss, scores)
    counts = alignment.sum(-1, keepdim=True)  # 1, or 0: the gradient is that of a softmax's cross-entropy
    torch.testing.assert_close(gradient, counts * scores.detach().softmax(-1) - alignment)


def test_attention_that_cannot_look_where_it_should_has_a_finite_loss() -> None:
    weights = torch.tensor([[[0.0, 1.0]]], requires_grad=True)  # outside the window of `local_p`
    loss = alignment_cross_entropy(weights, torch.tensor([[[1.0, 0.0]]]))
    loss.backward()
    assert loss.isfinite() and weights.grad is not None and weights.grad.isfinite().all()


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


@given(st.integers(0, 20), st.floats(0, 0.9), st.integers(0, 99))
def test_in_pieces_it_is_the_same_loss_and_gradient(tokens: int, smoothing: float, seed: int) -> None:
    torch.manual_seed(seed)
    output, targets = nn.Linear(4, 9).double(), torch.randint(9, (tokens,))
    states = torch.randn(tokens, 4, dtype=torch.double, requires_grad=True)
    wanted = [states, output.weight, output.bias]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training_loss.PIECE, "cpu", 7)
        loss, nll = output_cross_entropy(states, output, targets, smoothing)
    whole, whole_nll = smoothed_cross_entropy(output(states), targets, smoothing)
    torch.testing.assert_close((loss, nll), (whole, whole_nll))
    gradients = torch.autograd.grad(loss * 3, wanted)
    for one, other in zip(gradients, torch.autograd.grad(whole * 3, wanted), strict=True):
        torch.testing.assert_close(one, other)
    assert not nll.requires_grad


def test_in_pieces_in_bf16_it_stays_near() -> None:
    torch.manual_seed(1)
    output, targets, states = nn.Linear(32, 50), torch.randint(50, (600,)), torch.randn(600, 32, requires_grad=True)
    exact, _ = output_cross_entropy(states, output, targets, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded, _ = output_cross_entropy(states, output, targets, 0.1)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=1e-3, atol=0)
    one, other = (torch.autograd.grad(loss, output.weight)[0] for loss in (rounded, exact))
    assert one.dtype == torch.float32
    assert (one - other).norm() < 0.02 * other.norm()


@given(st.integers(0, 20), st.integers(0, 99))
def test_log_probabilities_in_pieces_equal_torch(tokens: int, seed: int) -> None:
    torch.manual_seed(seed)
    output, targets = nn.Linear(4, 9).double(), torch.randint(9, (tokens,))
    states = torch.randn(tokens, 4, dtype=torch.double, requires_grad=True)
    wanted, factors = [states, output.weight, output.bias], torch.randn(tokens, dtype=torch.double)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training_loss.PIECE, "cpu", 7)
        found = output_log_probabilities(states, output, targets)
        gradients = torch.autograd.grad(found @ factors, wanted)
    expected = output(states).log_softmax(-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(found, expected)
    for one, other in zip(gradients, torch.autograd.grad(expected @ factors, wanted), strict=True):
        torch.testing.assert_close(one, other)


def test_log_probabilities_in_bf16_are_fp32_and_near() -> None:
    torch.manual_seed(1)
    output, targets, states = nn.Linear(32, 50), torch.randint(50, (600,)), torch.randn(600, 32, requires_grad=True)
    exact = output_log_probabilities(states, output, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = output_log_probabilities(states, output, targets)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.05)
    one, other = (torch.autograd.grad(found.sum(), output.weight)[0] for found in (rounded, exact))
    assert one.dtype == torch.float32
    assert (one - other).norm() < 0.02 * other.norm()
