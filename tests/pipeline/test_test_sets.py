"""A test set is read by translate and evaluate alone: naming or changing one leaves the model as it is."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from seq2seq.files import file_hash
from tests.command_line import seq2seq
from tests.toy import write_toy


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test_sets")
    assert seq2seq("run", str(write_toy(folder))).code == 0
    return folder


@pytest.fixture
def toy(done: Path, tmp_path: Path) -> Path:
    """The run and its data, to be changed; returns the recipe."""
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "recipe.yaml").read_text().replace(str(done), str(tmp_path))
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path / "recipe.yaml"


def trained(recipe: Path) -> dict[str, str]:
    run = recipe.parent / "run"
    return {name: file_hash(run / name) for name in ("model/model.safetensors", "data/train.arrow", "train.jsonl")}


def stale(recipe: Path, *settings: str) -> dict[str, str]:
    """By stage, why it would run."""
    lines = [line.split(maxsplit=1) for line in seq2seq("plan", str(recipe), *settings).out.splitlines()]
    return {stage: why for stage, why in lines if why != "up to date"}


def other(recipe: Path, lines: list[int], source: str = "train") -> str:
    """A test set `other` of these lines of another file; returns the setting that names it."""
    for language in ("en", "de"):
        text = (recipe.parent / f"{source}.{language}").read_text().split("\n")
        (recipe.parent / f"other.{language}").write_text("".join(text[i] + "\n" for i in lines))
    return "data.test.other.files=other.{lang}"


def test_one_more_test_set_is_translated_and_the_model_stays(toy: Path) -> None:
    before, setting = trained(toy), other(toy, [3, 4], "valid")
    translated = {path.name: file_hash(path) for path in (toy.parent / "run/translations").glob("toy.*")}
    assert list(stale(toy, setting)) == ["translate", "evaluate", "report"]
    assert stale(toy, setting)["translate"].startswith("runs: data.test.other (source text) (none) -> ")
    done = seq2seq("run", str(toy), setting)
    assert done.code == 0 and "warning: data.test.other" not in done.err, done.err
    run = toy.parent / "run"
    assert "translated already: toy\n" in done.err
    assert {path.name: file_hash(path) for path in (toy.parent / "run/translations").glob("toy.*")} == translated
    assert trained(toy) == before and stale(toy, setting) == {}
    assert list(json.loads((run / "report/scores.json").read_text())) == ["toy", "other"]
    assert len((run / "translations/other.de").read_text().splitlines()) == 2
    # named no longer: nothing of it is left, and the model stays
    done = seq2seq("run", str(toy))
    assert done.code == 0 and "translated already: toy\n" in done.err
    assert trained(toy) == before and stale(toy) == {}
    assert not list(run.rglob("*other*"))
    assert list(json.loads((run / "translations/made_from.json").read_text())) == ["toy"]
    assert "other" not in json.loads((run / "data/test_sets.json").read_text())


def test_what_it_shares_with_the_training_data_is_told(toy: Path) -> None:
    """Two pairs of the training data, and one of which the source alone is."""
    setting = other(toy, [0, 1, 2])
    lines = (toy.parent / "other.de").read_text().split("\n")
    (toy.parent / "other.de").write_text("\n".join([*lines[:2], "etwas anderes", ""]))
    before = trained(toy)
    done = seq2seq("run", str(toy), setting)
    told = "warning: data.test.other: of its 3 pairs the model was trained on 3 sources, 2 targets, 2 pairs"
    assert done.code == 0 and told in done.err and "--force" in done.err, done.err
    assert trained(toy) == before
    audit = json.loads((toy.parent / "run/data/test_sets.json").read_text())["other"]["audit"]
    assert audit["overlap"]["after"] == audit["overlap"]["before"] == {"sources": 3, "targets": 2, "pairs": 2}
    # what is forced to begin again is trained without them, and says the same of the text that was read
    forced = seq2seq("run", str(toy), setting, "--force")
    assert forced.code == 0 and "warning: data.test.other" not in forced.err
    audit = json.loads((toy.parent / "run/data/test_sets.json").read_text())["other"]["audit"]
    assert audit["overlap"]["before"] == {"sources": 3, "targets": 2, "pairs": 2}
    assert audit["overlap"]["after"] == {"sources": 0, "targets": 0, "pairs": 0}
    assert json.loads((toy.parent / "run/data/audit.json").read_text())["train"]["dropped"]["overlap"] == 3


def test_what_filters_have_dropped_is_not_trained_on(toy: Path) -> None:
    """A pair that stands in the training data as read, but was too long to be kept."""
    long = "one two three four five six seven eight nine one two three"
    for language, words in (("en", long), ("de", long)):
        with (toy.parent / f"train.{language}").open("a") as file:
            file.write(words + "\n")
        (toy.parent / f"other.{language}").write_text(words + "\n")
    short = "data.filter.max_length=8"
    assert seq2seq("run", str(toy), short, "--force").code == 0
    done = seq2seq("run", str(toy), short, "data.test.other.files=other.{lang}")
    assert done.code == 0 and "warning: data.test.other" not in done.err
    overlap = json.loads((toy.parent / "run/data/test_sets.json").read_text())["other"]["audit"]["overlap"]
    assert overlap["before"]["pairs"] == 1 and overlap["after"] == {"sources": 0, "targets": 0, "pairs": 0}


def test_other_references_are_scored_and_nothing_is_translated_again(toy: Path) -> None:
    file = toy.parent / "test.de"
    file.write_text(file.read_text().replace("eins", "zwei"))
    assert list(stale(toy)) == ["evaluate", "report"]
    before = trained(toy), (toy.parent / "run/translations/toy.de").stat().st_mtime_ns
    assert seq2seq("run", str(toy)).code == 0
    assert before == (trained(toy), (toy.parent / "run/translations/toy.de").stat().st_mtime_ns)
    assert stale(toy) == {}


def test_other_sources_are_translated(toy: Path) -> None:
    file = toy.parent / "test.en"
    file.write_text(file.read_text().replace("one", "two"))
    assert list(stale(toy)) == ["translate", "evaluate", "report"]
    before = trained(toy)
    done = seq2seq("run", str(toy))
    assert done.code == 0 and "translated already" not in done.err
    assert trained(toy) == before and stale(toy) == {}


@pytest.mark.parametrize("setting", ["decoding.beam_size=3", "training.max_epochs=3"])
def test_what_would_be_translated_otherwise_is_translated_again(toy: Path, setting: str) -> None:
    done = seq2seq("run", str(toy), other(toy, [3, 4], "valid"), setting)
    assert done.code == 0 and "translated already" not in done.err


def test_only_translations_as_they_were_written_stay(toy: Path) -> None:
    path = toy.parent / "run/translations/toy.de"
    written = path.read_text()
    path.write_text("by hand\n" * 20)
    done = seq2seq("run", str(toy), other(toy, [3, 4], "valid"))
    assert done.code == 0 and "translated already" not in done.err and path.read_text() == written


def test_another_model_translates_again(toy: Path) -> None:
    """Of the same training by its inputs, as after a training on another machine."""
    weights = toy.parent / "run/model/model.safetensors"
    content = load_file(weights)
    save_file({name: tensor * 0.5 for name, tensor in content.items()}, weights)
    done = seq2seq("run", str(toy), other(toy, [3, 4], "valid"))
    assert done.code == 0 and "[train] up to date" in done.err and "translated already" not in done.err, done.err


def test_a_lost_test_set_is_prepared_again(toy: Path) -> None:
    before = trained(toy)
    (toy.parent / "run/data/test-toy.arrow").unlink()
    (toy.parent / "run/data/test_sets.json").unlink()
    assert list(stale(toy)) == ["evaluate"]
    assert seq2seq("run", str(toy)).code == 0
    assert trained(toy) == before and stale(toy) == {}
