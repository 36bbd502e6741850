"""Results of one run that another, made from the same inputs, takes over instead of making them again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.files import new_folder
from seq2seq.pipeline.manifest import Finished, Manifest, size
from seq2seq.pipeline.runner import Runner
from seq2seq.run_folder import RunFolder

SHARED = ("prepare", "train")
"""The stages that take long; the second one's inputs hold the first one's."""


def share(runner: Runner, donors: Sequence[RunFolder], stages: tuple[str, ...] = SHARED) -> list[tuple[str, RunFolder]]:
    """Let a run have what others have made from the same inputs, and it has not: as hard links, which cost no room.

    Files of a run folder are replaced, never written into, so that a link stays what it is; the log alone, which
    grows, is copied. Without hard links on that file system, all are.

    Returns:
        what was taken over, and from whom.
    """
    taken: list[tuple[str, RunFolder]] = []
    mine = runner.manifest.stages
    if runner.obstacle() is not None:
        return taken
    for stage in stages:
        wanted = runner.inputs[stage]
        if stage in mine and mine[stage].inputs == wanted and _whole(runner.folder, mine[stage]):
            continue
        for donor in donors:
            finished = _finished(donor, stage)
            if donor.root != runner.folder.root and finished is not None and finished.inputs == wanted:
                runner.start()
                _take(stage, donor, runner.folder)
                mine[stage] = finished
                runner.manifest.begun.pop(stage, None)
                runner.manifest.write(runner.folder.manifest)
                taken.append((stage, donor))
                break
        else:
            break
    return taken


def _finished(folder: RunFolder, stage: str) -> Finished | None:
    """What a run's manifest says of a stage whose results are all there."""
    found = None
    with contextlib.suppress(OSError, UserError):
        found = Manifest.read(folder.manifest).stages.get(stage)
    return found if found is not None and _whole(folder, found) else None


def _whole(folder: RunFolder, finished: Finished) -> bool:
    return all(size(folder.root / name) == bytes for name, bytes in finished.outputs.items())


def _take(stage: str, donor: RunFolder, folder: RunFolder) -> None:
    source, target = (donor.data, folder.data) if stage == "prepare" else (donor.model, folder.model)
    with new_folder(target) as partial:
        for file in source.iterdir():
            _link(file, partial / file.name)
    if stage == "train":
        partial_log = folder.log.with_name(f".{folder.log.name}.partial")
        shutil.copyfile(donor.log, partial_log)
        partial_log.replace(folder.log)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
