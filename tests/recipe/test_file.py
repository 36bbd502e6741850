"""Reading recipes: what is written is what is meant."""

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq.errors import UserError
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import dump_recipe, load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
SMALL_DATA = {"src": "en", "tgt": "de", "train": {"builtin": "cldr"}, "valid": {"builtin": "cldr"}}
SMALL = "name: x\ndata:\n  src: en\n  tgt: de\n  train: {builtin: cldr}\n  valid: {builtin: cldr}\n"


def load(folder: Path, more: str = "", *settings: str, text: str = SMALL) -> Recipe:
    (folder / "recipe.yaml").write_text(text + more, encoding="utf-8")
    return load_recipe(folder / "recipe.yaml", settings)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_survives_being_written_out(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem and recipe.output_dir == f"runs/{path.stem}"
    (tmp_path / "resolved.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


@pytest.mark.parametrize(
    "setting",
    [
        "tokenizer={kind: unigram}",
        "tokenizer={kind: char, joint: false}",
        "model.decoder.attention={kind: bahdanau, size: 7}",
        "model.decoder.attention={kind: none}",
        "training.optimizer={kind: adamw}",
        "training.schedule={kind: plateau}",
        "training.clip_norm=null",
        "decoding.length_penalty={kind: none}",
        "data.train=[{builtin: cldr, pairs: 5, weight: 2.0}, {tsv: a.tsv}, {jsonl: b.jsonl}, {hub: a/b}]",
    ],
)
def test_every_kind_survives_being_written_out(setting: str, tmp_path: Path) -> None:
    recipe = load(tmp_path, "", setting)
    (tmp_path / "resolved.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    recipe = load(tmp_path, "training: {optimizer: {kind: adam, learning_rate: 1e-3}}\n", "data.tgt=no")
    assert recipe.data.tgt == "no"  # Norwegian, not false
    assert recipe.training.optimizer.learning_rate == 0.001


def test_the_environment_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE_CODE", "fi")
    monkeypatch.setenv("SEED", "7")
    recipe = load(tmp_path, "seed: ${SEED}\n", "data.tgt=${LANGUAGE_CODE}", "name=run-${NO_SUCH:-default}")
    assert (recipe.seed, recipe.data.tgt, recipe.name) == (7, "fi", "run-default")


def test_settings_reach_everywhere(tmp_path: Path) -> None:
    recipe = load(tmp_path, "", "training.max_epochs=3", "data.train.0.weight=2.0", "model.decoder.dropout=0.5")
    assert recipe.training.max_epochs == 3
    assert recipe.data.train[0].weight == 2
    assert recipe.model.decoder.dropout == 0.5
    listed = load(
        tmp_path,
        "",
        "data.train.1.pairs=9",
        text=SMALL.replace("{builtin: cldr}", "[{builtin: cldr}, {builtin: cldr}]", 1),
    )
    assert listed.data.train[1].pairs == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "config", "kind"),
    [
        ("tokenizer.vocab_size=300", "tokenizer", "bpe"),
        ("model.encoder.cell.layer_norm=true", "model.encoder.cell", "lstm"),
        ("model.decoder.attention={}", "model.decoder.attention", "luong_general"),
        ("training.optimizer.learning_rate=0.001", "training.optimizer", "adam"),
        ("training.schedule.warmup_steps=10", "training.schedule", "cosine"),
        ("training.teacher_forcing.ratio=0.9", "training.teacher_forcing", "constant"),
        ("decoding.length_penalty.alpha=0.5", "decoding.length_penalty", "wu"),
    ],
)
def test_a_section_without_its_kind_is_of_the_default_kind(
    setting: str, config: str, kind: str, tmp_path: Path
) -> None:
    recipe = load(tmp_path, "", setting)
    assert recipe == load(tmp_path, "", setting, f"{config}.kind={kind}")
    assert misfits({"name": "x", "data": SMALL_DATA, **nested(setting)}, SCHEMA) == []


def test_r_drop_needs_a_dropout_that_parts_its_passes(tmp_path: Path) -> None:
    """Dropped weights are dropped from both."""
    dropouts = ["model.encoder.dropout=0", "model.decoder.dropout=0", "training.r_drop=1"]
    load(tmp_path, "", *dropouts, "model.decoder.zoneout=0.1")
    with pytest.raises(UserError, match=r"training.r_drop.*both passes are the same"):
        load(tmp_path, "", *dropouts, "model.decoder.weight_dropout=0.3")


def test_data_counts_from_the_recipes_folder_and_output_from_the_command(tmp_path: Path) -> None:
    recipe = load(tmp_path, "output_dir: out\n", "data.train={files: 'a/b.{lang}'}", "data.valid={tsv: ../c.tsv}")
    assert recipe.data.train[0].files == f"{tmp_path}/a/b.{{lang}}"  # type: ignore[union-attr]
    assert recipe.data.valid.tsv == f"{tmp_path.parent}/c.tsv"  # type: ignore[union-attr]
    assert recipe.output_dir == "out"


def test_the_name_gives_the_folder_also_when_it_is_set_later(tmp_path: Path) -> None:
    assert load(tmp_path, "", "name=other").output_dir == "runs/other"


NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12).filter(lambda s: s[0].isalnum())
AWKWARD = st.sampled_from(["1e3", "no", "on", "yes", "null", "true", "0x10", "010", "1_000", "2020-01-01", "1.", "7"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=NAMES | AWKWARD,
    tests=st.dictionaries(NAMES | AWKWARD, st.integers(1, 10**6), max_size=3),
    seed=st.integers(0, 2**31 - 1),
    rate=st.floats(1e-12, 1e3),
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="$\ufffe\uffff"), min_size=1),
)
def test_any_recipe_survives_being_written_out(
    name: str, tests: dict[str, int], seed: int, rate: float, text: str, tmp_path: Path
) -> None:
    source = {"builtin": "cldr"}
    data = {"src": "en", "tgt": "de", "train": [{"jsonl": "/x", "src_field": text}], "valid": source}
    data["test"] = {key: {"builtin": "cldr", "pairs": pairs} for key, pairs in tests.items()}
    training = {"optimizer": {"kind": "adam", "learning_rate": rate}}
    recipe = Recipe.model_validate({"name": name, "seed": seed, "data": data, "training": training})
    assert load(tmp_path, text=dump_recipe(recipe)) == recipe


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "y", "NO"])
def test_yaml_1_1_words_are_strings(word: str, tmp_path: Path) -> None:
    assert load(tmp_path, "", f"name={word}").name == word


