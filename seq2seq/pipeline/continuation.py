"""Whether a training that is due continues the one in the run folder, begins there, or would discard it."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from seq2seq.pipeline.manifest import Inputs, Manifest, digest
from seq2seq.run_folder import RunFolder

TRAIN = "train"
LIMITS = ("training.max_epochs", "training.max_steps", "training.budget", "training.early_stopping.patience")
"""Keys that say how long to train. A training whose limits are raised is the same training, continued."""


def identity(train: Inputs) -> str:
    """Of a training, whatever its limits: it continues from checkpoints of its own identity alone."""
    return digest({key: value for key, value in train.items() if key not in LIMITS})


def newest_step(folder: RunFolder, train: Inputs) -> int | None:
    """The step that a training would continue from; None: it would begin."""
    for path in reversed(folder.checkpoint_states()):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            saved = json.loads(path.read_text(encoding="utf-8"))
            if saved["identity"] == identity(train):
                return int(saved["state"]["step"])
    return None


def raised(key: str, then: str | None, now: str | None) -> bool:
    """Whether a limit is higher than it was, or gone."""
    return key in LIMITS and _limit(now) > _limit(then)


def conflicts(folder: RunFolder, manifest: Manifest, inputs: dict[str, Inputs]) -> list[str]:
    """The stages and keys by which the training of the run folder is another one than the recipe's.

    Empty where there is none, where it is the same, and where the recipe only raises its limits.
    """
    now, then = inputs[TRAIN], manifest.inputs_of(TRAIN)
    if then is None:
        foreign = folder.checkpoint_states() and newest_step(folder, now) is None
        return ["its checkpoints are of another training"] if foreign else []
    changed = [key for key in sorted(now.keys() | then.keys()) if (now.get(key) or "null") != (then.get(key) or "null")]
    found: list[str] = []
    for key in changed:
        if key.startswith("stage "):
            stage = key.removeprefix("stage ")
            before = manifest.inputs_of(stage) or {}
            found += differences(before, inputs[stage]) or [f"{stage} was another one"]
        elif not raised(key, then.get(key), now.get(key)):
            found += differences({key: then.get(key, "")}, {key: now.get(key, "")})
    return found


def differences(then: Inputs, now: Inputs) -> list[str]:
    """What has changed, as `key old -> new`; the stages needed have their own differences."""
    return [
        f"{key} {_shown(then.get(key))} -> {_shown(now.get(key))}"
        for key in sorted(now.keys() | then.keys())
        if (now.get(key) or "null") != (then.get(key) or "null") and not key.startswith("stage ")
    ]


def discarded(folder: RunFolder) -> str:
    """What a training from scratch would discard: the model with its scores, the checkpoints; empty: nothing."""
    parts = []
    if (folder.model / "model.safetensors").exists():
        scores: list[str] = []
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            stored = json.loads(folder.scores.read_text(encoding="utf-8"))
            for name, entries in stored.items():
                scores += [f"{entry['metric']} {entry['value']:.2f} on {name}" for entry in entries[:1]]
        parts.append(f"a finished model ({', '.join(scores) or 'not scored yet'})")
    steps = [int(path.parent.name.removeprefix("step-")) for path in folder.checkpoint_states()]
    if steps:
        parts.append(f"checkpoints of {steps[-1]:,} steps")
    return " and ".join(parts)


def obstacle(folder: RunFolder, manifest: Manifest, inputs: dict[str, Inputs]) -> str | None:
    """Why the recipe's training must not begin in this folder without being forced; None: it may."""
    changes, loss = conflicts(folder, manifest, inputs), discarded(folder)
    if not changes or not loss:
        return None
    shown = "; ".join(changes[:5]) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else "")
    return (
        f"{folder.root}: {shown}: that is another training, which would begin from scratch and discard {loss}; "
        f"keep them with another output_dir ({_free_name(folder.root)}), or discard them with --force"
    )


def _limit(value: str | None) -> float:
    """A limit as a number that grows with it."""
    found = json.loads(value or "null")
    if isinstance(found, str):
        return float(found[:-1]) * {"s": 1, "m": 60, "h": 3600}[found[-1]]
    return math.inf if found is None else float(found)


def _shown(value: str | None) -> str:
    """Short for a line of `plan`: hashes are cut."""
    if not value:
        return "(none)"
    return f"{value[:8]}..." if len(value) == 64 and " " not in value else value


def _free_name(root: Path) -> str:
    number = 2
    while root.with_name(f"{root.name}-{number}").exists():
        number += 1
    return f"output_dir={root.with_name(f'{root.name}-{number}')}"
