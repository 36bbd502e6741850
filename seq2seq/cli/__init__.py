"""The command line: parse, call, print. stdin to stdout, all else to stderr.

Exit codes: 0 done, 2 the user's error, 1 ours, 130 after Ctrl-C. Commands import what they need
when they run: torch alone takes a second.
"""

# The order of the help:
# isort: off
from seq2seq.cli import init, import_recipe, run, sweep, train, translate, serve, score, selftest, export, push  # noqa: F401
from seq2seq.cli import evaluate, compare, runs, verify, analyze, analyze_search, analyze_attention  # noqa: F401
from seq2seq.cli import analyze_states  # noqa: F401

# isort: on
from seq2seq.cli.app import app


def main() -> None:
    """The entry point."""
    app()
