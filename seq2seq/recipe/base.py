"""What every section of a recipe has in common: strict types, bounds, and rules about combinations of keys.

Whether a recipe is valid depends on its values alone, never on whether a default was written out: so
what is read can be written and read again.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

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
    "mrt": "minimum_risk", "linear": "identity", "swish": "silu", "hard_swish": "hard_silu",
}  # fmt: skip


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean `x`?`, or an empty string where nothing known is near `word`."""
    peer = PEER_NAMES.get(word.lower())
    near = [peer] if peer in known else difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


Faults = Iterator[tuple[str, str]]
"""What is wrong with a section: keys, dotted and counted from it, and messages."""

_Rule = TypeVar("_Rule", bound=Callable[[Any], Faults])


def rule(method: _Rule) -> _Rule:
    """Mark a method of a section that gives faults in combinations of its keys, or of keys below it."""
    setattr(method, "is_rule", True)  # noqa: B010
    return method


SHAPE_ONLY = "shape only"
"""As the context of a validation: without the rules."""


class Config(BaseModel):
    """A part of the recipe: strictly typed, finite numbers, immutable, no unknown keys, obeying its rules."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @classmethod
    def rules(cls) -> list[Callable[[Any], Faults]]:
        """The methods marked as rules."""
        methods = [getattr(cls, name) for name in dir(cls) if not name.startswith(("__", "model_"))]
        return [method for method in methods if getattr(method, "is_rule", False)]

    def without_effect(self, key: str, why: str) -> Faults:
        """A fault where `key`, which changes nothing here, is set: neither its default nor a value that says "off"."""
        *sections, name = key.split(".")
        config = functools.reduce(getattr, sections, self)
        value, default = getattr(config, name), type(config).model_fields[name].default
        off = value is None or value in (0, False) or getattr(value, "kind", None) == "none"
        if value != default and not off:
            yield key, f"has no effect {why}"

    @model_validator(mode="after")
    def _obey_rules(self, info: ValidationInfo) -> Self:
        if info.context == SHAPE_ONLY:
            return self
        faults = [fault for each in self.rules() for fault in each(self)]
        if faults:
            errors = [InitErrorDetails(type=_combination(*fault), input=None) for fault in faults]
            raise ValidationError.from_exception_data(type(self).__name__, errors)
        return self


def _combination(key: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("combination", "{key}: {message}", {"key": key, "message": message})


def _fits_the_file_system(path: str) -> str:
    if bad := re.search("[\0\ud800-\udfff]", path):
        raise PydanticCustomError("path", "{message}", {"message": f"holds {bad[0]!a}, which no path can; remove it"})
    longest = max((len(name.encode("utf-8", "replace")) for name in path.split("/")), default=0)
    if longest > 255 or len(path) > 1000:
        what = f"has a name of {longest:,} bytes" if longest > 255 else f"has {len(path):,} characters"
        raise PydanticCustomError(
            "path", "{message}", {"message": f"{what}; file systems allow 255 a name, and 1,000 are allowed here"}
        )
    return path


Positive = Annotated[int, Field(gt=0, le=10**9)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Size = Annotated[int, Field(gt=0, le=65_536)]
Depth = Annotated[int, Field(gt=0, le=100)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(gt=0, le=1000)]
Language = Annotated[str, Field(pattern=CODE, max_length=35)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
PathName = Annotated[str, AfterValidator(_fits_the_file_system)]


def named(union: Any, default: type[Config] | None = None) -> BeforeValidator:
    """`x` is short for `{kind: x}` where one of these sections is expected.

    Args:
        union: of the sections, each with its `kind`.
        default: the one that is meant where none is said.
    """

    def with_kind(value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        if isinstance(value, dict) and default is not None:
            return {"kind": default.model_fields["kind"].default, **value}
        return value

    return BeforeValidator(with_kind, json_schema_input_type=union | str)


def sections_of(annotation: Any) -> list[type[Config]]:
    """The sections that may stand where a key has this annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return list(dict.fromkeys(config for part in get_args(annotation) for config in sections_of(part)))
