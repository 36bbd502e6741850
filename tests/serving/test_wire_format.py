"""What LibreTranslate's clients send and expect, against a running server."""

from __future__ import annotations

import urllib.error
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.bundle import load_bundle
from seq2seq.decoding.translator import Translator
from seq2seq.device import set_up
from tests.serving.conftest import Running, Start

LINES = ["one two three", "nine", "four four  five unseen", "six seven eight nine zero one"]


@pytest.fixture(scope="module")
def alone(toys: dict[str, Path]) -> Callable[..., Any]:
    """What a pair's model translates without any server."""
    translators = {
        (pair, align): Translator(load_bundle(run, set_up("cpu")), batch_size=1, align=align)
        for pair, run in toys.items()
        for align in (False, True)
    }
    return lambda line, n_best=1, pair="en-de", align=False: translators[pair, align].translate([line], n_best)[0]


def form(**values: Any) -> bytes:
    return urllib.parse.urlencode(values, doseq=True).encode()


def test_the_published_client_works_unchanged(server: Running, alone: Callable[..., Any]) -> None:
    client = pytest.importorskip("libretranslatepy").LibreTranslateAPI(server.url)
    assert client.translate("one two three", "en", "de") == alone("one two three").text
    assert client.translate("eins zwei", "de", "en") == alone("eins zwei", pair="de-en").text
    assert (
        client.translate(LINES[0] + "\n\n" + LINES[1], "en", "de")
        == f"{alone(LINES[0]).text}\n\n{alone(LINES[1]).text}"
    )
    assert [language["code"] for language in client.languages()] == ["en", "de"]
    with pytest.raises(urllib.error.HTTPError) as error:
        client.translate("one", "en", "fr")
    assert error.value.code == 400


def test_json_forms_and_queries_are_answered_alike(server: Running, alone: Callable[..., Any]) -> None:
    expected = {"translatedText": alone(LINES[0]).text}
    assert server.translate(LINES[0]) == expected
    kind = "application/x-www-form-urlencoded"
    assert server.ask("/translate", form(q=LINES[0], source="en", target="de"), kind).json == expected
    assert server.ask("/translate?" + form(source="en", target="de").decode(), form(q=LINES[0]), kind).json == expected
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("q", LINES[0]), ("source", "en"), ("target", "de"))
    )
    assert server.ask("/translate", f"{parts}--x--\r\n".encode(), "multipart/form-data; boundary=x").json == expected


def test_a_list_is_answered_by_a_list(server: Running, alone: Callable[..., Any]) -> None:
    assert server.translate(LINES) == {"translatedText": [alone(line).text for line in LINES]}
    answer = server.ask("/translate", form(q=LINES, source="en", target="de"), "application/x-www-form-urlencoded")
    assert answer.json == {"translatedText": [alone(line).text for line in LINES]}


@pytest.mark.parametrize("wanted", [1, 2, 3, 50])
def test_alternatives_are_the_candidates_behind_the_best(
    server: Running, alone: Callable[..., Any], wanted: int
) -> None:
    candidates = [one.text for one in alone(LINES[0], min(1 + wanted, 4)).candidates]
    assert len(candidates) > 1
    assert server.translate(LINES[0], alternatives=wanted) == {
        "translatedText": candidates[0],
        "alternatives": candidates[1:],
    }


def test_more_is_said_only_when_asked_for(server: Running, alone: Callable[..., Any]) -> None:
    line = alone(LINES[0], align=True)
    best = line.candidates[0]
    assert server.translate(LINES[0]).keys() == {"translatedText"}
    assert server.translate(LINES[0], scores=True) == {
        "translatedText": best.text,
        "score": pytest.approx(best.score, abs=1e-4),
        "logProbability": pytest.approx(best.log_probability, abs=1e-4),
    }
    found = server.translate(LINES[0], alignment="true")
    assert found == {"translatedText": best.text, "alignment": [list(link) for link in line.alignment]}
    found = server.translate(LINES[0], confidence=1)
    assert found["confidence"] == pytest.approx(best.confidence, abs=1e-4)
    assert found["wordConfidences"] == pytest.approx(best.word_confidences, abs=1e-4)


def test_words_count_through_a_text_of_several_lines(server: Running, alone: Callable[..., Any]) -> None:
    """Alignment and confidences are of `text.split()`, as a reader of the answer counts."""
    text = f" {LINES[0]}\n\n{LINES[2]} "
    found = server.translate(text, alignment=True, confidence=True)
    first, second = alone(LINES[0], align=True), alone(LINES[2], align=True)
    moved = [[s + len(LINES[0].split()), t + len(first.text.split())] for s, t in second.alignment]
    assert found["alignment"] == [*map(list, first.alignment), *moved]
    assert len(found["wordConfidences"]) == len(found["translatedText"].split())
    assert found["translatedText"] == f" {first.text}\n\n{second.text} "
    listed = server.translate([text, LINES[1]], alignment=True, scores=True)
    assert listed["alignment"][0] == found["alignment"] and len(listed["score"]) == 2


