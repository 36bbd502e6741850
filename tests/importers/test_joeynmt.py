"""JoeyNMT's configurations become recipes that run; what has no counterpart is listed, and nothing else."""

import json
from pathlib import Path

from seq2seq.recipe.file import load_recipe
from tests.command_line import Result, refused, seq2seq
from tests.toy import write_toy

OLD = """
name: old
data: {src: en, trg: de, train: FOLDER/train, dev: FOLDER/valid, test: FOLDER/test, level: word, lowercase: true,
       max_sent_length: 40, src_voc_min_freq: 2, trg_voc_min_freq: 2}
testing: {beam_size: 4, alpha: 0.8}
training: {random_seed: 7, optimizer: adam, learning_rate: 0.001, batch_size: 16, scheduling: plateau, patience: 3,
           decrease_factor: 0.7, early_stopping_metric: ppl, epochs: 2, validation_freq: 8, logging_freq: 4,
           eval_metric: bleu, model_dir: x, use_cuda: true, clip_grad_norm: 5.0}
model:
  encoder: {rnn_type: gru, embeddings: {embedding_dim: 12, scale: false}, hidden_size: 9, num_layers: 2,
            bidirectional: true}
  decoder: {rnn_type: gru, embeddings: {embedding_dim: 12}, hidden_size: 10, dropout: 0.2, hidden_dropout: 0.3,
            input_feeding: true, init_hidden: bridge, attention: luong}
"""
NEW = """
name: new
data:
  train: FOLDER/train
  dev: FOLDER/valid
  dataset_type: plain
  src: {lang: en, max_length: 30, level: bpe, voc_limit: 400, voc_file: FOLDER/voc, tokenizer_type: sentencepiece,
        tokenizer_cfg: {model_type: unigram, pretokenizer: moses}}
  trg: {lang: de, max_length: 50, level: bpe, voc_limit: 400, voc_file: FOLDER/voc, tokenizer_type: sentencepiece}
testing: {beam_size: 1, n_best: 1, max_output_length: 31, repetition_penalty: -1}
training: {optimizer: adam, learning_rate: 0.005, adam_betas: [0.9, 0.98], batch_size: 900, batch_type: token,
           batch_multiplier: 2, normalization: tokens, scheduling: noam, learning_rate_warmup: 50, updates: 12,
           epochs: 1, label_smoothing: 0.1, early_stopping_metric: bleu, weight_decay: 0.1, clip_grad_val: 1.0}
model:
  initializer: uniform
  init_weight: 0.1
  init_rnn_orthogonal: true
  lstm_forget_gate: 0.5
  tied_embeddings: true
  tied_softmax: true
  encoder: {type: recurrent, rnn_type: lstm, embeddings: {embedding_dim: 12}, hidden_size: 8, bidirectional: false}
  decoder: {type: recurrent, rnn_type: lstm, embeddings: {embedding_dim: 12}, hidden_size: 8, init_hidden: zero,
            input_feeding: false, attention: bahdanau}
"""


def imported(folder: Path, text: str) -> Result:
    (folder / "old.yaml").write_text(text.replace("FOLDER", str(folder)))
    return seq2seq("import", "joeynmt", str(folder / "old.yaml"), str(folder / "new.yaml"), "--force")


