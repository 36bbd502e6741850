"""JoeyNMT's configurations (1.x and 2.x) of recurrent models, as recipes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError
from seq2seq.importers.foreign import SENTENCE, Foreign, read_yaml

IGNORED = frozenset(
    "joeynmt_version use_cuda fp16 task model_dir data.special_symbols model.encoder.activation "
    "model.decoder.activation model.lstm_forget_gate data.dataset_cfg data.sample_train_subset data.sample_dev_subset "
    "training.model_dir training.overwrite training.shuffle training.print_valid_sents training.keep_best_ckpts "
    "training.keep_last_ckpts training.use_cuda training.fp16 training.loss training.eval_batch_size "
    "training.eval_batch_type training.max_output_length training.reset_best_ckpt training.reset_scheduler "
    "training.reset_optimizer training.reset_iter_state training.learning_rate_min testing.n_best testing.batch_size "
    "testing.batch_type testing.eval_metrics testing.return_prob testing.sacrebleu_cfg testing.min_output_length "
    "testing.generate_unk testing.postprocess data.src.voc_file data.trg.voc_file data.src_vocab data.trg_vocab "
    "data.src.tokenizer_cfg data.trg.tokenizer_cfg data.src.min_length data.trg.min_length data.trg.level "
    "data.trg.voc_min_freq data.trg.tokenizer_type data.trg.lowercase data.trg.normalize model.encoder.type "
    "model.decoder.type model.bias_initializer model.decoder.emb_scale model.init_gain model.embed_init_gain".split()
)


def recipe_of(path: Path) -> tuple[dict[str, Any], list[str]]:
    """A recipe's keys, and what of the configuration has no counterpart.

    Raises:
        UserError: it cannot be read, or its model is not recurrent.
    """
    old = Foreign(read_yaml(path), IGNORED)
    for part in ("encoder", "decoder"):
        kind = old.get(f"model.{part}.type", "recurrent")
        if kind != "recurrent":
            raise UserError(f"{path}: model.{part}.type is {str(kind)[:40]}; only recurrent models become recipes here")
    recipe: dict[str, Any] = {
        "name": str(old.get("name", path.stem)).replace("/", "-"),
        "seed": int(old.get("random_seed") or old.get("training.random_seed", 42)),
        "data": _data(old),
        "tokenizer": _tokenizer(old),
        "model": _model(old),
        "training": _training(old),
        "decoding": _decoding(old),
    }
    if recipe["decoding"]["beam_size"] == 1:
        del recipe["decoding"]["length_penalty"]
    return recipe, old.left()


def _data(old: Foreign) -> dict[str, Any]:
    src, tgt = (old.get(f"data.{side}.lang") or old.get(f"data.{side}") for side in ("src", "trg"))
    if not isinstance(src, str) or not isinstance(tgt, str):
        raise UserError("data: no languages (src.lang, trg.lang); name them there")
    kind = old.get("data.dataset_type", "plain")

    def source(path: str) -> dict[str, Any]:
        if kind == "huggingface":
            config = old.get("data.dataset_cfg.name")
            return {"hub": path} | ({"config": config} if config else {})
        return {"tsv": f"{path}.tsv"} if kind == "tsv" else {"files": f"{path}.{{lang}}"}

    data: dict[str, Any] = {
        "src": src,
        "tgt": tgt,
        "train": source(old.get("data.train")),
        "valid": source(old.get("data.dev")),
    }
    if old.get("data.test"):
        data["test"] = {"test": source(old.get("data.test"))}
    lengths = [old.get("data.max_sent_length"), *(old.get(f"data.{side}.max_length") for side in ("src", "trg"))]
    longest = max((int(length) for length in lengths if length and int(length) > 0), default=0)
    if longest:
        data["filter"] = {"max_length": longest}
    if old.get("data.lowercase") or old.get("data.src.lowercase"):
        old.notes.append("lower-cased text: lower-case the files, or train on text as it is")
    return data


def _tokenizer(old: Foreign) -> dict[str, Any]:
    level = old.get("data.level") or old.get("data.src.level", "word")
    least = max(1, int(old.get("data.src_voc_min_freq") or old.get("data.src.voc_min_freq", 1)))
    old.get("data.trg_voc_min_freq")
    limits = [old.get(f"data.{side}voc_limit") for side in ("src_", "trg_", "src.", "trg.")]
    size = max((int(limit) for limit in limits if limit), default=0)
    shared = old.get("data.src.voc_file") and old.get("data.src.voc_file") == old.get("data.trg.voc_file")
    joint = bool(shared or old.get("model.tied_embeddings", False))
    if level == "char":
        return {"kind": "char", "min_frequency": least, "joint": joint}
    if level == "word":
        return {"kind": "word", "min_frequency": least, "joint": joint} | (
            {"vocab_size": max(100, size)} if size else {}
        )
    pieces = old.get("data.src.tokenizer_cfg.model_type", "unigram")
    kind = "unigram" if old.get("data.src.tokenizer_type") == "sentencepiece" and pieces == "unigram" else "bpe"
    merges = old.get("data.src.tokenizer_cfg.num_merges")
    size = max(100, size or int(merges or 8000))
    if old.get("data.src.tokenizer_cfg.pretokenizer", "none") == "moses":
        old.notes.append("Moses tokenisation before: give the text as it is, the tokenizer cuts it itself")
    old.notes.append("its vocabulary: a new one is learnt from the training data")
    return {"kind": kind, "vocab_size": size, "joint": joint} | ({"byte_fallback": False} if size < 1000 else {})


def _model(old: Foreign) -> dict[str, Any]:
    size, other = (int(old.get(f"model.{part}.embeddings.embedding_dim", 512)) for part in ("encoder", "decoder"))
    if other != size:
        old.notes.append(f"model.decoder.embeddings.embedding_dim: {other}: both sides have embeddings of one size")
    words, softmax = bool(old.get("model.tied_embeddings", False)), bool(old.get("model.tied_softmax", False))
    if words and not softmax:
        old.notes.append(
            "model.tied_embeddings without tied_softmax: embeddings are tied to each other and the output, or not"
        )
    start = {"kernel_initializer": _initializer(old), "recurrent_initializer": _initializer(old)}
    if old.get("model.init_rnn_orthogonal", False):
        start["recurrent_initializer"] = {"kind": "orthogonal"}
    bridge = {"bridge": "project", "zero": "zero", "last": "project"}[old.get("model.decoder.init_hidden", "bridge")]
    if old.get("model.decoder.init_hidden") == "last":
        old.notes.append(
            "model.decoder.init_hidden: last: the state goes through a projection; `bridge: copy` where sizes fit"
        )
    attention = {"luong": "luong_general", "bahdanau": "bahdanau"}[old.get("model.decoder.attention", "bahdanau")]
    forward = not old.get("model.encoder.bidirectional", True)
    return {
        "embedding": {"size": size, "tie": ("all" if words else "decoder") if softmax else "none"},
        "encoder": _stack(old, "encoder", start) | {"direction": "forward" if forward else "bidirectional"},
        "bridge": bridge,
        "decoder": _stack(old, "decoder", start)
        | {"attention": {"kind": attention}, "input_feeding": bool(old.get("model.decoder.input_feeding", True))},
    }


def _stack(old: Foreign, part: str, start: dict[str, Any]) -> dict[str, Any]:
    kind = str(old.get(f"model.{part}.rnn_type", "lstm"))
    cell = {"kind": kind, **copy.deepcopy(start)} | (
        {"forget_bias": float(old.get("model.lstm_forget_gate", 1.0))} if kind == "lstm" else {}
    )
    return {
        "cell": cell,
        "layers": int(old.get(f"model.{part}.num_layers", 1)),
        "hidden_size": int(old.get(f"model.{part}.hidden_size", 512)),
        "dropout": float(old.get(f"model.{part}.dropout", 0.0)),
    }


def _initializer(old: Foreign) -> dict[str, Any]:
    kind, weight = str(old.get("model.initializer", "xavier")), float(old.get("model.init_weight", 0.01))
    if kind == "uniform":
        return {"kind": "uniform", "range": weight}
    if kind == "normal":
        return {"kind": "normal", "deviation": weight}
    return {"kind": "zeros" if kind == "zeros" else "glorot_normal" if kind == "xavier_normal" else "glorot_uniform"}


def _training(old: Foreign) -> dict[str, Any]:
    metric = old.get("training.early_stopping_metric", "eval_metric")
    chosen = old.get("training.eval_metric", "bleu")
    metric = chosen if metric == "eval_metric" else metric
    batch = int(old.get("training.batch_size", 64))
    if old.get("training.batch_type", "sentence") == "sentence":
        old.notes.append(f"batches of {batch} sentences: counted in tokens here, {SENTENCE} a sentence")
        batch *= SENTENCE
    made: dict[str, Any] = {
        "batch": {"tokens": batch, "accumulate": int(old.get("training.batch_multiplier", 1))},
        "optimizer": _optimizer(old),
        "schedule": _schedule(old),
        "label_smoothing": float(old.get("training.label_smoothing", 0.0)),
        "normalization": "tokens" if old.get("training.normalization", "batch") == "tokens" else "sentences",
        "clip_norm": old.get("training.clip_grad_norm"),
        "ema_decay": None,
        "max_epochs": int(old.get("training.epochs", 100)),
        "validate_every": int(old.get("training.validation_freq", 1000)),
        "log_every": int(old.get("training.logging_freq", 100)),
        "early_stopping": {
            "metric": {"ppl": "perplexity", "token_accuracy": "accuracy"}.get(metric, metric),
            "patience": None,
        },
    }
    if old.get("training.updates"):
        made["max_steps"] = int(old.get("training.updates"))
    dropout = float(old.get("data.src.tokenizer_cfg.dropout", 0.0))
    return made | ({"bpe_dropout": dropout} if dropout else {})


def _optimizer(old: Foreign) -> dict[str, Any]:
    kind = str(old.get("training.optimizer", "sgd")).lower()
    made: dict[str, Any] = {"kind": kind, "learning_rate": float(old.get("training.learning_rate", 3e-4))}
    decay = float(old.get("training.weight_decay", 0.0))
    if decay:
        old.notes.append(
            f"training.weight_decay: {decay}: of the gradient there; `kind: adamw` decays weights themselves"
        )
    betas = list(old.get("training.adam_betas", [0.9, 0.999]))
    return made | ({"betas": betas} if kind == "adam" else {})


def _schedule(old: Foreign) -> dict[str, Any]:
    kind, factor = old.get("training.scheduling"), float(old.get("training.decrease_factor", 0.5))
    patience, warmup = int(old.get("training.patience", 5)), int(old.get("training.learning_rate_warmup", 4000))
    if kind == "plateau":
        return {"kind": "plateau", "factor": factor, "patience": patience}
    if kind == "exponential":
        return {"kind": "exponential", "factor": factor, "after": 1.0}
    if kind in ("noam", "warmupinversesquareroot"):
        return {"kind": "inverse_sqrt", "warmup_steps": warmup}
    if kind is not None:
        old.notes.append(f"training.scheduling: {kind}: the rate stays as it is")
    return {"kind": "constant"}


def _decoding(old: Foreign) -> dict[str, Any]:
    alpha = float(old.get("testing.beam_alpha") or old.get("testing.alpha", -1))
    made: dict[str, Any] = {"beam_size": int(old.get("testing.beam_size", 1))}
    made["length_penalty"] = {"kind": "wu", "alpha": alpha} if alpha > 0 else {"kind": "none"}
    longest, ngram = int(old.get("testing.max_output_length", -1)), int(old.get("testing.no_repeat_ngram_size", -1))
    if longest > 0:
        made["max_length"] = {"ratio": 0.0, "offset": longest}
    if ngram > 0:
        made["no_repeat_ngram_size"] = ngram
    penalty = float(old.get("testing.repetition_penalty", -1))
    return made | ({"repetition_penalty": penalty} if penalty > 1 else {})