def test_html_keeps_its_tags(server: Running, alone: Callable[..., Any]) -> None:
    source = "<p>one <b>two</b> three</p>\n<script>one</script><p>nine &amp; one</p>"
    found = server.translate(source, format="html")["translatedText"]
    assert found.startswith("<p>") and "</p>\n<script>one</script><p>" in found
    assert found.replace("<b>", "").replace("</b>", "").startswith(f"<p>{alone('one two three').text}</p>")
    assert found.count("<b>") == found.count("</b>") >= 1


def test_codes_are_taken_as_clients_write_them(server: Running, alone: Callable[..., Any]) -> None:
    expected = {"translatedText": alone("one").text}
    for source, target in (("EN", "De"), ("en-US", "de_AT")):
        assert server.translate("one", source=source, target=target) == expected
    found = server.translate("one", source="auto")
    assert found == expected | {"detectedLanguage": {"confidence": 100.0, "language": "en"}}
    assert len(server.translate(["one", "two"], source="auto")["detectedLanguage"]) == 2


def test_nothing_in_gives_nothing_out(server: Running) -> None:
    assert server.translate(" \n ") == {"translatedText": " \n "}
    assert server.translate(["", "\r\n"]) == {"translatedText": ["", "\n"]}
    blank = server.translate(" ", alternatives=2, scores=True, alignment=True, confidence=True)
    assert blank["alternatives"] == blank["alignment"] == blank["wordConfidences"] == []


WRONG: list[tuple[Any, int, str]] = [
    ({"source": "en", "target": "de"}, 400, "missing q"),
    ({"q": "", "source": "en", "target": "de"}, 400, "missing q"),
    ({"q": "one", "target": "de"}, 400, "missing source"),
    ({"q": "one", "source": "en"}, 400, "missing target"),
    ({"q": 5, "source": "en", "target": "de"}, 400, "q parameter must be"),
    ({"q": ["one", None], "source": "en", "target": "de"}, 400, "q parameter must be"),
    ({"q": {"a": "b"}, "source": "en", "target": "de"}, 400, "q parameter must be"),
    ({"q": "one", "source": ["en"], "target": "de"}, 400, "source parameter must be a text"),
    ({"q": "one", "source": "fr", "target": "de"}, 400, "fr is not supported"),
    ({"q": "one", "source": "de", "target": "de"}, 400, "German (de) is not available as a target"),
    ({"q": "one", "source": "en", "target": "de", "format": "pdf"}, 400, "pdf format is not supported"),
    ({"q": "one", "source": "en", "target": "de", "format": 1}, 400, "format parameter"),
    ({"q": "one", "source": "en", "target": "de", "alternatives": "x"}, 400, "alternatives parameter is not a number"),
    ({"q": "one", "source": "en", "target": "de", "alternatives": [1]}, 400, "alternatives parameter is not a number"),
    ({"q": "one", "source": "en", "target": "de", "scores": "perhaps"}, 400, "scores parameter must be true or false"),
    ({"q": "one", "source": "en", "target": "de", "scores": [1]}, 400, "scores parameter must be true or false"),
    ({"q": "<b>1</b>", "source": "en", "target": "de", "format": "html", "alignment": True}, 400, "alignment of html"),
    ({"q": "one", "source": "en", "target": "de", "api_key": 7}, 400, "api_key parameter must be a text"),
    ({"q": "x" * 10_001, "source": "en", "target": "de"}, 400, "request (10001) exceeds text limit (10000)"),
    ({"q": ["x" * 5_001] * 2, "source": "en", "target": "de"}, 400, "request (10002) exceeds text limit (10000)"),
    ({"q": ["x"] * 129, "source": "en", "target": "de"}, 400, "request (129) exceeds batch limit (128)"),
    (b"{", 400, "Invalid JSON format"),
    (b"[]", 400, "Invalid JSON format"),
    (b"\xff\xfe", 400, "Invalid JSON format"),
    (b"[" * 100_000, 400, "Invalid JSON format"),
    (b"1" * 100_000, 400, "Invalid JSON format"),
    (b"", 400, "missing q"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "said"), WRONG, ids=lambda value: str(value)[:60])
def test_what_is_wrong_is_said_as_libretranslate_says_it(server: Running, body: Any, status: int, said: str) -> None:
    answer = server.ask("/translate", body)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert said in answer.json["error"] and len(answer.json["error"]) < 200
    assert server.translate("one")


