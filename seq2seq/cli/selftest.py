"""The command `selftest`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.app import AsJson, Device, Threads, app, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.decoding.translator import Trained


@app.command()
@guarded
def selftest(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a model folder with --src.")],
    src: Annotated[
        Path | None, typer.Option(help="Sentences to test with, one a line; without it the run's validation data.")
    ] = None,
    exported: Annotated[
        Path | None, typer.Option(help="What is exported of the run; without it its folder `export`, if there is one.")
    ] = None,
    sentences: Annotated[int, typer.Option(min=2, max=10_000, help="How many sentences at the most.")] = 40,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Prove on a RUN's own model what searching promises; where it fails exit code 1 and the first difference."""
    from seq2seq.analysis.selftest import checks
    from seq2seq.bundle import load_bundle
    from seq2seq.device import set_up

    lines = _sentences(Path(run), src, sentences)
    models: dict[str, Trained] = {"run": load_bundle(run, set_up(device, threads))}
    models |= _exported(exported or Path(run) / "export", exported is not None, threads)
    if as_json:
        found = [{"check": name, "difference": difference} for name, difference in checks(models, lines)]
        print(json.dumps({"sentences": len(lines), "models": list(models), "checks": found}, indent=2))
        raise typer.Exit(1 if any(one["difference"] for one in found) else 0)
    print(f"{len(lines)} sentences; {', '.join(models)}")
    failed, since = 0, time.perf_counter()
    for name, difference in checks(models, lines):
        seconds, since = time.perf_counter() - since, time.perf_counter()
        print(f"{'FAIL' if difference else 'ok':5}{name} ({seconds:.1f} s)", flush=True)
        if difference:
            failed += 1
            print(f"     {difference}", flush=True)
    if failed:
        raise typer.Exit(1)


def _sentences(run: Path, src: Path | None, count: int) -> list[str]:
    """Spread over the text, and some that are odd: blank, one word, very long."""
    from seq2seq.data.lines import read_lines
    from seq2seq.data.preparation import PreparedPairs
    from seq2seq.run_folder import RunFolder

    if src is not None:
        text = list(read_lines(src, pipe=True))
    elif (stored := RunFolder(run).data / "valid.arrow").exists():
        text = PreparedPairs(stored).src_texts()
    else:
        raise UserError(f"{run}: holds no validation data ({stored}); name a file of sentences with --src")
    if not any(line.strip() for line in text):
        raise UserError(f"{src or run}: holds no sentence; name a file of sentences with --src")
    chosen = text[:: max(1, len(text) // count)][:count]
    return [*chosen, "", chosen[0].split(" ")[0], " ".join(chosen[:8])]


def _exported(folder: Path, wanted: bool, threads: int | None) -> dict[str, Trained]:
    """By precision what the folder holds."""
    from seq2seq.runtime.folder import PRECISIONS, graphs, load_exported

    there = [precision for precision in PRECISIONS if graphs(folder, precision).step.exists()]
    if wanted and not there:
        raise UserError(f"--exported {folder}: holds no exported model; write one with seq2seq export")
    return {precision: load_exported(folder, precision, threads, shortlist=False) for precision in there}
