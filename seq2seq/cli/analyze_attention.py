"""The command `analyze attention`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.analyze import Limit, analyze, chosen, pairs_of
from seq2seq.cli.app import Device, Threads, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.analysis.attention import Study


@analyze.command()
@guarded
def attention(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a model folder with --src and --tgt.")],
    src: Annotated[Path | None, typer.Option(help="Sentences, one a line; without it the validation set.")] = None,
    tgt: Annotated[Path | None, typer.Option(help="Their translations, one a line.")] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Their word alignments, a line a pair: 0-1 (sure), 0p1 or 0?1 (possible); gives error rates."
        ),
    ] = None,
    from_one: Annotated[bool, typer.Option("--from-one", help="With --gold: its words are counted from 1.")] = False,
    limit: Limit = 200,
    output: Annotated[
        Path | None, typer.Option(help="Folder for attention.json and attention.svg. Without it: RUN/analysis.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Where a RUN's model looks as it writes given translations: how sharply, what it leaves out, how well aligned."""
    if from_one and gold is None:
        raise UserError("--from-one has no effect without --gold")
    from seq2seq.analysis.attention import attention_figure, study
    from seq2seq.analysis.gold import read_gold
    from seq2seq.bundle import load_bundle
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.run_folder import RunFolder

    folder = RunFolder(Path(run))
    loaded = load_bundle(run, set_up(device, threads))
    sources, targets = pairs_of(folder, src, tgt)
    links = None if gold is None else read_gold(gold, sources, targets, from_one)
    rows = chosen(sources, targets, limit)
    found = study(loaded, [sources[i] for i in rows], [targets[i] for i in rows], links and [links[i] for i in rows])
    where = output or folder.analysis
    write_json(where / "attention.json", found.as_dict())
    write_text(where / "attention.svg", attention_figure(found))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
        return
    _print(found)
    print(f"written: {where / 'attention.json'}, {where / 'attention.svg'}")


def _print(found: Study) -> None:
    from rich.console import Console
    from rich.table import Table

    gold = found.heads[0].agreement is not None
    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = ["", "entropy", "tokens", "</s>", *(["error rate", "precision", "recall"] if gold else [])]
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i else "left")
    for head in found.heads:
        cells = [head.name, f"{head.entropy:.2f}", f"{head.words:.1f}", f"{head.end:.1%}"]
        if head.agreement is not None:
            one = head.agreement
            cells += [f"{one.error_rate:.1%}", f"{one.precision:.1%}", f"{one.recall:.1%}"]
        table.add_row(*cells)
    Console().print(table)
    print(f"\n{found.sentences:,} sentences; entropy in nats; tokens: as many as that entropy looks at;")
    print("</s>: what goes to the source's")
    print(f"coverage: {found.left_out:.1%} of the source tokens are left out (below 0.2), {found.repeated:.1%} are")
    print("looked at over and over (above 2)")
