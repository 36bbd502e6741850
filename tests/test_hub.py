"""Models by name, against a hub of our own: what is pushed is what is fetched, and faults are told plainly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import seq2seq as s2s
from seq2seq.errors import UserError
from seq2seq.hub import fetched, located
from seq2seq.pipeline import Runner
from tests.command_line import refused, seq2seq
from tests.fake_hub import FakeHub
from tests.toy import toy_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    Runner(toy_recipe(folder, "training.max_epochs=1")).run("train")
    return folder / "run"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # other tests begin offline
    monkeypatch.setenv("HF_TOKEN", fake.token)
    fetched.cache_clear()
    with fake.served() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield fake


def test_what_is_pushed_is_what_is_fetched(hub: FakeHub, run: Path, tmp_path: Path) -> None:
    pushed = seq2seq("push", str(run), "user/toy")
    assert pushed.code == 0, pushed.err
    commit = hub.branches["user/toy"]["main"]
    assert pushed.out.splitlines()[0] == f"hf:user/toy@{commit}"
    own = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    assert hub.files("user/toy", "main") == own
    text = tmp_path / "in.en"
    text.write_text("one two three\nfour five\n")
    outputs = []
    for name in (str(run), "hf:user/toy", f"hf:user/toy@{commit}"):
        options = ["--input", str(text), "--output", str(tmp_path / "out"), "--force"]
        result = seq2seq("translate", name, *options)
        assert result.code == 0, result.err
        assert (f"hf:user/toy@{commit}" in result.err) == (name == "hf:user/toy")
        outputs.append((tmp_path / "out").read_text())
    assert len(set(outputs)) == 1 and outputs[0].strip()
    pairs = ["--src", str(text), "--tgt", str(tmp_path / "out")]
    assert seq2seq("score", "hf:user/toy", *pairs).out == seq2seq("score", str(run), *pairs).out
    translator = s2s.Translator.load("hf:user/toy", device="cpu")
    assert translator.translate("one two three").text == outputs[0].splitlines()[0]


def test_what_lies_there_is_exported(hub: FakeHub, run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
    assert seq2seq("push", str(run), "user/toy").code == 0
    exported = str(tmp_path / "exported")
    result = seq2seq("export", "hf:user/toy", exported, "--formats", "onnx", "--json")
    assert result.code == 0, result.err
    told = {"folder": exported, "task": "translation", "formats": ["onnx"], "shortlist": False}
    assert json.loads(result.out) == told
    assert (tmp_path / "exported/config.json").exists()


def test_what_was_fetched_is_there_without_a_network(hub: FakeHub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seq2seq("push", str(run), "user/toy").code == 0
    folder = located("hf:user/toy")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    fetched.cache_clear()
    assert located("hf:user/toy") == folder
    with pytest.raises(UserError, match="hf:user/other: the hub cannot be reached"):
        located("hf:user/other")
    refused(seq2seq("push", str(run), "user/toy"), "hf:user/toy: ", "network")


def test_training_starts_from_a_model_by_name(hub: FakeHub, run: Path, tmp_path: Path) -> None:
    assert seq2seq("push", str(run), "user/toy").code == 0
    settings = ["tokenizer={kind: run, run: 'hf:user/toy'}", "training.start_from=hf:user/toy", "training.max_steps=1"]
    trained = seq2seq("train", str(run.parent / "recipe.yaml"), *settings, f"output_dir={tmp_path}/tuned")
    assert trained.code == 0, trained.err
    assert "starts from hf:user/toy (en-de): all its weights" in trained.err
    told = [line for line in trained.err.splitlines() if line.startswith("hf:user/toy@")]
    assert told == [f"hf:user/toy@{hub.branches['user/toy']['main']}"]


def test_another_model_in_its_place_leaves_nothing_of_it(hub: FakeHub, run: Path) -> None:
    assert seq2seq("push", str(run), "user/toy").code == 0
    files = hub.files("user/toy", "main") | {"step.onnx": b"old", "picture.png": b"kept"}
    hub.commit("user/toy", "main", files)
    pushed = json.loads(seq2seq("push", str(run), "user/toy", "--message", "again", "--json").out)
    assert pushed["model"] == f"hf:user/toy@{pushed['commit']}"
    assert hub.files("user/toy", "main").keys() == files.keys() - {"step.onnx"}


def test_branches_and_private_models(hub: FakeHub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed = seq2seq("push", str(run), "user/own", "--private", "--branch", "small")
    assert pushed.code == 0 and pushed.out.endswith("seq2seq translate hf:user/own@small\n")
    assert hub.private == {"user/own"} and not hub.files("user/own", "main")
    assert (located("hf:user/own@small") / "config.json").exists()
    with pytest.raises(UserError, match="hf:user/own: no model of seq2seq's"):
        located("hf:user/own")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    fetched.cache_clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "another"))
    with pytest.raises(UserError, match="hf:user/own@small: not there, or private"):
        located("hf:user/own@small")
    refused(seq2seq("push", str(run), "user/own"), "hf:user/own: ", "hf auth login")


def test_a_name_is_looked_up_once_until_something_is_pushed(hub: FakeHub, run: Path) -> None:
    assert seq2seq("push", str(run), "user/toy").code == 0
    first = located("hf:user/toy")
    hub.commit("user/toy", "main", hub.files("user/toy", "main") | {"README.md": b"newer"})
    asked = len(hub.requests)
    assert located("hf:user/toy") == located(Path("hf:user/toy")) == first and len(hub.requests) == asked
    assert seq2seq("push", str(run), "user/another").code == 0
    assert (located("hf:user/toy") / "README.md").read_bytes() == b"newer"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hf:toy", "write hf:USER/NAME"),
        ("hf:user/toy/more", "write hf:USER/NAME"),
        ("hf:user/none", "not there, or private"),
        ("hf:user/toy@none", "no such revision"),
    ],
)
def test_what_is_not_there_is_said(hub: FakeHub, run: Path, name: str, words: str) -> None:
    assert seq2seq("push", str(run), "user/toy").code == 0
    refused(seq2seq("translate", name, "--input", "/dev/null"), f"{name}: ", words)


def test_a_folder_never_asks_the_network(hub: FakeHub, run: Path, tmp_path: Path) -> None:
    s2s.Translator.load(run, device="cpu")
    refused(seq2seq("push", str(tmp_path), "user/toy"), "holds no model")
    refused(seq2seq("push", str(run), "toy"), "write USER/NAME")
    assert not hub.requests
