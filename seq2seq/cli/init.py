"""The command `init`."""

from __future__ import annotations

import itertools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.app import app, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.data.corpus import Corpus, Section


@app.command()
@guarded
def init(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="The YAML file to write.")],
    src: Annotated[str | None, typer.Option(metavar="CODE", help="The source language's code: en.")] = None,
    tgt: Annotated[str | None, typer.Option(metavar="CODE", help="The target language's code: de.")] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="Parallel text: a pattern (train.{lang}), one of two files (train.en), a .tsv, .csv or .jsonl file, "
            "hub:NAME, or a folder that holds such files, also for validation and test; can be repeated.",
        ),
    ] = None,
    valid: Annotated[str | None, typer.Option(metavar="DATA", help="Validation data; else some is set aside.")] = None,
    test: Annotated[
        list[str] | None, typer.Option(metavar="DATA", help="A test set, can be repeated; else some is set aside.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Longest time of training: 20m, 1.5h; else epochs by size.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a RECIPE that exists.")] = False,
) -> None:
    """Write a commented recipe for your data, with settings known to be good for its size; asks for what is missing."""
    from seq2seq.files import write_text
    from seq2seq.languages import is_code
    from seq2seq.recipe.file import load_recipe
    from seq2seq.recipe.starter import starter_recipe

    if recipe.suffix not in (".yaml", ".yml"):
        raise UserError(f"{recipe}: a recipe's name ends in .yaml; name it so")
    if recipe.exists() and not force:
        raise UserError(f"{recipe}: exists; name another file, or add --force to replace it")
    src, tgt = (code or _ask(option, f"The {side} language's code") for code, option, side in
                ((src, "--src", "source"), (tgt, "--tgt", "target")))  # fmt: skip
    for option, code in (("--src", src), ("--tgt", tgt)):
        if not is_code(code):
            raise UserError(f"{option} {code[:40]}: no language's code; write en, de, pt_BR")
    train = train or [_ask("--train", "Parallel text: a folder, a pattern as train.{lang}, a file, or hub:NAME")]
    corpus = _gathered(train, valid, test or [], src, tgt)
    pairs = _completed(corpus, src, tgt, recipe)
    languages = (src, tgt)
    sections = [_beside(one, recipe) for one in corpus.train]
    tests = {name: _beside(one, recipe) for name, one in corpus.test.items()}
    assert corpus.valid is not None
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", recipe.stem)
    text = starter_recipe(name, languages, pairs, sections, _beside(corpus.valid, recipe), tests, budget)
    draft = recipe.with_name(f".{recipe.stem}.draft.yaml")
    write_text(draft, text)
    try:
        load_recipe(draft)
    except UserError as error:  # a budget that is none, say
        raise UserError(str(error).replace(str(draft), str(recipe))) from None
    finally:
        draft.unlink()
    write_text(recipe, text)
    print(f"{recipe}: look at it, change what you like, then: seq2seq run {recipe}")


def _gathered(train: list[str], valid: str | None, test: list[str], src: str, tgt: str) -> Corpus:
    """What the options name; folders may hold all of it."""
    from seq2seq.data.corpus import Corpus, corpus_in, source_of

    corpus = Corpus()
    for text in train:
        found = corpus_in(Path(text), src, tgt) if Path(text).is_dir() else Corpus([source_of(text, src, tgt)])
        corpus.train += found.train
        corpus.valid = corpus.valid or found.valid
        corpus.test |= found.test
    if valid is not None:
        corpus.valid = source_of(valid, src, tgt)
    if test:
        corpus.test = {f"test{i or ''}": source_of(text, src, tgt) for i, text in enumerate(test)}
    return corpus


def _completed(corpus: Corpus, src: str, tgt: str, recipe: Path) -> int | None:
    """Give a corpus what it lacks; returns how many pairs it trains with, where they are looked at."""
    from seq2seq.data.corpus import MOST_HELD_OUT, hold_out, write_pairs
    from seq2seq.data.inspection import Inspection
    from seq2seq.data.sources import sources_of
    from seq2seq.recipe.file import load_recipe

    if any("hub" in one for one in corpus.train):  # fetched when the recipe runs; its splits have their names
        corpus.valid = corpus.valid or corpus.train[0]
        corpus.test = corpus.test or {"test": corpus.train[0]}
        return None
    data = load_recipe(
        {"name": "read", "data": {"src": src, "tgt": tgt, "train": corpus.train, "valid": corpus.train[0]}}
    )
    inspections = [Inspection(source) for source in sources_of(data.data) if source.role == "train"]
    drawn = hold_out(
        itertools.chain.from_iterable(one.watch(one.source.pairs()) for one in inspections), 2 * MOST_HELD_OUT
    )
    for inspection in inspections:
        print(*inspection.lines(), sep="\n")
    pairs = sum(inspection.pairs for inspection in inspections)
    if corpus.valid is not None and corpus.test:
        return pairs
    count = min(MOST_HELD_OUT, pairs // 20)
    if count < 10:
        raise UserError(f"{pairs} pairs are too few to set some of them aside; name --valid and --test")
    some = drawn[:: len(drawn) // (2 * count)][: 2 * count]
    folder = recipe.parent / f"{recipe.stem}-held-out"
    if corpus.valid is None:
        corpus.valid = write_pairs(folder / "valid.{lang}", src, tgt, some[::2])
        print(f"{folder}/valid.{{lang}}: {count:,} pairs, set aside to validate with")
    if not corpus.test:
        corpus.test = {"test": write_pairs(folder / "test.{lang}", src, tgt, some[1::2])}
        print(f"{folder}/test.{{lang}}: {count:,} pairs, set aside to test with")
    return pairs


def _beside(section: Section, recipe: Path) -> Section:
    """A source with its path as it counts from a recipe's folder; one from the root stays."""
    return {
        key: os.path.relpath(value, recipe.parent)
        if key in ("files", "tsv", "csv", "jsonl") and not os.path.isabs(value)
        else value
        for key, value in section.items()
    }


def _ask(option: str, question: str) -> str:
    if not sys.stdin.isatty():
        raise UserError(f"{option} is needed where nobody can be asked; add it")
    return str(typer.prompt(question, err=True)).strip()
