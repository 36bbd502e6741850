"""The penalty on what layers give: the same however a batch is run, whatever padding it has."""

import pytest
import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.layer import Layer, SequenceMask
from seq2seq.nn.regularization import mean_cosine
from seq2seq.nn.seq2seq import Seq2Seq

SRC, LENGTHS = torch.tensor([[5, 6, 7, 8, 4], [9, 5, 6, 0, 0]]), torch.tensor([5, 3])
TGT = torch.tensor([[1, 5, 6, 7], [1, 4, 9, 0]])


def model(cell: str = "gru", **decoder: object) -> Seq2Seq:
    torch.manual_seed(0)
    stack = {"cell": {"kind": cell, "activity_regularizer": {"l1": 0.5, "l2": 1.0}}, "hidden_size": 4}
    config = {"embedding": {"size": 4}, "encoder": stack, "decoder": stack | decoder}
    return Seq2Seq(recipe.ModelConfig.model_validate(config), 11, 11, 0).double().train()


def penalty(made: Seq2Seq, tgt: Tensor = TGT, forcing: float = 1.0) -> Tensor:
    given: Tensor | None = made(SRC, LENGTHS, tgt, forcing).activity_penalty
    assert given is not None
    return given


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("decoder", [{}, {"input_feeding": True}, {"layers": 2, "attend": "first"}])
def test_padding_does_not_count(cell: str, decoder: dict[str, object]) -> None:
    made = model(cell, **decoder)
    padded = torch.nn.functional.pad(TGT, (0, 3))
    torch.testing.assert_close(penalty(made, padded), penalty(made))


def test_it_is_the_sum_over_every_h_inside_the_sentences() -> None:
    made, seen = model(input_feeding=True), []
    for layer in made.modules():
        if isinstance(layer, Layer):
            layer.register_forward_hook(lambda _, __, output: seen.append(output[0]))
    step = made.decoder.stack.layers[0].step
    made.decoder.stack.layers[0].step = lambda *args: (seen.append(step(*args)), seen[-1])[1]  # type: ignore[method-assign,assignment]
    found = penalty(made)
    hidden = [*seen[:2], torch.stack([part[0] for part in seen[2:]], 1).squeeze(2) * (TGT != 0).unsqueeze(-1)]
    torch.testing.assert_close(found, sum(0.5 * h.abs().sum() + h.square().sum() for h in hidden))


def test_every_pass_has_a_penalty_of_its_own() -> None:
    made = model()
    whole = penalty(made)
    whole.backward()
    stepped = penalty(made, forcing=0.999999)  # step by step, all but surely fed the same
    stepped.backward()
    torch.testing.assert_close(stepped, whole)


def test_none_is_kept_where_nothing_is_trained() -> None:
    made = model().eval()
    assert made(SRC, LENGTHS, TGT).activity_penalty is None


def test_a_sentence_without_a_position_is_refused() -> None:
    with pytest.raises(ValueError, match="without any position"):
        SequenceMask.of_mask(torch.tensor([[True, False], [True, False]]))


def test_mean_cosine_is_of_all_pairs() -> None:
    torch.testing.assert_close(mean_cosine(torch.tensor([[1.0, 0], [0, -3], [2, 2]])), torch.tensor(2 * 0.5**0.5 / 3))
    assert mean_cosine(torch.ones(1, 2)) == 0
    assert mean_cosine(torch.zeros(2, 2)) == 0
