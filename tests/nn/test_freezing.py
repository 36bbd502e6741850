"""Parts of a model that are taken out of training."""

from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.nn.freezing import freeze, parts_of
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe import ModelConfig

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": {"embedding": {"size": 8, "tie": "all"}},
    "fed": {"decoder": {"hidden_size": 8, "input_feeding": True, "attention": "bahdanau", "readout": "maxout"}},
    "deep": {
        "encoder": {"hidden_size": 8, "layers": 3, "connections": "highway", "projection": {"size": 8}},
        "decoder": {"hidden_size": 8, "weight_dropout": 0.5},
    },
}


def made(form: str) -> Seq2Seq:
    small = {"embedding": {"size": 8}, "encoder": {"hidden_size": 8}, "decoder": {"hidden_size": 8}}
    return Seq2Seq(ModelConfig.model_validate({**small, **FORMS[form]}), 11, 11, 0)


def frozen(model: Seq2Seq) -> set[str]:
    return {name for name, weight in model.named_parameters() if not weight.requires_grad}


@pytest.mark.parametrize("form", FORMS)
def test_each_weight_is_in_a_part(form: str) -> None:
    model = made(form)
    of_parts = {
        id(w) for modules in parts_of(model).values() for module in modules if module for w in module.parameters()
    }
    assert of_parts == {id(weight) for weight in model.parameters()}


def test_a_part_is_frozen_and_no_other() -> None:
    model = made("plain")
    freeze(model, ["encoder"])
    assert frozen(model) == {name for name, _ in model.named_parameters() if name.startswith("encoder.stack.")}
    freeze(model, ["attention", "bridge"])
    rest = {name.partition(".")[0] for name, weight in model.named_parameters() if weight.requires_grad}
    assert rest == {"src_embedding", "tgt_embedding", "decoder", "output"}


def test_what_is_tied_is_frozen_together() -> None:
    model = made("tied")
    freeze(model, ["output"])
    assert not model.src_embedding.weight.requires_grad


def test_nothing_to_freeze_and_nothing_to_train_are_told() -> None:
    model = Seq2Seq(ModelConfig.model_validate({"bridge": "zero"}), 11, 11, 0)
    with pytest.raises(UserError, match=r"training.freeze: bridge: this model has no weights there"):
        freeze(model, ["bridge"])
    with pytest.raises(UserError, match=r"training.freeze: nothing is left to train"):
        freeze(made("plain"), list(parts_of(model)))
