"""The command `analyze search`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.analyze import Limit, analyze, chosen, pairs_of
from seq2seq.cli.app import Device, Threads, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.analysis.search import Study
    from seq2seq.recipe import DecodingConfig

PENALTIES = ["none", "average", "{kind: wu, alpha: 0.6}", "{kind: wu, alpha: 1.0}", "{kind: wu, alpha: 1.4}"]


@analyze.command()
@guarded
def search(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Keys of `decoding` to search with.")
    ] = None,
    beams: Annotated[str, typer.Option(help="Beam sizes to try.")] = "1,2,5,10,20,50",
    length_penalty: Annotated[
        list[str] | None,
        typer.Option(help="One to try, as in a recipe: none, '{kind: wu, alpha: 0.6}'; repeatable. Default: five."),
    ] = None,
    limit: Limit = 200,
    output: Annotated[
        Path | None, typer.Option(help="Folder for search.json and search.svg. Without it: RUN/analysis.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what is suggested into the run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Search error or model error? Beams and length penalties on the validation set; suggests settings."""
    if apply and settings:
        raise UserError("--apply writes what suits the run's own settings; it has no effect with KEY=VALUE")
    from seq2seq.analysis import search as analysis
    from seq2seq.analysis.search_figure import search_figure
    from seq2seq.bundle import load_bundle
    from seq2seq.console import say
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.pipeline.applied import apply_decoding
    from seq2seq.recipe.file import override_decoding
    from seq2seq.run_folder import RunFolder

    folder = RunFolder(Path(run))
    loaded = load_bundle(run, set_up(device, threads))
    own = override_decoding(loaded.config.decoding, settings or [])
    analysis.check(own)
    configs = analysis.settings(own, _variants(own, beams, length_penalty or PENALTIES))
    sources, targets = pairs_of(folder)
    rows = chosen(sources, targets, limit)
    texts = [sources[i] for i in rows], [targets[i] for i in rows]
    found = analysis.study(loaded, *texts, configs, own, say)
    target = output or folder.analysis
    write_json(target / "search.json", found.as_dict())
    write_text(target / "search.svg", search_figure(found))
    if as_json:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        _print(found)
        print(f"written: {target / 'search.json'}, {target / 'search.svg'}")
    if apply:
        for line in apply_decoding(folder, configs[found.suggested]):
            say(line)


def _variants(own: DecodingConfig, beams: str, penalties: list[str]) -> list[DecodingConfig]:
    """Each beam with each penalty; greedy search, which compares nothing, once."""
    from seq2seq.recipe.file import override_decoding

    found = []
    for beam in beams.split(","):
        if not beam.strip().isdecimal():
            raise UserError(f"--beams {beams}: must be whole numbers with commas between, as in 1,5,10")
        for penalty in penalties if int(beam) != 1 else ["none"]:
            keys = [f"decoding.beam_size={int(beam)}", f"decoding.length_penalty={penalty}"]
            found.append(override_decoding(own, keys))
    return found


def _print(found: Study) -> None:
    """A row for each setting, and what they say together."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    titles = ("beam", "penalty", "BLEU", "chrF", "length", "ref higher", "better", "seconds", "")
    for i, title in enumerate(titles):
        table.add_column(title, justify="left" if i in (1, 8) else "right")
    for i, one in enumerate(found.outcomes):
        marks = {"now": found.now, "best": found.best, "take": found.suggested}
        table.add_row(
            f"{one.beam_size}", one.penalty, f"{one.bleu:.2f}", f"{one.chrf:.2f}", f"{one.length_ratio:.3f}",
            f"{one.reference_higher:.1%}", f"{one.better_known:.1%}", f"{one.seconds:.1f}",
            " ".join(mark for mark, place in marks.items() if place == i),
        )  # fmt: skip
    Console().print(table)
    now, take, best = found.outcomes[found.now], found.outcomes[found.suggested], found.outcomes[found.best]
    print(f"\n{found.sentences:,} validation sentences; search and model errors are told on {found.told:,} of them")
    print(f"as now, beam {now.beam_size}, {now.penalty}:")
    print(f"  search errors  {now.reference_higher:6.1%}  the model scores the reference higher than what was found")
    print(f"                 {now.better_known:6.1%}  the reference or what another setting found")
    print(f"  model errors   {now.own_higher:6.1%}  it scores its own translation higher than another reference")
    print(f"                 {now.empty_higher:6.1%}  the empty translation higher than what was found")
    print(f"best BLEU: {best.bleu:.2f} (beam {best.beam_size}, {best.penalty})")
    print(f"suggested: decoding.beam_size={take.beam_size} decoding.length_penalty={_as_setting(take.length_penalty)}")
    print("the smallest beam within one standard error of the best BLEU, and of its chrF (paired bootstrap)")


def _as_setting(penalty: dict[str, object]) -> str:
    """As it is typed on a command line."""
    if len(penalty) == 1:
        return str(penalty["kind"])
    return "'{" + ", ".join(f"{key}: {value}" for key, value in penalty.items()) + "}'"
