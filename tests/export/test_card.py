"""The cards of models: heads that a hub reads, what a run tells, nothing of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.command_line import seq2seq
from tests.toy import write_toy


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("card")
    settings = ("training.max_steps=8", "report.license=cc-by-4.0", "evaluation.metrics=[chrf, bleu]")
    done = seq2seq("run", str(write_toy(folder, train=60)), *settings, "--device", "cpu", "--threads", "1")
    assert done.code == 0, done.err
    text = (folder / "run/model/README.md").read_text()
    assert str(folder) not in text
    return text


def test_the_head_is_that_of_a_model_card(card: str) -> None:
    _, head, body = card.split("---\n", 2)
    fields = yaml.safe_load(head)
    assert fields["language"] == ["en", "de"] and fields["license"] == "cc-by-4.0"
    assert (fields["library_name"], fields["pipeline_tag"]) == ("seq2seq", "translation")
    assert fields["metrics"] == ["chrf", "bleu"]
    (result,) = fields["model-index"][0]["results"]
    assert result["dataset"]["name"] == "toy" and f"| {result['metrics'][0]['value']:.2f} |" in body


def test_it_tells_the_data_the_scores_and_the_recipe(card: str) -> None:
    for text in (
        "60 read, 60 kept",
        "data.train.0",
        "data.test.toy",
        "sha256",
        "nrefs:1",
        "gru",
        "seq2seq translate .",
    ):
        assert text in card, text
    recipe = card.split("```yaml\n")[1].split("```", maxsplit=1)[0]
    assert yaml.safe_load(recipe)["training"]["max_steps"] == 8 and "data" not in yaml.safe_load(recipe)


def test_norwegian_is_a_language_and_not_a_no(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=20)
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.de").rename(tmp_path / f"{split}.no")
    settings = ("data.tgt=no", "training.max_steps=1", "data.test={}", "evaluation={}")
    assert seq2seq("run", str(recipe), *settings, "--device", "cpu", "--threads", "1").code == 0
    head = (tmp_path / "run/model/README.md").read_text().split("---\n")[1]
    assert yaml.safe_load(head)["language"] == ["en", "no"] and "metrics" not in head
