"""An exported folder translates as its run does, without torch; and what is wrong with it is said plainly."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.errors import UserError
from seq2seq.runtime import Translator, load_exported
from tests.command_line import seq2seq
from tests.toy import toy_recipe

onnx = pytest.importorskip("onnx", reason="needs the extra [onnx]")
SOURCE = "one two three\n\nfour five six seven  eight\nnine unseen\n" + "one " * 90 + "\n"


def stdin(text: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], check=False, input=text, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and what is exported of it (by a process of its own: a check of shapes would fix them in the graphs)."""
    base = tmp_path_factory.mktemp("exported")
    toy_recipe(base)
    assert seq2seq("train", str(base / "recipe.yaml"), "--device", "cpu").code == 0
    done = stdin("", "-m", "seq2seq", "export", str(base / "run"), str(base / "exported"))
    assert done.returncode == 0, done.stderr
    return base / "run", base / "exported"


def test_the_same_translations_scores_and_nbest_as_the_run(folders: tuple[Path, Path]) -> None:
    run, exported = folders
    for options in ([], ["--beam-size", "1"], ["--beam-size", "7", "--batch-size", "2", "--n-best", "3"]):
        jsonl = [*options, "--format", "jsonl"]
        expected = stdin(SOURCE, "-m", "seq2seq", "translate", str(run), *jsonl)
        for command in (["seq2seq.runtime", str(exported)], ["seq2seq", "translate", str(exported)]):
            found = stdin(SOURCE, "-m", *command, *jsonl)
            assert found.returncode == expected.returncode == 0, found.stderr
            assert len(found.stdout.splitlines()) == len(SOURCE.splitlines())
            for line, other in zip(found.stdout.splitlines(), expected.stdout.splitlines(), strict=True):
                ours, theirs = json.loads(line), json.loads(other)
                assert [c["text"] for c in ours["n_best"]] == [c["text"] for c in theirs["n_best"]]
                assert ours["log_probability"] == pytest.approx(theirs["log_probability"], abs=1e-4)
                assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("command", [["-m", "seq2seq.runtime"], ["-m", "seq2seq", "translate"]])
def test_torch_is_never_imported(folders: tuple[Path, Path], command: list[str]) -> None:
    done = stdin("one two\n", "-X", "importtime", *command, str(folders[1]))
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    heavy = {"torch", "datasets", "pyarrow", "sacrebleu", "onnx", "matplotlib"}
    heavy |= {"pydantic", "yaml", "typer", "rich"} if "seq2seq.runtime" in command else set()
    assert "onnxruntime" in imported and not imported & heavy


