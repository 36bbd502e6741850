"""The batch loader: a batch, its words split again, depends on its place alone."""

from random import Random

import numpy as np

from seq2seq.data.batching import Batch
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.recipe import BatchConfig
from seq2seq.training.batch_loader import BatchLoader


class Pairs:
    """Prepared pairs in memory."""

    def __init__(self) -> None:
        random = Random(1)
        self.rows = [np.array(range(4, 4 + random.randint(3, 9)), np.int32) for _ in range(60)]
        self.lengths = (np.array([len(row) for row in self.rows], np.int32),) * 2

    def take(self, indices: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        rows = [self.rows[i] for i in indices]
        return rows, rows


class Cut:
    """Another order of the tokens in place of other pieces."""

    calls = 0

    def __call__(self, ids: list[int], random: Random) -> list[int]:
        self.calls += 1
        return random.sample(ids, len(ids))


def loader(cut: Cut) -> BatchLoader:
    return BatchLoader(BatchConfig(tokens=70), Pairs(), None, 1, (cut, cut))  # type: ignore[arg-type]


def rows(batch: Batch) -> list[tuple[list[int], list[int]]]:
    return [
        ([i for i in src if i], [i for i in tgt if i])
        for src, tgt in zip(batch.src.tolist(), batch.tgt_output.tolist(), strict=True)
    ]


def test_words_are_cut_the_same_whatever_came_before() -> None:
    first = loader(Cut())
    whole = [rows(first.take(0, i, SINGLE_PROCESS)[0]) for i in range(first.batches(0))]
    assert rows(loader(Cut()).take(0, 2, SINGLE_PROCESS)[0]) == whole[2]


def test_words_are_cut_another_way_each_time() -> None:
    one, other = (loader(Cut()).take(epoch, 0, SINGLE_PROCESS)[0] for epoch in (0, 1))
    assert not {str(row) for row in rows(one)} & {str(row) for row in rows(other)}
    assert all(src != tgt for src, tgt in rows(one))


def test_each_process_cuts_its_own_share() -> None:
    whole = rows(loader(Cut()).take(0, 2, SINGLE_PROCESS)[0])
    for rank in (0, 1):
        cut = Cut()
        assert rows(loader(cut).take(0, 2, Processes(rank, 2))[0]) == whole[rank::2]
        assert cut.calls == 2 * len(whole[rank::2])


def test_a_process_without_a_share_counts_nothing() -> None:
    (batch,) = loader(Cut()).take(0, 0, Processes(98, 99))
    assert batch.tgt_tokens == 0 and not batch.tgt_output.any() and len(batch.src) == 1
