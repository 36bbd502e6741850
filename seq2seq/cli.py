"""The command line: parse, call, print. stdin to stdout, all else to stderr.

Exit codes: 0 done, 2 something for the user to mend, 1 our mistake, 130 after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from seq2seq import __version__
from seq2seq.errors import MissingFile, UserError

if TYPE_CHECKING:
    from seq2seq.pipeline import Stage
    from seq2seq.recipe import Recipe
    from seq2seq.stages import Runner

# Commands import what they need when they run: torch alone takes a second.

app = typer.Typer(
    name="seq2seq",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

analyze = typer.Typer(help="Look inside recurrent cells.", no_args_is_help=True)
app.add_typer(analyze, name="analyze")

RecipeFile = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's YAML file, or a run folder.")]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Recipe keys to set, as in training.max_epochs=3.")
]
Force = Annotated[bool, typer.Option("--force", help="Run everything anew, replacing what the run folder holds.")]
Device = Annotated[str, typer.Option("--device", help="auto (a GPU if there is one), cpu, cuda, cuda:1.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads. Without it: all cores.")]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"seq2seq {__version__}")
        raise typer.Exit


@app.callback()
def seq2seq(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Recurrent machine translation from one YAML recipe."""


FIRST_SPEAKS = 10.0
"""Seconds that torchrun's other processes leave the first one to tell a mistake: their end makes torchrun end it."""


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """A command that ends with the right exit code, and without a traceback for the user's errors."""

    speaks = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun has started

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except UserError as error:
            if speaks or error.every_process:
                print(f"error: {error}", file=sys.stderr)
            else:
                time.sleep(FIRST_SPEAKS)
            sys.exit(2)
        except KeyboardInterrupt:
            if speaks:
                print("stopped; all finished work is saved, the same command goes on from there", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:  # the reader has gone, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return call


@app.command()
@guarded
def run(
    recipe: RecipeFile,
    settings: Settings = None,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Carry out a recipe, stage by stage; after an interruption the same command goes on."""
    _run_until("report", recipe, settings, force, device, threads)


@app.command()
@guarded
def prepare(
    recipe: RecipeFile, settings: Settings = None, force: Force = False, device: Device = "cpu", threads: Threads = None
) -> None:
    """Read and clean the data, train the tokenizer."""
    _run_until("prepare", recipe, settings, force, device, threads)


@app.command()
@guarded
def train(
    recipe: RecipeFile,
    settings: Settings = None,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the model (and prepare the data where that is due)."""
    _run_until("train", recipe, settings, force, device, threads)


@app.command()
@guarded
def report(
    recipe: RecipeFile,
    settings: Settings = None,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the report (and whatever has to run before)."""
    _run_until("report", recipe, settings, force, device, threads)


@app.command()
@guarded
def plan(recipe: RecipeFile, settings: Settings = None) -> None:
    """Say which stages would run, and why."""
    from seq2seq.pipeline import Pipeline

    with _naming_variables(recipe):
        verdicts = Pipeline(_load(recipe, settings)).plan()
    for verdict in verdicts:
        print(f"{verdict.stage:<10} {'runs:' if verdict.reasons else 'fresh'} {'; '.join(verdict.reasons)}".rstrip())


@app.command()
@guarded
def validate(recipe: RecipeFile, settings: Settings = None) -> None:
    """Check a recipe, and read its data files to the end (a data set of a hub is not fetched)."""
    from seq2seq.pipeline import inputs_of, read_sources

    loaded = _load(recipe, settings)
    with _naming_variables(recipe):
        inputs_of(loaded)
    read_sources(loaded)
    print(f"{recipe}: a valid recipe ({loaded.name}, {loaded.data.src}-{loaded.data.tgt})")


@app.command()
@guarded
def schema() -> None:
    """Print the recipe's JSON Schema, with which editors complete and check recipes."""
    from seq2seq.recipe import Recipe

    print(
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}, indent=2)
    )


@app.command()
@guarded
def translate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|RECIPE", help="A run folder or model folder, to translate stdin; or a recipe's YAML file."
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="With a RECIPE only: recipe keys to set.")
    ] = None,
    format: Annotated[str, typer.Option(help="With a RUN: text, or jsonl with scores and n-best.")] = "text",
    n_best: Annotated[int, typer.Option(min=1, help="With a RUN: translations a line (jsonl).")] = 1,
    beam_size: Annotated[
        int | None, typer.Option(min=1, help="With a RUN: hypotheses; without it as in the recipe; 1 is greedy.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="With a RUN: sentences translated together.")] = 32,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """With a trained RUN, translate stdin to stdout, line by line; with a RECIPE, its test sets into its run folder."""
    if run.endswith((".yaml", ".yml")):
        _without_effect(
            {"--format": format != "text", "--n-best": n_best != 1, "--batch-size": batch_size != 32}
            | {"--beam-size": beam_size is not None},
            "set decoding.beam_size=N, or name its run folder to translate stdin",
        )
        _run_until("translate", run, settings, False, device, threads)
        return
    if settings:
        raise UserError(
            f"{settings[0]}: {run} is not a recipe's YAML file but a trained model, whose recipe is settled; "
            "use the options --beam-size, --n-best, --format, --batch-size"
        )
    if format not in ("text", "jsonl"):
        raise UserError(f"--format {format}: must be text or jsonl")
    if format == "text" and n_best > 1:
        raise UserError("--n-best has no effect on text, which is one line a line; add --format jsonl")

    from seq2seq.decoding.streams import lines_of, write_jsonl, write_text

    translator = _translator(run, beam_size, n_best, batch_size, device, threads)
    write = write_text if format == "text" else write_jsonl
    for chunk in lines_of(sys.stdin.buffer):
        for translation in translator.translate(chunk, n_best):
            write(translation, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@app.command()
@guarded
def evaluate(
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="A recipe or run folder.")] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="With a RECIPE only: recipe keys to set.")
    ] = None,
    hyp: Annotated[Path | None, typer.Option(help="Any system's output, one sentence a line.")] = None,
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
        _without_effect(
            {"--language": language != "en", "--metric": bool(metric), "--bootstrap": bootstrap != 1000},
            "set data.tgt, evaluation.metrics or evaluation.bootstrap",
        )
        _run_until("evaluate", recipe, settings, False, device, threads, as_json)
        return
    if hyp is None or ref is None:
        raise UserError("evaluate: give a recipe or run folder, or both --hyp FILE and --ref FILE")

    from seq2seq.data.corpus import read_lines
    from seq2seq.data.languages import is_code, is_known
    from seq2seq.evaluation.metrics import METRICS, bleu_tokenizer, score, to_dict
    from seq2seq.evaluation.report import print_scores

    if not is_code(language):
        raise UserError(f"--language {language}: must be a language code such as en or pt_BR")
    if not is_known(language):
        tokenizer = bleu_tokenizer(language)
        print(f"note: --language {language}: the CLDR names no such language; BLEU by {tokenizer}", file=sys.stderr)
    scores = score(list(read_lines(hyp)), list(read_lines(ref)), metric or METRICS, language, bootstrap)
    if as_json:
        print(json.dumps([to_dict(s) for s in scores], indent=2))
    else:
        print_scores({hyp.name: scores}, Console())


@app.command()
@guarded
def average(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with its checkpoints.")],
    output: Annotated[Path, typer.Option(help="New folder for the model.")],
    last: Annotated[int | None, typer.Option(min=1, help="Average the newest N checkpoints.")] = None,
    best: Annotated[
        int | None, typer.Option(min=1, help="Average the N best, by the recipe's validation score.")
    ] = None,
) -> None:
    """Make one model of several checkpoints: the mean of their weights."""
    from seq2seq.training.averaging import save_average

    if (last is None) == (best is None):
        raise UserError("average: give --last N or --best N")
    used = save_average(Path(run), output, last, best)
    print(f"{output}: the mean of steps {', '.join(map(str, used))}")
    print(f"translate: echo '...' | seq2seq translate {output}")


@app.command()
@guarded
def tensorboard(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder; its training may be going on.")],
) -> None:
    """Write the log's curves for TensorBoard, into RUN/tensorboard."""
    from seq2seq.evaluation.tensorboard import write_events
    from seq2seq.run_folder import RunFolder

    folder = Path(run) / "tensorboard"
    count = write_events(RunFolder(Path(run)).log, folder)
    print(f"{count} records; look at them: tensorboard --logdir {folder}")


@app.command("verify-resume")
@guarded
def verify_resume(
    recipe: RecipeFile,
    settings: Settings = None,
    kills: Annotated[int, typer.Option(min=1, help="How often the training is killed.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the moments at which it is.")] = 1,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train straight and interrupted; compare every weight and log record. Keep it short: training.max_steps=100."""
    import tempfile

    from seq2seq.training import verification

    _load(recipe, settings)
    with tempfile.TemporaryDirectory() as folder:
        options = ["--device", device, *(["--threads", str(threads)] if threads else [])]
        found = verification.verify_resume([recipe, *(settings or []), *options], Path(folder), kills, seed)
    if found.differences:
        print("\n".join(found.differences[:20]))
        raise SystemExit(f"not the same: {len(found.differences)} differences")
    print(f"the same bits: {found.weights} weight tensors, {found.records} log records, {kills} interruptions")


@analyze.command()
@guarded
def gradients(
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="A cell as in a recipe: gru, '{kind: gru, reset: before}'. May be given again. Default: six."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for gradients.json and gradients.svg.")] = Path("analysis"),
    steps: Annotated[int, typer.Option(min=1, help="Updates of each training.")] = 400,
    hidden_size: Annotated[int, typer.Option(min=1, help="Numbers of a state.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """How gradients fade or grow through time in each cell, and over how many words it can recall one."""
    from seq2seq.analysis import gradient_flow
    from seq2seq.analysis.plots import gradient_figure
    from seq2seq.machine import set_up
    from seq2seq.recipe_file import read_cell
    from seq2seq.run_folder import write_json, write_text

    set_up("cpu", threads)
    settings = gradient_flow.Settings(hidden_size=hidden_size, steps=steps, seed=seed)
    cells = cell or gradient_flow.DEFAULT_CELLS
    for text in cells:
        read_cell(text, f"--cell {text}")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name a folder that can be made") from None
    study = gradient_flow.study(cells, settings, lambda done: print(gradient_flow.summary(done), flush=True))
    write_json(output / "gradients.json", study)
    write_text(output / "gradients.svg", gradient_figure(study))
    print(f"written: {output / 'gradients.json'}, {output / 'gradients.svg'}")


def _without_effect(given: dict[str, bool], mend: str) -> None:
    """Refuse the options that a recipe decides."""
    for option, is_given in given.items():
        if is_given:
            raise UserError(f"{option} has no effect on a recipe; {mend}")


def _load(recipe: str, settings: list[str] | None) -> Recipe:
    """A recipe from its file, or from the run folder that it left."""
    from seq2seq.recipe_file import load_recipe

    if not Path(recipe).is_dir():
        return load_recipe(recipe, settings or [])
    if not (Path(recipe) / "recipe.yaml").exists():
        raise UserError(f"{recipe}: not a run folder (it has no recipe.yaml)")
    return load_recipe(
        Path(recipe) / "recipe.yaml", [f"output_dir={json.dumps(recipe, ensure_ascii=False)}", *(settings or [])]
    )


@contextlib.contextmanager
def _naming_variables(recipe: str) -> Iterator[None]:
    """Where data is missing, name the variables by which the recipe would have looked elsewhere."""
    from seq2seq.recipe_file import variables_left_to_default

    try:
        yield
    except MissingFile as error:
        mends = [f"{name}=folder seq2seq ..." for name in variables_left_to_default(Path(recipe))]
        raise UserError("; set what the recipe reads from the environment: ".join([str(error), *mends])) from None


def _run_until(
    stage: Stage,
    recipe: str,
    settings: list[str] | None,
    force: bool,
    device: str,
    threads: int | None,
    as_json: bool = False,
) -> None:
    loaded = _load(recipe, settings)
    from seq2seq.machine import set_up
    from seq2seq.pipeline import Pipeline
    from seq2seq.stages import Runner
    from seq2seq.training.distributed import Processes

    processes = Processes.join(set_up(device, threads))
    with _naming_variables(recipe):
        runner = Runner(Pipeline(loaded, force), processes)
    ran = runner.run(stage)
    if not processes.first:
        return
    if as_json:
        print(json.dumps({name: [asdict(s) for s in scores] for name, scores in runner.scores().items()}, indent=2))
        return
    if not ran:
        print(f"nothing to do: all of {loaded.output_dir} is fresh")
    _say_results(stage, runner)


def _say_results(stage: Stage, runner: Runner) -> None:
    """The scores, and what the user can do next."""
    from seq2seq.evaluation.report import print_scores

    folder = runner.pipeline.folder
    if stage in ("translate", "evaluate", "report") and not runner.pipeline.recipe.data.test:
        print("no test sets: name some in data.test, and they are translated and scored")
    elif stage == "translate":
        print(f"translations: {folder.translations}")
    elif stage in ("evaluate", "report"):
        print_scores(runner.scores(), Console())
    if stage == "evaluate":
        print(f"scores:    {folder.report / 'scores.json'}")
    if stage == "report":
        print(f"report:    {folder.report / 'report.html'}")
    if stage in ("train", "report"):
        print(f"translate: echo '...' | seq2seq translate {folder.root}")


def _translator(run: str, beam_size: int | None, n_best: int, batch_size: int, device: str, threads: int | None) -> Any:
    from seq2seq.bundle import load_bundle
    from seq2seq.decoding.translator import Translator
    from seq2seq.machine import set_up

    loaded = load_bundle(run, set_up(device, threads))
    settings = loaded.config.decoding
    if beam_size is not None:
        settings = settings.model_copy(update={"beam_size": beam_size})
    if n_best > settings.beam_size:
        raise UserError(f"--n-best {n_best}: the beam holds {settings.beam_size}; add --beam-size {n_best}")
    return Translator(loaded, settings, batch_size)


def main() -> None:
    """The entry point."""
    app()
