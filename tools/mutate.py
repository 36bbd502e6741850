"""Break the code in small ways and see whether its tests notice: mutation testing (DeMillo et al. 1978).

    python tools/mutate.py mutants.jsonl --count 300 --jobs 2 nn decoding training

draws mutants of these packages, runs for each the tests of the package that tell of the mutated module (fail-fast, in a
process forked from one that has loaded torch) on a copy of the project, and writes a line for each: where, what, and
whether it died. Those that a file holds already are not run again; `--again` runs its survivors again.
"""

import argparse
import ast
import contextlib
import copy
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("seq2seq", "tests", "tools", "recipes", "docs")
BELOW, LOADED = ("seq2seq/recipe", "seq2seq/data", "seq2seq/files"), ("seq2seq.recipe.file", "seq2seq.data.preparation")
"""What is slow to load and loads nothing of the floors above: loaded once, where it is not to be broken."""
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.USub: ast.UAdd, ast.BitAnd: ast.BitOr, ast.Invert: ast.UAdd,
}  # fmt: skip
"""Operators, and what stands in their place."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str
    line: int
    number: int
    """Which of the file's changes, in the order of `changes`."""
    before: str
    after: str


def swapped(node: ast.AST) -> Iterator[ast.AST]:
    """The node with another operator, condition, constant or nothing in its place."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
        yield _with(node, ops=[SWAPS[type(node.ops[0])]()])
    if isinstance(node, ast.BoolOp | ast.BinOp | ast.AugAssign | ast.UnaryOp) and type(node.op) in SWAPS:
        yield _with(node, op=SWAPS[type(node.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield _with(node, value=not node.value if isinstance(node.value, bool) else node.value + 1)
    if isinstance(node, ast.Return) and node.value is not None:
        yield _with(node, value=ast.Constant(None))
    if isinstance(node, ast.AugAssign | ast.Assign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class Change(ast.NodeTransformer):
    """Makes the change of a number; without one it only counts them, and keeps what each is."""

    def __init__(self, wanted: int | None = None) -> None:
        self.wanted, self.found = wanted, list[tuple[int, str, str]]()

    def visit(self, node: ast.AST) -> ast.AST:
        for other in swapped(node):
            number = len(self.found)
            self.found.append(
                (getattr(node, "lineno", 0), ast.unparse(node), ast.unparse(ast.fix_missing_locations(other)))
            )
            if number == self.wanted:
                return ast.copy_location(other, node)
        skipped = {"annotation", "returns", "decorator_list"}
        for name, value in ast.iter_fields(node):
            if name in skipped or (isinstance(node, ast.Raise) and name == "exc"):
                continue  # types and messages
            if isinstance(value, list):
                value[:] = [self.visit(each) if isinstance(each, ast.AST) else each for each in value]
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node


def mutants_of(path: Path) -> list[Mutant]:
    """All changes of a file."""
    change = Change()
    change.visit(ast.parse(path.read_text(encoding="utf-8")))
    name = str(path.relative_to(ROOT))
    return [Mutant(name, line, i, before, after) for i, (line, before, after) in enumerate(change.found)]


def mutated(mutant: Mutant) -> str:
    """The file's text with the change."""
    tree = Change(mutant.number).visit(ast.parse((ROOT / mutant.path).read_text(encoding="utf-8")))
    return ast.unparse(ast.fix_missing_locations(tree))


def tests_of(path: str) -> list[str]:
    """The package's tests that name the module, what it defines, or its folder; where none does, all of them.

    The mirror comes first, then the shorter ones.
    """
    package, *_ = Path(path).parts[1:]
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    module, mirror = Path(path).stem, f"test_{Path(path).stem}.py"
    if Path(path).parent.name != package:
        mirror = f"test_{Path(path).parent.name}.py"
    every = sorted(
        (ROOT / "tests" / package).glob("test_*.py"), key=lambda test: (test.name != mirror, test.stat().st_size)
    )

    def tells(test: Path) -> bool:
        text = test.read_text(encoding="utf-8")
        words = set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
        return test.name == mirror or f"{package}.{module}" in text or bool(names & words)

    chosen = [test for test in every if tells(test)]
    if not chosen:  # higher floors' tests may import it
        others = sorted((ROOT / "tests").rglob("test_*.py"), key=lambda test: test.stat().st_size)
        chosen = [test for test in others if f"{package}.{module}" in test.read_text(encoding="utf-8")]
    return [str(test.relative_to(ROOT)) for test in chosen or every]