def test_a_configuration_of_the_first_version(tmp_path: Path) -> None:
    write_toy(tmp_path, train=60)
    result = imported(tmp_path, OLD)
    assert result.code == 0, result.err
    assert [line.partition(": ")[2].partition(":")[0] for line in result.out.splitlines()[1:]] == [
        "lower-cased text", "batches of 16 sentences", "model.decoder.hidden_dropout"
    ]  # fmt: skip
    recipe = load_recipe(tmp_path / "new.yaml")
    training, model = recipe.training, recipe.model
    assert (recipe.name, recipe.seed, recipe.data.filter.max_length) == ("old", 7, 40)
    assert recipe.tokenizer.model_dump() | {"normalization": ""} == {
        "kind": "word", "vocab_size": 30000, "min_frequency": 2, "joint": False, "normalization": ""
    }  # fmt: skip
    assert (training.batch.tokens, training.clip_norm, training.ema_decay) == (480, 5.0, None)
    assert training.schedule.model_dump() == {"kind": "plateau", "warmup_steps": 0, "factor": 0.7, "patience": 3}
    assert (training.early_stopping.metric, training.early_stopping.patience) == ("perplexity", None)
    assert training.normalization == "sentences" and training.label_smoothing == 0
    assert (model.encoder.layers, model.encoder.hidden_size, model.encoder.direction) == (2, 9, "bidirectional")
    assert (model.decoder.attention.kind, model.decoder.input_feeding, model.bridge) == (
        "luong_general",
        True,
        "project",
    )
    assert model.decoder.dropout == 0.2 and model.embedding.tie == "none" and model.embedding.size == 12
    assert (recipe.decoding.beam_size, recipe.decoding.length_penalty.model_dump()) == (4, {"kind": "wu", "alpha": 0.8})
    assert seq2seq("run", str(tmp_path / "new.yaml"), f"output_dir={tmp_path}/run", "evaluation.bootstrap=0").code == 0


def test_a_configuration_of_the_second_version(tmp_path: Path) -> None:
    write_toy(tmp_path, train=60)
    result = imported(tmp_path, NEW)
    assert result.code == 0, result.err
    for words in ("Moses tokenisation", "a new one is learnt", "training.weight_decay", "training.clip_grad_val: 1.0"):
        assert result.out.count(words) == 1
    assert len(result.out.splitlines()) == 5
    recipe = load_recipe(tmp_path / "new.yaml")
    training, model = recipe.training, recipe.model
    assert recipe.data.filter.max_length == 50 and not recipe.data.test
    assert recipe.tokenizer.kind == "unigram" and recipe.tokenizer.joint and recipe.tokenizer.vocab_size == 400
    assert (training.batch.tokens, training.batch.accumulate, training.max_steps) == (900, 2, 12)
    assert training.schedule.model_dump() == {"kind": "inverse_sqrt", "warmup_steps": 50}
    assert training.optimizer.model_dump()["betas"] == [0.9, 0.98] or training.optimizer.model_dump()["betas"] == (
        0.9,
        0.98,
    )
    assert model.embedding.tie == "all" and model.bridge == "zero" and model.encoder.direction == "forward"
    cell = model.decoder.cell.model_dump()
    assert cell["forget_bias"] == 0.5 and cell["recurrent_initializer"]["kind"] == "orthogonal"
    assert cell["kernel_initializer"] == {"kind": "uniform", "range": 0.1}
    assert model.decoder.attention.kind == "bahdanau" and not model.decoder.input_feeding
    assert recipe.decoding.max_length.model_dump() == {"ratio": 0.0, "offset": 31}
    assert "&id" not in (tmp_path / "new.yaml").read_text()


def test_what_is_no_such_configuration_is_refused(tmp_path: Path) -> None:
    refused(imported(tmp_path, OLD.replace("rnn_type: gru, emb", "type: transformer, emb", 1)), "only recurrent models")
    refused(imported(tmp_path, "- a\n"), "holds no keys and values")
    refused(imported(tmp_path, "a: [\n"), "cannot be read")
    refused(imported(tmp_path, "a: 1\n"), "no languages")
    refused(imported(tmp_path, OLD.replace("batch_size: 16", "batch_size: many")), "old.yaml", "many")
    refused(imported(tmp_path, OLD.replace("rnn_type: gru", "rnn_type: qrnn")), "qrnn")
    refused(seq2seq("import", "other", "x", "y.yaml"), "it can be joeynmt or opennmt")
    assert not (tmp_path / "new.yaml").exists()


def test_json_tells_the_same(tmp_path: Path) -> None:
    lines = imported(tmp_path, OLD).out.splitlines()[1:]
    again = seq2seq("import", "joeynmt", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml"), "--force", "--json")
    told = json.loads(again.out)
    assert [f"without counterpart: {text}" for text in told["without_counterpart"]] == lines and lines
