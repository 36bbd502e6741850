"""What `translate` does with a trained run: lines to lines as they come, or a document to a document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from seq2seq import __version__
from seq2seq.console import progress, say
from seq2seq.decoding.inputs import parsed
from seq2seq.decoding.resume import Partial, signature
from seq2seq.decoding.streams import buffered, lines_of, note, opened
from seq2seq.decoding.translation import Translation
from seq2seq.decoding.translator import Translator
from seq2seq.documents.files import KINDS, TABLES, Kind, kind_of, read, read_found, write_found
from seq2seq.errors import UserError
from seq2seq.hub import located
from seq2seq.languages import has_spaces
from seq2seq.run_folder import folder_of_model

if TYPE_CHECKING:
    from seq2seq.recipe import DecodingConfig

LINES = 512
"""Of a file, or texts of a document, that are translated before any is written."""
FORMS = ("text", "tsv", "jsonl")
"""Lines of text, or of text and required phrases."""


@dataclass(frozen=True)
class Paths:
    """Where text comes from and where it goes; None: stdin, stdout."""

    input: Path | None
    output: Path | None
    models: list[Path]
    """What it is translated with: folders and files by which an interrupted output is known again."""

    def partial(self, *settings: object) -> Partial | None:
        """An output to resume; None: there is none, or its input can be read but once."""
        if self.output is None or self.input is None or not self.input.is_file():
            return None
        return Partial(self.output, signature([self.input, *self.models], *settings))


def files_of(runs: Sequence[str], config: DecodingConfig) -> list[Path]:
    """All that translations depend on beside settings: models, and a glossary."""
    others = [one.run for one in [config.language_model, *config.rescore] if one is not None]
    folders = [folder_of_model(located(run)) for run in [*runs, *others]]
    glossary = [Path(config.glossary)] if isinstance(config.glossary, str) else []
    return folders + glossary


def document_kind(input: Path | None, form: str | None, column: str | None) -> Kind | None:
    """The kind of document that is to be translated; None: lines.

    Args:
        form: --input-format.

    Raises:
        UserError: there is no such kind; a table's column is not named, or there is no table.
    """
    if form is not None and form not in (*FORMS, *KINDS):
        known = ", ".join(dict.fromkeys((*FORMS, *KINDS)))
        raise UserError(f"--input-format {form}: must be one of {known}")
    kind: Kind | None = next((one for one in KINDS if one == form), None)
    if form is None and input is not None:
        kind = kind_of(input)
    if column is not None and kind not in TABLES:
        raise UserError("--column has no effect but on csv, tsv and jsonl; name an --input of that kind, or its "
                        "--input-format")  # fmt: skip
    if kind in TABLES and column is None:
        if form is not None and form != "csv":
            return None
        raise UserError(f"{'--input-format' if input is None else input}: which column is to be translated? Add "
                        "--column with its number, from 0, or its name (of JSON lines the field), or --input-format "
                        "text to translate whole lines")  # fmt: skip
    return kind


def translate_lines(
    translator: Translator,
    paths: Paths,
    form: str,
    buffer: int | None,
    n_best: int,
    write: Callable[[Translation, BinaryIO], None],
) -> None:
    """A line for each line.

    Args:
        form: see `inputs.parsed`.
        buffer: lines that are waited for; None: those that have arrived, of a file `LINES`.
    """
    partial = paths.partial(__version__, translator.config, form, n_best, translator.align, write.__name__)
    with opened(paths.input) as source, _written(paths.output, partial) as (target, done):
        if source.isatty():
            print("type a line and Enter to translate it; end with Ctrl-D (--input FILE reads a file)", file=sys.stderr)
        from_file = paths.input is not None and paths.input.is_file()
        buffer = LINES if buffer is None and from_file else buffer
        chunks = lines_of(source) if buffer is None else buffered(lines_of(source), buffer)
        total = _count_lines(paths.input) if from_file and paths.input and paths.output else 0
        with progress("translating", total, done) if total else nullcontext(_unseen) as advance:
            for texts, phrases in parsed(chunks, form, done):
                for translation in translator.translate(texts, n_best, phrases):
                    write(translation, target)
                target.flush()
                advance(len(texts))


def translate_document(make: Callable[[bool], Translator], paths: Paths, kind: Kind, column: str | None) -> None:
    """All of a document's text, and a document as it was but for that.

    Args:
        make: a translator that aligns or not.
    """
    with opened(paths.input) as source:
        data = source.read()
    translator, placing = make(kind not in (*TABLES, "txt")), False
    if translator.align:
        languages = translator.bundle.config.src, translator.bundle.config.tgt
        placing = translator.aligns and all(map(has_spaces, languages))
        translator = translator if placing else make(False)
    try:
        document = read(data, kind, column, placing)
    except UserError as error:
        raise UserError(f"{paths.input or 'stdin'}: {error}") from None
    texts = document.texts
    partial = paths.partial(__version__, translator.config, kind, column)
    if partial is None:
        found = list(_translated(translator, texts))
    else:
        with partial.opened() as (stream, done), progress("translating", len(texts), done) as advance:
            _say_resumed(partial, done)
            for translation in _translated(translator, texts[done:]):
                write_found(translation, stream)
                stream.flush()
                advance(1)
        found = [read_found(text, line) for text, line in zip(texts, partial.lines(), strict=True)]
    written = document.render(found)
    with _written(paths.output, None) as (target, _):
        target.write(written)
    if partial is not None:
        partial.remove()


def _translated(translator: Translator, texts: Sequence[str]) -> Iterator[Translation]:
    for first in range(0, len(texts), LINES):
        for translation in translator.translate(texts[first : first + LINES]):
            note(translation)
            yield translation


@contextmanager
def _written(output: Path | None, partial: Partial | None) -> Iterator[tuple[BinaryIO, int]]:
    """Where translations go, and how many lines are there already; a file is in its place when all is written."""
    if output is None:
        yield sys.stdout.buffer, 0
        return
    if partial is None:
        partial = Partial(output, "new")
        partial.path.unlink(missing_ok=True)
    with partial.opened() as (stream, done):
        _say_resumed(partial, done)
        yield stream, done
    partial.finish()


def _say_resumed(partial: Partial, done: int) -> None:
    if done:
        say(f"{partial.target}: resuming after {done:,} translations that an interrupted command has left")


def _count_lines(path: Path) -> int:
    with open(path, "rb") as stream:
        return sum(data.count(b"\n") for data in iter(lambda: stream.read(1 << 20), b""))


def _unseen(count: int) -> None:
    """Nothing is shown where the number of lines is not known, or they are shown themselves."""
