"""The order of the house: imports go down, never up or in a circle, and no file is too long to read at a sitting."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "seq2seq"
FLOORS = (
    "errors files languages device distributed console charts notebook run_folder hub recipe data nn decoding "
    "documents bundle runtime importers evaluation analysis export training pipeline api serving cli"
).split()
"""Packages and lone modules, from the ground up: each may import those before it."""
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
TESTS = sorted((ROOT.parent / "tests").rglob("*.py"))


def imports(path: Path, deep: bool) -> Iterator[str]:
    """The modules of seq2seq that a file imports: everywhere, or only what is run when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if deep else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


def floor(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", [name for name in MODULES if floor(name) not in ("", "__main__")])
def test_imports_go_down(module: str) -> None:
    own = FLOORS.index(floor(module))
    above = {name for name in imports(MODULES[module], deep=True) if floor(name) and FLOORS.index(floor(name)) > own}
    assert not above, f"{module} imports from a higher floor: {', '.join(sorted(above))}"


def test_no_circles() -> None:
    graph = {
        name: {other for other in imports(path, deep=False) if other != name and not name.startswith(f"{other}.")}
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", [*MODULES.values(), *TESTS], ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_a_file_is_read_at_a_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_names_of_test_files_are_apart() -> None:
    """pytest takes two of one name for one module."""
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
