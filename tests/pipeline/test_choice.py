"""What a search tries next: within its space, better than chance, and the same after an interruption."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.pipeline.sweep.choice import Space, Tried, check_optuna, next_values
from seq2seq.recipe.sweep import RangeConfig

pytest.importorskip("optuna", reason="needs the extra [optuna]")

CELLS: list[Any] = ["gru", {"kind": "gru", "reset": "before"}, "lstm"]
SPACE: Space = {
    "rate": RangeConfig(low=1e-4, high=1.0, log=True),
    "size": RangeConfig(low=16, high=128, step=16),
    "dropout": RangeConfig(low=0.0, high=0.5, step=0.1),
    "layers": RangeConfig(low=1, high=4),
    "cell": CELLS,
}


def loss(values: dict[str, Any]) -> float:
    """Least at a learning rate of 0.01, size 96, and the second cell."""
    off = abs(values["rate"] - 0.01) / 0.01 + abs(values["size"] - 96) / 32
    return off + 2 * (values["cell"] != CELLS[1])


def searched(count: int, seed: int, tried: list[Tried] | None = None, lower: bool = True) -> list[Tried]:
    tried = list(tried or [])
    while len(tried) < count:
        values = next_values(SPACE, tried, len(tried) + 1, seed, lower)
        tried.append(Tried(values, loss(values) if lower else -loss(values)))
    return tried


def test_values_lie_in_the_space() -> None:
    for values in (one.values for one in searched(15, 1)):
        assert list(values) == list(SPACE) and values["cell"] in CELLS
        assert 1e-4 <= values["rate"] <= 1.0 and float(f"{values['rate']:.4g}") == values["rate"]
        assert values["size"] in range(16, 129, 16) and isinstance(values["size"], int)
        assert values["dropout"] in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5) and values["layers"] in (1, 2, 3, 4)


@pytest.mark.parametrize("lower", [True, False])
def test_it_finds_what_is_good(lower: bool) -> None:
    """The last ten of forty are better than the first ten, which are drawn without knowing anything."""
    tried = [loss(dict(one.values)) for one in searched(40, 3, lower=lower)]
    assert sum(tried[-10:]) < 0.3 * sum(tried[:10])


def test_an_interrupted_search_goes_on_as_it_would_have() -> None:
    whole = searched(16, 5)
    assert searched(16, 5, whole[:12]) == whole and searched(2, 6)[0] != whole[0]


def test_what_is_still_running_is_not_tried_twice() -> None:
    tried = searched(12, 1)
    running = next_values(SPACE, tried, 13, 1, True)
    other = next_values(SPACE, [*tried, Tried(running, None)], 13, 1, True)
    assert other != running


def test_values_of_another_space_are_left_out() -> None:
    strange = [{"rate": 5.0}, {"cell": "sru", "rate": 0.1, "size": 16, "dropout": 0.0, "layers": 1}, {}]
    assert next_values(SPACE, [Tried(one, 1.0) for one in strange], 1, 1, True) == next_values(SPACE, [], 1, 1, True)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'seq2seq\[optuna\]'"):
        check_optuna()
