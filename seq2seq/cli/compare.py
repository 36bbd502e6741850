"""The command `compare`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq.cli.app import app, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.evaluation.compare import Comparison, TestSet

FORMATS = ("table", "json", "csv", "latex")
Differences = list[tuple[str, list[str]]]


@app.command()
@guarded
def compare(
    systems: Annotated[
        list[str], typer.Argument(metavar="A B ...", help="Run folders; or with --ref, files of translations.")
    ],
    ref: Annotated[list[Path] | None, typer.Option(help="References of plain files; can be repeated.")] = None,
    src: Annotated[Path | None, typer.Option(help="With --ref: the sources, for scores by length and comet.")] = None,
    language: Annotated[str, typer.Option(help="With --ref: the target's, for sacreBLEU's tokenizer.")] = "en",
    metric: Annotated[
        list[str] | None, typer.Option(help="bleu, chrf, chrf++, ter, spbleu, spbleu101, comet; can be repeated.")
    ] = None,
    comet: Annotated[Path | None, typer.Option(help="With --metric comet: its model's folder.")] = None,
    test: Annotated[str, typer.Option(help="bs: paired bootstrap; ar: approximate randomization.")] = "bs",
    samples: Annotated[int, typer.Option(min=0, help="Resamples or trials. 0: 1,000 (bs), 10,000 (ar).")] = 0,
    lowercase: Annotated[bool, typer.Option(help="Ignore case.")] = False,
    format: Annotated[str, typer.Option(help="table, json, csv or latex (booktabs).")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write one HTML page here.")] = None,
) -> None:
    """Say whether systems differ from the first one, by sacreBLEU's paired significance tests, and where."""
    from seq2seq.evaluation.compare import compare as compare_on
    from seq2seq.evaluation.metrics import DEFAULT_METRICS
    from seq2seq.evaluation.page import compare_to_html
    from seq2seq.evaluation.quotable import doubts
    from seq2seq.files import write_text

    if format not in FORMATS:
        raise UserError(f"--format {format}: must be one of {', '.join(FORMATS)}")
    if test not in ("bs", "ar"):
        raise UserError(f"--test {test}: must be bs (paired bootstrap) or ar (approximate randomization)")
    if comet is not None and "comet" not in (metric or []):
        raise UserError("--comet has no effect without --metric comet")
    sets, different = _files(systems, ref, src, language) if ref else _runs(systems)
    metrics = metric or DEFAULT_METRICS
    for doubt in doubts(sets[0].references[0], metrics, sets[0].tgt):
        print(f"warning: {doubt}", file=sys.stderr)
    found = [compare_on(one, metrics, "bs" if test == "bs" else "ar", samples, lowercase, comet) for one in sets]
    if html is not None:
        write_text(html, compare_to_html(found, different))
        print(f"page: {html}", file=sys.stderr)
    _print(found, different, "json" if as_json else format)


def _print(found: Sequence[Comparison], different: Differences, format: str) -> None:
    from seq2seq.evaluation.compare import to_plain
    from seq2seq.evaluation.comparison_text import print_comparison, to_csv, to_latex

    if format == "json":
        print(json.dumps(to_plain(found, different), indent=2, ensure_ascii=False))
    elif format == "csv":
        print(to_csv(found), end="")
    elif format == "latex":
        print(to_latex(found), end="")
    else:
        for one in found:
            print_comparison(one, Console())
        for key, values in different:
            print(f"{key}: {' | '.join(value or '(none)' for value in values)}")


def _files(
    systems: Sequence[str], ref: Sequence[Path], src: Path | None, language: str
) -> tuple[list[TestSet], Differences]:
    """Plain outputs of any systems, as one test set named after the reference."""
    from seq2seq.data.lines import read_lines
    from seq2seq.evaluation.compare import TestSet

    sources = None if src is None else list(read_lines(src, pipe=True))
    lines = [(name, list(read_lines(Path(name), pipe=True))) for name in systems]
    references = [list(read_lines(path, pipe=True)) for path in ref]
    return [TestSet(ref[0].name, sources, references, lines, "en", language)], []


def _runs(systems: Sequence[str]) -> tuple[list[TestSet], Differences]:
    """Run folders: the test sets that all have translated, and what differs in how they were made."""
    from seq2seq.evaluation.compare import differences
    from seq2seq.pipeline.comparison import facts, read_run, read_test_sets
    from seq2seq.recipe.file import load_recipe

    for name in systems:
        if not Path(name).is_dir():
            raise UserError(f"{name}: no run folder; to compare files of translations, add --ref FILE")
    runs = [read_run(name, load_recipe(name)) for name in systems]
    sets = read_test_sets(runs)
    print("note: each run is one training with one random seed: another seed may tell otherwise", file=sys.stderr)
    return sets, differences({name: facts(folder) for name, _, folder in runs})
