"""The stages of a recipe: what each depends on, which are fresh, why the others are not, and running those."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import itertools
import json
import platform
import resource
import shlex
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from seq2seq import __version__
from seq2seq.data.alignment import read_aligned
from seq2seq.data.lines import hash_of
from seq2seq.data.sources import sources_of
from seq2seq.errors import UserError
from seq2seq.files import file_hash, write_json, write_text
from seq2seq.recipe import CustomCellConfig, FilesSourceConfig, Recipe
from seq2seq.recipe.file import dump_recipe
from seq2seq.run_folder import RunFolder

Stage = Literal["prepare", "train", "translate", "evaluate", "report"]
STAGES: tuple[Stage, ...] = ("prepare", "train", "translate", "evaluate", "report")

CODE_VERSIONS: dict[Stage, int] = {"prepare": 1, "train": 3, "translate": 1, "evaluate": 2, "report": 1}
"""Raised when a stage's results change, so that older ones are made anew."""

Inputs = dict[str, str]


@dataclass(frozen=True)
class Verdict:
    """Whether a stage has to run, and why."""

    stage: Stage
    reasons: list[str]
    """Empty where it is fresh."""


class _Finished(BaseModel):
    """What the manifest says of a stage that has ended well."""

    inputs: Inputs
    outputs: dict[str, int | None]
    """Files and folders, from the run folder, with their bytes."""
    finished: str
    seconds: float
    peak_memory_mib: int
    versions: dict[str, str]
    machine: str
    command: str


class _Manifest(BaseModel):
    """What manifest.json holds."""

    name: str
    stages: dict[Stage, _Finished]


def inputs_of(recipe: Recipe) -> dict[Stage, Inputs]:
    """By stage, all that its results depend on: recipe keys, contents of data files, the stage before.

    Paths are not among them: data that has moved is the same data.
    """
    data = recipe.data
    prepare = flatten("data.filter", data.filter) | flatten("tokenizer", recipe.tokenizer)
    prepare |= {"data.src": data.src, "data.tgt": data.tgt}
    for source in sources_of(data):
        noted = "data.train.0" if source.key == "data.train" else source.key  # whether it stands alone changes nothing
        prepare |= {f"{noted} ({label})": value for label, value in source.fingerprint().items()}
    train = flatten("model", recipe.model) | flatten("training", recipe.training)
    train = {
        key: value for key, value in train.items() if not key.startswith(("training.checkpoints", "training.log_every"))
    }
    train |= {
        f"model.{side}.cell (code)": code_hash(config.cell.kind)
        for side, config in (("encoder", recipe.model.encoder), ("decoder", recipe.model.decoder))
        if isinstance(config.cell, CustomCellConfig)
    }
    for side in ("src", "tgt"):
        key = f"model.embedding.{side}_vectors"
        path = getattr(recipe.model.embedding, f"{side}_vectors")
        if path is not None:
            train[key] = hash_of(Path(path), key)
    train["seed"] = str(recipe.seed)
    train |= {f"data.train.{i}.weight": str(source.weight) for i, source in enumerate(data.train)}
    own: dict[Stage, Inputs] = {
        "prepare": prepare,
        "train": train,
        "translate": flatten("decoding", recipe.decoding),
        "evaluate": flatten("evaluation", recipe.evaluation),
        "report": {"name": recipe.name},
    }
    for i, stage in enumerate(STAGES):
        own[stage]["code version"] = str(CODE_VERSIONS[stage])
        if i > 0:
            own[stage][f"stage {STAGES[i - 1]}"] = digest(own[STAGES[i - 1]])
    return own


def read_sources(recipe: Recipe) -> None:
    """Read all data, as `prepare` will: every line of files, the first of built-in phrases, nothing of a hub.

    Raises:
        UserError: some of it is missing, damaged or not parallel.
    """
    for source in sources_of(recipe.data):
        pairs: Iterator[Any] = source.pairs()
        if isinstance(source.config, FilesSourceConfig) and source.config.alignments is not None:
            pairs = read_aligned(pairs, Path(source.config.alignments), source.key)
        deque(itertools.islice(pairs, source.preview), maxlen=0)


def flatten(key: str, config: BaseModel) -> Inputs:
    """A section as dotted keys and JSON values."""
    result: Inputs = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{prefix}.{name}", inner)
        else:
            result[prefix] = json.dumps(value, ensure_ascii=False)

    walk(key, config.model_dump())
    return result


def code_hash(kind: str) -> str:
    """Of the file that a cell of the user's own stands in: a changed cell is another model."""
    from seq2seq.nn.cells import custom_class  # noqa: PLC0415  (imports torch, which few recipes need here)

    return file_hash(Path(inspect.getfile(custom_class(kind))))


