"""The command `export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import AsJson, app, guarded
from seq2seq.errors import UserError

BOTH = "onnx,onnx-int8"


@app.command()
@guarded
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or model folder.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the exported model.")],
    formats: Annotated[
        str, typer.Option(help="onnx (fp32), onnx-int8 (smaller and faster), or both; of --web: one.")
    ] = BOTH,
    shortlist: Annotated[
        bool,
        typer.Option(
            "--shortlist", help="Faster, nearly the same: look for words among likely translations (RUN's data)."
        ),
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="A folder of web pages: translates in the browser; needs --onnxruntime-web.")
    ] = False,
    onnxruntime_web: Annotated[
        Path | None, typer.Option(metavar="PACKAGE", help="With --web: that npm package, its file or folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is in DIR.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as ONNX graphs, which translate without torch."""
    from seq2seq.export.folder import FORMATS, export
    from seq2seq.hub import located
    from seq2seq.runtime.folder import load_config

    chosen = formats.split(",")
    if unknown := [name for name in chosen if name not in FORMATS]:
        raise UserError(f"--formats {unknown[0]}: must be {' or '.join(FORMATS)}, or both with a comma between")
    if folder.exists() and not force:
        raise UserError(f"{folder}: exists; name a new folder, or add --force to replace it")
    run = located(run)
    if web or onnxruntime_web is not None:
        if shortlist:
            raise UserError("--shortlist has no effect with --web; remove it")
        if formats != BOTH and len(chosen) > 1:
            raise UserError(f"--web --formats {formats}: a page has one model; name one of {' and '.join(FORMATS)}")
        _export_web(run, folder, web, onnxruntime_web, as_json, "onnx-int8" if formats == BOTH else chosen[0])
        return
    pairs = run / "data" / "train.arrow"
    if shortlist and not pairs.exists():
        raise UserError(f"--shortlist: {run} has no prepared training data ({pairs}); name the run folder")
    export(run, folder, chosen, pairs if shortlist else None)
    task = load_config(folder).task
    if as_json:
        print(json.dumps({"folder": str(folder), "task": task, "formats": chosen, "shortlist": shortlist}))
        return
    print(f"exported:  {folder}")
    if task == "language_model":
        print(f"use it:    seq2seq translate EXPORTED --language-model {folder}")
        return
    print(f"translate: echo '...' | seq2seq translate {folder}  (or without torch: python -m seq2seq.runtime {folder})")


def _export_web(run: Path, folder: Path, web: bool, package: Path | None, as_json: bool, form: str) -> None:
    if not web:
        raise UserError("--onnxruntime-web has no effect without --web")
    from seq2seq.serving.offline import VERSION, write_site

    if package is None:
        raise UserError(
            f"--web needs ONNX Runtime's npm package; fetch it with: npm pack onnxruntime-web@{VERSION}, and name it: "
            f"--onnxruntime-web onnxruntime-web-{VERSION}.tgz"
        )
    write_site(run, folder, package, form)
    if as_json:
        print(json.dumps({"folder": str(folder), "task": "translation", "formats": [form], "web": True}))
        return
    print(f"exported: {folder}")
    print(f"look:     python -m http.server --directory {folder}")
