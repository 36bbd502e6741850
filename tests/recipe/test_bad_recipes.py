"""Every mistake in a recipe's file ends with exit code 2 and one message that says where, what, and the fix."""

from pathlib import Path

import pytest

from tests.command_line import refused, seq2seq

GOOD = """\
name: x
data:
  src: en
  tgt: de
  train: {builtin: cldr}
  valid: {builtin: cldr}
"""

RECIPES = [
    ("", "a recipe is a mapping of keys"),
    ("- a\n- b\n", "a recipe is a mapping of keys"),
    ("name: x\nname: y\n", ":2: name: duplicate key; remove one"),
    (
        "name: [x\n",
        ":1: not valid YAML: the bracket opened at column 7 is not closed up to line 2: expected ','",
    ),
    ("name: x\ndata: {src: en,\n  tgt: de\n  seed: 1\n", ":2: not valid YAML: the bracket opened at column 7 is"),
    ("name: x\u2028\ndata: [\n", "not valid YAML: expected the node content, but found '<stream end>'; a bracket"),
    ("name: x\n\tdata: y\n", ":2: not valid YAML"),
    ("name: !!python/object:os.system x\n", ":1: name: the tag !!python/object:os.system"),
    ("name: x\ndata: !!python/dict {a: b}\n", ":2: data: the tag !!python/dict"),
    ("name: x\ndata:\n  train: !mine [a]\n", ":3: data.train: the tag !mine"),
    ("name: !!binary aGVsbG8=\n", ":1: name: the tag !!binary"),
    ("name: x\ndata: &a\n  src: *a\n", "an alias within itself"),
    ("name: " + "[" * 3000, "too deep"),
    ("name: x\nseed: \x01\n", ":2: not valid YAML: special characters"),
    ("name: x\n\tseed: 1\n", "use spaces, not tabs"),
    ("name: x\n---\nname: y\n", ":2: not valid YAML"),
    ("name: 'x\nseed: 1\n", ":1: not valid YAML: the quote opened at column 7 is not closed"),
    ("hello\n", "a recipe is a mapping of keys"),
    ("# nothing\n", "a recipe is a mapping of keys"),
    (GOOD + "sed: 3\n", ":7: sed: unknown key; did you mean `seed`?"),
    (GOOD + "model:\n  encoder:\n    hiden_size: 3\n", ":9: model.encoder.hiden_size: unknown key; did you mean"),
    (
        GOOD + "training:\n  optimizer:\n    kind: sgd\n    betas: [0.1, 0.2]\n",
        ":10: training.optimizer.betas: unknown",
    ),
    (GOOD + "training:\n  max_epochs: b\n  max_steps: c\n", ":8: training.max_epochs: must be an integer, not 'b'\n"),
    (
        GOOD.replace("valid: {builtin: cldr}", "valid:\n    builtin: cldr\n    weight: 3.0"),
        ":8: data.valid.weight: has no effect",
    ),
    (GOOD + "  tset: {}\n", ":7: data.tset: unknown key; did you mean `test`?"),
    (
        GOOD + "model:\n  decoder:\n    hidden_size: 20\n    attention: {kind: luong_dot}\n",
        ":10: model.decoder.attention.kind: luong_dot needs encoder outputs (512 numbers)",
    ),
    (GOOD.replace("tgt: de", "tgt: ${SEQ2SEQ_NOT_SET}"), ":4: data.tgt: the environment variable SEQ2SEQ_NOT_SET"),
    ("name: ${SEQ2SEQ_NOT_SET}\n", ":1: name: the environment variable SEQ2SEQ_NOT_SET is not set"),
    ("seed: 1\n", "name: this key is missing; add it"),
    ("name: x\n", "data: this key is missing; add it"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  valid: {builtin: cldr}\n", ":2: data.train: this key is missing"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  train: {builtin: cldr}\n", ":2: data.valid: this key is missing"),
    ("name: x\ndata: 5\n", ":2: data: must be a section of keys, not 5"),
    ("name: x\ndata:\n  src: en\n  tgt: de\n  trian: 5\n", ":5: data.trian: unknown key; did you mean `train`?"),
]


@pytest.mark.parametrize(("text", "words"), RECIPES)
def test_bad_recipes(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    refused(seq2seq("validate", str(path)), str(path), words)


def test_recipes_that_cannot_be_read(tmp_path: Path) -> None:
    refused(seq2seq("run", str(tmp_path / "none.yaml")), "none.yaml: no such recipe; see recipes/")
    refused(seq2seq("run", str(tmp_path)), "not a run folder")
    (tmp_path / "latin.yaml").write_bytes("seed: 1\nname: käse\n".encode("latin-1"))
    refused(seq2seq("run", str(tmp_path / "latin.yaml")), "latin.yaml:2: not UTF-8")


def test_a_missing_file_names_the_variable_that_was_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(GOOD.replace("{builtin: cldr}", "{files: '${CORPUS:-no/where}/train.{lang}'}", 1))
    monkeypatch.delenv("CORPUS", raising=False)
    for command in ("validate", "plan", "run"):
        refused(
            seq2seq(command, str(recipe)), "data.train: ", "no/where/train.en: no such file", "CORPUS=folder seq2seq"
        )
    monkeypatch.setenv("CORPUS", "elsewhere")
    assert "CORPUS" not in seq2seq("plan", str(recipe)).err


def test_a_setting_below_a_section_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\ndata: 5\n")
    refused(seq2seq("plan", str(tmp_path / "recipe.yaml"), "data.train.0.weight=2.0"), "data is 5 and holds no keys")


def test_a_setting_for_an_entry_that_the_list_lacks(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(GOOD.replace("{builtin: cldr}", "[{builtin: cldr}]", 1))
    for entry in ("3", "last"):
        result = seq2seq("plan", str(tmp_path / "recipe.yaml"), f"data.train.{entry}.weight=2.0")
        refused(result, f"data.train has 1 entries, counted from 0, and no {entry!r}")
