"""The prepared test sets, brought up to date where the recipe has changed them since its training data were prepared.

The training data stay as they are, so that the model does, too. Only the overlap filter would have made others of them:
so what the training data and a later test set have in common is counted, and told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seq2seq.data.cleaning import Overlap
from seq2seq.data.inspection import Inspection
from seq2seq.data.preparation import PreparedPairs, batches, write_evaluation
from seq2seq.data.sources import Pair, sources_of
from seq2seq.data.tokenization import Tokenizer
from seq2seq.files import write_json
from seq2seq.recipe import DataConfig

ROWS = 10_000
NOTED = "test_sets.json"
"""By name: what each test set was made from, and its part of the audit."""


def note_test_sets(data: DataConfig, audit: dict[str, Any], folder: Path) -> None:
    """Note the test sets that were prepared with the training data."""
    made = _fingerprints(data)
    write_json(folder / NOTED, {name: {"made_from": made[name], "audit": audit["test"][name]} for name in made})


def audit_of_test_sets(folder: Path) -> dict[str, Any]:
    """By name, a test set's part of the audit."""
    return {name: noted["audit"] for name, noted in _noted(folder).items()}


def update_test_sets(
    data: DataConfig, tokenizers: tuple[Tokenizer, Tokenizer], folder: Path, tell: Callable[[str], None]
) -> None:
    """Prepare the test sets that are new or have changed; remove those that the recipe no longer names.

    Args:
        folder: the prepared data.
        tell: is given what the user should know of their overlap with the training data.

    Raises:
        UserError: one of them, or the training data, cannot be read.
    """
    noted, made = _noted(folder), _fingerprints(data)
    paths = {name: folder / f"test-{name}.arrow" for name in made}
    stale = [n for n in made if noted.get(n, {}).get("made_from") != made[n] or not paths[n].exists()]
    if stale:
        sources = {source.key.removeprefix("data.test."): source for source in sources_of(data)}
        pairs = {}
        for name in stale:
            inspection, partial = Inspection(sources[name]), folder / f".test-{name}.partial"
            pairs[name] = list(inspection.watch(sources[name].pairs()))
            audit = write_evaluation(pairs[name], tokenizers, partial) | inspection.audit()
            noted[name] = {"made_from": made[name], "audit": audit}
            partial.replace(paths[name])
            for line in inspection.lines():
                tell(line)
        for name, overlap in _overlaps(data, pairs, folder).items():
            noted[name]["audit"]["overlap"] = overlap
            if max(overlap["after"].values()):
                warning = _warning(name, len(pairs[name]), overlap["after"], data.filter.drop_test_overlap)
                noted[name]["audit"]["warnings"].append(warning)
                tell(f"warning: {warning}")
    if stale or noted.keys() != made.keys():
        write_json(folder / NOTED, {name: noted[name] for name in made})
        for path in set(folder.glob("test-*.arrow")) - set(paths.values()):
            path.unlink()


def _fingerprints(data: DataConfig) -> dict[str, dict[str, str]]:
    tests = (source for source in sources_of(data) if source.role == "test")
    return {source.key.removeprefix("data.test."): source.fingerprint() for source in tests}


def _noted(folder: Path) -> dict[str, Any]:
    path = folder / NOTED
    noted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return noted


def _warning(name: str, pairs: int, overlap: dict[str, int], filtered: bool) -> str:
    counts = ", ".join(f"{count:,} {what}" for what, count in overlap.items() if count)
    text = f"data.test.{name}: of its {pairs:,} pairs the model was trained on {counts}"
    if filtered:
        text += ": data.filter.drop_test_overlap could not drop what was not named yet; to train without: --force"
    return text


def _overlaps(data: DataConfig, tests: dict[str, list[Pair]], folder: Path) -> dict[str, Any]:
    """By test set, how many of its sources, targets and pairs stand in the training data as read, and as trained on.

    What was trained on is known by its tokens; the text decides where several texts have the same ones.
    """
    read = Overlap([pair for pairs in tests.values() for pair in pairs])
    for source in sources_of(data):
        if source.role == "train":
            for pair in source.pairs():
                read.add(*pair)
    keys = {name: list(_keys(PreparedPairs(folder / f"test-{name}.arrow"))) for name in tests}
    sources, targets = read.seen()
    for name, pairs in tests.items():
        for i, (src, tgt) in enumerate(pairs):
            one, other = keys[name][i]
            keys[name][i] = one if src.strip() in sources else "", other if tgt.strip() in targets else ""
    kept = Overlap([pair for pairs in keys.values() for pair in pairs])
    for pair in _keys(PreparedPairs(folder / "train.arrow")):
        kept.add(*pair)
    return {name: {"before": read.count(tests[name]), "after": kept.count(keys[name])} for name in tests}


def _keys(pairs: PreparedPairs) -> Iterator[Pair]:
    """Token ids as words, the sides of each pair."""
    for rows in batches(range(len(pairs)), ROWS):
        for src, tgt in zip(*pairs.take(rows), strict=True):
            yield " ".join(map(str, src.tolist())), " ".join(map(str, tgt.tolist()))