def digest(inputs: Inputs) -> str:
    """One short word for all inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


class Pipeline:
    """A recipe and its run folder.

    Args:
        force: take what the folder holds as not there.

    Raises:
        UserError: the folder is something else's; data cannot be read.
    """

    def __init__(self, recipe: Recipe, force: bool = False) -> None:
        self.recipe, self.force = recipe, force
        self.folder = RunFolder(Path(recipe.output_dir))
        self.manifest = self._read_manifest(force)
        self.inputs = inputs_of(recipe)

    def plan(self, until: Stage = "report") -> list[Verdict]:
        """Each stage up to `until`, in order."""
        verdicts: list[Verdict] = []
        for stage in STAGES[: STAGES.index(until) + 1]:
            verdicts.append(Verdict(stage, self._reasons(stage, [v.stage for v in verdicts if v.reasons])))
        return verdicts

    def start(self) -> None:
        """Note in the folder which recipe it belongs to."""
        if self.force:
            shutil.rmtree(self.folder.checkpoints, ignore_errors=True)
        write_json(self.folder.manifest, self.manifest)
        write_text(self.folder.recipe, dump_recipe(self.recipe))

    def run(self, stage: Stage, work: Callable[[], list[Path]], device: str) -> None:
        """Do a stage's work; once it has ended well, note what it was made from, with what and when.

        Args:
            work: returns the files and folders that it made.
        """
        if self.manifest["stages"].pop(stage, None) is not None:
            write_json(self.folder.manifest, self.manifest)
        started = time.perf_counter()
        outputs = work()
        self.manifest["stages"][stage] = {
            "inputs": self.inputs[stage],
            "outputs": {str(path.relative_to(self.folder.root)): _size(path) for path in outputs},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - started, 1),
            "peak_memory_mib": peak_memory(),
            "versions": _versions(),
            "machine": f"{platform.machine()}, {platform.system()}, {device}",
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        }
        write_json(self.folder.manifest, self.manifest)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out of this run folder while the block lasts."""
        root = self.folder.root
        with contextlib.ExitStack() as stack:
            try:
                root.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(open(root / ".lock", "w"))
            except OSError as error:
                mend = "name a folder that can be made and written to"
                raise UserError(f"output_dir: {root}: {error.strerror}; {mend}") from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{root}: another seq2seq is at work on this run folder; wait for it") from None
            yield

    def _reasons(self, stage: Stage, stale: list[Stage]) -> list[str]:
        before = self.manifest["stages"].get(stage)
        if before is None:
            return [self._interrupted() if stage == "train" and "prepare" not in stale else "has not run yet"]
        reasons = []
        now, then = self.inputs[stage], before["inputs"]
        for key in sorted(now.keys() | then.keys()):
            if now.get(key) != then.get(key) and not key.startswith("stage "):
                name = key.replace("data.train.0", self.recipe.data.train_key(0), 1)
                reasons.append(f"{name} {_shown(then.get(key))} -> {_shown(now.get(key))}")
        missing = [name for name, size in before["outputs"].items() if _size(self.folder.root / name) != size]
        reasons += [f"{name} is missing or was changed" for name in missing]
        previous = STAGES[STAGES.index(stage) - 1] if stage != STAGES[0] else None
        key = f"stage {previous}"
        if previous is not None and now[key] != then.get(key):
            reasons.append(f"{previous} runs anew" if previous in stale else f"{previous} has run anew")
        return reasons

    def _interrupted(self) -> str:
        """Whether a training that has not ended can go on."""
        for path in reversed(self.folder.checkpoint_states()):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                saved = json.loads(path.read_text(encoding="utf-8"))
                if saved["identity"] == digest(self.inputs["train"]):
                    return f"was interrupted, goes on from step {saved['state']['step']}"
        return "has not run yet"

    def _read_manifest(self, force: bool) -> dict[str, Any]:
        new: dict[str, Any] = {"name": self.recipe.name, "stages": {}}
        root, path = self.folder.root, self.folder.manifest
        if root.exists() and not root.is_dir():
            raise UserError(f"output_dir: {root} is a file; name a folder")
        if force:
            return new
        if not path.exists():
            if root.exists() and any(not entry.name.startswith(".") for entry in root.iterdir()):
                raise UserError(f"output_dir: {root} exists and is not a run folder; name another, or add --force")
            return new
        try:
            manifest = _Manifest.model_validate_json(path.read_bytes())
        except ValidationError:
            raise UserError(f"{path}: damaged; add --force to run everything anew") from None
        if manifest.name != self.recipe.name:
            raise UserError(
                f"output_dir: {root} belongs to the recipe {manifest.name!r}, not to {self.recipe.name!r}; "
                "name another output_dir, or add --force to replace that run"
            )
        return manifest.model_dump()


def peak_memory() -> int:
    """The most memory this process has had so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def _size(path: Path) -> int | None:
    """Bytes of a file, or of all files in a folder; None where there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else None


def _shown(value: str | None) -> str:
    """Short for a line of `plan`: hashes are cut."""
    if value is None:
        return "(none)"
    return f"{value[:8]}..." if len(value) == 64 and " " not in value else value


def _versions() -> dict[str, str]:
    names = ("torch", "tokenizers", "datasets", "sacrebleu", "babel")
    return {"seq2seq": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}
