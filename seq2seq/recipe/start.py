"""The run that a training starts from: where its model lies, and what a recipe takes over from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seq2seq.errors import UserError
from seq2seq.files import read_bounded
from seq2seq.hub import located
from seq2seq.recipe.model import ModelConfig
from seq2seq.run_folder import folder_of_model

KEY = "training.start_from"
MAX_BYTES = 1_000_000
"""Of a model's config.json."""


def started_from(data: Any) -> str | None:
    """What a recipe's keys name as the start, before they are checked."""
    training = data.get("training") if isinstance(data, dict) else None
    start = training.get("start_from") if isinstance(training, dict) else None
    return start if isinstance(start, str) else None


def model_folder(run: str) -> Path:
    """Where the model of a run folder, or of the hub, lies.

    Raises:
        UserError: there is none.
    """
    root = located(run)
    folder = folder_of_model(root)
    if (folder / "config.json").exists():
        return folder
    several = sorted(str(path.parents[1]) for path in root.glob("*/model/config.json"))
    if several:
        raise UserError(f"{KEY}: {run} holds several runs; name one of them, as {several[0]}")
    raise UserError(f"{KEY}: {run}: no such run folder, or it has no trained model yet; run its recipe first")


def model_of(run: str) -> tuple[ModelConfig, bool]:
    """The section `model` of a trained run, without the word vectors that it began with; whether it writes backward.

    Raises:
        UserError: it has no trained model, or a damaged one.
    """
    path = model_folder(run) / "config.json"
    try:
        content = json.loads(read_bounded(path, MAX_BYTES))
        content["model"]["embedding"] |= {"src_vectors": None, "tgt_vectors": None, "frozen": False}
        return ModelConfig.model_validate(content["model"]), bool(content.get("reverse_target", False))
    except (OSError, ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{KEY}: {path} is damaged: {reason[:200]}; copy or train that run again") from None
