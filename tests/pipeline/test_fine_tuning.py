"""A training that starts from another run: what it begins with, keeps, tells, and what makes it run again."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import seq2seq as s2s
from seq2seq.errors import UserError
from seq2seq.files import file_hash
from seq2seq.pipeline import Runner
from seq2seq.pipeline.runner import inputs_of
from seq2seq.pipeline.trainer import make_trainer
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from tests.command_line import seq2seq
from tests.toy import toy_recipe

KEY = "training.start_from"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a trained run, `general`, and the text that it was trained on."""
    folder = tmp_path_factory.mktemp("fine_tuning")
    Runner(toy_recipe(folder, f"output_dir={folder}/general")).run("train")
    return folder


def keys(folder: Path, **training: Any) -> dict[str, Any]:
    """Of a recipe that goes on with part of the text."""
    text = {name: {"files": f"{folder}/{name}.{{lang}}"} for name in ("train", "valid", "test")}
    return {
        "name": "special",
        "output_dir": f"{folder}/special",
        "data": {
            "src": "en",
            "tgt": "de",
            "train": [text["valid"], {**text["train"], "weight": 0.1}],
            "valid": text["valid"],
            "test": {"new": text["valid"], "old": text["test"]},
            "filter": {"drop_test_overlap": False},
        },
        "training": {"start_from": f"{folder}/general", "max_epochs": 2, "precision": "fp32", **training},
        "decoding": {"beam_size": 2},
        "evaluation": {"bootstrap": 20, "metrics": ["bleu", "chrf"]},
    }


def recipe_of(folder: Path, *settings: str, **training: Any) -> Recipe:
    return load_recipe(keys(folder, **training), settings)


@pytest.fixture(scope="module")
def tuned(folder: Path) -> s2s.Run:
    return s2s.run(keys(folder, freeze=["embedding", "encoder"], batch={"tokens": 150}))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model/model.safetensors")


def test_training_begins_with_the_weights_and_the_tokenizer(folder: Path, tmp_path: Path) -> None:
    recipe = recipe_of(folder, f"output_dir={tmp_path}/run")
    runner = Runner(recipe)
    runner.run("prepare")
    trainer = make_trainer(runner.context())
    first = {name: weight.detach() for name, weight in trainer.model.named_parameters()}
    theirs = weights(folder / "general")
    assert first.keys() == theirs.keys()
    assert all(torch.equal(first[name], theirs[name]) for name in first)
    assert trainer.mean is not None
    assert all(torch.equal(trainer.mean.weights[name], theirs[name]) for name in first)
    assert file_hash(tmp_path / "run/data/tokenizer.json") == file_hash(folder / "general/model/tokenizer.json")


def test_frozen_parts_keep_their_bits_and_others_learn(folder: Path, tuned: s2s.Run) -> None:
    before, after = weights(folder / "general"), weights(tuned.folder)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {n for n in before if n.startswith(("src_embedding", "tgt_embedding", "encoder.stack"))}


def test_test_sets_are_scored_before_and_after(folder: Path, tuned: s2s.Run) -> None:
    sources = (folder / "test.en").read_text(encoding="utf-8").splitlines()
    before = s2s.Translator.load(folder / "general", "cpu").translate(sources, beam_size=2)
    written = (tuned.folder / "translations/start/old.de").read_text(encoding="utf-8").splitlines()
    assert written == [one.text for one in before]
    references = (folder / "test.de").read_text(encoding="utf-8").splitlines()
    score = s2s.evaluate(written, references, "de", ["bleu"], 0)["bleu"]
    assert tuned.start_scores["old"]["bleu"].value == pytest.approx(score.value)
    assert tuned.start_scores.keys() == tuned.scores.keys() == {"new", "old"}


def test_the_report_tells_what_was_forgotten(tuned: s2s.Run) -> None:
    markdown = (tuned.folder / "report/report.md").read_text(encoding="utf-8")
    before, after = (scores["old"]["bleu"].value for scores in (tuned.start_scores, tuned.scores))
    assert f"| old | BLEU | {before:.2f} | {after:.2f} | {after - before:+.2f} |" in markdown
    page = tuned.report.read_text(encoding="utf-8")
    assert page.count("toy (before)") >= 2
    assert 'id="changes"' in page