@pytest.mark.parametrize(("written", "meant"), [("010", 10), ("08", 8), ("+7", 7), ("0", 0)])
def test_integers_are_decimal(written: str, meant: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", written)
    assert load(tmp_path, f"seed: {written}\n").seed == load(tmp_path, "seed: ${SEED}\n").seed == meant


def test_a_quoted_variable_stays_a_string(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBER", "7")
    assert load(tmp_path, "", "name='${NUMBER}'").name == "7"
    with pytest.raises(UserError, match="name: must be a string, not 7"):
        load(tmp_path, "", "name=${NUMBER}")


def test_settings_create_sections_and_reach_list_entries(tmp_path: Path) -> None:
    two = SMALL.replace("{builtin: cldr}", "[{builtin: cldr}, {builtin: cldr}]", 1)
    recipe = load(
        tmp_path,
        "evaluation: {metrics: [bleu, ter]}\n",
        "data.test={t: {builtin: cldr}}",
        "training.early_stopping.patience=3",
        "data.train.1={builtin: cldr, pairs: 9}",
        "evaluation.metrics.1=chrf",
        text=two,
    )
    assert recipe.training.early_stopping.patience == 3
    assert recipe.data.train[1].pairs == 9  # type: ignore[union-attr]
    assert recipe.evaluation.metrics == ["bleu", "chrf"]


SCHEMA = Recipe.model_json_schema()


def test_every_key_is_described() -> None:
    """All but `kind`, which its section's description tells of; a key may have that of the one section it opens."""
    for name, config in {**SCHEMA["$defs"], "Recipe": SCHEMA}.items():
        assert config.get("description"), name
        for key, field in config["properties"].items():
            assert field.get("description") or "$ref" in field or key == "kind", f"{name}.{key} has no description"


def misfits(value: Any, schema: dict[str, Any], key: str = "") -> list[str]:
    """Where a value does not fit a JSON Schema (types, keys, constants: as much of it as pydantic writes)."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return min((misfits(value, choice, key) for choice in choices), key=len)
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    types["null"] = type(None)
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        return [f"{key}: not {schema['type']}"]
    if value not in schema.get("enum", [schema.get("const", value)]):
        return [f"{key}: {value!r}"]
    if isinstance(value, list):
        return [m for i, item in enumerate(value) for m in misfits(item, schema.get("items", {}), f"{key}.{i}")]
    if not isinstance(value, dict):
        return []
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    found = [f"{key}.{name}: missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        if name not in known and others is False:
            found.append(f"{key}.{name}: unknown")
        else:
            found += misfits(item, known.get(name, others if isinstance(others, dict) else {}), f"{key}.{name}")
    return found


def nested(setting: str) -> dict[str, Any]:
    """`a.b=1` as a recipe would write it."""
    key, _, text = setting.partition("=")
    value = yaml.safe_load(text)
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_the_json_schema_accepts_what_the_loader_accepts(path: Path) -> None:
    assert misfits(yaml.safe_load(dump_recipe(load_recipe(path))), SCHEMA) == []
    assert misfits({"name": 3, "sed": 1}, SCHEMA) == [".data: missing", ".name: not string", ".sed: unknown"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_the_json_schema_accepts_the_recipes_as_written(path: Path) -> None:
    assert misfits(yaml.safe_load(path.read_text(encoding="utf-8")), SCHEMA) == []


@pytest.mark.parametrize("place", ["", "data.", "tokenizer."])
def test_duplicate_keys_are_refused_at_every_level(place: str, tmp_path: Path) -> None:
    text = {
        "": "seed: 1\nseed: 2\n",
        "data.": "data:\n  src: en\n  src: de\n",
        "tokenizer.": "tokenizer: {kind: bpe, kind: word}\n",
    }[place]
    with pytest.raises(UserError, match=rf":\d+: {place}\w+: duplicate key"):
        load(tmp_path, text=text)
