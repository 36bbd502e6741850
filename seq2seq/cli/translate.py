"""The command `translate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq.cli.app import Device, Threads, app, guarded, without_effect
from seq2seq.cli.run import run_until
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.decoding.translator import Trained
    from seq2seq.recipe import DecodingConfig


@app.command()
@guarded
def translate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|RECIPE", help="A run, model or exported folder, to translate text; or a recipe's YAML file."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="With a RUN: keys of `decoding`; with a RECIPE: any of its keys."),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(
            help="With a RUN: text to translate, without it stdin. Of .html, .md, .docx, .srt, .vtt, .po, .csv, .tsv "
            "and .jsonl files the text is translated, and all else stays."
        ),
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            help="With a RUN: text (lines); html, md, ...: a file's kind, where its name does not tell; or, with "
            "phrases that a translation must hold, tsv (source, tab, phrase, tab, ...) or jsonl "
            '({"source": ..., "require": [...]}).'
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|NAME",
            help="With a RUN: what of a csv or tsv file is translated: a column, from 0, or by its name in the first "
            "row; of jsonl a field.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="With a RUN: where translations go; without it stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an --output that exists.")] = False,
    format: Annotated[
        str, typer.Option(help="With a RUN: text; jsonl with scores, confidences, n-best; or pharaoh (alignments).")
    ] = "text",
    alignment: Annotated[
        bool, typer.Option("--alignment", help="With jsonl: also word alignments, attention.")
    ] = False,
    buffer: Annotated[
        int | None, typer.Option(min=1, metavar="LINES", help="With a RUN: wait for so many lines; faster together.")
    ] = None,
    glossary: Annotated[
        Path | None,
        typer.Option(
            help="Short for decoding.glossary=FILE: source phrase, tab, target phrase; where a line holds the one, "
            "its translation holds the other."
        ),
    ] = None,
    language_model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN[=WEIGHT]",
            help="Short for decoding.language_model={run: RUN, weight: WEIGHT}: a language model has a say.",
        ),
    ] = None,
    rescore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN[=WEIGHT]",
            help="Short for an entry {run: RUN, weight: WEIGHT} of decoding.rescore: it scores the candidates too.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help="Short for decoding.keep=[KIND, ...]: placeholders, urls, emails, numbers, tags, unknown (words).",
        ),
    ] = None,
    n_best: Annotated[int, typer.Option(min=1, help="With a RUN: translations a line (jsonl).")] = 1,
    beam_size: Annotated[int | None, typer.Option(min=1, help="Short for decoding.beam_size=N; 1 is greedy.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="With a RUN: sentences translated together.")] = 32,
    ensemble: Annotated[
        list[str] | None, typer.Option(help="With a RUN: another that translates with it; can be repeated.")
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="With --ensemble: a weight for each model, RUN's first.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of an exported model: fp32 or int8; without it fp32 where there is one.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """With a trained RUN, translate text, a line for a line; with a RECIPE, its test sets into its run folder."""
    if run.endswith((".yaml", ".yml")):
        without_effect(
            {"--format": format != "text", "--n-best": n_best != 1, "--batch-size": batch_size != 32, "--force": force}
            | {"--beam-size": beam_size is not None, "--input": input is not None, "--output": output is not None}
            | {"--alignment": alignment, "--buffer": buffer is not None, "--ensemble": bool(ensemble)}
            | {"--weight": bool(weight), "--precision": precision is not None}
            | {
                "--input-format": input_format is not None,
                "--column": column is not None,
                "--glossary": glossary is not None,
                "--keep": bool(keep),
            }
            | {"--language-model": language_model is not None, "--rescore": bool(rescore)},
            "set decoding.beam_size=N, decoding.glossary=FILE, or name its run folder to translate text",
        )
        run_until("translate", run, settings, False, device, threads)
        return
    if format not in ("text", "jsonl", "pharaoh"):
        raise UserError(f"--format {format}: must be text, jsonl or pharaoh")
    if format != "jsonl" and n_best > 1:
        raise UserError(f"--n-best has no effect on {format}, which is one line a line; add --format jsonl")
    if format != "jsonl" and alignment:
        raise UserError(f"--alignment has no effect on {format}; add --format jsonl, or take --format pharaoh")
    if output is None and force:
        raise UserError("--force has no effect without --output")
    if output is not None and output.exists() and not force:
        raise UserError(f"--output {output}: exists; name another file, or add --force to replace it")
    if weight and not ensemble:
        raise UserError("--weight has no effect without --ensemble")

    from seq2seq.cli.translating import Paths, document_kind, files_of, translate_document, translate_lines
    from seq2seq.decoding.ensemble import ensemble_of
    from seq2seq.decoding.streams import write_jsonl, write_pharaoh, write_text
    from seq2seq.decoding.translator import Translator, check_n_best
    from seq2seq.hub import located

    kind = document_kind(input, input_format, column)
    if kind == "txt" and (format != "text" or buffer is not None):
        kind = None  # lines
    if kind is not None:
        for option, given in {"--format": format != "text", "--buffer": buffer is not None}.items():
            if given:
                raise UserError(f"{option} has no effect on a document (.{kind}), which stays one; add --input-format "
                                "text to translate it as lines")  # fmt: skip
    names = [str(located(name)) for name in (run, *(ensemble or []))]
    models = load_models(names, precision, device, threads)
    loaded = ensemble_of(models, names, weight or []) if ensemble else models[0]
    short = [] if beam_size is None else [f"decoding.beam_size={beam_size}"]
    short += [] if language_model is None else [f"decoding.language_model={_weighted(language_model)}"]
    short += [] if rescore is None else [f"decoding.rescore=[{', '.join(map(_weighted, rescore))}]"]
    short += [] if keep is None else [f"decoding.keep={json.dumps(keep)}"]
    short += [] if glossary is None else [f"decoding.glossary={json.dumps(str(glossary))}"]
    config = configured(loaded.config.decoding, [*short, *(settings or [])])
    check_n_best(n_best, config)
    paths = Paths(input, output, files_of(names, config))
    if kind is not None:
        translate_document(lambda align: Translator(loaded, config, batch_size, align), paths, kind, column)
        return
    translator = Translator(loaded, config, batch_size, alignment or format == "pharaoh")
    write = {"text": write_text, "jsonl": write_jsonl, "pharaoh": write_pharaoh}[format]
    translate_lines(translator, paths, input_format or "text", buffer, n_best, write)


def _weighted(text: str) -> str:
    """`RUN=0.3`, or a RUN alone, as YAML."""
    run, equals, weight = text.rpartition("=")
    return f"{{run: {json.dumps(run)}, weight: {weight}}}" if equals else f"{{run: {json.dumps(text)}}}"


def load_models(names: list[str], precision: str | None, device: str, threads: int | None) -> list[Trained]:
    """The models of runs; or exported ones, without importing torch."""
    from seq2seq.hub import located
    from seq2seq.runtime.folder import is_exported, load_exported

    names = [str(located(name)) for name in names]
    exported = [is_exported(Path(name)) for name in names]
    if all(exported):
        if device not in ("auto", "cpu"):
            raise UserError(f"--device {device}: exported models run on the CPU; translate with the run folder instead")
        return [load_exported(name, precision, threads) for name in names]
    if any(exported):
        raise UserError("--ensemble: name runs alone, or exported folders alone")
    if precision is not None:
        raise UserError(f"--precision has no effect on {names[0]}, which is no exported model; remove it")
    from seq2seq.bundle import load_bundle
    from seq2seq.device import set_up

    chosen = set_up(device, threads)
    return [load_bundle(name, chosen) for name in names]


def configured(decoding: Any, settings: list[str]) -> DecodingConfig:
    """A model's `decoding`, changed by settings; an exported one's, unchanged, needs no schema to be loaded."""
    from types import SimpleNamespace

    if isinstance(decoding, SimpleNamespace) and not settings:
        return decoding  # type: ignore[return-value]  # has the same attributes
    from seq2seq.recipe import DecodingConfig
    from seq2seq.recipe.file import override_decoding
    from seq2seq.runtime.folder import as_dict

    config = decoding if isinstance(decoding, DecodingConfig) else DecodingConfig.model_validate(as_dict(decoding))
    return override_decoding(config, settings)
