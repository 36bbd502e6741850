"""The README.md of a model's folder, in Hugging Face's card format: what the model is, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.bundle import Bundle, BundleConfig
from seq2seq.evaluation.metrics import Score
from seq2seq.evaluation.report import cell, fenced, interval, markdown_table
from seq2seq.recipe.reader import write_yaml

EXPORTED = """\
    pip install --no-deps seq2seq && pip install numpy tokenizers onnxruntime
    echo "..." | python -m seq2seq.runtime .

Where all of seq2seq is installed, `seq2seq translate .` does the same."""
TRAINED = """\
    pip install seq2seq
    echo "..." | seq2seq translate .

In Python: `seq2seq.Translator.load(".").translate("...").text`."""


@dataclass(frozen=True)
class RunFacts:
    """What a card tells of the run that trained the model.

    Attributes:
        license: a Hugging Face identifier.
        scores: by test set.
        data: what was read, kept and dropped, with hashes.
        limits: what a user should know of the model's weak sides.
        recipe: its YAML.
    """

    license: str
    scores: Mapping[str, Sequence[Score]]
    data: Sequence[tuple[str, str]]
    limits: Sequence[str]
    recipe: str


def exported_card(bundle: Bundle, folder: Path) -> str:
    """The card of an exported folder whose other files are there."""
    parameters = sum(weight.numel() for weight in bundle.model.parameters())
    sizes = len(bundle.src_tokenizer), len(bundle.tgt_tokenizer)
    rows = [(file.name, f"{file.stat().st_size:,}") for file in sorted(folder.iterdir())]
    parts = [_head(bundle.config, ["onnx", "recurrent"], {}), *_title(bundle.config, "trained and exported"), EXPORTED]
    parts += [markdown_table(("", ""), _architecture(bundle.config, parameters, sizes))]
    return "\n\n".join([*parts, markdown_table(("file", "bytes"), rows)]) + "\n"


def run_card(config: BundleConfig, parameters: int, vocabularies: tuple[int, int], facts: RunFacts) -> str:
    """The card of a model that a run has trained."""
    metrics = list(dict.fromkeys(score.metric for of_set in facts.scores.values() for score in of_set))
    more: dict[str, Any] = {"metrics": metrics, "model-index": _index(config, facts.scores)} if metrics else {}
    parts = [_head(config, ["recurrent"], {"license": facts.license, **more}), *_title(config, "trained"), TRAINED]
    parts.append(markdown_table(("", ""), _architecture(config, parameters, vocabularies)))
    if facts.scores:
        rows = [
            (name, score.label, f"{score.value:.2f}", interval(score), f"{score.sentences:,}", f"`{score.signature}`")
            for name, of_set in facts.scores.items()
            for score in of_set
        ]
        head = ("test set", "metric", "score", "95 % interval", "sentences", "signature")
        parts += ["## Scores", markdown_table(head, rows)]
    parts += ["## Data", markdown_table(("", ""), [(cell(key), cell(value)) for key, value in facts.data])]
    if facts.limits:
        parts += ["## Limits", "\n".join(f"- {cell(limit)}" for limit in facts.limits)]
    parts += [
        "## Recipe",
        "With these data, `seq2seq run recipe.yaml` trains it again.",
        fenced(facts.recipe, "yaml"),
    ]
    return "\n\n".join(parts) + "\n"


def _head(config: BundleConfig, tags: list[str], more: Mapping[str, Any]) -> str:
    """The YAML that a model hub reads."""
    translates = config.task == "translation"
    fields = {
        "language": list(dict.fromkeys([config.src, config.tgt] if translates else [config.tgt])),
        "library_name": "seq2seq",
        "pipeline_tag": "translation" if translates else "text-generation",
        "tags": tags,
    }
    return f"---\n{write_yaml(fields | dict(more))}---"


def _title(config: BundleConfig, how: str) -> tuple[str, str]:
    if config.task == "language_model":
        return f"# {config.name}: a language model of {config.tgt}", _origin("language model", how)
    return f"# {config.name}: {config.src} to {config.tgt}", _origin("encoder-decoder", how)


def _origin(what: str, how: str) -> str:
    return f"A recurrent {what}, {how} by seq2seq {__version__}."


def _architecture(config: BundleConfig, parameters: int, vocabularies: tuple[int, int]) -> list[tuple[str, str]]:
    model = config.model
    stacks = [(model.encoder, model.encoder.direction), (model.decoder, f"attention {model.decoder.attention.kind}")]
    encoder, decoder = (f"{s.layers} x {s.cell.kind} {s.hidden_size}, {what}" for s, what in stacks)
    return [
        ("parameters", f"{parameters:,}"),
        ("encoder", encoder),
        ("decoder", decoder),
        ("vocabulary", f"{vocabularies[0]:,} source and {vocabularies[1]:,} target tokens"),
        ("search", f"beam {config.decoding.beam_size}, length penalty {config.decoding.length_penalty.kind}"),
    ]


def _index(config: BundleConfig, scores: Mapping[str, Sequence[Score]]) -> list[dict[str, Any]]:
    """The scores as a hub lists them."""
    results = [
        {
            "task": {"type": "translation"},
            "dataset": {"type": name, "name": name},
            "metrics": [{"type": score.metric, "value": round(score.value, 2)} for score in of_set],
        }
        for name, of_set in scores.items()
    ]
    return [{"name": config.name, "results": results}]
