"""The public face: the same results and the same errors as the commands, from Python."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import seq2seq as s2s
from seq2seq.bundle import load_bundle
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.errors import UserError
from tests.command_line import seq2seq
from tests.toy import write_toy


def tokens(text: str) -> list[str]:
    """Of the toy's tokenizer, a word each."""
    return [*(f"▁{word}" for word in text.split()), "</s>"]


SENTENCES = ["one two three", "", "nine eight seven six", "four four"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def run(recipe: Path) -> s2s.Run:
    return s2s.run(recipe, "training.max_epochs=3", device="cpu")


@pytest.fixture(scope="module")
def translator(run: s2s.Run) -> s2s.Translator:
    return run.translator("cpu")


def test_importing_loads_nothing_and_every_public_name_exists() -> None:
    code = "import sys, seq2seq; print(*sorted({'torch', 'numpy', 'pydantic', 'yaml', 'typer'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
    for name in s2s.__all__:
        assert getattr(s2s, name) is not None
    assert dir(s2s) == sorted(s2s.__all__)
    with pytest.raises(AttributeError, match="the public names are"):
        s2s.trainer  # noqa: B018


def test_a_run_is_the_commands_run(run: s2s.Run, recipe: Path) -> None:
    command = seq2seq("run", str(recipe), "training.max_epochs=3", "--device", "cpu")
    assert command.code == 0 and "nothing to do" in command.out
    scores = json.loads(seq2seq("evaluate", str(run.folder), "--json", "--device", "cpu").out)
    assert {metric: score.value for metric, score in run.scores["toy"].items()} == {
        score["metric"]: score["value"] for score in scores["toy"]
    }
    assert run.report.read_text(encoding="utf-8").startswith("<!")
    assert run.recipe.training.max_epochs == 3
    assert "chrF" in run._repr_html_() and repr(run) == f"Run('{run.folder}')"
    assert [record["step"] for record in run.log if record["kind"] == "train"] == [1, *range(5, 36, 5)]
    table = run.log.to_pandas()
    assert len(table) == len(run.log) and list(table.columns) == run.log.columns
    assert f"{len(run.log)} records" in run.log._repr_html_()


def test_a_recipe_may_be_keys(recipe: Path, tmp_path: Path) -> None:
    keys = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    for name, side in (("train", keys["data"]["train"]), ("valid", keys["data"]["valid"])):
        side["files"] = str(recipe.parent / f"{name}.{{lang}}")
    keys |= {"output_dir": str(tmp_path / "run")}
    keys["data"]["test"] = {}
    before = json.dumps(keys)
    done = s2s.run(keys, "evaluation={}", "training.max_steps=5", device="cpu")
    assert json.dumps(keys) == before, "the caller's keys were changed"
    assert done.recipe.training.max_steps == 5 and done.scores == {}
    with pytest.raises(UserError, match=r"recipe: training.max_stepz: unknown key; did you mean `max_steps`"):
        s2s.run(keys | {"training": {"max_stepz": 3}})


def test_errors_are_those_of_the_command(recipe: Path, tmp_path: Path) -> None:
    for settings in (["training.max_step=3"], ["model.encoder.cell=gruu"], ["nothing"]):
        with pytest.raises(UserError) as error:
            s2s.run(recipe, *settings)
        assert f"error: {error.value}\n" == seq2seq("run", str(recipe), *settings).err
    with pytest.raises(UserError, match="no such recipe"):
        s2s.run(tmp_path / "none.yaml")
    with pytest.raises(UserError, match=r"not a run folder|has no recipe\.yaml"):
        s2s.Run(tmp_path)
    (tmp_path / "recipe.yaml").write_text("")
    with pytest.raises(UserError, match=r"has no report/scores\.json; run its recipe first"):
        _ = s2s.Run(tmp_path).scores
    with pytest.raises(UserError, match="has no trained model yet"):
        s2s.Translator.load(tmp_path)


def test_it_runs_in_a_thread(recipe: Path, tmp_path: Path) -> None:
    done: list[s2s.Run] = []
    thread = threading.Thread(
        target=lambda: done.append(
            s2s.run(recipe, f"output_dir={tmp_path / 'run'}", "training.max_steps=2", device="cpu")
        )
    )
    thread.start()
    thread.join()
    assert done[0].scores["toy"]["bleu"].sentences == 20


def test_a_str_gives_a_translation_and_a_sequence_a_list(translator: s2s.Translator, run: s2s.Run) -> None:
    found = translator.translate(SENTENCES)
    assert [type(each) for each in found] == [s2s.Translation] * 4
    assert found[1].text == ""
    one = translator.translate(SENTENCES[0])
    assert isinstance(one, s2s.Translation) and one.text == str(one) == found[0].text
    generated: Iterator[str] = iter(SENTENCES)
    assert [each.text for each in translator.translate(generated)] == [each.text for each in found]
    assert translator.translate([]) == []
    model = s2s.Translator.load(run.folder / "model", device="cpu")  # a model folder, as well as a run
    assert model.translate(SENTENCES[0]) == one
    assert repr(model) == "<Translator toy: en to de>"


def test_settings_of_a_call_replace_the_models(translator: s2s.Translator) -> None:
    wide = translator.translate(SENTENCES[0], n_best=5, beam_size=10, length_penalty="none")
    assert len(wide.candidates) == 5
    assert [c.score for c in wide.candidates] == pytest.approx(
        [c.log_probability for c in wide.candidates], abs=1e-2
    )  # the search rounds to a grid
    greedy = translator.translate(SENTENCES[2], beam_size=1).candidates[0]
    assert greedy.score == pytest.approx(greedy.log_probability, abs=1e-2)  # the search rounds to a grid
    short = translator.translate(SENTENCES[2], max_length={"ratio": 0, "offset": 3})
    assert len(short.text.split()) <= 2
    assert translator.translate(SENTENCES[0], beam_size=2) == translator.translate(SENTENCES[0])


@pytest.mark.parametrize(
    ("settings", "command", "message"),
    [
        ({"beam_size": 0}, "decoding.beam_size=0", "decoding.beam_size: must be greater than or equal to 1, but is 0"),
        ({"beem_size": 3}, "decoding.beem_size=3", "decoding.beem_size: unknown key; did you mean `beam_size`?"),
        ({"beam_size": "two"}, "decoding.beam_size=two", "decoding.beam_size: must be an integer, not 'two'"),
        ({"length_penalty": "long"}, "decoding.length_penalty=long", "must be one of none, average, wu, not 'long'"),
    ],
)
def test_bad_settings_are_told_as_the_command_tells_them(
    translator: s2s.Translator, run: s2s.Run, settings: dict[str, object], command: str, message: str
) -> None:
    with pytest.raises(UserError) as error:
        translator.translate("one", **settings)  # type: ignore[arg-type]
    told = seq2seq("translate", str(run.folder), command, "--device", "cpu").err
    assert message in str(error.value) and message in told
    assert str(error.value).partition(": ")[2] == told.strip().partition("): ")[2]


def test_more_candidates_than_the_beam_holds(translator: s2s.Translator, run: s2s.Run) -> None:
    with pytest.raises(UserError) as error:
        translator.translate("one", n_best=3)
    told = seq2seq("translate", str(run.folder), "--format", "jsonl", "--n-best", "3", "--device", "cpu").err
    assert told == f"error: {error.value}\n" == "error: n_best 3: the beam holds 2; set decoding.beam_size=3 or more\n"
    with pytest.raises(UserError, match="n_best 0"):
        translator.translate("one", n_best=0)


def test_what_is_no_text_is_refused(translator: s2s.Translator) -> None:
    with pytest.raises(UserError, match="text: must be a str or a sequence of str, not int"):
        translator.translate(5)  # type: ignore[call-overload]
    with pytest.raises(UserError, match="text: item 1 must be a str, not NoneType"):
        translator.translate(["one", None])  # type: ignore[list-item]
    with pytest.raises(UserError, match="give two texts, or two sequences"):
        translator.score("one", ["eins"])  # type: ignore[call-overload]
    with pytest.raises(UserError, match="2 sources, but 1 translations"):
        translator.score(["one", "two"], ["eins"])


def test_scores_are_those_of_the_search(translator: s2s.Translator) -> None:
    lines = [line for line in SENTENCES if line]
    found = translator.translate(lines, beam_size=5, n_best=5)
    pairs = [(each.source, candidate) for each in found for candidate in each.candidates]
    scores = translator.score([src for src, _ in pairs], [candidate.text for _, candidate in pairs])
    for score, (src, candidate) in zip(scores, pairs, strict=True):  # of words, which are split in one way alone
        assert score.log_probability == pytest.approx(candidate.log_probability, abs=1e-5)
        assert score.tokens == tokens(candidate.text)
        assert score.perplexity == pytest.approx(np.exp(-np.mean(score.token_log_probabilities)))
        assert translator.score(src, candidate.text).log_probability == pytest.approx(score.log_probability, abs=1e-5)


def test_attention_is_that_of_decoding_step_by_step(translator: s2s.Translator, run: s2s.Run) -> None:
    src, tgt = SENTENCES[2], "sechs sieben acht neun"
    attention = translator.attention(src, tgt)
    assert attention.source_tokens == tokens(src) and attention.target_tokens == tokens(tgt)
    assert attention.weights.shape == (5, 5)
    np.testing.assert_allclose(attention.weights.sum(1), 1, atol=1e-6)
    model = (bundle := load_bundle(run.folder, torch.device("cpu"))).model
    source, target = bundle.src_tokenizer.encode_batch([src])[0], bundle.tgt_tokenizer.encode_batch([tgt])[0]
    with torch.inference_mode():
        memory = model.encode(torch.tensor([[*source, EOS]]), torch.tensor([len(source) + 1]))
        state = model.start(memory)
        for token, weights in zip([BOS, *target], attention.weights, strict=True):
            _, state = model.step(torch.tensor([[token]]), state, memory)
            assert state.attention is not None
            np.testing.assert_allclose(weights, state.attention[0, 0], atol=1e-6)


def test_a_model_without_attention_has_none_to_show(recipe: Path, tmp_path: Path) -> None:
    settings = ["model.decoder.attention=none", "training.max_steps=1", f"output_dir={tmp_path / 'run'}"]
    translator = s2s.run(recipe, *settings, device="cpu").translator("cpu")
    with pytest.raises(UserError, match="this model has none"):
        translator.attention("one", "eins")
    assert translator.score("one", "eins").log_probability < 0


def test_results_show_themselves_escaped(translator: s2s.Translator) -> None:
    shown = translator.translate("<script> one & two")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt; one &amp; two" in shown
    attention = s2s.Attention(["<b>", "</s>"], ["eins", "&", "</s>"], np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]))
    shown = attention._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;" in shown and "&amp;" in shown
    assert shown.count("<td") == 2 * 3 and 'title="0.900" style="background:rgba(51,122,204,0.900)"' in shown


def test_evaluate_is_the_commands(tmp_path: Path) -> None:
    hypotheses, references = ["a b c d e", "f g h i"], ["a b c d e", "f g h j"]
    for name, lines in (("hyp", hypotheses), ("ref", references)):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines))
    command = seq2seq("evaluate", "--hyp", str(tmp_path / "hyp"), "--ref", str(tmp_path / "ref"), "--json")
    found = s2s.evaluate(hypotheses, references)
    assert [vars(score) for score in found.values()] == json.loads(command.out)
    assert list(s2s.evaluate(hypotheses, references, metrics=["chrf"], bootstrap=0)) == ["chrf"]
    with pytest.raises(UserError, match="1 hypotheses and 2 references"):
        s2s.evaluate("a", references)
