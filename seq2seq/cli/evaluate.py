"""The command `evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq.cli.app import Device, Threads, app, guarded, without_effect
from seq2seq.cli.run import run_until
from seq2seq.cli.suite import run_suite
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.evaluation.metrics import Score


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
    ref: Annotated[
        list[Path] | None, typer.Option(help="The reference translations, line by line; can be repeated.")
    ] = None,
    src: Annotated[Path | None, typer.Option(help="With --hyp: the sources, which the metric comet reads.")] = None,
    language: Annotated[str, typer.Option(help="With --hyp: the target's, for sacreBLEU's tokenizer.")] = "en",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="With --hyp: bleu, chrf, chrf++, ter, spbleu, spbleu101, comet; repeatable."),
    ] = None,
    comet: Annotated[Path | None, typer.Option(help="With --metric comet: its model's folder.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="With --hyp: resamplings for the intervals; 0: none.")] = 1000,
    lowercase: Annotated[bool, typer.Option(help="With --hyp: ignore case.")] = False,
    suite: Annotated[
        str | None,
        typer.Option(help="With a RECIPE: robustness, a suite of inputs that upset translators (docs/robustness.md)."),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=NUMBER", help="Exit code 1 where a score is worse, as in bleu=36; can be repeated."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Score with sacreBLEU: a RECIPE's test sets (running what is due before), or any output (--hyp, --ref)."""
    if recipe is not None:
        if hyp or ref:
            raise UserError("evaluate: give a recipe, or --hyp and --ref, not both")
        without_effect(
            {"--language": language != "en", "--metric": bool(metric), "--bootstrap": bootstrap != 1000}
            | {"--lowercase": lowercase, "--src": src is not None, "--comet": comet is not None},
            "set data.tgt, evaluation.metrics or evaluation.bootstrap",
        )
        if suite is not None:
            without_effect({"--fail-under": bool(fail_under)}, "leave out --suite to have its scores judged")
            run_suite(suite, recipe, settings, device, threads, as_json)
            return
        scored = run_until("evaluate", recipe, settings, False, device, threads, as_json)
        _fail_under(scored, fail_under or [])
        return
    if comet is not None and "comet" not in (metric or []):
        raise UserError("--comet has no effect without --metric comet")
    if suite is not None:
        raise UserError("--suite translates: give a recipe or run folder, too")
    if not hyp or not ref:
        raise UserError("evaluate: give a recipe or run folder, or both --hyp FILE and --ref FILE")

    from seq2seq.data.lines import read_lines
    from seq2seq.evaluation.metrics import DEFAULT_METRICS, bleu_tokenizer, score
    from seq2seq.evaluation.quotable import doubts
    from seq2seq.evaluation.report import print_scores
    from seq2seq.languages import is_code, is_known

    if not is_code(language):
        raise UserError(f"--language {language}: must be a language code such as en or pt_BR")
    if not is_known(language):
        tokenizer = bleu_tokenizer(language)
        print(f"note: --language {language}: the CLDR names no such language; BLEU by {tokenizer}", file=sys.stderr)
    (references, *more), names = [list(read_lines(path, pipe=True)) for path in ref], [str(path) for path in hyp]
    metrics = metric or DEFAULT_METRICS
    for doubt in doubts(references, metrics, language):
        print(f"warning: {doubt}", file=sys.stderr)
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UserError(f"--hyp {twice}: given twice; name each file once")
    sources = None if src is None else list(read_lines(src, pipe=True))
    options = bootstrap, lowercase, more, sources, comet
    scores = {
        name: score(list(read_lines(path, pipe=True)), references, metrics, language, *options)
        for name, path in zip(names, hyp, strict=True)
    }
    if as_json:
        found = {name: [asdict(s) for s in of_file] for name, of_file in scores.items()}
        print(json.dumps(found[names[0]] if len(names) == 1 else found, indent=2))
    else:
        print_scores(scores, Console())
    _fail_under(scores, fail_under or [])


def _fail_under(scores: Mapping[str, Sequence[Score]], limits: Sequence[str]) -> None:
    """Exit code 1, and which scores are to blame on stderr, where one is worse than its limit."""
    from seq2seq.evaluation.quotable import failures

    failed = [f"{name}: {fault}" for name, of_set in scores.items() for fault in failures(of_set, limits)]
    if failed:
        print("\n".join(failed), file=sys.stderr)
        raise typer.Exit(1)
