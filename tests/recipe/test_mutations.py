"""Mutated recipes: each ends in a valid recipe or one error of bounded length, in bounded time, never a traceback."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from tests.command_line import seq2seq

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
MUTATED = int(os.environ.get("MUTATED_RECIPES", "300"))
SECONDS = 20
"""A recipe is read in a fraction of one; the limit is for what would hang, on a machine with other work."""
LONGEST = 20_000
"""Characters of an error: of one fault some 600, and a recipe may have many."""

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
ODD = [
    "1000000000000", "-1", "0", "1e308", ".nan", ".inf", "null", "true", "[]", "{}", "''", "x" * 3000, "ü" * 500,
    '"\\0"', '"a\\0b"', '"\\ud800"', '"' + "/a" * 3000 + '"', '"' + "n" * 300 + '"', "*a", "&a [*a]", "!!python/none x",
    "[[[[[[]]]]]]", "{a: {b: {c: {}}}}", "0x10", "1_000", "${HOME}", "${NO_SUCH_NAME}", "${", "~", "2021-05-02", "- x",
    "\t", "{kind: lstm}", "{kind: }", "9" * 4000, "\u2028", "\x07", "|", ">", "? x", "@", "%", "`",
]  # fmt: skip
"""Values that no key expects."""


def mutated(chance: random.Random) -> bytes:
    """A recipe of ours with one to four things wrong."""
    text = chance.choice(RECIPES).read_text(encoding="utf-8")
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(TEXT_MUTATIONS)(chance, text)
    raw_bytes = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.randint(0, 2) * (chance.random() < 0.2)):
        i = chance.randrange(len(raw_bytes) + 1)
        raw_bytes = raw_bytes[:i] + bytes([chance.randrange(256)]) + raw_bytes[i + chance.randint(0, 1) :]
    return raw_bytes


def _value(chance: random.Random, text: str) -> str:
    lines = text.split("\n")
    keyed = [i for i, line in enumerate(lines) if ": " in line and not line.startswith("#")] or [0]
    i = chance.choice(keyed)
    lines[i] = f"{lines[i].partition(': ')[0]}: {chance.choice(ODD)}"
    return "\n".join(lines)


def _inner_value(chance: random.Random, text: str) -> str:
    """Within `{...}` too."""
    starts = [i + 2 for i in range(len(text) - 2) if text.startswith(": ", i)] or [0]
    start = chance.choice(starts)
    end = min((text.find(c, start) for c in ",}\n" if text.find(c, start) >= 0), default=len(text))
    return text[:start] + chance.choice(ODD) + text[end:]


def _line(chance: random.Random, text: str) -> str:
    """One goes, comes twice, or moves."""
    lines = text.split("\n")
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randint(0, 2)):
        lines.insert(chance.randint(0, len(lines)), " " * chance.choice([0, 0, 2, 4]) + line)
    return "\n".join(lines)


def _character(chance: random.Random, text: str) -> str:
    i = chance.randint(0, len(text))
    put = chance.choice("{}[]:,&*!|>'\"%@`#-? \n\t\0\ud800\ufeff\u2028x1")
    return text[:i] + put + text[i + chance.randint(0, 1) :]


def _bomb(chance: random.Random, text: str) -> str:
    return BOMB + text if chance.random() < 0.5 else text + "\n" + BOMB + f"seed: *a{chance.randint(1, 39)}\n"


def _deep(chance: random.Random, text: str) -> str:
    return f"{text}\nmodel: " + chance.choice(["[", "{a: ", "- "]) * chance.choice([10, 100, 5000])


def _cut(chance: random.Random, text: str) -> str:
    return text[: chance.randint(0, len(text))]


Mutation = Callable[[random.Random, str], str]
TEXT_MUTATIONS: list[Mutation] = [
    *(_value, _value, _inner_value, _inner_value),
    *(_line, _character, _character, _bomb, _deep, _cut),
]


def read(path: Path) -> Recipe | UserError:
    """What a recipe's file ends in; whatever else it raises is a fault of ours."""

    def hung(*_: Any) -> None:
        raise TimeoutError(f"{path}: not read in {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(SECONDS)
    try:
        return load_recipe(path)
    except UserError as error:
        return error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_every_mutated_recipe_is_read_or_refused_in_bounded_time(tmp_path: Path) -> None:
    path, valid = tmp_path / "recipe.yaml", 0
    for seed in range(MUTATED):
        content = mutated(random.Random(seed))
        path.write_bytes(content)
        try:
            found = read(path)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}:\n{content[:2000]!r}") from error
        valid += isinstance(found, Recipe)
        if isinstance(found, UserError):
            message = str(found)
            assert "recipe.yaml" in message and 0 < len(message) < LONGEST, (seed, message[:500])
            message.encode("utf-8")  # can be printed
    assert 0.02 < valid / MUTATED < 0.6, valid


@pytest.mark.parametrize(
    "lines",
    [
        "model: {encoder: {layers: 1000000000000}}",
        f"output_dir: /tmp/{'n' * 300}",
        f"output_dir: {'/a' * 2000}",
        'output_dir: "a\\0b"',
        'output_dir: "a\\ud800b"',
        'model: {embedding: {src_vectors: "a\\0b"}}',
        BOMB + "seed: *a39",
    ],
    ids=lambda text: text[:30],
)
@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_hostile_values_end_in_one_error(command: str, lines: str, tmp_path: Path) -> None:
    source = "{builtin: cldr}"
    text = f"name: x\ndata: {{src: en, tgt: de, train: {source}, valid: {source}}}\n{lines}\n"
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    result = seq2seq(command, str(tmp_path / "recipe.yaml"))
    assert result.code == 2 and "Traceback" not in result.err and len(result.err) < 2000, result
