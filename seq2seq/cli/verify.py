"""The commands `verify` and `reproduce`: whether a run's numbers are what they say, and come out again."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import AsJson, Device, Threads, app, guarded
from seq2seq.errors import UserError

MOST_SHOWN = 50


@app.command()
@guarded
def verify(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; also those of sweeps.")],
    translate: Annotated[
        bool, typer.Option("--translate", help="Also translate the test sets again with the runs' models.")
    ] = False,
    as_json: AsJson = False,
    device: Annotated[str, typer.Option("--device", help="With --translate: auto, cpu, cuda, cuda:1.")] = "auto",
    threads: Threads = None,
) -> None:
    """Check a run's files against their hashes and compute its scores again; exit code 1 where anything differs."""
    from seq2seq.device import set_up
    from seq2seq.pipeline.verification import run_folders, verify, verify_translations

    if not translate and (device != "auto" or threads is not None):
        raise UserError("--device and --threads have no effect without --translate")
    folders = [folder for run in runs for folder in run_folders(run)]
    checks = [check for folder in folders for check in verify(folder)]
    if translate:
        where = set_up(device, threads)
        checks += [check for folder in folders for check in verify_translations(folder, where)]
    faults = [check for check in checks if check.fault]
    counts = Counter(check.kind for check in checks)
    if as_json:
        print(json.dumps({"checked": counts, "faults": [asdict(check) for check in faults]}, indent=2))
    else:
        for check in faults[:MOST_SHOWN]:
            print(f"{check.run}: {check.what}: {check.fault}")
        if len(faults) > MOST_SHOWN:
            print(f"and {len(faults) - MOST_SHOWN} more")
        told = f"{counts['file']} files, {counts['number']} numbers of scores.json"
        told += f", {counts['translations']} test sets translated again" if translate else ""
        print(f"{told}: {f'{len(faults)} differ' if faults else 'all as recorded'}")
    if faults:
        raise typer.Exit(1)


@app.command()
@guarded
def reproduce(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    output: Annotated[Path | None, typer.Option(help="Where the recipe runs again. Without it: RUN-again.")] = None,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Run a run's recipe again in another folder; say which results came out equal (exit code 1: not all)."""
    from seq2seq.device import set_up
    from seq2seq.distributed import Processes
    from seq2seq.pipeline.reproduction import prepared, reproduce

    target = output or run.parent / f"{run.resolve().name}-again"
    runner, changed = prepared(run, target)
    for line in changed:
        print(f"warning: not what the run was made from: {line}", file=sys.stderr)
    outcomes = list(reproduce(run, runner, Processes.join(set_up(device, threads))))
    different = [one for one in outcomes if one.difference]
    if as_json:
        found = {"output": str(target), "changed": changed, "results": [asdict(one) for one in outcomes]}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for one in outcomes:
            print(f"{'differs' if one.difference else 'equal':8}{one.what}{one.difference and f': {one.difference}'}")
        print(f"{target}: {len(outcomes) - len(different)} of {len(outcomes)} results are equal")
    if different:
        raise typer.Exit(1)