def copy_project(folder: Path) -> Path:
    """A copy to break, its file times those of the project."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in [*ROOT.glob("*.toml"), *ROOT.glob("*.md")]:
        shutil.copy2(file, folder / file.name)
    return folder


def start(folder: Path, tests: list[str], limit: int) -> int:
    """Run tests in a fork, which leads a process group and ends after so many seconds of CPU time; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path[:] = [str(folder), *(p for p in sys.path if Path(p or ".").resolve() not in (ROOT, ROOT / "tools"))]
        said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        import pytest  # noqa: PLC0415 - loaded by the parent

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line", *tests]))
    finally:
        sys.stdout.flush()
        os._exit(code)


def end(child: int, limit: float) -> str:
    """`alive` where all tests passed, `dead`, or `late` where time ran out: so many seconds, or those of its CPU."""
    stop = time.monotonic() + limit
    code = None
    while code is None and time.monotonic() < stop:
        done, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and what the tests left behind
    if code is None:
        os.waitpid(child, 0)
    return {None: "late", -signal.SIGXCPU: "late", 0: "alive"}.get(code, "dead")


def judge(folder: Path, mutant: Mutant, limit: int, most: int) -> dict[str, object]:
    """The mutant, its fate, and the last that was said."""
    target, began = folder / mutant.path, time.monotonic()
    original = target.read_text(encoding="utf-8")
    target.write_text(mutated(mutant), encoding="utf-8")
    try:
        fate = end(start(folder, tests_of(mutant.path)[:most], limit), 5 * limit)
    finally:
        target.write_text(original, encoding="utf-8")
    failed = [
        line for line in (folder / "said.txt").read_text(errors="replace").splitlines() if line.startswith("FAILED")
    ]
    return asdict(mutant) | {"fate": fate, "seconds": round(time.monotonic() - began, 1), "by": failed[:1]}


def work(mine: list[Mutant], output: Path, limit: int, most: int) -> None:
    """Judge them one after another."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_project(Path(name))
        if not any(mutant.path.startswith(BELOW) for mutant in mine):
            sys.path.insert(0, str(folder))
            sys.modules.pop("seq2seq", None)
            for module in LOADED:
                __import__(module)
        for mutant in mine:
            line = json.dumps(judge(folder, mutant, limit, most), ensure_ascii=False) + "\n"
            with output.open("a", encoding="utf-8") as file:
                file.write(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the file of fates, a JSON object a line; added to")
    parser.add_argument("packages", nargs="+", help="of seq2seq, as `nn`, or their files")
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the draw")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    parser.add_argument(
        "--limit", type=int, default=120, help="CPU seconds of a mutant's tests; five times as many by the clock"
    )
    parser.add_argument("--files", type=int, default=4, help="test files of a mutant, at the most: its mirror first")
    parser.add_argument("--again", action="store_true", help="run the file's survivors again, and draw none")
    arguments = parser.parse_args()
    known = [json.loads(line) for line in arguments.output.open(encoding="utf-8")] if arguments.output.exists() else []
    if arguments.again:
        fields = Mutant.__dataclass_fields__
        drawn = [Mutant(**{key: one[key] for key in fields}) for one in known if one["fate"] == "alive"]
        arguments.output.unlink()
    else:
        paths = [ROOT / "seq2seq" / name for name in arguments.packages]
        files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py")))
        every = [mutant for file in files for mutant in mutants_of(file)]
        drawn = random.Random(arguments.seed).sample(every, min(arguments.count, len(every)))
        done = {(one["path"], one["number"]) for one in known}
        drawn = [mutant for mutant in drawn if (mutant.path, mutant.number) not in done]
        print(f"{len(every):,} mutants, {len(drawn)} to run", flush=True)
    for module in (
        "torch",
        "torch._dynamo",
        "pytest",
        "hypothesis",
        "beartype",
        "jaxtyping",
        "sacrebleu",
        "tokenizers",
    ):
        __import__(module)
    children = []
    for i in range(arguments.jobs):
        if not (child := os.fork()):
            work(drawn[i :: arguments.jobs], arguments.output, arguments.limit, arguments.files)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
