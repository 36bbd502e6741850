"""Models that are not what they seem: told in one line, in bounded time and memory, and nothing is executed."""

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.bundle import load_bundle
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from tests.command_line import seq2seq
from tests.toy import write_toy

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    bpe = "tokenizer={kind: bpe, vocab_size: 300, min_frequency: 1}"
    done = seq2seq("train", str(write_toy(folder)), bpe, "training.max_steps=2", "--device", "cpu")
    assert done.code == 0, done.err
    return folder / "run" / "model"


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "model"))


def change(path: Path, keys: list[Any], value: Any) -> None:
    content = json.loads(path.read_text())
    part = content
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(content))


def test_models_of_a_version_that_reversed_targets_by_hand(copied: Path) -> None:
    change(copied / "config.json", ["decoding", "rescore"], [{"run": "other", "weight": 0.5, "reversed": False}])
    assert load_bundle(copied, CPU).config.decoding.rescore[0].weight == 0.5
    change(copied / "config.json", ["decoding", "rescore"], [{"run": "other", "weight": 0.5, "reversed": True}])
    with pytest.raises(UserError, match=r"other, whose targets .* train that run with data\.reverse_target"):
        load_bundle(copied, CPU)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["model", "encoder", "hidden_size"], 60_000),
        (["model", "embedding", "size"], 65_536),
        (["model", "decoder", "layers"], 100),
        (["max_length"], 10**12),
        (["max_length"], 0),
    ],
)
def test_sizes_are_compared_before_memory_is_taken(copied: Path, keys: list[Any], value: int) -> None:
    change(copied / "config.json", keys, value)
    with pytest.raises(UserError, match="this model is damaged"):
        load_bundle(copied, CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_named(copied: Path, value: float) -> None:
    weights = load_file(copied / "model.safetensors")
    weights["output.bias"][3] = value
    save_file(weights, copied / "model.safetensors")
    with pytest.raises(UserError, match=r"output\.bias holds numbers that are not finite"):
        load_bundle(copied, CPU)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Of a JSON file a value, of another one some bytes."""
    if not content.startswith(b"{"):
        place = rng.randrange(len(content))
        few = rng.randbytes(rng.choice([1, 2, 8]))
        return rng.choice([content[:place], content[:place] + few + content[place + len(few) :], content + few])
    tree = json.loads(content)
    part, key = tree, rng.choice(list(tree))
    while isinstance(part[key], dict | list) and part[key] and rng.random() < 0.8:
        part = part[key]
        key = rng.choice(list(part)) if isinstance(part, dict) else rng.randrange(len(part))
    wrong = [None, True, -1, 0, 1.5, 10**18, "", "(a+)+$", "x" * 10_000, [], {}, [[1]], "\ud800", 7]
    part[key] = rng.choice(wrong)
    return json.dumps(tree).encode()


def test_a_damaged_model_is_refused_in_one_line_or_translates(model: Path, tmp_path: Path) -> None:
    refused = 0
    for seed in range(int(os.environ.get("DAMAGED_MODELS", "30"))):
        rng, folder = random.Random(seed), tmp_path / str(seed)
        shutil.copytree(model, folder)
        path = folder / rng.choice(["config.json", "model.safetensors", "tokenizer.json"])
        path.write_bytes(mutated(rng, path.read_bytes()))
        try:
            Translator(load_bundle(folder, CPU)).translate(["one two", "1 東京"])
        except UserError as error:
            refused += 1
            assert str(folder) in str(error) and len(str(error).splitlines()) == 1 and len(str(error)) < 2000, seed
        shutil.rmtree(folder)
    assert refused > 8
