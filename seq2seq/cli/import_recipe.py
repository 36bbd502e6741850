"""The command `import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import AsJson, app, guarded
from seq2seq.errors import UserError


@app.command(name="import")
@guarded
def import_recipe(
    toolkit: Annotated[
        str, typer.Argument(metavar="TOOLKIT", help="Whose configuration it is: joeynmt, or opennmt (OpenNMT-py).")
    ],
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Its file.")],
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The YAML file to write.")],
    src: Annotated[
        str | None, typer.Option(metavar="CODE", help="With opennmt: the source language, where files do not tell it.")
    ] = None,
    tgt: Annotated[str | None, typer.Option(metavar="CODE", help="The same of the target language.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a RECIPE that exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a recipe of another toolkit's configuration, and say what of it has no counterpart here."""
    from seq2seq.files import write_text
    from seq2seq.importers import joeynmt, opennmt
    from seq2seq.recipe.file import load_recipe
    from seq2seq.recipe.reader import write_yaml

    if toolkit not in ("joeynmt", "opennmt"):
        raise UserError(f"{toolkit[:40]}: no toolkit that is known here; it can be joeynmt or opennmt")
    if toolkit == "joeynmt" and (src or tgt):
        raise UserError("--src and --tgt have no effect on joeynmt, whose configurations name the languages")
    if recipe.suffix not in (".yaml", ".yml"):
        raise UserError(f"{recipe}: a recipe's name ends in .yaml; name it so")
    if recipe.exists() and not force:
        raise UserError(f"{recipe}: exists; name another file, or add --force to replace it")
    try:
        keys, left = opennmt.recipe_of(config, (src, tgt)) if toolkit == "opennmt" else joeynmt.recipe_of(config)
        load_recipe(keys)
    except UserError as error:
        raise UserError(str(error) if str(config) in str(error) else f"{config}: {error}") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(f"{config}: no configuration of {toolkit}'s: {str(error)[:200]}; fix that key") from None
    head = f"# Made of {config.name} ({toolkit}) by `seq2seq import`. Paths count from this file.\n"
    differs = ["# What has no counterpart:\n", *(f"#   {line}\n" for line in left)] if left else []
    write_text(recipe, head + "".join(differs) + write_yaml(keys))
    if as_json:
        print(json.dumps({"recipe": str(recipe), "without_counterpart": left}, indent=2, ensure_ascii=False))
        return
    print(f"{recipe}: look at it, then: seq2seq validate {recipe}")
    for line in left:
        print(f"without counterpart: {line}")
