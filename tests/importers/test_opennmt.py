"""OpenNMT-py's configurations become recipes that run; what has no counterpart is listed."""

from pathlib import Path

import pytest

from seq2seq.recipe.file import load_recipe
from tests.command_line import Result, refused, seq2seq
from tests.toy import write_toy

PLAIN = """
save_model: x
data:
  corpus_1: {path_src: FOLDER/train.en, path_tgt: FOLDER/train.de}
  valid: {path_src: FOLDER/valid.en, path_tgt: FOLDER/valid.de}
world_size: 1
gpu_ranks: [0]
train_steps: 20
valid_steps: 10
"""
WHOLE = """
data:
  one: {path_src: FOLDER/train.en, path_tgt: FOLDER/train.de, weight: 3,
        transforms: [filtertoolong, sentencepiece, prefix]}
  two: {path_src: FOLDER/train.en, path_tgt: FOLDER/train.de}
  valid: {path_src: FOLDER/a.txt, path_tgt: FOLDER/b.txt}
src_seq_length: 60
tgt_seq_length: 70
share_vocab: true
src_vocab_size: 900
tgt_vocab_size: 800
encoder_type: brnn
rnn_type: GRU
enc_layers: 1
dec_layers: 3
hidden_size: 64
word_vec_size: 32
dropout: [0.1]
global_attention: mlp
input_feed: 0
share_embeddings: true
share_decoder_embeddings: true
optim: adam
adam_beta2: 0.98
learning_rate: 2.0
decay_method: noam
warmup_steps: 100
batch_size: 4096
batch_type: tokens
normalization: tokens
accum_count: [2]
label_smoothing: 0.1
max_grad_norm: 0
param_init: 0
param_init_glorot: 'true'
early_stopping: 4
seed: 9
copy_attn: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toy(tmp_path, train=60).unlink()
    for name, other in (("a.txt", "valid.en"), ("b.txt", "valid.de")):
        (tmp_path / name).write_bytes((tmp_path / other).read_bytes())
    return tmp_path


def imported(folder: Path, text: str, *options: str) -> Result:
    (folder / "old.yaml").write_text(text.replace("FOLDER", str(folder)))
    return seq2seq("import", "opennmt", str(folder / "old.yaml"), str(folder / "new.yaml"), "--force", *options)


def test_its_defaults(folder: Path) -> None:
    result = imported(folder, PLAIN)
    assert result.code == 0 and len(result.out.splitlines()) == 2 and "batches of 64 sentences" in result.out, result
    recipe = load_recipe(folder / "new.yaml")
    training, model = recipe.training, recipe.model
    assert (recipe.data.src, recipe.data.tgt, recipe.tokenizer.kind) == ("en", "de", "word")
    assert (model.encoder.layers, model.encoder.hidden_size, model.encoder.direction) == (2, 500, "forward")
    assert (model.decoder.attention.kind, model.decoder.input_feeding, model.bridge) == ("luong_general", True, "copy")
    assert model.encoder.cell.model_dump()["kernel_initializer"] == {"kind": "uniform", "range": 0.1}
    assert model.decoder.dropout == 0.3 and model.embedding.size == 500 and model.embedding.tie == "none"
    assert training.optimizer.model_dump() == {"kind": "sgd", "learning_rate": 1.0, "momentum": 0.0}
    schedule = training.schedule.model_dump()
    assert (schedule["kind"], schedule["unit"], schedule["after"], schedule["every"]) == (
        "exponential",
        "steps",
        5e4,
        1e4,
    )
    assert (training.clip_norm, training.max_steps, training.validate_every, training.batch.tokens) == (5, 20, 10, 1920)
    small = [
        "model.embedding.size=8",
        "model.encoder.hidden_size=8",
        "model.decoder.hidden_size=8",
        f"output_dir={folder}/run",
    ]
    assert seq2seq("train", str(folder / "new.yaml"), *small).code == 0


def test_its_options(folder: Path) -> None:
    result = imported(folder, WHOLE, "--src", "en", "--tgt", "de")
    assert result.code == 0, result.err
    assert [line.removeprefix("without counterpart: ").partition(":")[0] for line in result.out.splitlines()[1:]] == [
        "data.one.weight", "transform prefix", "its subword model", "copy_attn"
    ]  # fmt: skip
    recipe = load_recipe(folder / "new.yaml")
    training, model = recipe.training, recipe.model
    assert len(recipe.data.train) == 2 and recipe.data.filter.max_length == 70 and recipe.seed == 9
    assert (recipe.tokenizer.kind, recipe.tokenizer.vocab_size, recipe.tokenizer.joint) == ("unigram", 900, True)
    assert (model.encoder.direction, model.encoder.hidden_size, model.encoder.layers) == ("bidirectional", 32, 1)
    assert (model.decoder.hidden_size, model.decoder.layers, model.decoder.attention.kind) == (64, 3, "luong_concat")
    assert not model.decoder.input_feeding and model.embedding.tie == "all" and model.bridge == "project"
    assert model.decoder.cell.model_dump()["recurrent_initializer"]["kind"] == "glorot_uniform"
    assert training.schedule.model_dump() == {"kind": "inverse_sqrt", "warmup_steps": 100}
    assert (training.batch.tokens, training.batch.accumulate, training.clip_norm) == (4096, 2, None)
    assert training.normalization == "tokens" and training.early_stopping.patience == 4
    assert list(training.optimizer.model_dump()["betas"]) == [0.9, 0.98]


def test_what_is_no_such_configuration_is_refused(folder: Path) -> None:
    refused(imported(folder, WHOLE), "a.txt: its name tells no language", "--src")
    refused(imported(folder, PLAIN + "encoder_type: transformer\n"), "encoder_type is transformer; only recurrent")
    refused(imported(folder, "train_steps: 5\n"), "no corpora")
    refused(imported(folder, PLAIN.replace("path_tgt: FOLDER/train.de", "x: y")), "old.yaml", "path_tgt")
    refused(imported(folder, PLAIN + "rnn_type: QRNN\n"), "qrnn")
    refused(seq2seq("import", "joeynmt", "x", str(folder / "y.yaml"), "--src", "en"), "--src and --tgt have no effect")
