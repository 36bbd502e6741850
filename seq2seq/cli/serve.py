"""The command `serve`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import Device, Threads, app, guarded
from seq2seq.errors import UserError

PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")


@app.command()
@guarded
def serve(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run, model or exported folders, one a language pair.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0: all of this machine's.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 5000,
    keys: Annotated[
        Path | None, typer.Option(help="API keys, one a line, texts a minute behind it; who has none is refused.")
    ] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="Without --keys: texts a minute of each address.")] = None,
    cors: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="A site whose pages may ask; *: all. Can be repeated.")
    ] = None,
    max_characters: Annotated[int, typer.Option(min=1, help="Of all texts of a request.")] = 10_000,
    max_texts: Annotated[int, typer.Option(min=1, help="In a request.")] = 128,
    queue: Annotated[int, typer.Option(min=1, help="Lines that may wait; more are refused (429).")] = 512,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a request to arrive, and to be answered.")] = 30,
    beam_size: Annotated[int | None, typer.Option(min=1, help="Hypotheses; 1 is greedy and fastest.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Lines translated together.")] = 32,
    precision: Annotated[
        str | None, typer.Option(help="Of exported models: fp32 or int8; without it fp32 where there is one.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Serve translations over HTTP, as LibreTranslate does; with a page for people."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"serving needs {', '.join(missing)}; install with: pip install 'seq2seq[serve]'")
    if keys is not None and rate is not None:
        raise UserError("--rate has no effect with --keys; write each key's texts a minute behind it in the file")

    from seq2seq.cli.translate import configured, load_models
    from seq2seq.serving.app import Service
    from seq2seq.serving.limits import Access, Limits, read_keys
    from seq2seq.serving.models import Pair, Pairs
    from seq2seq.serving.server import listen
    from seq2seq.serving.server import serve as serve_until_stopped

    access = Access(None if keys is None else read_keys(keys), rate)
    short = [] if beam_size is None else [f"decoding.beam_size={beam_size}"]
    models = [model for run in runs for model in load_models([run], precision, device, threads)]
    pairs = Pairs([Pair(model, configured(model.config.decoding, short), batch_size) for model in models], runs)
    limits = Limits(max_characters, max_texts, queue, timeout)
    with listen(host, port) as listening:
        serve_until_stopped(Service(pairs, limits, access, batch_size, cors), listening)
