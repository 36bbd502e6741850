"""A sweep's grid: values, labels, files, and every fault of every row at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import UserError
from seq2seq.pipeline.sweep.grid import read_sweep, rows_of, split_values, write_sweep
from seq2seq.recipe import GruConfig, LstmConfig
from tests.command_line import refused, seq2seq


def labels(recipe: Path, *settings: str, **more: object) -> list[str]:
    return [row.label for row in rows_of(read_sweep(recipe, settings, more))]


def test_values_are_split_at_commas_outside_of_brackets() -> None:
    assert split_values("rnn,gru") == ["rnn", "gru"]
    assert split_values("[bleu,chrf],[ter]") == ["[bleu,chrf]", "[ter]"]
    assert split_values('{kind: gru, reset: before},lstm,"a,b"') == ["{kind: gru, reset: before}", "lstm", '"a,b"']


@given(st.lists(st.text("abc,[]{}\"'", min_size=1)))
def test_splitting_loses_nothing(parts: list[str]) -> None:
    text = ",".join(parts)
    assert ",".join(split_values(text)) == text


def test_every_combination_has_a_row_with_a_short_label_and_a_folder(recipe: Path, tmp_path: Path) -> None:
    keys = ("model.encoder.cell+model.decoder.cell=gru,lstm", "model.encoder.layers=1,2", "model.decoder.layers=1,2")
    config = read_sweep(recipe, (*keys, "training.max_steps=7"), {"seeds": 3, "output_dir": str(tmp_path / "s")})
    rows = rows_of(config)
    assert len(rows) == 8
    assert rows[0].label == "cell=gru encoder.layers=1 decoder.layers=1"
    assert rows[-1].label == "cell=lstm encoder.layers=2 decoder.layers=2"
    last = rows[-1].recipe
    assert isinstance(last.model.encoder.cell, LstmConfig) and isinstance(last.model.decoder.cell, LstmConfig)
    assert isinstance(rows[0].recipe.model.decoder.cell, GruConfig)
    assert (last.model.encoder.layers, last.training.max_steps, last.seeds) == (2, 7, [1, 2, 3])
    assert len({row.recipe.output_dir for row in rows}) == 8
    assert all(Path(row.recipe.output_dir).parent == tmp_path / "s" for row in rows)


def test_a_sweep_in_a_file_is_that_of_the_command_line(recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / "cells.yaml"
    file.write_text(f"recipe: {recipe}\ngrid:\n  model.decoder.cell: [gru, {{kind: gru, reset: before}}]\nseeds: [4]\n")
    config = read_sweep(file, (), {})
    rows = rows_of(config)
    assert [row.label for row in rows] == ["cell=gru", "cell={kind:gru,reset:before}"]
    assert rows[1].recipe.seed == 4 and rows[1].recipe.seeds is None
    assert Path(rows[1].recipe.output_dir) == Path("sweeps/cells/cell-kind-gru-reset-before")
    (tmp_path / "sweep.yaml").write_text(write_sweep(config, Path(config.output_dir)))
    assert rows_of(read_sweep(tmp_path, (), {})) == rows  # from the sweep's folder
    assert [row.label for row in rows_of(read_sweep(file, ["model.decoder.cell=lstm,rnn"], {}))] == [
        "cell=lstm", "cell=rnn",
    ]  # fmt: skip


def test_all_faults_of_all_rows_are_told_at_once(recipe: Path, tmp_path: Path) -> None:
    grid = ("model.decoder.cell=gru,gro", "model.decoder.layers=1,0", "training.max_stepps=3")
    done = seq2seq("sweep", str(recipe), *grid, "--output", str(tmp_path / "s"))
    refused(done, "gro", "model.decoder.layers", "max_stepps", "did you mean `max_steps`", "(cell=gro layers=1")
    assert "and 1 more" in done.err and not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        (["seed=1,2"], {}, "grid.seed: a sweep sets this itself; use `seeds`"),
        (["output_dir=a,b"], {}, "grid.output_dir: a sweep sets this itself"),
        (["model.decoder.cell=gru,gru"], {}, "a value is named twice"),
        (["model.encoder.layers=1,2", "model.decoder.cell+model.encoder.layers=1,2"], {}, "is named twice"),
        (["model.encoder.hidden_size=8,16"], {"match": "parameters"}, "has no effect with match: parameters"),
        (["model.encoder.layers=" + ",".join(map(str, range(1, 40))), "seed.x"], {}, "have the form"),
        ([f"model.{side}.layers=" + ",".join(map(str, range(1, 40))) for side in ("encoder", "decoder")], {}, "1,521"),
        ([], {"match": "time"}, "match"),
    ],
)
def test_grids_that_make_no_sense(recipe: Path, settings: list[str], more: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        read_sweep(recipe, settings, more)


def test_a_folder_of_something_else_is_left_alone(recipe: Path) -> None:
    refused(seq2seq("sweep", str(recipe), "--output", str(recipe.parent)), "is not a sweep's folder")
    refused(seq2seq("sweep", str(recipe.parent)), "neither a sweep's folder nor a file")