@pytest.mark.parametrize(
    ("path", "body", "kind", "status"),
    [
        ("/translate", None, "", 405),
        ("/nowhere", None, "", 404),
        ("/../../etc/passwd", None, "", 404),
        ("/languages", b"{}", "application/json", 405),
        ("/translate", b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400),
        ("/translate", b"--x\r\nnonsense", "multipart/form-data", 400),
        ("/translate", b"&".join([b"a=b"] * 5000), "application/x-www-form-urlencoded", 400),
        ("/translate", b"%FF=%FF&q", "application/x-www-form-urlencoded", 400),
    ],
)
def test_other_wrong_requests(server: Running, path: str, body: bytes | None, kind: str, status: int) -> None:
    answer = server.ask(path, body, kind)
    assert (answer.status, list(answer.json)) == (status, ["error"])


def test_half_a_surrogate_pair_is_taken(server: Running) -> None:
    answer = server.ask("/translate", b'{"q": "one \\ud83d \\u0000", "source": "en", "target": "de"}')
    assert answer.status == 200


def test_what_the_server_says_of_itself(server: Running) -> None:
    assert server.ask("/health").json == {"status": "ok"}
    assert server.ask("/languages").json == [
        {"code": "en", "name": "English", "targets": ["de"]},
        {"code": "de", "name": "German", "targets": ["en"]},
    ]
    settings = server.ask("/frontend/settings").json
    assert settings["charLimit"] == 10_000 and settings["keyRequired"] is False
    assert settings["language"]["target"] == {"code": "de", "name": "German"}


def test_its_description_is_valid_and_true(server: Running) -> None:
    """Answers are as /spec says, and what it calls wrong is refused."""
    validator = pytest.importorskip("openapi_spec_validator")
    jsonschema = pytest.importorskip("jsonschema")
    spec = server.ask("/spec").json
    validator.validate(spec)
    for path, methods in spec["paths"].items():
        if "get" in methods and path != "/metrics":
            schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(server.ask(path).json, schema)
    post = spec["paths"]["/translate"]["post"]
    answered = post["responses"]["200"]["content"]["application/json"]["schema"]
    asked = post["requestBody"]["content"]["application/json"]["schema"]
    for q in ("one two", ["one", "two three"]):
        request = {"q": q, "source": "auto", "target": "de", "alternatives": 2, "scores": True, "alignment": True}
        request["confidence"] = True
        jsonschema.validate(request, asked)
        answer = server.ask("/translate", request).json
        jsonschema.validate(answer, answered)
        assert answer.keys() == answered["properties"].keys()
    for wrong, _, _ in WRONG:
        if isinstance(wrong, dict) and wrong.get("q") and "api_key" not in wrong and len(str(wrong)) < 9_000:
            valid = jsonschema.Draft202012Validator(asked).is_valid(wrong)
            assert not valid or wrong.get("source") == wrong.get("target") or wrong.get("format") == "html"


def test_counts_for_prometheus(server: Running) -> None:
    parse = pytest.importorskip("prometheus_client.parser").text_string_to_metric_families

    def value(name: str, **labels: str) -> float:
        families = list(parse(server.ask("/metrics").text))
        found = [s.value for family in families for s in family.samples if s.name == name and s.labels == labels]
        return found[0] if found else 0.0

    def counts() -> list[float]:
        return [
            value("seq2seq_requests_total", path="/translate", status="200"),
            value("seq2seq_requests_total", path="/translate", status="400"),
            value("seq2seq_characters_total", pair="en-de"),
            value("seq2seq_batch_lines_sum", pair="en-de"),
            value("seq2seq_request_seconds_count", path="/translate"),
        ]

    before = counts()
    server.translate(["one two", "three"])
    server.ask("/translate", b"{")
    assert [after - start for after, start in zip(counts(), before, strict=True)] == [1, 1, 12, 2, 2]
    assert value("seq2seq_waiting_lines") == 0 and value("process_resident_memory_bytes") > 1e6


@pytest.mark.slow
def test_an_exported_folder_is_served_without_torch(
    toys: dict[str, Path], start: Start, tmp_path: Path, alone: Callable[..., Any]
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    exported = tmp_path / "exported"
    command = [sys.executable, "-m", "seq2seq", "export", str(toys["en-de"]), str(exported), "--formats", "onnx"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    with start(exported, toys["de-en"]) as both:
        found = both.translate(LINES, alignment=True)
        assert found["translatedText"] == [alone(line).text for line in LINES]
        assert found["alignment"] == [[list(link) for link in alone(line, align=True).alignment] for line in LINES]
        assert both.translate("eins", source="de", target="en")["translatedText"] == alone("eins", pair="de-en").text
    with start(exported) as small:
        assert small.translate(LINES[0])["translatedText"] == alone(LINES[0]).text
        mapped = Path(f"/proc/{small.process.pid}/maps")
        if mapped.exists():
            assert "onnxruntime" in mapped.read_text() and "libtorch" not in mapped.read_text()
