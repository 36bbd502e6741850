"""The model bundle: a folder with all that translating needs, and nothing that could be executed.

config.json (languages, sections of the recipe), model.safetensors (weights) and the tokenizers.
It can be moved anywhere.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from seq2seq import __version__, recipe
from seq2seq.data.tokenization import PAD, Tokenizer, copy_tokenizers, load_tokenizers
from seq2seq.decoding.confidence import Calibration
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.errors import UserError
from seq2seq.files import new_folder, write_json
from seq2seq.hub import located
from seq2seq.nn.initialization import only_zeros
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.run_folder import folder_of_model

FORMAT = 2
DIFFERENT = "the weights are not those of the model that config.json describes"


class BundleConfig(recipe.Config):
    """What config.json holds."""

    format: int
    seq2seq_version: str
    name: str
    task: Literal["translation", "language_model"] = "translation"
    src: str
    tgt: str
    reverse_target: bool = False
    """Whether it writes from right to left."""
    max_length: Annotated[int, Field(gt=0, le=1_000_000)] | None
    """Longest sentence of the training data, in tokens; longer ones are translated in pieces."""
    model: recipe.ModelConfig
    decoding: recipe.DecodingConfig


@dataclass(frozen=True)
class Bundle:
    """A trained translator's parts."""

    config: BundleConfig
    model: Seq2Seq
    src_tokenizer: Tokenizer
    tgt_tokenizer: Tokenizer
    confidence: Calibration | None = None

    @property
    def scorer(self) -> ModelScorer:
        """The model as a search needs it."""
        return ModelScorer(self.model, self.model.output.weight.device)

    def beside(self, path: str) -> Bundle:
        """Another run's, on the same device."""
        return load_bundle(path, self.model.output.weight.device)


def make_model(config: recipe.ModelConfig, tokenizers: tuple[Tokenizer, Tokenizer]) -> Seq2Seq:
    """A model with new weights for these vocabularies."""
    return Seq2Seq(config, len(tokenizers[0]), len(tokenizers[1]), PAD)


def save_bundle(path: Path, config: BundleConfig, weights: dict[str, torch.Tensor], tokenizers: Path) -> None:
    """Write a bundle, whole or not at all.

    Args:
        weights: the model's `state_dict`, tied weights once.
        tokenizers: the folder that holds the tokenizer files.
    """
    with new_folder(path) as folder:
        write_json(folder / "config.json", config.model_dump())
        save_file(weights, folder / "model.safetensors")
        copy_tokenizers(tokenizers, folder)


def load_bundle(path: str | Path, device: torch.device) -> Bundle:
    """Read a bundle, the one of a run folder, or one of the Hugging Face hub (`hf:USER/NAME`).

    Raises:
        UserError: there is none, or it is damaged or of another version.
    """
    folder = folder_of_model(located(path))
    config = load_config(folder)
    with _raise_if_damaged(folder):
        tokenizers = load_tokenizers(folder, config.reverse_target)
        _compare_sizes(config.model, tokenizers, folder / "model.safetensors")
        with only_zeros():
            model = make_model(config.model, tokenizers)
        weights = load_file(folder / "model.safetensors")
        for name, weight in weights.items():
            if not weight.isfinite().all():
                raise ValueError(f"{name} holds numbers that are not finite (NaN or infinity)")
        load_weights(model, weights)
    return Bundle(config, model.to(device).eval(), *tokenizers, Calibration.load(folder))


class _Unfilled(TorchFunctionMode):
    """Leaves out what only fills tensors, which on the meta device loads a compiler for nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__.endswith("_") and not func.__name__.endswith("__"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _compare_sizes(config: recipe.ModelConfig, tokenizers: tuple[Tokenizer, Tokenizer], path: Path) -> None:
    """Before any memory is taken: the sizes that config.json asks for against those in the weights' header."""
    described = shapes_of(config, tokenizers)
    with safe_open(path, "pt") as file:
        stored = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    if described != stored:
        raise ValueError(DIFFERENT)


def shapes_of(config: recipe.ModelConfig, tokenizers: tuple[Tokenizer, Tokenizer]) -> dict[str, list[int]]:
    """Of each weight of a model, which is not made."""
    with torch.device("meta"), _Unfilled():
        return {name: list(weight.shape) for name, weight in weights_of(make_model(config, tokenizers)).items()}


def count_weights(folder: Path) -> int:
    """How many numbers a bundle's model has, by the head of its file."""
    with _raise_if_damaged(folder), safe_open(folder / "model.safetensors", "pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no mapping


def load_config(folder: Path) -> BundleConfig:
    """Read a bundle's config.json.

    Raises:
        UserError: there is none, or it is damaged or of another version.
    """
    path = folder.parent if folder.name == "model" else folder
    if not (folder / "config.json").exists():
        state = "has no trained model yet; run its recipe first" if path.is_dir() else "no such run folder"
        runs = sorted(str(one.parent.parent) for one in path.glob("*/model/config.json"))
        if runs:
            state = f"holds several runs; name one of them, as {runs[0]}"
        raise UserError(f"{path}: {state} (looked for {folder / 'config.json'})")
    with _raise_if_damaged(folder):
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("config.json holds no object")
        if content.get("format") != FORMAT:
            raise UserError(
                f"{folder}: a model of format {str(content.get('format'))[:20]}; seq2seq {__version__} reads {FORMAT}"
            )
        _without_reversed(folder, content)
        return BundleConfig.model_validate(content)


def _without_reversed(folder: Path, content: dict[str, Any]) -> None:
    """Earlier versions' models say of each run that re-scores whether its targets were reversed by hand."""
    decoding = content.get("decoding")
    entries = decoding.get("rescore") if isinstance(decoding, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.pop("reversed", False):
            raise UserError(
                f"{folder}: re-scores with {str(entry.get('run'))[:200]}, whose targets were reversed by hand; train "
                "that run with data.reverse_target, and take decoding.rescore out of config.json"
            )


@contextlib.contextmanager
def _raise_if_damaged(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ValidationError, SafetensorError) as error:
        if isinstance(error, ValidationError):
            first = error.errors(include_input=False)[0]
            reason = f"config.json, {'.'.join(map(str, first['loc']))}: {first['msg']}"
        else:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{folder}: this model is damaged: {reason[:300]}; copy or train it again") from None


def weights_of(model: Seq2Seq) -> dict[str, torch.Tensor]:
    """Every weight once, by name: what tied layers share stands under the first of its names."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def load_weights(model: Seq2Seq, weights: dict[str, torch.Tensor]) -> None:
    """Give a model the weights of `weights_of`.

    Raises:
        ValueError: names or shapes differ.
    """
    own = weights_of(model)
    if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
        raise ValueError(DIFFERENT)
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
