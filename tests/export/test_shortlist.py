"""Vocabulary shortlists: what they hold, and a step that looks for the best words among them alone."""

from pathlib import Path

import numpy as np
import pytest

from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import BOS, EOS, load_tokenizers
from seq2seq.errors import UserError
from seq2seq.export.shortlist import make_shortlist
from seq2seq.pipeline import Runner
from seq2seq.runtime.folder import graphs, load_exported
from seq2seq.runtime.scorer import OnnxScorer
from seq2seq.runtime.shortlist import FILE, Shortlist
from tests.command_line import seq2seq
from tests.export.test_graphs import MODELS, VOCAB, make, without_shape_checks  # noqa: F401 - a fixture
from tests.toy import ENGLISH, GERMAN, toy_recipe

pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
SHORT = np.array([EOS, 5, 9, 10, 17, 30])


def test_a_words_first_candidate_is_its_translation(tmp_path: Path) -> None:
    runner = Runner(toy_recipe(tmp_path))
    runner.run("prepare")
    src, tgt = load_tokenizers(runner.folder.data)
    found = make_shortlist(PreparedPairs(runner.folder.data / "train.arrow"), len(src), len(tgt))
    first = {src.decode([i]).strip(): tgt.decode(row[:1].tolist()).strip() for i, row in enumerate(found.translations)}
    assert {word: first[word] for word in ENGLISH} == dict(zip(ENGLISH, GERMAN, strict=True))


def test_words_are_the_frequent_ones_and_the_sources_candidates() -> None:
    shortlist = Shortlist(np.array([7, 0]), [np.array([i]) for i in range(12)])
    assert shortlist.words([[9, EOS], [9, 8, EOS]]).tolist() == [EOS, 7, 8, 9]  # <pad> is never written


def test_what_is_saved_is_read_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    assert Shortlist.load(tmp_path, 2, 8) is None
    Shortlist(np.array([7, 4]), [np.array([5]), np.array([], np.int64)]).save(tmp_path)
    loaded = Shortlist.load(tmp_path, 2, 8)
    assert loaded is not None and loaded.words([[0, 1]]).tolist() == [EOS, 4, 5, 7]
    for sizes, content in (
        ((3, 8), None),
        ((2, 7), None),
        ((2, 8), "[]"),
        ((2, 8), '{"frequent": [[1]]}'),
        ((2, 8), "{"),
    ):
        if content is not None:
            (tmp_path / FILE).write_text(content)
        with pytest.raises(UserError, match=f"{FILE}: damaged"):
            Shortlist.load(tmp_path, *sizes)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_step_finds_the_best_of_the_shortlist_and_gives_all_to_who_asks(precision: str, tmp_path: Path) -> None:
    from seq2seq.export.onnx import quantize, quantize_short, write_graphs  # noqa: PLC0415 - an extra

    files = graphs(tmp_path, "fp32")
    write_graphs(make(MODELS[0]), files, shortlist=True)
    if precision == "int8":
        fp32, files = files, graphs(tmp_path, "int8")
        quantize(fp32.encoder, files.encoder)
        quantize(fp32.step, files.step)
        quantize_short(fp32.short, files.short)
    whole = OnnxScorer(files, VOCAB, threads=1)
    short = OnnxScorer(files, VOCAB, threads=1, shortlist=Shortlist(SHORT, [SHORT] * VOCAB))
    sources, tokens = [[7, 8, EOS], [9, EOS]], np.full((2, 1), BOS)
    states = whole.start(sources), short.start(sources)
    short.expect(4)
    for _ in range(2):
        expected, after = whole.step(tokens, states[0])
        found, also_after = short.step(tokens, states[1])
        logits = expected.values[..., SHORT] + 0
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        best, words = found.top(4)
        order = np.argsort(-logs, -1)[..., :4]
        tolerance = 1e-5 if precision == "fp32" else 0.02
        np.testing.assert_allclose(best, np.take_along_axis(logs, order, -1), atol=tolerance)
        assert precision == "int8" or (words == SHORT[order]).all()
        np.testing.assert_allclose(found.values, expected.values, atol=1e-5)  # computed for who asks
        np.testing.assert_allclose(found.normalizer, expected.normalizer, atol=1e-5)
        states = after, also_after


def test_exporting_a_run_with_its_shortlist(tmp_path: Path) -> None:
    run, exported = tmp_path / "run", tmp_path / "exported"
    Runner(toy_recipe(tmp_path, "export.formats=[onnx]", "export.shortlist=true", "training.max_epochs=1")).run(
        "export"
    )
    assert {"short.onnx", FILE} <= {file.name for file in (run / "export").iterdir()}
    (tmp_path / "in").write_text("one two\nnine\n")
    texts = []
    for model in (run, run / "export"):
        assert (
            seq2seq(
                "translate", str(model), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--force"
            ).code
            == 0
        )
        texts.append((tmp_path / "out").read_text())
    assert texts[0] == texts[1]  # its few words are all frequent
    for wanted in (True, False):
        loaded = load_exported(run / "export", shortlist=wanted)
        assert (loaded.scorer.start([[4, EOS]]).shortlist is not None) == wanted
    result = seq2seq("export", str(run / "model"), str(exported), "--shortlist")
    assert result.code == 2 and "no prepared training data" in result.err
