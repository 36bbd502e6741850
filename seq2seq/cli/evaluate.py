"""The command `evaluate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seq2seq.cli.app import Device, Threads, app, guarded, without_effect
from seq2seq.cli.run import run_until
from seq2seq.errors import UserError


@app.command()
@guarded
def evaluate(
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="A recipe or run folder.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="With a RECIPE only: recipe keys to set.")
    ] = None,
    hyp: Annotated[
        list[Path] | None, typer.Option(help="Any system's output, one sentence a line; can be repeated.")
    ] = None,
    ref: Annotated[Path | None, typer.Option(help="The reference translations, line by line.")] = None,
    language: Annotated[str, typer.Option(help="With --hyp: the target's, for sacreBLEU's tokenizer.")] = "en",
    metric: Annotated[list[str] | None, typer.Option(help="With --hyp: bleu, chrf, ter; can be repeated.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="With --hyp: resamplings for the intervals; 0: none.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score with sacreBLEU: a RECIPE's test sets (running what is due before), or any output (--hyp, --ref)."""
    if recipe is not None:
        if hyp or ref:
            raise UserError("evaluate: give a recipe, or --hyp and --ref, not both")
        without_effect(
            {"--language": language != "en", "--metric": bool(metric), "--bootstrap": bootstrap != 1000},
            "set data.tgt, evaluation.metrics or evaluation.bootstrap",
        )
        run_until("evaluate", recipe, settings, False, device, threads, as_json)
        return
    if not hyp or ref is None:
        raise UserError("evaluate: give a recipe or run folder, or both --hyp FILE and --ref FILE")

    from seq2seq.data.lines import read_lines
    from seq2seq.evaluation.metrics import METRICS, bleu_tokenizer, score, to_dict
    from seq2seq.evaluation.report import print_scores
    from seq2seq.languages import is_code, is_known

    if not is_code(language):
        raise UserError(f"--language {language}: must be a language code such as en or pt_BR")
    if not is_known(language):
        tokenizer = bleu_tokenizer(language)
        print(f"note: --language {language}: the CLDR names no such language; BLEU by {tokenizer}", file=sys.stderr)
    references, names = list(read_lines(ref, pipe=True)), [str(path) for path in hyp]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UserError(f"--hyp {twice}: given twice; name each file once")
    scores = {
        name: score(list(read_lines(path, pipe=True)), references, metric or METRICS, language, bootstrap)
        for name, path in zip(names, hyp, strict=True)
    }
    if as_json:
        found = {name: [to_dict(s) for s in of_file] for name, of_file in scores.items()}
        print(json.dumps(found[names[0]] if len(names) == 1 else found, indent=2))
    else:
        print_scores(scores, Console())
