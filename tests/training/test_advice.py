"""Each warning of a training on a case in which its advice is right: the sign is there, and gone for who follows it."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.decoding.translator import Translator
from seq2seq.evaluation.text_signs import repeats
from seq2seq.pipeline import Runner
from seq2seq.recipe.file import load_recipe, override_decoding
from seq2seq.training.health import RULES
from tests.command_line import seq2seq
from tests.toy import ENGLISH, GERMAN, toy_recipe, write_toy

Change = Callable[[list[str], list[str]], list[str]]
"""From a split's sources and targets to other targets."""


def copied(sources: list[str], targets: list[str]) -> list[str]:
    """Three of four are not translated."""
    pairs = enumerate(zip(sources, targets, strict=True))
    return [tgt if i % 4 == 0 else src for i, (src, tgt) in pairs]


def cut(_: list[str], targets: list[str]) -> list[str]:
    return [" ".join(target.split()[: len(target.split()) // 2]) for target in targets]


def doubled(_: list[str], targets: list[str]) -> list[str]:
    return [f"{target} {target}" for target in targets]


def trained(folder: Path, settings: str, change: Change | None = None, rare: int = 0) -> dict[str, Any]:
    """The last validation of a training.

    Args:
        change: makes other targets of the training data.
        rare: different words of which each sentence begins with one.
    """
    folder.mkdir()
    recipe = write_toy(folder)
    if change is not None:
        sources, targets = ((folder / f"train.{lang}").read_text("utf-8").splitlines() for lang in ("en", "de"))
        (folder / "train.de").write_text("".join(f"{t}\n" for t in change(sources, targets)), "utf-8")
    for path in (p for p in folder.glob("*.??") if rare):
        lines = enumerate(path.read_text("utf-8").splitlines())
        words = (f"{chr(97 + 13 * i % rare // 26)}{chr(97 + 13 * i % rare % 26)} {line}\n" for i, line in lines)
        path.write_text("".join(words), "utf-8")
    return last_validation(folder, recipe, settings)


def last_validation(folder: Path, recipe: Path, settings: str) -> dict[str, Any]:
    loaded = load_recipe(recipe, [f"training.{s}" if s[0].islower() else s[1:] for s in settings.split("; ")])
    Runner(loaded).run("train")
    records = map(json.loads, (folder / "run" / "train.jsonl").read_text("utf-8").splitlines())
    return [record for record in records if record["kind"] == "validation"][-1]


FEW, MORE = "max_epochs=2", "max_epochs=10; optimizer.learning_rate=0.03"
STEPS, SGD = "max_epochs=1; max_steps=5", "optimizer={kind: sgd, learning_rate: %s}; clip_norm=%s"
FAST, WORDS = "max_epochs=10; schedule={kind: constant}; optimizer.learning_rate=%s", "max_epochs=1; =tokenizer=%s"

BEGUN = "schedule={kind: constant}; ema_decay=null; =model.decoder.dropout=0.5; =model.decoder.attention.kind=bahdanau"


@dataclass(frozen=True)
class Case:
    """A training with a sign, and others that follow its advice."""

    words: str
    settings: str
    followed: tuple[str, ...]
    change: Change | None = None
    """Of the data, for the first; who follows the advice has the data as they should be."""
    rare: int = 0


CASES = {
    "diverged": Case("training has diverged", SGD % (20.0, 100.0), (SGD % (0.5, 100.0), SGD % (20.0, 0.1))),
    "collapsed": Case("get the same translation", FAST % 0.3, (FAST % 0.03,)),
    "collapsed at once": Case(
        "get the same translation",
        FAST % 0.2,
        ("max_epochs=10; schedule={kind: constant, warmup_steps: 100}; optimizer.learning_rate=0.2",),
    ),
    "hardly begun": Case("get the same translation", f"max_steps=8; {BEGUN}", (f"max_epochs=10; {BEGUN}",)),
    "repetition": Case("repeat a phrase", FEW, (MORE,)),
    "copies": Case("copies of their source", MORE, (MORE,), copied),
    "short, few steps": Case("too short", FEW, (MORE,)),
    "short, cut data": Case("too short", MORE, (MORE,), cut),
    "long, few steps": Case("too long", STEPS, (MORE,)),
    "long, doubled data": Case("too long", MORE, (MORE,), doubled),
    "unknown": Case(
        "tokens are unknown",
        WORDS % "{kind: word, vocab_size: 100}",
        (WORDS % "{kind: word, vocab_size: 400, min_frequency: 1}", WORDS % "{kind: bpe, vocab_size: 400}"),
        rare=300,
    ),
    "even attention": Case(
        "attention is spread evenly",
        "max_epochs=2; =model.decoder.attention.kind=bahdanau",
        (MORE + "; =model.decoder.attention.kind=bahdanau", "max_epochs=2"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_who_follows_the_advice_is_rid_of_the_sign(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    ill = trained(tmp_path / "ill", case.settings, case.change, case.rare)["warnings"]
    assert any(case.words in warning for warning in ill), ill
    for i, settings in enumerate(case.followed):
        well = trained(tmp_path / str(i), settings, rare=case.rare)["warnings"]
        assert not any(case.words in warning for warning in well), well


def test_every_rule_has_a_case() -> None:
    told = [rule.warning for rule in RULES if rule.sign != "exposure_gap"]
    assert all(any(case.words in warning for case in CASES.values()) for warning in told)
    assert all(any(case.words in warning for warning in told) for case in CASES.values())


def test_scheduled_sampling_narrows_the_exposure_gap(tmp_path: Path) -> None:
    """Sentences that count up from a number that the source does not name: the word before says all."""
    gaps = []
    for ratio in (1.0, 0.1):
        folder = tmp_path / str(ratio)
        folder.mkdir()
        recipe, chance = write_toy(folder), random.Random(1)
        for split, count in (("train", 300), ("valid", 30)):
            starts = [chance.randrange(10) for _ in range(count)]
            sources = "".join(" ".join(chance.choices(ENGLISH, k=5)) + "\n" for _ in starts)
            targets = "".join(" ".join(GERMAN[(k + i) % 10] for i in range(8)) + "\n" for k in starts)
            (folder / f"{split}.en").write_text(sources, "utf-8")
            (folder / f"{split}.de").write_text(targets, "utf-8")
        settings = f"max_epochs=3; teacher_forcing.ratio={ratio}; optimizer.learning_rate=0.02"
        settings += "; =data.filter.drop_test_overlap=false"
        gaps.append(last_validation(folder, recipe, settings))
    assert "fewer places" in str(gaps[0]["warnings"]) and "fewer places" not in str(gaps[1]["warnings"])


def test_what_decoding_can_do_about_it(tmp_path: Path) -> None:
    """A model that has hardly learnt anything repeats itself and ends too late or too soon."""
    Runner(toy_recipe(tmp_path, *(f"training.{s}" for s in FEW.split("; ")))).run("train")
    loaded = load_bundle(tmp_path / "run", torch.device("cpu"))
    sources = (tmp_path / "valid.en").read_text("utf-8").splitlines()

    def texts(*settings: str) -> list[str]:
        config = override_decoding(loaded.config.decoding, [f"decoding.{setting}" for setting in settings])
        return [found.text for found in Translator(loaded, config).translate(sources)]

    def words(*settings: str) -> int:
        return sum(len(text.split()) for text in texts(*settings))

    assert any(map(repeats, texts())) and not any(map(repeats, texts("no_repeat_ngram_size=2")))
    beam = "beam_size=5"
    assert words(beam, "length_penalty=none") < words(beam, "length_penalty.alpha=3.0")
    assert words("max_length={ratio: 0.1, offset: 2}") < words()


STARVED = "kernel_initializer: {kind: uniform, range: 0.2}"


@pytest.mark.parametrize(
    ("layers", "cell", "connections", "starves"),
    [
        (4, STARVED, "plain", True),
        (4, "kernel_initializer: variance_preserving", "plain", False),
        (4, STARVED, "residual", False),
        (1, STARVED, "plain", False),
    ],
)
def test_advice_for_starving_layers(layers: int, cell: str, connections: str, starves: bool, tmp_path: Path) -> None:
    settings = [f"model.encoder.layers={layers}", f"model.encoder.cell={{kind: gru, {cell}}}"]
    settings += [f"model.encoder.connections={connections}", "model.encoder.direction=forward"]
    found = seq2seq("analyze", "gradients", str(write_toy(tmp_path)), *settings, "--json")
    assert bool(json.loads(found.out)["warnings"]) is starves, found
