"""What a run takes over from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq.pipeline import Runner
from seq2seq.pipeline.sharing import share
from seq2seq.run_folder import RunFolder
from tests.toy import toy_recipe


@pytest.fixture(scope="module")
def donor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    Runner(toy_recipe(folder, "training.max_steps=6", train=60)).run()
    return folder


def other(donor: Path, name: str, *settings: str) -> Runner:
    settings = ("training.max_steps=6", f"output_dir={donor / name}", *settings)
    return Runner(toy_recipe(donor, *settings, train=60))


def test_equal_stages_are_shared_and_the_rest_is_made(donor: Path) -> None:
    runner, folders = other(donor, "beam", "decoding.beam_size=3"), [RunFolder(donor / "run")]
    assert [stage for stage, _ in share(runner, folders)] == ["prepare", "train"]
    due = [verdict.stage for verdict in other(donor, "beam", "decoding.beam_size=3").plan() if verdict.reasons]
    assert due == ["translate", "evaluate", "report"]
    config, log = donor / "run/model/config.json", donor / "run/train.jsonl"
    before = config.read_bytes(), log.read_bytes()
    assert runner.run()
    more = other(donor, "beam", "decoding.beam_size=3", "training.max_steps=9")
    assert more.run()  # goes on training there, and only there
    assert (config.read_bytes(), log.read_bytes()) == before
    assert not any(verdict.reasons for verdict in other(donor, "run").plan())
    more = other(donor, "beam", "decoding.beam_size=3", "training.max_steps=9")
    assert share(more, folders) == []  # it has all


def test_another_preparation_is_not_shared(donor: Path) -> None:
    assert share(other(donor, "words", "tokenizer.min_frequency=2"), [RunFolder(donor / "run")]) == []
    seed = other(donor, "seed", "seed=2")
    assert [stage for stage, _ in share(seed, [RunFolder(donor / "run"), seed.folder])] == ["prepare"]


def test_a_damaged_donor_gives_nothing(donor: Path) -> None:
    runner = other(donor, "late", "seed=3")
    whole = (donor / "run/data/train.arrow").read_bytes()
    (donor / "run/data/train.arrow").rename(donor / "aside")  # its links hold the same bytes
    (donor / "run/data/train.arrow").write_bytes(whole[:-1])
    try:
        assert share(runner, [RunFolder(donor / "run")]) == []
    finally:
        (donor / "aside").replace(donor / "run/data/train.arrow")
