"""The command `translate`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

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
            metavar="RUN|RECIPE", help="A run folder or model folder, to translate stdin; or a recipe's YAML file."
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="With a RECIPE only: recipe keys to set.")
    ] = None,
    format: Annotated[str, typer.Option(help="With a RUN: text, or jsonl with scores and n-best.")] = "text",
    n_best: Annotated[int, typer.Option(min=1, help="With a RUN: translations a line (jsonl).")] = 1,
    beam_size: Annotated[
        int | None, typer.Option(min=1, help="With a RUN: hypotheses; without it as in the recipe; 1 is greedy.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="With a RUN: sentences translated together.")] = 32,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """With a trained RUN, translate stdin to stdout, line by line; with a RECIPE, its test sets into its run folder."""
    if run.endswith((".yaml", ".yml")):
        without_effect(
            {"--format": format != "text", "--n-best": n_best != 1, "--batch-size": batch_size != 32}
            | {"--beam-size": beam_size is not None},
            "set decoding.beam_size=N, or name its run folder to translate stdin",
        )
        run_until("translate", run, settings, False, device, threads)
        return
    if settings:
        raise UserError(
            f"{settings[0]}: {run} is not a recipe's YAML file but a trained model, whose recipe is settled; "
            "use the options --beam-size, --n-best, --format, --batch-size"
        )
    if format not in ("text", "jsonl"):
        raise UserError(f"--format {format}: must be text or jsonl")
    if format == "text" and n_best > 1:
        raise UserError("--n-best has no effect on text, which is one line a line; add --format jsonl")

    from seq2seq.decoding.streams import lines_of, write_jsonl, write_text

    translator = _translator(run, beam_size, n_best, batch_size, device, threads)
    write = write_text if format == "text" else write_jsonl
    for chunk in lines_of(sys.stdin.buffer):
        for translation in translator.translate(chunk, n_best):
            write(translation, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _translator(run: str, beam_size: int | None, n_best: int, batch_size: int, device: str, threads: int | None) -> Any:
    from seq2seq.bundle import load_bundle
    from seq2seq.decoding.translator import Translator
    from seq2seq.device import set_up

    loaded = load_bundle(run, set_up(device, threads))
    settings = loaded.config.decoding
    if beam_size is not None:
        settings = settings.model_copy(update={"beam_size": beam_size})
    if n_best > settings.beam_size:
        raise UserError(f"--n-best {n_best}: the beam holds {settings.beam_size}; add --beam-size {n_best}")
    return Translator(loaded, settings, batch_size)
