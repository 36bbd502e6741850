"""OpenNMT-py's training configurations (2.x and 3.x) of recurrent models, as recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seq2seq.errors import UserError
from seq2seq.importers.foreign import SENTENCE, Foreign, read_yaml
from seq2seq.languages import is_code

IGNORED = frozenset(
    "save_data save_model save_checkpoint_steps keep_checkpoint overwrite world_size gpu_ranks gpu_verbose_level "
    "log_file tensorboard tensorboard_log_dir num_workers bucket_size bucket_size_init bucket_size_increment "
    "pool_factor prefetch_factor queue_size src_vocab tgt_vocab n_sample skip_empty_level verbose model_dtype "
    "valid_batch_size encoder_type decoder_type model_type src_subword_type tgt_subword_type src_subword_model "
    "tgt_subword_model "
    "src_subword_nbest tgt_subword_nbest src_subword_alpha tgt_subword_alpha exp exp_host start_checkpoint_at "
    "batch_size_multiple src_vocab_multiple tgt_vocab_multiple vocab_size_multiple master_port master_ip".split()
)
ATTENTIONS = {"general": "luong_general", "dot": "luong_dot", "mlp": "luong_concat", "none": "none"}
SUBWORDS = {"sentencepiece": "unigram", "onmt_tokenize": "bpe", "bpe": "bpe"}


def recipe_of(path: Path, languages: tuple[str | None, str | None]) -> tuple[dict[str, Any], list[str]]:
    """A recipe's keys, and what of the configuration has no counterpart.

    Args:
        languages: codes, where the files' names do not end in them.

    Raises:
        UserError: it cannot be read, its model is not recurrent, or its languages are not known.
    """
    old = Foreign(read_yaml(path), IGNORED)
    for part, known in (("encoder", ("rnn", "brnn")), ("decoder", ("rnn",))):
        kind = old.get(f"{part}_type", "rnn")
        if kind not in known:
            raise UserError(f"{path}: {part}_type is {str(kind)[:40]}; only recurrent models become recipes here")
    recipe: dict[str, Any] = {
        "name": path.stem,
        "seed": max(1, int(old.get("seed", 1))),
        "data": _data(old, languages),
        "tokenizer": _tokenizer(old),
        "model": _model(old),
        "training": _training(old),
        "decoding": {"beam_size": 5},
    }
    return recipe, old.left()


def _data(old: Foreign, languages: tuple[str | None, str | None]) -> dict[str, Any]:
    corpora = old.get("data")
    if not isinstance(corpora, dict) or "valid" not in corpora or len(corpora) < 2:
        raise UserError("data: no corpora, of which one is called valid; name them there")
    sources = {}
    for name, corpus in corpora.items():
        sources[name] = {"files": [str(corpus["path_src"]), str(corpus["path_tgt"])]}
        if int(corpus.get("weight", 1)) != 1:
            old.notes.append(
                f"data.{name}.weight: {corpus['weight']}: each pair is seen once an epoch; `weight` beside files"
            )
    codes = []
    for side, given in enumerate(languages):
        name = Path(sources["valid"]["files"][side]).suffix.removeprefix(".")
        code = given or (name if is_code(name) and name not in ("txt", "src", "tgt", "tok", "bpe") else None)
        if code is None:
            option = ("--src", "--tgt")[side]
            raise UserError(f"{sources['valid']['files'][side]}: its name tells no language; add {option} CODE")
        codes.append(code)
    valid = sources.pop("valid")
    data: dict[str, Any] = {"src": codes[0], "tgt": codes[1], "train": list(sources.values()), "valid": valid}
    if "filtertoolong" in _transforms(old):
        data["filter"] = {"max_length": max(int(old.get(f"{side}_seq_length", 200)) for side in ("src", "tgt"))}
    return data


def _transforms(old: Foreign) -> list[str]:
    """Of the first corpus that is trained on, and of all."""
    corpora = [corpus for name, corpus in old.get("data").items() if name != "valid"]
    return [str(one) for one in [*(old.get("transforms") or []), *(corpora[0].get("transforms") or [])]]


def _tokenizer(old: Foreign) -> dict[str, Any]:
    joint = bool(old.get("share_vocab", False))
    size = max(int(old.get(f"{side}_vocab_size", 32768)) for side in ("src", "tgt"))
    kinds = [SUBWORDS[one] for one in _transforms(old) if one in SUBWORDS]
    for one in _transforms(old):
        if one not in SUBWORDS and one != "filtertoolong":
            old.notes.append(f"transform {one}")
    if kinds:
        old.notes.append("its subword model: a new one is learnt from the training data")
    return {"kind": kinds[0] if kinds else "word", "vocab_size": max(300, size), "joint": joint}


def _model(old: Foreign) -> dict[str, Any]:
    size, other = (int(old.get(f"{side}_word_vec_size") or old.get("word_vec_size", 500)) for side in ("src", "tgt"))
    if other != size:
        old.notes.append(f"tgt_word_vec_size: {other}: both sides have embeddings of one size")
    encoder, decoder = (_stack(old, part) for part in ("enc", "dec"))
    both = old.get("encoder_type", "rnn") == "brnn"
    if both:  # there a layer's size is that of both directions
        encoder["hidden_size"] //= 2
    sides, output = bool(old.get("share_embeddings", False)), bool(old.get("share_decoder_embeddings", False))
    if sides and not output:
        old.notes.append(
            "share_embeddings without share_decoder_embeddings: embeddings are tied to the output too, or not"
        )
    attention = ATTENTIONS[str(old.get("global_attention", "general"))]
    feeding = bool(int(old.get("input_feed", 1))) and attention != "none"
    return {
        "embedding": {"size": size, "tie": ("all" if sides else "decoder") if output else "none"},
        "encoder": encoder | {"direction": "bidirectional" if both else "forward"},
        "bridge": "project" if old.get("bridge", False) or both else "copy",
        "decoder": decoder | {"attention": {"kind": attention}, "input_feeding": feeding},
    }


def _stack(old: Foreign, part: str) -> dict[str, Any]:
    kind = str(old.get("rnn_type", "LSTM")).lower()
    span = float(old.get("param_init", 0.1))
    glorot = str(old.get("param_init_glorot", False)).lower() == "true"
    start = {"kind": "glorot_uniform"} if glorot or not span else {"kind": "uniform", "range": span}
    size = (
        old.get(f"{part}_hid_size") or old.get(f"{part}_rnn_size") or old.get("hidden_size") or old.get("rnn_size", 500)
    )
    dropout = old.get("dropout", [0.3])
    recurrent = {} if kind == "sru" else {"recurrent_initializer": dict(start)}
    return {
        "cell": {"kind": kind, "kernel_initializer": dict(start), **recurrent},
        "layers": int(old.get(f"{part}_layers") or old.get("layers", 2)),
        "hidden_size": int(size),
        "dropout": float(dropout[0] if isinstance(dropout, list) else dropout),
    }


def _training(old: Foreign) -> dict[str, Any]:
    batch = int(old.get("batch_size", 64))
    if old.get("batch_type", "sents") == "sents":
        old.notes.append(f"batches of {batch} sentences: counted in tokens here, {SENTENCE} a sentence")
        batch *= SENTENCE
    accumulate = old.get("accum_count", [1])
    norm = float(old.get("max_grad_norm", 5))
    return {
        "batch": {"tokens": batch, "accumulate": int(accumulate[0] if isinstance(accumulate, list) else accumulate)},
        "optimizer": _optimizer(old),
        "schedule": _schedule(old),
        "label_smoothing": float(old.get("label_smoothing", 0.0)),
        "normalization": "tokens" if old.get("normalization", "sents") == "tokens" else "sentences",
        "clip_norm": norm or None,
        "ema_decay": None,
        "max_epochs": 1_000_000,
        "max_steps": int(old.get("train_steps", 100_000)),
        "validate_every": int(old.get("valid_steps", 10_000)),
        "log_every": int(old.get("report_every", 50)),
        "early_stopping": {"metric": "perplexity", "patience": int(old.get("early_stopping", 0)) or None},
    }


def _optimizer(old: Foreign) -> dict[str, Any]:
    kind, rate = str(old.get("optim", "sgd")), float(old.get("learning_rate", 1.0))
    if kind in ("sgd", "adagrad", "adadelta", "rmsprop"):
        return {"kind": kind, "learning_rate": rate}
    if kind not in ("adam", "sparseadam", "fusedadam"):
        old.notes.append(f"optim: {kind}: adam instead")
    betas = [float(old.get("adam_beta1", 0.9)), float(old.get("adam_beta2", 0.999))]
    return {"kind": "adam", "learning_rate": rate, "betas": betas}


def _schedule(old: Foreign) -> dict[str, Any]:
    method, warmup = str(old.get("decay_method", "none")), int(old.get("warmup_steps", 4000))
    after, every = int(old.get("start_decay_steps", 50_000)), int(old.get("decay_steps", 10_000))
    factor = float(old.get("learning_rate_decay", 0.5))
    if method in ("noam", "noamwd", "rsqrt"):
        return {"kind": "inverse_sqrt", "warmup_steps": warmup}
    if factor >= 1:
        return {"kind": "constant"}
    return {"kind": "exponential", "unit": "steps", "after": after, "every": every, "factor": factor}
