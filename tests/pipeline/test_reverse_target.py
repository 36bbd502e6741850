"""`data.reverse_target` is what one gets who reverses the targets' words by hand, and the outputs' again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file

from seq2seq.bundle import load_bundle
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.export.folder import export
from seq2seq.recipe.file import override_decoding
from seq2seq.runtime.folder import load_config, load_exported
from seq2seq.serving import offline
from tests.command_line import refused, seq2seq
from tests.toy import write_toy

LINES = ["one two three", "nine eight four four", "seven"]


def backward(text: str) -> str:
    return " ".join(text.split()[::-1])


@pytest.fixture(scope="module", params=[pytest.param("word", marks=pytest.mark.slow), "bpe"])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One that reverses, one whose data was reversed, and a usual one."""
    folder = tmp_path_factory.mktemp(request.param)
    recipe = str(write_toy(folder))
    for split in ("train", "valid", "test"):
        lines = (folder / f"{split}.de").read_text().splitlines()
        (folder / f"{split}.reversed").write_text("".join(backward(line) + "\n" for line in lines))
        aligned = [line.split() for line in (folder / f"{split}.align").read_text().splitlines()]
        kept = "".join(" ".join(f"{i}-{i}" for i in range(len(links))) + "\n" for links in aligned)
        (folder / f"{split}.kept").write_text(kept)

    def files(split: str) -> str:
        return f"files: [{folder}/{split}.en, {folder}/{split}.reversed]"

    aligned = f"data.train={{files: '{folder}/train.{{lang}}', alignments: {folder}/train.align}}"
    by_hand = [f"data.train={{{files('train')}, alignments: {folder}/train.kept}}", f"data.valid={{{files('valid')}}}",
               f"data.test.toy={{{files('test')}}}"]  # fmt: skip
    settings = {"own": [aligned, "data.reverse_target=true"], "by_hand": by_hand, "usual": []}
    more = ["training.guided_alignment=0.1", "training.max_epochs=4"]
    more += ["tokenizer={kind: bpe, vocab_size: 300}"] if request.param == "bpe" else []
    for name, own in settings.items():
        chosen = [*more[name == "usual" :], *own, f"output_dir={folder}/{name}"]
        done = seq2seq("run", recipe, *chosen, "--device", "cpu")
        assert done.code == 0, done.err
    return {name: folder / name for name in settings}


def test_the_same_weights_are_learnt(runs: dict[str, Path]) -> None:
    ours, theirs = (load_file(runs[name] / "model/model.safetensors") for name in ("own", "by_hand"))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
    logs = [[json.loads(line).get("loss") for line in (runs[n] / "train.jsonl").open()] for n in ("own", "by_hand")]
    assert logs[0] == logs[1]


def translator(run: Path, **settings: Any) -> Translator:
    bundle = replace(load_bundle(run, torch.device("cpu")), confidence=None)  # calibrated by order, too
    return Translator(bundle, override_decoding(bundle.config.decoding, settings), align=True)


def test_it_translates_in_the_usual_order(runs: dict[str, Path]) -> None:
    found, expected = (translator(runs[name]).translate(LINES, 2) for name in ("own", "by_hand"))
    for ours, theirs in zip(found, expected, strict=True):
        assert [one.text for one in ours.candidates] == [backward(one.text) for one in theirs.candidates]
        assert [one.score for one in ours.candidates] == [one.score for one in theirs.candidates]
        words = len(ours.text.split())
        links = sorted((words - 1 - t, s) for s, t in theirs.alignment or [])
        assert [(t, s) for s, t in ours.alignment or []] == links and links
        probabilities = [one.candidates[0].word_confidences or () for one in (ours, theirs)]
        assert probabilities[0] == probabilities[1][::-1]
    texts, details = ([(runs[n] / f"translations/toy.{end}").read_text().splitlines() for n in ("own", "by_hand")]
                      for end in ("de", "details.jsonl"))  # fmt: skip
    assert texts[0] == [backward(line) for line in texts[1]]
    for line, other in zip(*([json.loads(line)["reading"] for line in lines] for lines in details), strict=True):
        for key in ("target_words", "confidence", "weights"):
            assert line[key] == [*other[key][-2::-1], other[key][-1]], key


def test_it_scores_texts_as_they_are(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "src").write_text("\n".join(LINES))
    texts = ["drei zwei eins", "vier acht", "sieben neun sieben"]
    (tmp_path / "own").write_text("\n".join(texts))
    (tmp_path / "by_hand").write_text("\n".join(map(backward, texts)))
    scores = []
    for name in ("own", "by_hand"):
        files = "--src", str(tmp_path / "src"), "--tgt", str(tmp_path / name), "--format", "jsonl"
        out = seq2seq("score", str(runs[name]), *files).out
        scores.append([json.loads(line)["log_probability"] for line in out.splitlines()])
    assert scores[0] == scores[1] and len(scores[0]) == 3


def test_phrases_are_held_in_their_order(runs: dict[str, Path]) -> None:
    (held,) = translator(runs["own"], beam_size=12, require=["acht neun"]).translate(LINES[:1])
    assert "acht neun" in held.text
    likely = held.text.split()[-2:]
    (other,) = translator(runs["own"], exclude=[" ".join(likely)]).translate(LINES[:1])
    assert " ".join(likely) not in other.text


def test_it_goes_through_an_export(runs: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
    export(runs["own"], tmp_path / "exported", ["onnx"])
    exported = load_exported(tmp_path / "exported", "fp32", 1)
    found, expected = Translator(exported, align=True).translate(LINES), translator(runs["own"]).translate(LINES)
    assert [(one.text, one.alignment) for one in found] == [(one.text, one.alignment) for one in expected]
    with pytest.raises(UserError, match=r"--web: a model of data\.reverse_target"):
        offline._refuse(load_config(tmp_path / "exported"))
    config = tmp_path / "exported/config.json"
    config.write_text(config.read_text().replace('"reverse_target": true', '"reverse_target": 1'))
    with pytest.raises(UserError, match="damaged: reverse_target is neither true nor false"):
        load_exported(tmp_path / "exported")


def test_where_it_does_not_go_is_said(runs: dict[str, Path], tmp_path: Path) -> None:
    own, usual = runs["own"], runs["usual"]
    refused(seq2seq("translate", str(own), "decoding.prefix=drei"), "decoding.prefix", "right to left")
    refused(seq2seq("translate", str(usual), "--ensemble", str(own)), "--ensemble", "other direction", "--rescore")
    recipe = str(usual.parent / "recipe.yaml")
    start = f"training.start_from={own}", f"tokenizer={{kind: run, run: {own}}}", f"output_dir={tmp_path}/tuned"
    refused(seq2seq("train", recipe, *start), "start_from", "do not fit", "data.reverse_target true")
    reverse = "data.reverse_target=true"
    refused(seq2seq("train", recipe, reverse, "decoding.prefix=drei"), "decoding.prefix", "written last")
    refused(seq2seq("train", recipe, reverse, "data.tgt=ja"), "data.reverse_target", "no spaces")
