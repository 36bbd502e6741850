"""The exported folder: where its files are, and reading it without trusting it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from seq2seq.data.tokenization import Tokenizer, load_tokenizers
from seq2seq.decoding.confidence import Calibration
from seq2seq.errors import UserError
from seq2seq.files import read_bounded
from seq2seq.languages import is_code
from seq2seq.runtime.scorer import Graphs, OnnxScorer
from seq2seq.runtime.shortlist import Shortlist

FORMAT = "seq2seq-onnx-1"
CONFIG_BYTES = 1 << 25
LATER: dict[str, Any] = {
    "split": "long",
    "coverage_penalty": 0.0,
    "diversity": None,
    "require": [],
    "glossary": None,
    "keep": [],
    "language_model": None,
    "rescore": [],
}
"""Keys of `decoding` that folders of earlier versions lack, with what those did."""

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


def graphs(folder: Path, precision: Precision) -> Graphs:
    """The files of the graphs."""
    suffix = ".onnx" if precision == "fp32" else ".int8.onnx"
    return Graphs(*(folder / f"{name}{suffix}" for name in Graphs._fields))


def is_exported(path: Path) -> bool:
    """Whether this is a folder that `seq2seq export` has written."""
    return any(graphs(path, precision).step.exists() for precision in PRECISIONS)


@dataclass(frozen=True)
class Exported:
    """An exported translator's parts, as `decoding.translator` needs them."""

    config: SimpleNamespace
    """src, tgt, max_length; decoding: a recipe's section of that name."""
    scorer: OnnxScorer
    src_tokenizer: Tokenizer
    tgt_tokenizer: Tokenizer
    confidence: Calibration | None = None
    options: tuple[str | None, int | None] = (None, None)
    """Precision and threads that were asked for."""

    def beside(self, path: str) -> Exported:
        """Another exported folder's, in the same precision.

        Raises:
            UserError: it is none.
        """
        if not is_exported(Path(path)):
            raise UserError(f"{path}: not exported, as the model is that it is to go with; write it to a folder with: "
                            f"seq2seq export {path} FOLDER, and name that")  # fmt: skip
        return load_exported(path, *self.options)


def load_exported(
    folder: str | Path, precision: str | None = None, threads: int | None = None, shortlist: bool = True
) -> Exported:
    """Read an exported folder.

    Args:
        precision: fp32 or int8; None: fp32 where the folder has it.
        threads: CPU threads; None: all cores.
        shortlist: use the folder's, if it has one.

    Raises:
        UserError: it is damaged, or has no model of that precision, or onnxruntime is not installed.
    """
    path = Path(folder)
    if precision is not None and precision not in PRECISIONS:
        raise UserError(f"--precision {precision}: must be {' or '.join(PRECISIONS)}")
    chosen = next((kind for kind in PRECISIONS if precision in (None, kind) and graphs(path, kind).step.exists()), None)
    if chosen is None:
        wanted = f"{path}: no exported model" + (f" in {precision}" if precision else "")
        raise UserError(f"{wanted}; write one with: seq2seq export RUN {path} --formats onnx,onnx-int8")
    config = load_config(path)
    src_tokenizer, tgt_tokenizer = load_tokenizers(path, config.reverse_target)
    chosen_words = Shortlist.load(path, len(src_tokenizer), len(tgt_tokenizer)) if shortlist else None
    scorer = OnnxScorer(graphs(path, chosen), len(tgt_tokenizer), threads, chosen_words)
    scorer.expect(config.decoding.beam_size + 1)
    return Exported(config, scorer, src_tokenizer, tgt_tokenizer, Calibration.load(path), (precision, threads))


def load_config(folder: Path) -> SimpleNamespace:
    """Read an exported folder's config.json.

    Raises:
        UserError: there is none, or it is damaged or of another version.
    """
    path = folder / "config.json"
    try:
        content = json.loads(read_bounded(path, CONFIG_BYTES))
        if content.get("format") != FORMAT:
            raise UserError(f"{path}: format {str(content.get('format'))[:40]!r}, not {FORMAT}; export the model again")
        content = {"reverse_target": False, **content, "decoding": {**LATER, **content["decoding"]}}
        _check(content)
        decoding = json.loads(json.dumps(content["decoding"]), object_hook=lambda part: SimpleNamespace(**part))
        return SimpleNamespace(**{**content, "decoding": decoding})
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; export the model again") from None
    except KeyError as error:
        raise UserError(f"{path}: {error} is missing; export the model again") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: damaged: {str(error)[:200]}; export the model again") from None


def _check(content: dict[str, Any]) -> None:
    """What a search is bounded by."""
    decoding = content["decoding"]
    _within(decoding, "beam_size", 1, 1000)
    if decoding["length_penalty"]["kind"] == "wu":
        _within(decoding["length_penalty"], "alpha", 0, 5)
    for limit in ("min_length", "max_length"):
        _within(decoding[limit], "ratio", 0, 100)
        _within(decoding[limit], "offset", 0, 10_000)
    if content["max_length"] is not None:
        _within(content, "max_length", 1, 1_000_000)
    if not isinstance(content["reverse_target"], bool):
        raise ValueError("reverse_target is neither true nor false")
    for side in ("src", "tgt"):
        if not is_code(content[side]):
            raise ValueError(f"{side} is no language code")


def _within(section: dict[str, Any], key: str, least: float, most: float) -> None:
    value = section[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{key} is {str(value)[:40]} and not a number from {least} to {most}")


def as_dict(value: Any) -> Any:
    """A section as it stands in config.json."""
    if isinstance(value, list):
        return [as_dict(part) for part in value]
    return {key: as_dict(part) for key, part in vars(value).items()} if isinstance(value, SimpleNamespace) else value
