"""What every section of a recipe has in common, and the errors that they raise."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from seq2seq.languages import CODE

# What users of other toolkits type, and what it is called here.
PEER_NAMES = {
    "trg": "tgt", "target": "tgt", "source": "src", "source_lang": "src", "target_lang": "tgt", "dev": "valid",
    "validation": "valid", "hidden": "hidden_size", "rnn_size": "hidden_size", "num_layers": "layers",
    "rnn_type": "cell", "type": "kind", "lr": "learning_rate", "beam": "beam_size", "mlp": "bahdanau",
    "additive": "bahdanau", "dot": "luong_dot", "general": "luong_general", "luong": "luong_general",
    "concat": "luong_concat", "bi": "direction", "bidirectional": "direction", "optim": "optimizer",
    "scheduler": "schedule",
    "scheduling": "schedule", "epochs": "max_epochs", "batch_size": "batch", "clip_grad_norm": "clip_norm",
    "max_grad_norm": "clip_norm", "embedding_dim": "size", "emb_size": "size", "embeddings": "embedding",
    "tied_embeddings": "tie", "tied_softmax": "tie", "rnn_tanh": "rnn", "rnn_relu": "rnn", "elman": "rnn",
    "sentencepiece": "unigram",
    "subword-nmt": "bpe", "spm": "unigram", "warmup": "warmup_steps", "inputfeeding": "input_feeding",
    "input_feed": "input_feeding", "smoothing": "label_smoothing", "attn": "attention", "eval": "evaluation",
    "gnmt": "wu", "testing": "decoding", "random_seed": "seed", "noam": "inverse_sqrt", "vocab": "vocab_size",
    "model_dir": "output_dir", "save_model": "output_dir", "alpha": "length_penalty", "final": "project",
    "mrt": "minimum_risk",
}  # fmt: skip

# What users look for in other sections than those that have it here.
ELSEWHERE = {
    "dropout": "model.encoder.dropout and model.decoder.dropout are for the stacks, model.embedding.word_dropout for "
    "words, training.bpe_dropout for merges of BPE",
}


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean `x`?`, or an empty string where nothing known is near `word`."""
    peer = PEER_NAMES.get(word.lower())
    near = [peer] if peer in known else difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def impossible(key: str, message: str) -> PydanticCustomError:
    """An error about a combination of keys, placed at `key` (dotted, counted from the section that raises it)."""
    return PydanticCustomError("combination", "{message}", {"message": message, "key": key})


class Config(BaseModel):
    """A part of the recipe: strictly typed, finite numbers, immutable, no unknown keys."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = list(cls.model_fields)
            for key in data:
                if key not in cls.model_fields:
                    elsewhere = f"; {ELSEWHERE[key]}" if key in ELSEWHERE else ""
                    hint = elsewhere or suggestion(str(key), known) or f"; the keys here are {', '.join(known)}"
                    raise PydanticCustomError("unknown_key", "unknown key{hint}", {"hint": hint, "key": str(key)})
        return data


Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Language = Annotated[str, Field(pattern=CODE)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


def named(union: Any, default: type[Config] | None = None) -> BeforeValidator:
    """`x` is short for `{kind: x}` where one of these sections is expected.

    Args:
        union: of the sections, each with its `kind`.
        default: the one that is meant where none is said.
    """
    configs = [getattr(member, "__origin__", member) for member in get_args(get_args(union)[0])]

    def with_kind(value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        if isinstance(value, dict):
            value = value if default is None else {"kind": default.model_fields["kind"].default, **value}
            _refuse_keys_of_other_kinds(value, configs)
        return value

    return BeforeValidator(with_kind, json_schema_input_type=union | str)


def _refuse_keys_of_other_kinds(value: dict[str, Any], configs: list[type[Config]]) -> None:
    """A key that only another kind has is not misspelt: say whose it is."""
    own = next((config for config in configs if value.get("kind") in _kinds(config)), None)
    for key in value if own else ():
        kinds = [kind for config in configs if key in config.model_fields for kind in _kinds(config)]
        if own and kinds and key not in own.model_fields:
            known = f"the keys of kind {value['kind']} are {', '.join(own.model_fields)}"
            hint = f"; kind {' or '.join(kinds)} has it; {known}"
            raise PydanticCustomError("unknown_key", "unknown key{hint}", {"hint": hint, "key": key})


def _kinds(config: type[Config]) -> tuple[str, ...]:
    return get_args(config.model_fields["kind"].annotation)