DOCUMENTS = {
    "html": "<html><body><p>one <b>two</b> three</p><!-- one --></body></html>\n",
    "md": "# one two\n\n- three `four`\n",
    "srt": "1\n00:00:01,000 --> 00:00:02,000\none two\n\n",
    "po": 'msgid "one two"\nmsgstr ""\n',
    "csv": "id,text\n1,one two\n",
    "jsonl": '{"id": 1, "text": "one two"}\n',
    "txt": "  one two\n\n",
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_are_translated_as_the_command_does(folders: tuple[Path, Path], kind: str) -> None:
    options = ["--input-format", kind, *(["--column", "text"] if kind in ("csv", "jsonl") else [])]
    commands = ["seq2seq.runtime", str(folders[1])], ["seq2seq", "translate", str(folders[1])]
    found, expected = (stdin(DOCUMENTS[kind], "-m", *command, *options) for command in commands)
    assert found.returncode == expected.returncode == 0, (found.stderr, expected.stderr)
    assert found.stdout == expected.stdout != DOCUMENTS[kind]


def test_documents_need_no_more_than_lines_do(folders: tuple[Path, Path]) -> None:
    options = "-m", "seq2seq.runtime", str(folders[1]), "--input-format"
    done = stdin(DOCUMENTS["html"], "-X", "importtime", *options, "html")
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "<b>" in done.stdout and not imported & {"torch", "pydantic", "yaml", "typer", "rich", "markdown_it"}
    for more, said in (
        (["csv"], "which column"), (["html", "--column", "x"], "--column has no effect"), (["pdf"], "invalid choice"),
        (["html", "--format", "jsonl"], "--format has no effect"), (["docx"], "no document of Word's"),
    ):  # fmt: skip
        done = stdin("no such file", *options, *more)
        assert done.returncode == 2 and said in done.stderr and not done.stdout and "Traceback" not in done.stderr


def test_a_search_leaves_all_logits_but_the_best_in_the_graph(folders: tuple[Path, Path]) -> None:
    code = """if True:
        import sys
        from seq2seq.runtime import Translator, load_exported
        from seq2seq.runtime.scorer import OnnxLogits
        exported = load_exported(sys.argv[1])
        exported.config.decoding.min_length.offset = 0  # it changes the first step's logits
        exported.config.decoding.max_length.offset = 1000  # and the limit the last one's
        OnnxLogits.values = property()  # cannot be read
        print(Translator(exported).translate(["one two three", "four"])[0].text)
        """  # in a process of its own: checks of types read all that a protocol names
    done = stdin("", "-c", code, str(folders[1]))
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_int8_translates_every_line(folders: tuple[Path, Path]) -> None:
    done = stdin(SOURCE, "-m", "seq2seq.runtime", str(folders[1]), "--precision", "int8")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == len(SOURCE.splitlines())


def test_int8_leaves_no_weight_of_a_product_in_fp32(folders: tuple[Path, Path]) -> None:
    graph = onnx.load(folders[1] / "step.int8.onnx").graph
    weights = {tensor.name for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert products and not any(weights & set(node.input) for node in products)  # those left are the attention's


def test_a_translation_does_not_depend_on_its_batch(folders: tuple[Path, Path]) -> None:
    lines = SOURCE.splitlines() * 3
    texts = [[t.text for t in Translator(load_exported(folders[1]), batch_size=n).translate(lines)] for n in (1, 4, 64)]
    assert texts[0] == texts[1] == texts[2]


def test_the_folder_can_be_moved_and_describes_itself(folders: tuple[Path, Path], tmp_path: Path) -> None:
    moved = shutil.copytree(folders[1], tmp_path / "moved")
    assert Translator(load_exported(moved)).translate(["one two"])[0].text
    card = (moved / "README.md").read_text()
    assert "toy: en to de" in card and "step.int8.onnx" in card and str(folders[0].parent) not in card


def test_exporting_refuses_to_overwrite_and_unknown_formats(folders: tuple[Path, Path]) -> None:
    run, exported = map(str, folders)
    assert "--force" in seq2seq("export", run, exported).err
    result = seq2seq("export", run, exported + "2", "--formats", "onnx,tflite")
    assert result.code == 2 and "tflite" in result.err and "onnx-int8" in result.err
    result = seq2seq("export", exported + "3", exported + "2")
    assert result.code == 2 and "no such run folder" in result.err and not Path(exported + "2").exists()


def test_a_missing_package_is_said_with_the_fix(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    result = seq2seq("export", str(folders[0]), str(folders[0].parent / "new"))
    assert result.code == 2 and "onnxscript" in result.err and "pip install 'seq2seq[onnx]'" in result.err


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", b"{", "damaged"),
        ("config.json", b"[]", "damaged"),
        ("config.json", None, "cannot be read"),
        ("config.json", b'{"format": "seq2seq-onnx-1"}', "'decoding' is missing"),
        ("config.json", b'{"format": 7}', "not seq2seq-onnx-1"),
        ("step.onnx", b"not a graph", "damaged"),
        ("encoder.onnx", None, "missing"),
        ("tokenizer.json", b"{}", "not a tokenizer"),
    ],
)
def test_what_is_damaged_is_named(
    folders: tuple[Path, Path], tmp_path: Path, file: str, content: bytes | None, said: str
) -> None:
    broken = shutil.copytree(folders[1], tmp_path / "broken")
    (broken / file).unlink()
    if content is not None:
        (broken / file).write_bytes(content)
    with pytest.raises(UserError, match=said) as error:
        load_exported(broken)
    assert file in str(error.value)


def test_a_config_that_asks_for_too_much_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    broken = shutil.copytree(folders[1], tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    config["decoding"]["max_length"]["offset"] = 10**9
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="offset is 1000000000 and not a number from 0 to 10000"):
        load_exported(broken)


def test_options_that_do_not_fit_are_refused(folders: tuple[Path, Path]) -> None:
    run, exported = map(str, folders)
    for arguments, said in (
        ([run, "--precision", "int8"], "no exported model"),
        ([exported, "--precision", "fp16"], "must be fp32 or int8"),
        ([exported, "--device", "cuda"], "on the CPU"),
        ([exported, "--format", "jsonl", "--n-best", "9"], "beam_size=9"),
    ):
        result = seq2seq("translate", *arguments)
        assert result.code == 2 and said in result.err
