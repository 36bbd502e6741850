"""Batches: every pair as often as it should be, within the budget, in an order that can be taken up again."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.batching import collate, pad, plan_epoch, plan_in_order_of_length

LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 400), st.integers(0, 9), st.integers(0, 9))
def test_every_pair_once_and_within_the_budget(
    lengths: list[tuple[int, int]], tokens: int, seed: int, epoch: int
) -> None:
    src, tgt = (np.array(side, dtype=np.int32) for side in zip(*lengths, strict=True))
    for plan in (plan_epoch(src, tgt, tokens, seed, epoch), plan_in_order_of_length(src, tgt, tokens)):
        batches = [plan[i] for i in range(len(plan))]
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) == 1 or len(batch) * max(src[batch].max(), tgt[batch].max()) <= tokens


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, (2, 500)).astype(np.int32)
    one, again = (plan_epoch(*lengths, 200, 1, 3) for _ in range(2))
    assert np.array_equal(one.order, again.order) and np.array_equal(one.starts, again.starts)
    assert not np.array_equal(one.order, plan_epoch(*lengths, 200, 1, 4).order)
    assert not np.array_equal(one.order, plan_epoch(*lengths, 200, 2, 3).order)


def test_batches_hold_sentences_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 5000).astype(np.int32)
    plan = plan_epoch(lengths, lengths, 1000, 1, 0)
    padded = sum(len(plan[i]) * lengths[plan[i]].max() for i in range(len(plan)))
    assert lengths.sum() / padded > 0.95


def test_weights_are_how_often_a_pair_is_seen_on_average() -> None:
    lengths = np.full(2000, 5, dtype=np.int32)
    weights = np.repeat([0.5, 2.25], 1000)
    seen = np.zeros(2000)
    for epoch in range(40):
        np.add.at(seen, plan_epoch(lengths, lengths, 100, 1, epoch, weights).order, 1)
    assert abs(seen[:1000].mean() / 40 - 0.5) < 0.02
    assert abs(seen[1000:].mean() / 40 - 2.25) < 0.02


def test_collate_shifts_the_target_and_pads_behind() -> None:
    batch = collate([np.array([5, 6, 2])], [np.array([7, 2])])
    assert batch.tgt_input.tolist() == [[1, 7]] and batch.tgt_output.tolist() == [[7, 2]]
    batch = collate([np.array([5, 2]), np.array([5, 6, 2])], [np.array([7, 8, 2]), np.array([9, 2])])
    assert batch.src.tolist() == [[5, 2, 0], [5, 6, 2]] and batch.src_lengths.tolist() == [2, 3]
    assert batch.tgt_output.tolist() == [[7, 8, 2], [9, 2, 0]] and batch.tgt_tokens == 5
    assert torch.equal(batch.tgt_input[:, 0], torch.tensor([1, 1]))
    assert pad([[3], [4, 4]])[0].tolist() == [[3, 0], [4, 4]]


def test_a_curriculum_goes_from_short_to_long() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 3000).astype(np.int32)
    plan = plan_epoch(lengths, lengths, 500, 1, 0, ascending=True)
    longest = [lengths[plan[i]].max() for i in range(len(plan))]
    assert longest == sorted(longest)
    assert sorted(plan.order.tolist()) == list(range(3000))
