"""spBLEU is BLEU of SentencePiece's tokens by a file that sacreBLEU has; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers import tokenizer_spm

from seq2seq.errors import UserError
from seq2seq.evaluation import metrics
from seq2seq.evaluation.metrics import Given, make_metric, score
from seq2seq.evaluation.significance import paired_test
from tests.command_line import refused, seq2seq
from tests.evaluation.test_metrics import HYPOTHESES, REFERENCES, damaged

sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra [spbleu]")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """sacreBLEU's, with a small model in place of FLORES-200's; a download would fail."""

    def download(*arguments: object) -> None:
        raise AssertionError("asked of the network")

    for module in (metrics, tokenizer_spm):
        monkeypatch.setattr(module, "SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", download)
    (tmp_path / "models").mkdir()
    (tmp_path / "text").write_text("\n".join(REFERENCES), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "small"), vocab_size=45, minloglevel=2
    )
    (tmp_path / "small.model").rename(tmp_path / "models/flores200sacrebleuspm")
    return tmp_path


def test_it_is_bleu_of_the_models_tokens(folder: Path) -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "models/flores200sacrebleuspm"))
    ours, theirs = (
        [" ".join(pieces.encode(line, out_type=str)) for line in lines] for lines in (HYPOTHESES, REFERENCES)
    )
    (found,) = score(HYPOTHESES, REFERENCES, ["spbleu"], "de", bootstrap=0)
    assert found.value == pytest.approx(BLEU(tokenize="none", force=True).corpus_score(ours, [theirs]).score)
    assert "tok:flores200" in found.signature and found.label == "spBLEU"


def test_beside_bleu_each_has_its_own_numbers(folder: Path) -> None:
    """sacreBLEU calls both BLEU; by its paired test each is what it is alone."""
    systems = [("a", HYPOTHESES), ("b", damaged(REFERENCES, 0.4, 5))]
    made = {name: make_metric(name, Given("de")) for name in ("bleu", "spbleu")}
    both = paired_test(systems, [REFERENCES], made, "bs", 50)
    for name, metric in made.items():
        assert both[name] == paired_test(systems, [REFERENCES], {name: metric}, "bs", 50)[name]
    assert both["bleu"] != both["spbleu"]


def test_what_is_missing_is_told_and_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"sacrebleu_tokenizer_spm\.model, which is not there: curl -L https://"):
        make_metric("spbleu101", Given("de"))
    (folder / "models/flores200sacrebleuspm").write_bytes(b"no model")
    with pytest.raises(UserError, match="damaged; remove it, then: curl"):
        make_metric("spbleu", Given("de"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'seq2seq\[spbleu\]'"):
        make_metric("spbleu", Given("de"))


def test_a_recipe_is_refused_before_it_trains(folder: Path, recipe: Path, tmp_path: Path) -> None:
    settings = ("evaluation.metrics=[spbleu101]", f"output_dir={tmp_path / 'run'}")
    refused(seq2seq("run", str(recipe), *settings), "spBLEU needs a tokenizer's model", "curl -L")
    assert not (tmp_path / "run").exists()
