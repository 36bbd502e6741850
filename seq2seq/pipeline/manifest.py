"""manifest.json: by stage, what its results were made from, with what, when, and how large they are."""

from __future__ import annotations

import hashlib
import json
import platform
import resource
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ValidationError

from seq2seq import __version__
from seq2seq.errors import UserError
from seq2seq.files import file_hash, write_json

Inputs = dict[str, str]
"""What results depend on, by name: values of recipe keys, hashes of contents."""


class Finished(BaseModel):
    """What is noted of a stage that has ended well."""

    inputs: Inputs
    outputs: dict[str, int | None]
    """Files and folders, from the run folder, with their bytes."""
    hashes: dict[str, str] = {}
    """SHA-256 of each of their files."""
    finished: str
    seconds: float
    peak_memory_mib: int
    versions: dict[str, str]
    machine: str
    command: str

    @classmethod
    def now(cls, root: Path, inputs: Inputs, outputs: list[Path], seconds: float, device: str) -> Finished:
        """Of a stage that ends now, in this process."""
        return cls(
            inputs=inputs,
            outputs={str(path.relative_to(root)): size(path) for path in outputs},
            hashes={str(file.relative_to(root)): file_hash(file) for path in outputs for file in _files(path)},
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            peak_memory_mib=peak_memory(),
            versions=versions(),
            machine=f"{platform.machine()}, {platform.system()}, {device}",
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        )


class Manifest(BaseModel):
    """What manifest.json holds."""

    name: str
    """The recipe's."""
    stages: dict[str, Finished]
    """Those that have ended well."""
    begun: dict[str, Inputs] = {}
    """Of those that have not: what they were last begun with."""

    def inputs_of(self, stage: str) -> Inputs | None:
        """What the results of a stage in the folder are made from, whole or in part; None: there are none."""
        finished = self.stages.get(stage)
        return finished.inputs if finished is not None else self.begun.get(stage)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read manifest.json.

        Raises:
            UserError: it is damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError:
            raise UserError(f"{path}: damaged; add --force to run everything again") from None

    def write(self, path: Path) -> None:
        """Write manifest.json, whole."""
        write_json(path, self.model_dump())


def digest(inputs: Inputs) -> str:
    """One short word for all inputs."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def size(path: Path) -> int | None:
    """Bytes of a file, or of all files in a folder; None where there is none."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else None


def peak_memory() -> int:
    """The most memory this process has had so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def versions() -> dict[str, str]:
    """Of what results depend on, as installed here."""
    names = ("torch", "tokenizers", "datasets", "sacrebleu", "babel")
    return {"seq2seq": __version__, "python": platform.python_version(), **{name: version(name) for name in names}}
