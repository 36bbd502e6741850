"""`seq2seq translate RUN --input FILE --output FILE`: documents, and resuming after an interruption."""

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.decoding.translator import Translator
from seq2seq.pipeline import Runner
from tests.command_line import Result, refused, seq2seq
from tests.toy import toy_recipe

PAGE = "<h1>one two</h1>\n<p>three <b>four</b> five</p><script>six</script>\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translating")
    Runner(toy_recipe(folder, "training.max_epochs=1")).run("train")
    return folder / "run"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGE)
    return path


def translate(run: Path, source: Path, *options: str) -> Result:
    return seq2seq("translate", str(run), "--input", str(source), "--output", str(source.parent / "out"), *options)


def test_a_page_is_translated(run: Path, source: Path) -> None:
    assert translate(run, source) == Result(0, "", "")
    result = (source.parent / "out").read_text()
    assert result.startswith("<h1>") and result.endswith("</p><script>six</script>\n") and "<b>" in result
    assert "one" not in result and sorted(path.name for path in source.parent.iterdir()) == ["out", "page.html"]
    refused(translate(run, source), "out: exists")
    assert translate(run, source, "--force", "decoding.beam_size=1").code == 0


def test_a_document_of_stdin_goes_to_stdout(run: Path) -> None:
    command = [sys.executable, "-m", "seq2seq", "translate", str(run), "--input-format", "html", "--threads", "1"]
    process = subprocess.run(command, input=PAGE, capture_output=True, text=True, check=True)
    assert process.stdout.startswith("<h1>") and process.stdout.endswith("</p><script>six</script>\n")
    assert process.stderr == ""


def test_what_goes_with_documents_and_what_does_not(run: Path, source: Path) -> None:
    table = source.parent / "a.csv"
    table.write_text("id,text\n1,one two\n2,three\n")
    assert translate(run, table, "--column", "text").code == 0
    first, *rows = (source.parent / "out").read_text().splitlines()
    assert first == "id,text" and [row[:2] for row in rows] == ["1,", "2,"] and "one" not in rows[0]
    refused(translate(run, table, "--force"), "a.csv: which column", "--column")
    refused(translate(run, table, "--force", "--column", "3"), "a.csv: line 1: 2 columns, but column 3")
    refused(translate(run, source, "--force", "--column", "1"), "--column has no effect but on csv, tsv and jsonl")
    refused(translate(run, source, "--force", "--format", "jsonl"), "--format has no effect on a document (.html)")
    refused(translate(run, source, "--force", "--buffer", "9"), "--buffer has no effect on a document")
    assert translate(run, source, "--force", "--input-format", "text", "--format", "jsonl").code == 0
    assert len((source.parent / "out").read_text().splitlines()) == 2


def test_an_interrupted_document_is_gone_on_with(run: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.cli.translating.LINES", 4)
    text = source.parent / "a.txt"
    text.write_text("".join(f"one two {word}\n\n" for word in "three four five six seven".split()))
    assert translate(run, text).code == 0
    straight = (source.parent / "out").read_bytes()
    interrupted(run, text, monkeypatch, "--force")
    left = [path for path in source.parent.iterdir() if path.name.startswith(".out.")]
    assert len(left) == 1 and (source.parent / "out").read_bytes() == straight
    seen = counted(monkeypatch)
    result = translate(run, text, "--force")
    assert "resuming after 4 translations" in result.err and len(seen) == 1
    assert (source.parent / "out").read_bytes() == straight and not left[0].exists()


@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_interrupted_lines_are_gone_on_with(
    run: Path, source: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr("seq2seq.cli.translating.LINES", 2)
    lines = source.parent / "a.en"
    lines.write_text("one\n\ntwo three\nfour\nfive six\n")
    options = ["--format", format]
    assert translate(run, lines, *options).code == 0
    straight = (source.parent / "out").read_bytes()
    interrupted(run, lines, monkeypatch, *options, "--force", after=2)
    seen = counted(monkeypatch)
    result = translate(run, lines, *options, "--force")
    assert "resuming after 4 translations" in result.err and seen == ["five six"]
    assert (source.parent / "out").read_bytes() == straight
    interrupted(run, lines, monkeypatch, *options, "--force", after=2)
    lines.write_text("six\n")
    assert translate(run, lines, *options, "--force").err == ""  # another input: from its start
    assert len((source.parent / "out").read_bytes().splitlines()) == 1


def interrupted(run: Path, source: Path, monkeypatch: pytest.MonkeyPatch, *options: str, after: int = 1) -> None:
    """A command that is stopped when so many chunks are translated."""
    own, calls = Translator.translate, []

    def stopped(self: Translator, lines: list[str], *args: object) -> object:
        calls.append(lines)
        if len(calls) > after:
            raise KeyboardInterrupt
        return own(self, lines, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Translator, "translate", stopped)
        assert translate(run, source, *options).code == 130


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are translated from now on."""
    own, seen = Translator.translate, list[str]()

    def counting(self: Translator, lines: list[str], *args: object) -> object:
        seen.extend(lines)
        return own(self, lines, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Translator, "translate", counting)
    return seen
