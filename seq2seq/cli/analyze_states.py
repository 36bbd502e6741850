"""The command `analyze states`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.analyze import Limit, analyze, chosen, pairs_of
from seq2seq.cli.app import Device, Threads, guarded

if TYPE_CHECKING:
    from seq2seq.analysis.states import Study


@analyze.command()
@guarded
def states(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or a model folder with --src and --tgt.")],
    src: Annotated[Path | None, typer.Option(help="Sentences, one a line; without it the validation set.")] = None,
    tgt: Annotated[Path | None, typer.Option(help="Their translations, one a line.")] = None,
    limit: Limit = 200,
    output: Annotated[
        Path | None, typer.Option(help="Folder for states.json and states.svg. Without it: RUN/analysis.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """What the states of a RUN's model hold: gates, memory, units over a sentence, the states most like each other."""
    from seq2seq.analysis.states import study
    from seq2seq.analysis.states_figure import states_figure
    from seq2seq.bundle import load_bundle
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.run_folder import RunFolder

    folder = RunFolder(Path(run))
    loaded = load_bundle(run, set_up(device, threads))
    sources, targets = pairs_of(folder, src, tgt)
    rows = chosen(sources, targets, limit)
    found = study(loaded, [sources[i] for i in rows], [targets[i] for i in rows])
    where = output or folder.analysis
    write_json(where / "states.json", found.as_dict())
    write_text(where / "states.svg", states_figure(found))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return
    _print(found)
    print(f"written: {where / 'states.json'}, {where / 'states.svg'}")


def _print(found: Study) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table(box=None, pad_edge=False, header_style="bold")
    titles = ("", "gate", "mean", "< 0.1", "> 0.9", "memory, steps", "|h| > 0.9", "idle")
    for i, title in enumerate(titles):
        table.add_column(title, justify="left" if i < 2 else "right")
    for layer in found.layers:
        memory = "" if layer.memory is None else f"{layer.memory[2]:.1f} ({layer.memory[0]:.1f}-{layer.memory[4]:.1f})"
        own = [memory, f"{layer.saturated:.1%}", f"{layer.idle:.1%}"]
        gates = [[g.name, f"{g.mean:.2f}", f"{g.low:.1%}", f"{g.high:.1%}"] for g in layer.gates] or [
            ["none", "", "", ""]
        ]
        for i, gate in enumerate(gates):
            table.add_row(*([layer.name, *gate, *own] if i == 0 else ["", *gate]))
    console.print(table)
    print(f"\n{found.sentences:,} sentences; memory: steps until 1/e of a unit's state is left, the median (and the")
    print("first and last tenth); idle: units whose h stays within 0.01")
    for layer in [*(one for one in found.layers if one.name.startswith("encoder"))][-1:] + found.layers[-1:]:
        tokens = found.tgt_tokens if layer.name.startswith("decoder") else found.src_tokens
        near = Table("token", "most like it", "", box=None, pad_edge=False, header_style="bold", title=layer.name)
        for token, (first, *_) in zip(tokens, [of for of in layer.nearest if of], strict=False):
            near.add_row(Text(token), Text(f"{first.before} [{first.token}] {first.behind}"), f"{first.similarity:.2f}")
        console.print(near)
