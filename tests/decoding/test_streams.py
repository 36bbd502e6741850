"""`seq2seq translate`: one line out for one line in, whatever is in it."""

import contextlib
import io
import json
import math
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.decoding.streams import buffered, lines_of, note
from seq2seq.decoding.translation import NOTHING, Translation
from seq2seq.pipeline import Runner
from tests.command_line import seq2seq
from tests.toy import ENGLISH, toy_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a small model."""
    folder = tmp_path_factory.mktemp("streams")
    Runner(toy_recipe(folder)).run("train")
    return folder / "run"


def start(run: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "seq2seq", "translate", str(run), "--threads", "1", *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def translate(run: Path, text: bytes, *options: str) -> tuple[list[bytes], str]:
    process = start(run, *options)
    out, err = process.communicate(text)
    assert process.returncode == 0, err.decode()
    assert out == b"" or out.endswith(b"\n")
    return out.split(b"\n")[:-1], err.decode()


def test_each_line_gives_one_line_in_its_place(run: Path) -> None:
    odd = [
        b"one two three",
        b"",
        b"   ",
        "one\u2028two".encode(),
        "one\u0085two".encode(),
        b"one\x0btwo\x0cthree",
        b"one\x00two",
        b"one \xff\xfe two",
        b"one two\r",
        b" ".join(word.encode() for word in ENGLISH * 1000),
        "\ufeff日本語 ▁ </s> <pad>".encode(),
        b"three two one",
    ]
    lines, err = translate(run, b"\n".join(odd))  # no line end behind the last
    assert len(lines) == len(odd)
    assert lines[1] == lines[2] == b""
    assert lines[0] and lines[-1] and lines[9]
    assert "line 8: not valid UTF-8 at byte 5" in err
    assert "a long line was translated in" in err
    assert lines[8] == translate(run, b"one two\n")[0][0]
    assert translate(run, b"")[0] == []
    assert translate(run, b"\n")[0] == [b""]


def test_jsonl_has_scores_and_different_candidates_best_first(run: Path) -> None:
    lines, _ = translate(run, b"one two three\n\nfour\n", "--format", "jsonl", "--n-best", "4", "--beam-size", "6")
    records = [json.loads(line) for line in lines]
    assert [record["source"] for record in records] == ["one two three", "", "four"]
    assert records[1]["translation"] == ""
    for record in records:
        texts = [candidate["text"] for candidate in record["n_best"]]
        scores = [candidate["score"] for candidate in record["n_best"]]
        assert len(set(texts)) == len(texts) <= 4
        assert scores == sorted(scores, reverse=True)
        assert record["translation"] == texts[0] and record["score"] == scores[0]
    assert len(records[0]["n_best"]) > 1


def test_jsonl_says_what_the_model_has_never_seen_and_no_translation_is_empty(run: Path) -> None:
    lines, _ = translate(run, "one qwxz two 東京\n東京\none\n".encode(), "--format", "jsonl")
    records = [json.loads(line) for line in lines]
    assert [record["unknown"] for record in records] == [["qwxz", "東京"], ["東京"], []]
    assert all(record["translation"] for record in records)


def test_from_file_to_file_with_settings(run: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"one two three\n\nfour five\n")
    options = ("decoding.beam_size=6", "decoding.min_length.offset=3", "--format", "jsonl", "--n-best", "4")
    expected, _ = translate(run, source.read_bytes(), *options)
    out, err = translate(run, b"", *options, "--input", str(source), "--output", str(target))
    assert (out, err) == ([], "") and target.read_bytes().split(b"\n")[:-1] == expected
    assert all(len(json.loads(line)["translation"].split()) >= 3 for line in (expected[0], expected[2]))
    target.write_text("old")
    refused = start(run, "--output", str(target))
    assert b"exists" in refused.communicate(b"one\n")[1] and target.read_text() == "old"
    translate(run, b"", "--input", str(source), "--output", str(target), "--force")
    assert target.read_bytes().count(b"\n") == 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_score_gives_what_translate_said(run: Path, tmp_path: Path) -> None:
    lines, _ = translate(run, b"one two three\nfour five\n", "--format", "jsonl")
    records = [json.loads(line) for line in lines]
    for side, key in (("src", "source"), ("tgt", "translation")):
        (tmp_path / side).write_text("".join(record[key] + "\n" for record in records))
    files = ("--src", str(tmp_path / "src"), "--tgt", str(tmp_path / "tgt"))
    scored = [json.loads(line) for line in seq2seq("score", str(run), *files, "--format", "jsonl").out.splitlines()]
    for record, forced in zip(records, scored, strict=True):
        assert forced["log_probability"] == pytest.approx(record["log_probability"], abs=1e-5)
        logs = forced["token_log_probabilities"]
        assert len(logs) == len(forced["tokens"]) == len(record["translation"].split()) + 1
        assert forced["perplexity"] == pytest.approx(math.exp(-sum(logs) / len(logs)))
    text = seq2seq("score", str(run), *files)
    assert [float(line.split("\t")[0]) for line in text.out.splitlines()] == pytest.approx(
        [forced["log_probability"] for forced in scored], abs=1e-5
    )
    assert text.err.startswith("2 pairs, ")
    (tmp_path / "tgt").write_text("one\n")
    assert "2 lines" in seq2seq("score", str(run), *files).err


def test_at_a_terminal_it_says_what_it_waits_for(run: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "seq2seq", "translate", str(run), "--threads", "1"]
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(theirs)
    assert process.stderr is not None and b"type a line" in process.stderr.readline()
    os.write(ours, b"one two\n\x04")
    out, err = process.communicate()
    os.close(ours)
    assert process.returncode == 0 and out.count(b"\n") == 1 and err == b""


def test_a_slow_writer_is_answered_at_once(run: Path) -> None:
    process = start(run)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"one two\n")
    process.stdin.flush()
    assert process.stdout.readline().endswith(b"\n")  # before the input has ended
    process.stdin.write(b"three\n")
    process.stdin.close()
    assert process.stdout.read().count(b"\n") == 1
    assert process.wait() == 0


def test_with_a_buffer_lines_wait_for_each_other(run: Path) -> None:
    process = start(run, "--buffer", "3", "--beam-size", "1")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"one two three\nfour five six\n")
    process.stdin.flush()
    assert select.select([process.stdout], [], [], 5)[0] == []  # a line is missing
    process.stdin.write(b"\n")
    process.stdin.flush()
    answered = [process.stdout.readline() for _ in range(3)]
    out, _ = process.communicate(b"one two three")
    assert answered[2] == b"\n" and out == answered[0] and process.returncode == 0


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=4), max_size=6), st.integers(1, 5))
def test_buffers_are_full_but_for_the_last(chunks: list[list[str]], count: int) -> None:
    found = list(buffered(iter(chunks), count))
    assert [line for part in found for line in part] == [line for chunk in chunks for line in chunk]
    assert next(buffered(iter([["a"] * count]), count)) == ["a"] * count
    assert all(len(part) == count for part in found[:-1]) and all(0 < len(part) <= count for part in found)


def test_a_reader_that_leaves_is_no_error(run: Path) -> None:
    def text() -> Iterator[bytes]:
        for _ in range(3000):
            yield b"one two three four\n"

    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "seq2seq", "translate", str(run), "--beam-size", "1"]
    done = subprocess.run(command, input=b"".join(text()), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert b"Traceback" not in done.stderr and done.returncode == 0


def test_head_ends_a_translation_quietly(run: Path) -> None:
    process = start(run, "--beam-size", "1", "--batch-size", "4")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"one two three\n")
    process.stdin.flush()
    assert process.stdout.readline().endswith(b"\n")
    process.stdout.close()  # what `| head -1` does
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"one two three\n" * 200)
        process.stdin.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 0 and b"Traceback" not in errors, errors


def test_thousands_of_lines_stay_in_order(run: Path) -> None:
    sentences = [" ".join(ENGLISH[(i + k) % 10] for k in range(i % 4)).encode() for i in range(3000)]
    lines, _ = translate(run, b"".join(sentence + b"\n" for sentence in sentences), "--beam-size", "1")
    assert len(lines) == 3000
    by_sentence: dict[bytes, bytes] = {}
    assert all(by_sentence.setdefault(s, line) == line for s, line in zip(sentences, lines, strict=True))
    assert [line == b"" for line in lines[::4]] == [True] * 750  # the blank ones, in their places


def test_jsonl_of_odd_lines_is_a_record_a_line(run: Path) -> None:
    odd = ["a\u2028b", "a\x00b", "a\x0bb\x0cc", 'say "one"', "\\", "\t", "one\rtwo", "\U0001f600"]
    lines, _ = translate(run, "\n".join(odd).encode(), "--format", "jsonl")
    assert [json.loads(line)["source"] for line in lines] == odd


def _is_utf8(line: bytes) -> bool:
    return line.decode(errors="ignore").encode() == line


@settings(max_examples=100)
@given(chunks=st.lists(st.binary(max_size=8) | st.sampled_from([b"\n", b"\r\n", "\u2028".encode()]), max_size=12))
def test_lines_do_not_depend_on_how_they_arrive(chunks: list[bytes]) -> None:
    """The reader's property: those of a split at `\\n`, however the bytes are cut into writes."""
    whole = b"".join(chunks)
    expected = [line.removesuffix(b"\r").decode(errors="replace") for line in whole.split(b"\n")]
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as stream, contextlib.redirect_stderr(io.StringIO()) as said:
        stream_of_lines = lines_of(stream)
        for chunk in chunks:
            os.write(write, chunk)
        os.close(write)
        found = [line for part in stream_of_lines for line in part]
    assert found == (expected if whole and not whole.endswith(b"\n") else expected[:-1])
    assert said.getvalue().count("not valid UTF-8") == sum(not _is_utf8(line) for line in whole.split(b"\n"))


def test_the_output_is_the_same_at_every_batch_size(run: Path) -> None:
    sentences = b"".join(" ".join(ENGLISH[i % 10 :][: 1 + i % 7]).encode() + b"\n" for i in range(60))
    outputs = [translate(run, sentences, "--batch-size", size)[0] for size in ("1", "7", "64")]
    assert outputs[0] == outputs[1] == outputs[2]


def test_what_was_not_done_as_it_should_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    note(Translation("a b", [NOTHING], pieces=3, missing=["x y", "z"]))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "a long line was translated in 3 pieces: 'a b'..."
    assert said[1].startswith("the translation of 'a b'... could not hold 'x y', 'z'; raise decoding.max_length")
    note(Translation("a b", [NOTHING]))
    assert capsys.readouterr().err == ""
