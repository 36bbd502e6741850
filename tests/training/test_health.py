"""Each sign of ill health is seen where it is, and not where it is not."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.bundle import load_bundle
from seq2seq.data.preparation import PreparedPairs
from seq2seq.evaluation.text_signs import repeats, text_signs
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline import Runner
from seq2seq.training import health
from seq2seq.training.validation import Validator
from tests.toy import toy_recipe

SOURCES = [f"the dog number {i} sleeps" for i in range(10)]
REFERENCES = [f"der Hund Nummer {i} schläft" for i in range(10)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c d", False),
        ("very very good", False),
        ("very very very good", True),
        ("a dog and a dog and a dog and", True),
        ("a dog and a dog and a cat", False),
        ("", False),
        ("one two three four five one two three four five one two three four five", False),  # longer than is looked for
    ],
)
def test_repeats(text: str, expected: bool) -> None:
    assert repeats(text) == expected


@pytest.mark.parametrize(
    ("hypotheses", "warning"),
    [
        (REFERENCES, None),
        (["der Hund schläft auf dem"] * 10, "same translation"),
        ([line + " und und und" for line in REFERENCES], "repeat a phrase"),
        (SOURCES, "copies of their source"),
        (["ab" + str(i) for i in range(10)], "too short (0.1"),
        ([line * 2 for line in REFERENCES], "too long (2.00"),
    ],
)
def test_text_signs(hypotheses: list[str], warning: str | None) -> None:
    found = health.warnings_of(text_signs(SOURCES, hypotheses, REFERENCES))
    assert (found == []) if warning is None else any(warning in line for line in found)


def test_what_the_references_do_is_no_sign() -> None:
    """Copying, repeating, always the same: not ill where the data is so."""
    odd = ["ha ha ha ha"] * 10
    assert health.warnings_of(text_signs(odd, odd, odd)) == []


def test_unknown_tokens() -> None:
    assert health.unknown_share([np.array([3, 5, 6, 3]), np.array([7, 8, 9, 2])]) == 0.25
    assert health.unknown_share([]) == 0
    assert "diverged" in health.warnings_of({"loss_to_chance": 2e27})[0]
    assert "unknown" in health.warnings_of({"unknown": 0.03})[0]


def tiny(**decoder: object) -> Seq2Seq:
    torch.manual_seed(1)
    stack = {"cell": "gru", "hidden_size": 8}
    config = recipe.ModelConfig.model_validate(
        {"embedding": {"size": 8}, "encoder": stack, "decoder": {**stack, **decoder}}
    )
    return Seq2Seq(config, 20, 20, 0).eval()


def test_exposure_counts_by_position() -> None:
    model = tiny()
    src, lengths = torch.randint(4, 20, (3, 5)), torch.tensor([5, 4, 2])
    tgt_input = torch.randint(4, 20, (3, 4))
    tgt_output = model.logits(model(src, lengths, tgt_input).states).argmax(-1)
    tgt_output[2, 2:] = 0
    forced, free, count = health.exposure(model, src, lengths, tgt_input, tgt_output)
    assert count[:5].tolist() == [3, 3, 2, 2, 0]
    assert torch.equal(forced, count)  # the references are what it chooses when forced
    assert free[0] == 3 and (free <= count).all()


def test_entropy_of_even_and_of_pointed_attention() -> None:
    model = tiny(attention={"kind": "luong_general"})
    src, tgt = torch.randint(4, 20, (1, 6)), torch.randint(4, 20, (1, 3))
    assert model.decoder.attention is not None
    with torch.no_grad():
        model.decoder.attention.weight.weight.zero_()
    assert health.attention_entropy(model, src, tgt) == pytest.approx(1)
    assert "spread evenly" in health.warnings_of({"attention_entropy": 0.99})[0]
    pointed = tiny(attention={"kind": "last_state"})
    assert health.attention_entropy(pointed, src, tgt) == 0
    assert math.isnan(health.attention_entropy(tiny(attention={"kind": "none"}), src, tgt))


def test_a_validation_holds_all_signs(tmp_path: Path) -> None:
    toy = toy_recipe(tmp_path, "training.max_epochs=1", "training.early_stopping.metric=ter")
    Runner(toy).run("train")
    loaded = load_bundle(tmp_path / "run", torch.device("cpu"))
    valid = PreparedPairs(tmp_path / "run" / "data" / "valid.arrow")
    signs = Validator(valid, loaded.tgt_tokenizer, "de", 100, ["bleu", "ter"])(loaded.model)
    assert {"loss", "accuracy", "bleu", "ter", "exposure_gap", "attention_entropy", "unknown"} < signs.keys()
    assert len(signs["forced_accuracy"]) == len(signs["free_accuracy"]) <= health.POSITIONS
    assert 0 <= signs["attention_entropy"] <= 1.001
    log = (tmp_path / "run" / "train.jsonl").read_text()
    assert '"warnings": [' in log and '"ter": ' in log
