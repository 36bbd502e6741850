"""Translations that the run folder holds are taken over whole, or not at all (whole runs: test_test_sets.py)."""

from pathlib import Path

import pytest

from seq2seq.pipeline.kept_translations import NOTED, KeptTranslations

INPUTS = {"decoding.beam_size": "5", "data.test.a (source text)": "1", "data.test.ab (source text)": "2"}
FILES = ["a.de", "start/a.de"]


def kept(folder: Path, **changed: str) -> KeptTranslations:
    (folder / "model.safetensors").write_text("weights")
    inputs = {key: changed.get(key.partition(" ")[0].replace(".", "_"), value) for key, value in INPUTS.items()}
    return KeptTranslations(inputs, folder, folder / "held")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that holds the translations of `a`; `new` is to be filled."""
    files = [tmp_path / "held" / file for file in FILES]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(str(file))
    before = kept(tmp_path)
    before.note("a", tmp_path / "held", files)
    before.write(tmp_path / "held")
    (tmp_path / "new").mkdir()
    return tmp_path


def test_all_files_of_a_test_set_are_taken(folder: Path) -> None:
    now = kept(folder, data_test_ab="3")
    assert now.take("a", folder / "new") and not now.take("ab", folder / "new")
    for file in FILES:
        assert (folder / "new" / file).read_text() == (folder / "held" / file).read_text()
    now.write(folder / "new")
    assert (folder / "new" / NOTED).read_text() == (folder / "held" / NOTED).read_text()


@pytest.mark.parametrize("changed", ["data_test_a", "decoding_beam_size"])
def test_what_was_made_from_other_inputs_is_not(folder: Path, changed: str) -> None:
    assert not kept(folder, **{changed: "other"}).take("a", folder / "new")


@pytest.mark.parametrize("name", [*FILES, NOTED])
@pytest.mark.parametrize("content", [None, "", "[]", '{"a": 1}', '{"a": {"made_from": "x", "files": 3}}'])
def test_what_is_lost_or_damaged_is_not(folder: Path, name: str, content: str | None) -> None:
    path = folder / "held" / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert not kept(folder).take("a", folder / "new")
    assert list((folder / "new").iterdir()) == []
