"""The command `translate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import Device, Threads, app, guarded, without_effect
from seq2seq.cli.run import run_until
from seq2seq.errors import UserError


@app.command()
@guarded
def translate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|RECIPE", help="A run folder or model folder, to translate text; or a recipe's YAML file."
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="With a RUN: keys of `decoding`; with a RECIPE: any of its keys."),
    ] = None,
    input: Annotated[Path | None, typer.Option(help="With a RUN: text to translate; without it stdin.")] = None,
    output: Annotated[Path | None, typer.Option(help="With a RUN: where translations go; without it stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an --output that exists.")] = False,
    format: Annotated[str, typer.Option(help="With a RUN: text, or jsonl with scores and n-best.")] = "text",
    n_best: Annotated[int, typer.Option(min=1, help="With a RUN: translations a line (jsonl).")] = 1,
    beam_size: Annotated[int | None, typer.Option(min=1, help="Short for decoding.beam_size=N; 1 is greedy.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="With a RUN: sentences translated together.")] = 32,
    ensemble: Annotated[
        list[str] | None, typer.Option(help="With a RUN: another that translates with it; can be repeated.")
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="With --ensemble: a weight for each model, RUN's first.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """With a trained RUN, translate text, a line for a line; with a RECIPE, its test sets into its run folder."""
    if run.endswith((".yaml", ".yml")):
        without_effect(
            {"--format": format != "text", "--n-best": n_best != 1, "--batch-size": batch_size != 32, "--force": force}
            | {"--beam-size": beam_size is not None, "--input": input is not None, "--output": output is not None}
            | {"--ensemble": bool(ensemble), "--weight": bool(weight)},
            "set decoding.beam_size=N, or name its run folder to translate text",
        )
        run_until("translate", run, settings, False, device, threads)
        return
    if format not in ("text", "jsonl"):
        raise UserError(f"--format {format}: must be text or jsonl")
    if format == "text" and n_best > 1:
        raise UserError("--n-best has no effect on text, which is one line a line; add --format jsonl")
    if output is None and force:
        raise UserError("--force has no effect without --output")
    if output is not None and output.exists() and not force:
        raise UserError(f"--output {output}: exists; name another file, or add --force to replace it")

    if weight and not ensemble:
        raise UserError("--weight has no effect without --ensemble")

    from seq2seq.bundle import load_bundle
    from seq2seq.decoding.ensemble import ensemble_of
    from seq2seq.decoding.streams import lines_of, opened, write_jsonl, write_text
    from seq2seq.decoding.translator import Trained, Translator
    from seq2seq.device import set_up
    from seq2seq.recipe.file import override_decoding

    names, chosen = [run, *(ensemble or [])], set_up(device, threads)
    models: list[Trained] = [load_bundle(name, chosen) for name in names]
    loaded = ensemble_of(models, names, weight or []) if ensemble else models[0]
    short = [] if beam_size is None else [f"decoding.beam_size={beam_size}"]
    config = override_decoding(loaded.config.decoding, [*short, *(settings or [])])
    if n_best > config.beam_size and config.sampling is None:
        raise UserError(f"--n-best {n_best}: the beam holds {config.beam_size}; add decoding.beam_size={n_best}")
    translator, write = Translator(loaded, config, batch_size), write_text if format == "text" else write_jsonl
    with opened(input, output) as (source, target):
        if source.isatty():
            print("type a line and Enter to translate it; end with Ctrl-D (--input FILE reads a file)", file=sys.stderr)
        for chunk in lines_of(source):
            for translation in translator.translate(chunk, n_best):
                write(translation, target)
            target.flush()
