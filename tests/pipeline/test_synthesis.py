"""Text that trained models write for the training of others: what it is, and that it is written once."""

import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import torch

from seq2seq.data.sources import make_source
from seq2seq.data.sources.synthetic import SyntheticSource
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from seq2seq.pipeline.synthesis import generate
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from tests.toy import ENGLISH, GERMAN, toy_recipe

CPU = torch.device("cpu")
SHORT = ["training.max_epochs=1", "decoding.beam_size=3"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `there` (en-de), `other` (en-de) and `back` (de-en), with runs, and their data."""
    folder = tmp_path_factory.mktemp("synthesis")
    for name, settings in (("there", []), ("other", ["seed=2"]), ("back", ["data.src=de", "data.tgt=en"])):
        recipe = toy_recipe(folder, *SHORT, *settings, f"output_dir={folder}/{name}")
        Runner(recipe).run("train")
    (folder / "mono.de").write_text("eins zwei\n\ndrei vier fünf\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def recipe_of(folder: Path, *train: dict[str, Any], output: str = "student") -> Recipe:
    settings = [
        f"data.train={json.dumps(train)}",
        f"output_dir={folder}/{output}",
        "data.filter.drop_test_overlap=false",
    ]
    return load_recipe(folder / "recipe.yaml", settings)


def teacher(folder: Path, **options: Any) -> dict[str, Any]:
    return {"teacher": str(folder / "there"), "of": {"files": str(folder / "test.{lang}")}, **options}


def back(folder: Path, **options: Any) -> dict[str, Any]:
    return {"back_translate": str(folder / "back"), "of": {"files": str(folder / "mono.de")}, **options}


def source_of(recipe: Recipe) -> SyntheticSource[Any]:
    source = make_source(recipe.data.train[0], "train", recipe.data.src, recipe.data.tgt, "data.train")
    assert isinstance(source, SyntheticSource)
    return source


def generated(recipe: Recipe) -> list[tuple[str, str]]:
    generate(recipe.data, CPU)
    return list(source_of(recipe).pairs())


def translations(run: Path, lines: list[str], n_best: int = 1, **settings: Any) -> list[list[str]]:
    from seq2seq import Translator as Public  # noqa: PLC0415

    found = Public.load(run, "cpu").translate(lines, n_best=n_best, **settings)
    return [[candidate.text for candidate in one.candidates] for one in found]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_a_teachers_translations_are_the_targets(runs: Path) -> None:
    sources = lines_of(runs / "test.en")
    best = [one[0] for one in translations(runs / "there", sources)]
    assert generated(recipe_of(runs, teacher(runs))) == [
        pair for pair in zip(sources, best, strict=True) if pair[1].strip()
    ]  # fmt: skip
    three = generated(recipe_of(runs, teacher(runs, n_best=3)))
    expected = [(src, text) for src, all in zip(sources, translations(runs / "there", sources, 3), strict=True)
                for text in all if text.strip()]  # fmt: skip
    assert three == expected and len(three) > len(sources)


def test_interpolation_takes_the_one_closest_to_the_reference(runs: Path) -> None:
    sources, references = lines_of(runs / "test.en"), lines_of(runs / "test.de")
    pairs = generated(recipe_of(runs, teacher(runs, n_best=5, interpolate=True)))
    candidates = translations(runs / "there", sources, 5, beam_size=5)
    assert [src for src, _ in pairs] == sources
    for (_, chosen), reference, all in zip(pairs, references, candidates, strict=True):
        scores = {text: sacrebleu.sentence_bleu(text, [reference], use_effective_order=True).score for text in all}
        assert chosen in all and scores[chosen] == max(scores.values())
    assert any(chosen != all[0] for (_, chosen), all in zip(pairs, candidates, strict=True))


def test_an_ensemble_teaches(runs: Path) -> None:
    both = generated(recipe_of(runs, teacher(runs) | {"teacher": [str(runs / "there"), str(runs / "other")]}))
    assert both != generated(recipe_of(runs, teacher(runs))) and {src for src, _ in both} <= set(
        lines_of(runs / "test.en")
    )


def test_sources_are_written_for_text_of_the_target_language(runs: Path) -> None:
    pairs = generated(recipe_of(runs, back(runs)))
    text = ["eins zwei", "drei vier fünf"]
    expected = [(f"<BT> {one[0]}", line) for one, line in zip(translations(runs / "back", text), text, strict=True)]
    assert pairs == expected
    assert all(set(src.split()[1:]) <= set(ENGLISH) and set(tgt.split()) <= set(GERMAN) for src, tgt in pairs)
    assert [src for src, _ in generated(recipe_of(runs, back(runs, tag="")))] == [src[5:] for src, _ in pairs]
    drawn = [generated(recipe_of(runs, back(runs, sampling={"seed": seed}))) for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_student_learns_from_both_beside_real_text(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = {"files": str(runs / "train.{lang}")}
    recipe = recipe_of(runs, real, teacher(runs, weight=2.0), back(runs), output="mixed")
    runner = Runner(recipe)
    assert runner.plan("prepare")[0].reasons and not source_of(recipe_of(runs, teacher(runs))).cache.exists()
    runner.run("prepare")
    audit = json.loads((runs / "mixed/data/audit.json").read_text())
    assert audit["train"]["sources"][0]["read"] == 300 and audit["train"]["sources"][2]["read"] == 2
    assert "data.train.1: 20 texts are translated" in capsys.readouterr().err
    assert not Runner(recipe).run("prepare")


def test_what_is_written_is_written_once_and_again_where_a_model_has_changed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = recipe_of(runs, teacher(runs))
    first = generated(recipe)
    seen = counted(monkeypatch)
    assert generated(recipe) == first and not seen
    cache = source_of(recipe).cache
    config = runs / "there/model/config.json"
    before = config.read_text()
    try:
        config.write_text(before.replace('"beam_size": 3', '"beam_size": 2'))
        assert source_of(recipe).cache != cache
        assert any("teacher 0 (config.json)" in reason for reason in changed(recipe, runs, before))
    finally:
        config.write_text(before)
    (runs / "there/model/README.md").write_text("a card changes nothing")
    assert source_of(recipe).cache == cache


def changed(recipe: Recipe, runs: Path, before: str) -> list[str]:
    """Why `prepare` would run again after the teacher's config has become what it is now."""
    config = runs / "there/model/config.json"
    now = config.read_text()
    config.write_text(before)
    Runner(recipe).run("prepare")
    config.write_text(now)
    return Runner(recipe).plan("prepare")[0].reasons


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    own, seen = Translator.translate, list[str]()

    def counting(self: Translator, lines: list[str], *args: Any) -> Any:
        seen.extend(lines)
        return own(self, lines, *args)

    monkeypatch.setattr(Translator, "translate", counting)
    return seen


def test_an_interruption_loses_nothing_that_is_whole(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of(runs, teacher(runs))
    straight = generated(recipe)
    source_of(recipe).cache.unlink()
    monkeypatch.setattr("seq2seq.pipeline.synthesis.ROWS", 8)
    own, calls = Translator.translate, list[int]()

    def stopped(self: Translator, lines: list[str], *args: Any) -> Any:
        calls.append(len(lines))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return own(self, lines, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Translator, "translate", stopped)
        with pytest.raises(KeyboardInterrupt):
            generate(recipe.data, CPU)
    with pytest.raises(UserError, match="has not been generated yet"):
        list(source_of(recipe).pairs())
    seen = counted(monkeypatch)
    assert generated(recipe) == straight and len(seen) == 4
    assert "after 16 that an interruption has left" in capsys.readouterr().err


def test_what_cannot_be_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.train\.teacher: .*none: there is no trained model; train it first"):
        Runner(recipe_of(runs, teacher(runs) | {"teacher": str(tmp_path / "none")}))
    with pytest.raises(UserError, match=r"data\.train\.teacher: .*back: translates de-en, but en-de is needed"):
        Runner(recipe_of(runs, teacher(runs) | {"teacher": str(runs / "back")}))
    with pytest.raises(UserError, match=r"data\.train\.back_translate: .*there: translates en-de, but de-en"):
        Runner(recipe_of(runs, back(runs) | {"back_translate": str(runs / "there")}))
    with pytest.raises(UserError, match=r"data\.train\.teacher: .*there is this recipe's own run folder"):
        Runner(recipe_of(runs, teacher(runs), output="there"))
    with pytest.raises(UserError, match=r"data\.train: .*none\.de: no such file"):
        Runner(recipe_of(runs, back(runs, of={"files": str(runs / "none.de")})))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"interpolate": True}, "interpolate: has no effect on the best translation alone"),
        ({"teacher": []}, "teacher: the list is empty"),
        ({"of": {"files": "x.{lang}", "weight": 2}}, "of.weight: has no effect there"),
        ({"of": {"files": "x.{lang}", "alignments": "y"}}, "of.alignments: has no effect"),
        ({"of": {"teacher": "x", "of": {"files": "x.{lang}"}}}, "not a data source"),
        ({"of": {}}, "not a data source"),
    ],
)
def test_settings_that_cannot_be_are_refused(runs: Path, section: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as refused:
        recipe_of(runs, teacher(runs) | section)
    assert words in str(refused.value)


def test_generated_text_is_for_training(runs: Path) -> None:
    for key in ("valid", "test.toy"):
        with pytest.raises(UserError, match=f"data.{key}.teacher: generated text is for training"):
            load_recipe(runs / "recipe.yaml", [f"data.{key}={json.dumps(teacher(runs))}"])
