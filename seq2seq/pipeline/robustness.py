"""The robustness suite of a run: made of its own sentences, kept in its folder, shown in its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from seq2seq.bundle import load_bundle
from seq2seq.data.preparation import PreparedPairs
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.evaluation.robustness import Robustness, robustness
from seq2seq.files import file_hash, write_json
from seq2seq.run_folder import RunFolder


def measure_robustness(folder: RunFolder, test_set: str | None, device: torch.device) -> Robustness:
    """Translate the suite, made of a test set, or else of the validation set; writes robustness.json.

    Raises:
        UserError: the run has no model that translates.
    """
    bundle = load_bundle(folder.root, device)
    translator = Translator(bundle)
    pairs = PreparedPairs(folder.data / "valid.arrow" if test_set is None else folder.test_set(test_set))

    def translate(lines: Sequence[str]) -> list[str]:
        return [one.text for one in translator.translate(lines)]

    found = robustness(translate, test_set or "valid", pairs.src_texts(), pairs.tgt_texts(), bundle.config.tgt)
    write_json(folder.robustness, {"made_from": _made_from(folder), **asdict(found)})
    return found


def read_robustness(folder: RunFolder) -> Robustness | None:
    """What the suite has found of the model that is there now, with its settings; None: it has not run.

    Raises:
        UserError: its file is damaged.
    """
    if not folder.robustness.exists():
        return None
    try:
        stored = json.loads(folder.robustness.read_text(encoding="utf-8"))
        return Robustness.from_dict(stored) if stored["made_from"] == _made_from(folder) else None
    except (ValueError, KeyError, TypeError):
        again = f"seq2seq evaluate {folder.root} --suite robustness"
        raise UserError(f"{folder.robustness}: damaged; remove it, or write it again: {again}") from None


def _made_from(folder: RunFolder) -> dict[str, Any]:
    config = json.loads((folder.model / "config.json").read_text(encoding="utf-8"))
    return {"model": file_hash(folder.model / "model.safetensors"), "decoding": config["decoding"]}
