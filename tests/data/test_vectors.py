"""Pretrained vectors: read, placed, kept."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.data.vectors import places_of, read_vectors
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from tests.toy import toy_recipe

PLACES = places_of(["<pad>", "<s>", "</s>", "<unk>", "▁dog", "dog", "▁", "cat"])


def test_words_are_found_as_whole_words() -> None:
    assert PLACES["dog"] == 4 and PLACES["cat"] == 7 and PLACES["▁"] == 6


@pytest.mark.parametrize("header", ["", "3 2\n"])
@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_a_file_of_vectors(tmp_path: Path, header: str, name: str) -> None:
    text = header + "dog 1 2\nhorse 5 6 \ncat -0.5 1e-3\ndog 7 8\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    found = read_vectors(path, PLACES, 2, "key")
    assert found.keys() == {4, 7}
    np.testing.assert_allclose(found[4], [1, 2])
    np.testing.assert_allclose(found[7], [-0.5, 1e-3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 1 2\ncat 1 2 3\n", ":2: key: this vector has 3 numbers, and model.embedding.size is 2"),
        ("dog one two\n", ":1: key: not numbers"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "vectors.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        read_vectors(tmp_path / "vectors.txt", PLACES, 2, "key")


def test_frozen_vectors_are_what_the_model_ends_with(tmp_path: Path) -> None:
    vector = np.random.default_rng(1).normal(size=16).round(3)
    (tmp_path / "vectors.txt").write_text(f"seven {' '.join(map(str, vector))}\n")
    recipe = toy_recipe(
        tmp_path,
        "training.max_epochs=1",
        "training.batch.curriculum_epochs=1",
        "model.embedding={size: 16, tie: decoder, src_vectors: vectors.txt, frozen: true}",
    )
    Runner(recipe).run("train")
    loaded = load_bundle(tmp_path / "run", torch.device("cpu"))
    row = loaded.src_tokenizer.encode_batch(["seven"])[0][0]
    embedded = loaded.model.src_embedding.weight[row].detach() * loaded.model.embedding_scale
    np.testing.assert_allclose(embedded, vector, atol=1e-5)
    (tmp_path / "vectors.txt").write_text("seven " + " ".join(["0"] * 16) + "\n")
    assert "src_vectors" in Runner(recipe).plan()[1].reasons[0]
