"""Samples come from the model's own distribution, and end where they must."""

import itertools

import pytest
import torch

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS, PAD
from seq2seq.decoding.sampling import draw, sample
from seq2seq.nn.seq2seq import Seq2Seq

VOCAB = 7
SRC, LENGTHS = torch.tensor([[4, 5, 2], [6, 2, 0]]), torch.tensor([3, 2])


def model(**decoder: object) -> Seq2Seq:
    torch.manual_seed(3)
    stack = {"cell": "gru", "hidden_size": 8}
    config = recipe.ModelConfig.model_validate({"embedding": {"size": 8}, "encoder": stack, "decoder": stack | decoder})
    made = Seq2Seq(config, VOCAB, VOCAB, PAD).eval()
    for weight in made.parameters():
        weight.data.mul_(3)  # far from an even distribution
    return made


def probabilities(made: Seq2Seq, row: int, limit: int) -> dict[tuple[int, ...], float]:
    """Of every translation of a source that sampling can give, by running the model step by step."""
    found: dict[tuple[int, ...], float] = {}
    memory = made.encode(SRC[row : row + 1, : LENGTHS[row]], LENGTHS[row : row + 1])

    def go_on(prefix: tuple[int, ...], probability: float, state: object) -> None:
        last = torch.tensor([[prefix[-1] if prefix else BOS]])
        logits, state = made.step(last, state, memory)  # type: ignore[arg-type]
        shares = torch.softmax(logits[0, 0, [EOS, *range(4, VOCAB)]], 0).tolist()
        if len(prefix) + 1 == limit:
            found[(*prefix, EOS)] = probability
            return
        found[(*prefix, EOS)] = probability * shares[0]
        for token, share in zip(range(4, VOCAB), shares[1:], strict=True):
            go_on((*prefix, token), probability * share, state)

    with torch.no_grad():
        go_on((), 1.0, made.start(memory))
    assert sum(found.values()) == pytest.approx(1)
    return found


@pytest.mark.parametrize(
    "decoder", [{}, {"input_feeding": True}, {"attention": {"kind": "coverage"}}], ids=["plain", "feeding", "coverage"]
)
def test_samples_have_the_frequencies_of_the_models_probabilities(decoder: dict[str, object]) -> None:
    made, count, limits = model(**decoder), 4000, torch.tensor([3, 2])
    torch.manual_seed(5)
    drawn = sample(made, SRC, LENGTHS, limits, count)
    for row, limit in enumerate(limits.tolist()):
        expected = probabilities(made, row, limit)
        texts = [tuple(t for t in tokens if t != PAD) for tokens in drawn[row].tolist()]
        assert set(texts) <= expected.keys()
        seen = torch.tensor([texts.count(text) for text in expected], dtype=torch.double)
        wanted = count * torch.tensor(list(expected.values()), dtype=torch.double)
        common = wanted >= 5
        seen, wanted = (torch.cat([x[common], x[~common].sum(0, keepdim=True) + 1]) for x in (seen, wanted))
        chi_square, freedom = ((seen - wanted) ** 2 / wanted).sum().item(), int(common.sum())
        assert chi_square < freedom + 5 * (2 * freedom) ** 0.5  # mean and five deviations


def test_a_sample_ends_once_and_is_padded_behind() -> None:
    torch.manual_seed(1)
    limits = torch.tensor([6, 4])
    drawn = sample(model(), SRC, LENGTHS, limits, 300)
    for row, limit in enumerate(limits.tolist()):
        for tokens in drawn[row].tolist():
            end = tokens.index(EOS)
            assert end < limit and not any(tokens[end + 1 :]) and all(token > 3 for token in tokens[:end])


def test_what_others_sample_changes_nothing() -> None:
    """A sentence alone and one whose neighbour has left the batch have the same distribution: states stay in place."""
    made, limits = model(), torch.tensor([5, 1])
    torch.manual_seed(1)
    both = sample(made, SRC, LENGTHS, limits, 6000)[0]
    alone = sample(made, SRC[:1], LENGTHS[:1], limits[:1], 6000)[0]
    for t, token in itertools.product(range(5), range(VOCAB)):
        one, other = ((x[:, t] == token).double().mean() for x in (both, alone))
        assert abs(one - other) < 0.05


def test_tokens_that_are_never_written_are_never_drawn() -> None:
    logits = torch.full((1, 1000, VOCAB), -30.0)
    logits[..., :4] = 30.0
    torch.manual_seed(1)
    assert set(draw(logits, torch.tensor([False])).flatten().tolist()) == {EOS}
    logits[..., EOS] = -torch.inf
    assert set(draw(logits, torch.tensor([False])).flatten().tolist()) == {4, 5, 6}
    assert set(draw(logits, torch.tensor([True])).flatten().tolist()) == {EOS}
