"""Every key of data, tokenizer, training, decoding and evaluation has an effect: with some other value that the schema
takes, what is prepared, trained, translated or scored is another."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seq2seq.recipe import Recipe
from seq2seq.recipe.base import Config
from seq2seq.recipe.sources import (
    BuiltinSourceConfig,
    CsvSourceConfig,
    FilesSourceConfig,
    JsonlSourceConfig,
    TsvSourceConfig,
)
from tests.recipe.leaves import Leaf, Settings, leaves, put
from tests.recipe.traces import Traces
from tests.toy import GERMAN, write_toy

SOURCES: dict[str, tuple[type[Config], Settings]] = {
    "files": (FilesSourceConfig, {"files": "{folder}/train.{lang}"}),
    "tsv": (TsvSourceConfig, {"tsv": "{folder}/train.tsv"}),
    "csv": (CsvSourceConfig, {"csv": "{folder}/train.csv"}),
    "jsonl": (JsonlSourceConfig, {"jsonl": "{folder}/train.jsonl"}),
    "builtin": (BuiltinSourceConfig, {"builtin": "cldr", "pairs": 20}),
}
"""Training data; validation and test data are read by the same classes."""
# Other sources: hub (tests/data/test_sources.py), teacher and back_translate (tests/pipeline/test_synthesis.py).
ELSEWHERE = {
    "training.start_from": "tests/pipeline/test_fine_tuning.py",
    "training.freeze": "tests/pipeline/test_fine_tuning.py",
    "training.track": "tests/training/test_tracking.py",
    "evaluation.comet": "tests/evaluation/test_comet.py",
    "tokenizer.run": "tests/decoding/test_fusion.py: its text is another run", "data.train.0.builtin": "has one value",
}  # fmt: skip
BASE: Settings = {
    "name": "leaves",
    "data": {"src": "en", "tgt": "de", "train": [SOURCES["files"][1]], "valid": {"files": "{folder}/valid.{lang}"},
             "test": {"toy": {"files": "{folder}/test.{lang}"}}},
    "tokenizer": {"kind": "word", "min_frequency": 1},
    "model": {"embedding": {"size": 8}, "encoder": {"cell": "gru", "hidden_size": 8},
              "decoder": {"cell": "gru", "hidden_size": 8, "dropout": 0.2}},
    "training": {"max_epochs": 1, "batch": {"tokens": 100}, "log_every": 1, "precision": "fp32",
                 "schedule": {"kind": "constant"}, "optimizer": {"learning_rate": 0.01}},
    "decoding": {"beam_size": 3},
    "evaluation": {"bootstrap": 20},
}  # fmt: skip
WORSE: Settings = {
    "training.early_stopping": {"metric": "loss", "patience": None}, "training.validate_every": 1,
    "training.max_epochs": 2,
    "training.optimizer.learning_rate": 10.0,
}  # fmt: skip
"""Of each validation the loss is higher than the last."""
SUBWORDS: Settings = {"kind": "bpe", "vocab_size": 300, "min_frequency": 1, "byte_fallback": False}
CONTEXTS: dict[str, Settings] = {
    "tokenizer bpe": {"tokenizer": SUBWORDS},
    "tokenizer unigram": {"tokenizer": {"kind": "unigram", "vocab_size": 300, "byte_fallback": False}},
    "tokenizer char": {"tokenizer": {"kind": "char"}},
    "training.bpe_dropout": {"tokenizer": SUBWORDS},
    "training.guided_alignment": {"data.train.0.alignments": "{folder}/train.align", "training.guided_alignment": 0.5},
    "data.train.0.alignments": {"training.guided_alignment": 0.5, "data.train.0.alignments": "{folder}/train.align"},
    "training.minimum_risk.": {
        "training.max_epochs": 3, "training.minimum_risk": {"after_epochs": 1, "alpha": 1.0, "samples": 3}
    },
    "training.switch_optimizer.": {"training.switch_optimizer": {"after_steps": 2, "optimizer": {"kind": "adam"}}},
    "training.schedule.factor plateau": WORSE, "training.schedule.patience plateau": WORSE,
    "training.early_stopping.patience": WORSE, "training.minimum_risk": {"training.max_epochs": 2},
    "training.checkpoints.keep_best": {
        "training.max_epochs": 2, "training.validate_every": 1, "training.early_stopping.metric": "loss",
        "training.checkpoints.keep_last": 1,
    },
    "training.schedule. exponential": {"training.schedule": {"kind": "exponential", "after": 0.2, "every": 0.5}},
    "training.teacher_forcing. linear": {"training.teacher_forcing": {"kind": "linear", "steps": 3}},
    "training.teacher_forcing. inverse_sigmoid": {"training.teacher_forcing": {"kind": "inverse_sigmoid", "k": 5.0}},
    "training.early_stopping.metric": {"training.max_epochs": 2},
    "training.checkpoints.keep_last": {"training.checkpoints.every_steps": 1},
    "decoding.max_length.ratio": {"decoding.max_length": {"ratio": 1.5, "offset": 1}},
    "decoding.max_length.offset": {"decoding.max_length": {"ratio": 0.0, "offset": 1}},
    "decoding.language_model.": {"decoding.language_model": {"run": "{lm}"}},
    "decoding.rescore.": {"decoding.rescore": [{"run": "{lm}"}]},
    "decoding.sampling": {"decoding": {"beam_size": 1, "length_penalty": {"kind": "none"}}},
    "decoding.diversity": {"decoding": {"beam_size": 6}},
    "decoding.diversity.": {"decoding": {"beam_size": 6, "diversity": {"groups": 2}}},
    "decoding.mbr": {"decoding": {"beam_size": 32}},
    "decoding.mbr.": {"decoding": {"beam_size": 8, "mbr": {"candidates": 8}}},
}  # fmt: skip
"""Where a key acts that does not always: by how its name begins, and the kind of its section."""
RISK, LM, ADAM = {"after_epochs": 1}, {"run": "{lm}"}, {"kind": "sgd"}
VALUES: dict[str, list[Any]] = {
    "data.src": ["fr"], "data.tgt": ["fr"], "training.budget": ["0.001s"], "betas": [[0.5, 0.6]],
    "data.train.0.files": [["{folder}/valid.en", "{folder}/valid.de"]], "tsv": ["{folder}/other.tsv"],
    "csv": ["{folder}/other.csv"], "jsonl": ["{folder}/other.jsonl"], "delimiter": [";"],
    "data.train.0.alignments": ["{folder}/other.align"], "src_field": ["more"], "tgt_field": ["more"],
    "training.minimum_risk": [RISK], "training.switch_optimizer": [{"after_steps": 2, "optimizer": ADAM}],
    "decoding.prefix": ["eins"], "decoding.require": [["eins"]], "decoding.exclude": [GERMAN],
    "clip_norm": [0.001], "decoding.diversity": [{"groups": 2}],
    "decoding.glossary": [{"one": "neun"}], "decoding.language_model": [LM], "decoding.rescore": [[LM]],
    "decoding.language_model.run": ["{other}"], "decoding.rescore.0.run": ["{other}"],
}  # fmt: skip
"""What the schema's types do not tell: texts, paths, sections with keys that must be set; by the end of the key."""


