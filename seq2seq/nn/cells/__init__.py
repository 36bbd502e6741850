"""The recurrent cells: one step each, written as its equation."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from seq2seq import recipe
from seq2seq.errors import UserError
from seq2seq.nn.cells.base import Cell, Mask, State
from seq2seq.nn.cells.elementwise import ElementwiseCell, MinGruCell, MinLstmCell, SruCell, SsruCell
from seq2seq.nn.cells.gru import ResetAfterGru, ResetBeforeGru, TransitionGruCell
from seq2seq.nn.cells.lstm import LstmCell
from seq2seq.nn.cells.simple import SimpleCell

__all__ = ["Cell", "ElementwiseCell", "LstmCell", "Mask", "State", "TransitionGruCell", "custom_class", "make_cell"]


def make_cell(config: recipe.AnyCell, input_size: int, hidden_size: int, context_size: int = 0) -> Cell:
    """The cell that a recipe names.

    Args:
        context_size: size of the context that a deep-transition GRU looks for between its steps; 0: it does not.

    Raises:
        UserError: there is no such class of the user's, or it does not take its options.
    """
    if isinstance(config, recipe.CustomCellConfig):
        return _make_custom(config, input_size, hidden_size)
    if isinstance(config, recipe.GruConfig):
        form = ResetAfterGru if config.reset == "after" else ResetBeforeGru
        return form(config, input_size, hidden_size)
    if isinstance(config, recipe.TransitionGruConfig):
        return TransitionGruCell(config, input_size, hidden_size, context_size)
    classes: dict[type, Callable[..., Cell]] = {
        recipe.RnnConfig: SimpleCell, recipe.LstmConfig: LstmCell, recipe.SruConfig: SruCell,
        recipe.SsruConfig: SsruCell, recipe.MinGruConfig: MinGruCell, recipe.MinLstmConfig: MinLstmCell,
    }  # fmt: skip
    return classes[type(config)](config, input_size, hidden_size)


def custom_class(kind: str) -> type[Cell]:
    """The user's class that `module:Class` names.

    Raises:
        UserError: the module cannot be imported, or has no such cell.
    """
    module_name, _, class_name = kind.partition(":")
    sys.path.insert(0, str(Path.cwd()))  # the user's own file, beside the recipe's runs
    try:
        found: Any = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:  # whatever the user's code raises
        raise UserError(
            f"cell {kind}: importing {module_name} failed: {type(error).__name__}: {error}; "
            "run the command in the folder that holds the module, or install it"
        ) from error
    finally:
        sys.path.pop(0)
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise UserError(f"cell {kind}: {module_name} has no class {class_name} that is a seq2seq.nn.cells.Cell")
    return found


def _make_custom(config: recipe.CustomCellConfig, input_size: int, hidden_size: int) -> Cell:
    """Made, and tried out for a step: whatever the user's code raises is told here, with its line."""
    own = custom_class(config.kind)
    try:
        cell = own(config, input_size, hidden_size, **config.options)  # type: ignore[arg-type]
        _try_out(cell)
    except Exception as error:
        file = inspect.getfile(own)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        place = f"{Path(file).name}:{lines[-1]}" if lines else "its `options` in the recipe"
        raise UserError(f"cell {config.kind}, {place}: {type(error).__name__}: {error}") from error
    return cell


@torch.no_grad()
def _try_out(cell: Cell) -> None:
    x = torch.zeros(2, cell.input_size)
    state = cell.zero_state(x, 2)
    following = cell.step(cell.project(x), state)
    shapes = [tuple(part.shape) for part in following] if isinstance(following, tuple) else type(following).__name__
    expected = [tuple(part.shape) for part in state]
    if shapes != expected:
        raise ValueError(f"`step` must return a state, a tuple of tensors {expected} for 2 rows; it gives {shapes}")
    if not all(part.is_meta or bool(part.isfinite().all()) for part in following):  # meta: sizes without numbers
        raise ValueError("`step` gives numbers that are not finite, from inputs and a state of zeros")