def test_several_seeds_are_told_beside_the_run_before(folder: Path, tmp_path: Path) -> None:
    run = s2s.run(keys(folder, max_steps=3), f"output_dir={tmp_path}/seeds", "seeds=[1, 2]")
    before = [one.start_scores["old"]["chrf"].value for one in run.seeds.values()]
    after = run.scores["old"]["chrf"].value
    assert before[0] == before[1]
    row = rf"\| old \| chrF \| {before[0]:.2f} \| {after:.2f} ± [\d.]+ \| \{after - before[0]:+.2f} \| [01]\.\d+ \|"
    assert re.search(row, (tmp_path / "seeds/report/report.md").read_text(encoding="utf-8"))
    page = run.report.read_text(encoding="utf-8")
    assert "Before and after" in page and "<b>toy</b>" in page and f"{after - before[0]:+.2f}" in page


def test_commands_tell_it(tuned: s2s.Run, folder: Path) -> None:
    result = seq2seq("evaluate", str(tuned.folder))
    before, after = (scores["new"]["bleu"].value for scores in (tuned.start_scores, tuned.scores))
    assert f"new, before -> after: BLEU {before:.2f} -> {after:.2f}, chrF" in result.out
    told = json.loads(seq2seq("report", str(tuned.folder), "--json").out)
    assert (told["before"]["new"][0]["value"], told["scores"]["new"][0]["value"]) == (before, after)


def test_the_card_names_the_start_and_no_folder_of_the_machine(folder: Path, tuned: s2s.Run) -> None:
    card = (tuned.folder / "model/README.md").read_text(encoding="utf-8")
    assert str(folder) not in card
    assert "start_from: general" in card
    assert file_hash(folder / "general/model/model.safetensors") in card


def test_other_weights_of_the_start_are_another_training(folder: Path, tuned: s2s.Run, tmp_path: Path) -> None:
    assert not any(verdict.reasons for verdict in Runner(load_recipe(tuned.folder)).plan())
    place = str(tmp_path / "g")
    moved = load_recipe(tuned.folder, [f"{KEY}={place}", f"tokenizer.run={place}"])
    shutil.copytree(folder / "general", tmp_path / "g")
    assert not any(verdict.reasons for verdict in Runner(moved).plan()), "where it lies changes nothing"
    changed = {name: weight + 1 for name, weight in weights(tmp_path / "g").items()}
    save_file(changed, tmp_path / "g/model/model.safetensors")
    again = Runner(moved)
    assert any(reason.startswith(f"{KEY} ") for reason in again.plan("train")[-1].reasons)
    assert KEY in (again.obstacle() or "")


def test_runs_without_a_start_are_as_they_were(folder: Path) -> None:
    """A key that is new to them must not have them trained again."""
    inputs = inputs_of(load_recipe(folder / "recipe.yaml"))["train"]
    assert not {KEY, "training.freeze"} & inputs.keys()


def test_a_model_that_does_not_fit_is_told_by_its_keys(folder: Path) -> None:
    def refused(*settings: str) -> str:
        own = load_recipe(folder / "general").model.model_dump()
        with pytest.raises(UserError) as error:
            inputs_of(recipe_of(folder, f"model={json.dumps(own)}", *settings))
        return str(error.value)

    assert "has model.decoder.hidden_size 32, this recipe 48; set them alike" in refused("model.decoder.hidden_size=48")
    assert "model.encoder.cell.activation" in refused("model.encoder.cell.activation=relu"), "of the same shape"
    own = load_recipe(folder / "general").model.model_dump()
    free = ["model.decoder.dropout=0.4", "model.embedding.word_dropout=0.1", "model.encoder.zoneout=0.1"]
    inputs_of(recipe_of(folder, f"model={json.dumps(own)}", *free))


def test_a_run_does_not_start_from_itself(folder: Path) -> None:
    for start in ("general", "general/model"):
        with pytest.raises(UserError, match=r"training.start_from: .* is this recipe's own run folder"):
            inputs_of(recipe_of(folder, f"output_dir={folder}/general", start_from=f"{folder}/{start}"))