def told() -> dict[str, Leaf]:
    """The leaves that this file tells of, by name."""
    parts = ("seed", "data.src", "data.tgt", "data.filter", "tokenizer", "training", "decoding", "evaluation")
    found = [leaf for leaf in leaves(Recipe) if leaf.key.startswith(parts) and leaf.key != "seeds"]
    for config, given in SOURCES.values():
        found += leaves(config, "data.train.0.", {"data.train": [given]})
    again = "training.switch_optimizer.optimizer."  # the classes of training.optimizer
    return {leaf.name: leaf for leaf in found if leaf.key not in ELSEWHERE and not leaf.key.startswith(again)}


LEAVES = told()


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Traces:
    """Data of every form."""
    folder = tmp_path_factory.mktemp("leaves")
    write_data(folder)
    return Traces(folder)


def write_data(folder: Path) -> None:
    """Text with what filters drop, what normalisation changes, what is rare; in every format."""
    write_toy(folder, train=12)
    for split in ("valid", "test"):
        for side in ("en", "de"):
            few = (folder / f"{split}.{side}").read_text(encoding="utf-8").splitlines()[:4]
            (folder / f"{split}.{side}").write_text("".join(f"{line}\n" for line in few), encoding="utf-8")
    english, german = ((folder / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de"))
    english += [
        english[0],
        " ".join(["one"] * 110),
        "one " * 9,
        "one ﬁne e\u0301",
        (folder / "valid.en").read_text().split("\n")[0],
    ]
    german += [german[0], " ".join(["eins"] * 110), "eins", "eins ﬁne e\u0301", "acht"]
    words = [f"{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(130)]
    english += [" ".join(words[i : i + 10]) for i in range(0, 130, 10)]
    german += [" ".join(words[i : i + 9]) for i in range(0, 130, 10)]
    for side, lines in (("en", english), ("de", german), ("fr", german[::-1])):
        (folder / f"train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for split in ("valid", "test"):
        (folder / f"{split}.fr").write_text((folder / f"{split}.de").read_text(), encoding="utf-8")
    rows = [(e, g, f"{e} {g}") for e, g in zip(english, german, strict=True)]
    for name, some in (("train", rows), ("other", rows[5:])):
        links = "".join(f"{i % 2}-{i % 2}\n" for i in range(len(rows))) if name == "train" else "0-0\n" * len(rows)
        (folder / f"{name}.align").write_text(links)
        for form, mark in (("tsv", "\t"), ("csv", ",")):
            (folder / f"{name}.{form}").write_text("".join(f"{mark.join(row)};x;y\n" for row in some), encoding="utf-8")
        records = [json.dumps({"en": e, "de": g, "more": both}) for e, g, both in some]
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in records), encoding="utf-8")


def context_of(leaf: Leaf) -> Settings:
    """The settings of the longest name in CONTEXTS that the leaf's begins with, and whose kind it has."""
    kinds = leaf.chosen.values()
    fits = [c for c in CONTEXTS if leaf.key.startswith(c.split()[0]) and all(kind in kinds for kind in c.split()[1:])]
    return CONTEXTS[max(fits, key=len)] if fits else {}


def made(settings: Settings, traces: Traces) -> Recipe | None:
    """The recipe with these settings; None where the schema refuses it."""
    nested = json.loads(json.dumps(BASE))
    put(nested, json.loads(json.dumps(settings)))
    text = json.dumps(nested)
    for name in ("folder", "lm", "other"):
        if f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", str(getattr(traces, name)))
    try:
        return Recipe.model_validate(json.loads(text))
    except ValidationError:
        return None


@pytest.mark.parametrize("name", LEAVES)
def test_every_key_has_an_effect(name: str, traces: Traces) -> None:
    leaf = LEAVES[name]
    settings = context_of(leaf) | leaf.chosen
    base = made(settings, traces)
    assert base is not None, f"{name}: the schema refuses what it is compared with; give it another context"
    part = (
        "training" if leaf.key.endswith((".weight", ".alignments")) and "data" in leaf.key else leaf.key.split(".")[0]
    )
    own = [value for end, values in VALUES.items() if leaf.key.endswith(end) for value in values]
    others = [made(settings | {leaf.key: value}, traces) for value in own or leaf.values]
    taken = [other for other in others if other is not None and other != base]
    assert taken, f"{name}: the schema takes no other value here; give it a context, or values"
    without = traces.of(part, base)
    assert not isinstance(without, str) or part == "evaluation", f"{name}: {without}"
    assert any(traces.of(part, other) != without for other in taken), f"{name} changes nothing"
