"""What the documentation shows runs: every Python block, and every command's name and options."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from seq2seq.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"(?:^|`|&& |\| |\w=\S+ )(seq2seq [^`\n|&#<>]+)", re.M)


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(page.read_text(encoding="utf-8")) if name == language]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, Any] = {"__name__": "__main__"}
    for text in blocks(page, "python"):
        file = re.match(r"# (\w+\.py)\n", text)  # a block that begins with its file's name is that file
        if file:
            (tmp_path / file[1]).write_text(text, encoding="utf-8")
        exec(compile(text, f"{page.name}: {text[:40]!r}", "exec"), names)


def commands() -> list[tuple[str, str]]:
    """Each command line in a page: of shell blocks, and within sentences."""
    return sorted({(page.name, line.strip()) for page in PAGES for line in COMMAND.findall(page.read_text("utf-8"))})


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_exist_with_their_options(page: str, line: str) -> None:
    words = shlex.split(line.replace("...", "x"))[1:]
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{page}: {line}: no command {words[0]}"
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known | {"--help"}, f"{page}: {line}: no option {word}"
