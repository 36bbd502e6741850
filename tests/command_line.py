"""Running commands in this process: fast, with exit code, stdout and stderr."""

import contextlib
import io
from dataclasses import dataclass

from seq2seq.cli import app


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def seq2seq(*arguments: str) -> Result:
    """`seq2seq ARGUMENTS`"""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


def refused(result: Result, *words: str) -> None:
    """Exit code 2, nothing on stdout, a message with these words and no traceback."""
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.startswith("error: ") and "Traceback" not in result.err
    for word in words:
        assert word in result.err, result.err
