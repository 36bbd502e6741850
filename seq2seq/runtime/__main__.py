"""`python -m seq2seq.runtime DIR`: stdin to stdout, one line for each line or a document, with an exported model."""

from __future__ import annotations

import argparse
import os
import sys

from seq2seq.decoding.streams import lines_of, write_jsonl, write_text
from seq2seq.documents.files import KINDS, TABLES, read
from seq2seq.errors import UserError
from seq2seq.languages import has_spaces
from seq2seq.runtime import Translator, load_exported
from seq2seq.runtime.folder import PRECISIONS


def translate_stdin(options: argparse.Namespace) -> None:
    """Translate lines as they arrive, or a document once all of it is there.

    Raises:
        UserError: the folder holds no such model, the beam not so many translations, or the document is damaged.
    """
    exported = load_exported(options.folder, options.precision, options.threads)
    config = exported.config.decoding
    config.beam_size = options.beam_size or config.beam_size
    if options.n_best > config.beam_size:
        raise UserError(
            f"--n-best {options.n_best}: the beam holds {config.beam_size}; add --beam-size {options.n_best}"
        )
    if options.input_format is not None:
        _translate_document(Translator(exported, batch_size=options.batch_size, align=True), options)
        return
    translator = Translator(exported, batch_size=options.batch_size)
    write = write_text if options.format == "text" else write_jsonl
    for lines in lines_of(sys.stdin.buffer):
        for translation in translator.translate(lines, options.n_best):
            write(translation, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _translate_document(translator: Translator, options: argparse.Namespace) -> None:
    config, kind = translator.bundle.config, options.input_format
    tags = kind not in (*TABLES, "txt") and all(map(has_spaces, (config.src, config.tgt)))
    translator.align = tags and translator.aligns
    document = read(sys.stdin.buffer.read(), kind, options.column, translator.align)
    sys.stdout.buffer.write(document.render(translator.translate(document.texts)))


def main(arguments: list[str] | None = None) -> None:
    """The entry point; exit codes as the command line's."""
    parser = argparse.ArgumentParser(
        prog="python -m seq2seq.runtime", description="Translate stdin to stdout with a folder of `seq2seq export`."
    )
    parser.add_argument("folder", metavar="DIR", help="what `seq2seq export` has written")
    parser.add_argument("--input-format", choices=KINDS, help="stdin is such a document; default: lines of text")
    parser.add_argument("--column", metavar="NAME", help="of csv and tsv, or its number from 0; of jsonl, the field")
    parser.add_argument("--format", choices=("text", "jsonl"), default="text", help="jsonl: with scores and n-best")
    parser.add_argument("--n-best", type=_positive, default=1, metavar="N", help="translations a line (jsonl)")
    parser.add_argument("--beam-size", type=_positive, metavar="N", help="hypotheses; 1 is greedy")
    parser.add_argument("--batch-size", type=_positive, default=32, metavar="N", help="sentences translated together")
    parser.add_argument("--precision", choices=PRECISIONS, help="default: fp32 where the folder has it")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads; default: all cores")
    options = parser.parse_args(arguments)
    if options.format == "text" and options.n_best > 1:
        parser.error("--n-best has no effect on text, which is one line a line; add --format jsonl")
    if options.input_format is not None and options.format != "text":
        parser.error("--format has no effect on a document, which stays one; remove it, or --input-format")
    if (options.column is None) == (options.input_format in TABLES):
        wanted = (
            "which column is to be translated? Add --column" if options.column is None else "--column has no effect"
        )
        parser.error(f"{wanted}: of csv, tsv and jsonl, one is translated")
    try:
        translate_stdin(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


if __name__ == "__main__":
    main()
