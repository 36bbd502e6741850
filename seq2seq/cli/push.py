"""The command `push`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import AsJson, app, guarded
from seq2seq.errors import UserError


@app.command()
@guarded
def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, model or exported folder.")],
    name: Annotated[str, typer.Argument(metavar="USER/NAME", help="Where on the Hugging Face hub; made if need be.")],
    branch: Annotated[str | None, typer.Option(help="Another branch than main; made if need be.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Where it is made: only its owner sees it.")] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "A model of seq2seq",
    as_json: AsJson = False,
) -> None:
    """Share a trained model: upload its folder (weights, tokenizers, card) to the Hugging Face hub."""
    from seq2seq.hub import PREFIX
    from seq2seq.hub import push as upload
    from seq2seq.run_folder import folder_of_model
    from seq2seq.runtime.folder import is_exported

    folder = folder_of_model(run)
    if not is_exported(folder) and not (folder / "model.safetensors").exists():
        raise UserError(f"{run}: holds no model; name a run folder, or one that `seq2seq export` has written")
    commit = upload(folder, name, branch, private or None, message)
    if as_json:
        print(json.dumps({"model": f"{PREFIX}{name}@{commit}", "commit": commit}))
        return
    print(f"{PREFIX}{name}@{commit}")
    print(f"translate: echo '...' | seq2seq translate {PREFIX}{name}" + (f"@{branch}" if branch else ""))
