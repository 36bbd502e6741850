"""Translating in the browser alone: its tokenizer and sentences are Python's, its translations those of the export."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq.data.tokenization import Tokenizer
from seq2seq.decoding.paragraphs import pieces
from seq2seq.decoding.translator import Translator
from seq2seq.decoding.words import word_places
from seq2seq.runtime.folder import load_exported
from seq2seq.serving import offline
from tests.command_line import refused, seq2seq
from tests.data.trained import KINDS, SENTENCES, trained
from tests.serving.test_translation_page import until
from tools.compare_browser import served as serving

PACKAGE = os.environ.get("ONNXRUNTIME_WEB")
LINES = ["one two three", "nine", " four  unseen five ", "six seven eight nine zero one", "two two", "five, four. One!"]
PIECES = [*"the cat dog, .!?'<>/&▁0129äß½²٣日本𝒳👍🏽$+~`", "<s>", "<unk>", "\u0301", "\x00", "\u2028", "\x85", "\ufeff",
          "\ufdd0", "\u00a8", "ﬁ", "e\u0301", "，", "。", *(f" {text}" for text in SENTENCES)]  # fmt: skip

TRANSLATE = """async lines => {
  const { translate } = await import('./page/translations.js')
  const { signal } = new AbortController()
  const found = []
  for (const q of lines) found.push(await translate({ q }, signal))
  return found
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    folder = tmp_path_factory.mktemp("site")
    with serving(folder) as (address, _):
        yield folder, address.rstrip("/")


@pytest.fixture(scope="module")
def engine(browser: Any, served: tuple[Path, str]) -> Iterator[Any]:
    """A page that can import the engine."""
    folder, address = served
    (folder / "engine").symlink_to(offline.HERE / "engine")
    page = browser.new_page()
    page.goto(f"{address}/engine/tokenizer.js")
    yield page
    page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokenizer_is_pythons(engine: Any, kind: str) -> None:
    tokenizer: Tokenizer = trained(kind)
    rng = random.Random(1)
    texts = ["".join(rng.choices(PIECES, k=rng.randint(0, 12))) for _ in range(300)]
    ids = tokenizer.encode_batch(texts)
    ids += [[rng.randrange(len(tokenizer)) for _ in range(rng.randint(0, 12))] for _ in range(300)]
    ours = """async ([content, texts, ids]) => {
      const { Tokenizer } = await import('./tokenizer.js')
      const made = new Tokenizer(JSON.parse(content))
      return [texts.map(text => made.encode(text)), ids.map(row => made.decode(row)), ids.map(row => made.places(row)),
        texts.map(text => made.read(text).words)]
    }"""
    encoded, decoded, places, words = engine.evaluate(ours, [tokenizer.to_json(), texts, ids])
    for text, expected, found in zip(texts, ids, encoded, strict=False):
        assert found == expected, repr(text)
    assert decoded == [tokenizer.decode(row) for row in ids]
    assert places == [word_places(tokenizer, row) for row in ids]
    for text, expected, found in zip(texts, tokenizer.words(texts), words, strict=True):
        if len(text.split()) == len(tokenizer.normalize(text).split()):  # it makes a space of some characters
            assert found == expected, repr(text)


@pytest.mark.parametrize(("split", "limit"), [("long", 8), ("always", 1000), ("always", 4), ("never", 5)])
def test_lines_are_cut_as_python_cuts_them(engine: Any, split: str, limit: int) -> None:
    rng = random.Random(2)
    parts = ["the cat", "Dr. Cat", "z. B.", "3.", "!", "?!", " ", "  ", "“the dog.”", "the. dog", "。", "。 ",
             "the。」", ". Äther", "1. Mai", "...", "…", "the", "A. "]  # fmt: skip
    lines = ["".join(rng.choices(parts, k=rng.randint(0, 8))) for _ in range(300)]
    tokenizer = trained("bpe")
    ours = """async ([content, lines, split, limit]) => {
      const { Tokenizer } = await import('./tokenizer.js')
      const { pieces } = await import('./sentences.js')
      const made = new Tokenizer(JSON.parse(content))
      return lines.map(line => pieces(line, made, split, limit, '_').map(({ before, tokens }) => [before, tokens]))
    }"""
    found = engine.evaluate(ours, [tokenizer.to_json(), lines, split, limit])
    for line, cut in zip(lines, found, strict=True):
        assert cut == [[p.before, p.tokens] for p in pieces(line, tokenizer, split, limit, "_")], repr(line)


@pytest.fixture(scope="module")
def site(browser: Any, served: tuple[Path, str], toys: dict[str, Path]) -> Iterator[tuple[Any, Path]]:
    """The exported page, opened, and its folder; nothing is asked of any other place."""
    pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
    if PACKAGE is None:
        pytest.skip("ONNXRUNTIME_WEB names no package: what `npm pack onnxruntime-web` writes")
    folder, address = served[0] / "exported", f"{served[1]}/exported/"
    command = [sys.executable, "-m", "seq2seq", "export", str(toys["en-de"]), str(folder), "--web"]
    done = subprocess.run([*command, "--onnxruntime-web", PACKAGE], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page, asked, said = browser.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    yield page, folder
    page.close()
    assert all(url.startswith(address) for url in asked) and not said


def test_its_translations_are_those_of_the_exported_folder(site: tuple[Any, Path]) -> None:
    page, folder = site
    model = load_exported(folder / "model", "int8", 1)
    translator = Translator(model, batch_size=1, align=True)
    alike = list[bool]()  # Python looks once more, at one hypothesis alone: int8 numbers differ a little
    for line, found in zip(LINES, page.evaluate(TRANSLATE, LINES), strict=True):
        (expected,) = translator.translate([line], 4)
        best = expected.candidates[0]
        assert found["translatedText"].strip() == best.text
        assert found["alternatives"] == [line.replace(line.strip(), one.text) for one in expected.candidates[1:]]
        links = [list(link) for link in best.alignment or ()]
        assert [t for _, t in found["alignment"]] == [t for _, t in links]
        alike += [ours == theirs for ours, theirs in zip(found["alignment"], links, strict=True)]
        assert found["wordConfidences"] == pytest.approx(best.word_confidences, abs=0.02)
    assert sum(alike) > 0.8 * len(alike)
    text = f"{LINES[0]}\n\n{LINES[2]}"
    whole = page.evaluate(TRANSLATE, [text])[0]
    first, third = translator.translate([LINES[0], LINES[2]])
    assert whole["translatedText"] == f"{first.text}\n\n {third.text} "
    words = len(LINES[0].split()), len(first.text.split())
    alone = page.evaluate(TRANSLATE, [LINES[0], LINES[2]])
    moved = [[words[0] + s, words[1] + t] for s, t in alone[1]["alignment"]]
    assert whole["alignment"] == [*alone[0]["alignment"], *moved]


def test_the_page_works_as_the_servers_does(site: tuple[Any, Path]) -> None:
    page, folder = site
    page.fill("#text", "one")
    page.fill("#text", LINES[0])
    page.wait_for_selector("#translation span")
    (expected,) = Translator(load_exported(folder / "model", "int8", 1), batch_size=1).translate([LINES[0]])
    assert page.text_content("#translation") == expected.text
    page.hover("#translation span >> nth=0")
    assert page.locator("#mirror .lit").count() == 1 and page.is_disabled("#swap")
    page.context.set_offline(True)
    page.fill("#text", "")
    page.wait_for_selector("#translation span", state="detached")
    page.fill("#text", LINES[0])
    page.wait_for_selector("#translation span")
    assert page.text_content("#translation") == expected.text
    page.context.set_offline(False)
    said = (folder / "README.md").read_text()
    assert offline.VERSION in said and "MIT" in said and (folder / "runtime/LICENSE").exists()


def test_the_tool_compares_them(site: tuple[Any, Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("\n".join(LINES))
    command = [sys.executable, "-m", "tools.compare_browser", str(site[1]), str(tmp_path / "text"), "--sentences", "3"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "browser and Python: 3 of 3 texts are equal" in done.stdout


def test_what_was_visited_opens_without_its_server(site: tuple[Any, Path], browser: Any, tmp_path: Path) -> None:
    """And is exchanged for a newer version, of which only what has changed is fetched."""
    folder = tmp_path / "site"
    shutil.copytree(site[1], folder)
    context = browser.new_context()
    with serving(folder) as (address, asked):
        page = context.new_page()
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        page.close()
        first = len(asked)
    page = context.new_page()
    page.goto(address)
    page.fill("#text", LINES[0])
    page.wait_for_selector("#translation span")
    assert page.text_content("#translation") == site[0].evaluate(TRANSLATE, [LINES[0]])[0]["translatedText"]
    assert len(asked) == first and not [name for name in asked if name.endswith(".md")]

    config = json.loads((folder / "site.json").read_text())
    config["languages"][0]["name"] = "Newspeak"
    (folder / "site.json").write_text(json.dumps(config))
    with serving(folder, int(address.split(":")[-1].strip("/"))) as (_, asked):
        page.reload()  # the service worker's script is still the old one
        assert "Newspeak" not in page.text_content("#source-language")
        offline._keep_for_later(folder)
        page.evaluate("navigator.serviceWorker.ready.then(ready => ready.update()).then(() => null)")
        until(page, "navigator.serviceWorker.getRegistration().then(found => Boolean(found.waiting))")
        page.close()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("#source-language option", state="attached")
        assert "Newspeak" in page.text_content("#source-language")
        assert set(asked) == {"/keep.js", "/site.json"}
        kept = page.evaluate("""async () => {
          const found = await (await caches.open('seq2seq /')).keys()
          return found.map(request => new URL(request.url).pathname.slice(1))
        }""")
        assert sorted(kept) == sorted(offline.hashes(folder))


def test_half_a_new_version_is_not_kept(site: tuple[Any, Path], browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(site[1], folder)
    with (folder / "model/config.json").open("a") as file:
        file.write("\n")
    context = browser.new_context()
    with serving(folder) as (address, _):
        page = context.new_page()
        page.goto(address)
        register = (
            "navigator.serviceWorker.register('keep.js').then(async ({ installing }) => {"
            "await new Promise(done => { installing.onstatechange = done }); return installing.state })"
        )
        assert page.evaluate(register) == "redundant"
    context.close()


@pytest.mark.slow
def test_in_fp32(toys: dict[str, Path], served: tuple[Path, str], browser: Any) -> None:
    if PACKAGE is None:
        pytest.skip("ONNXRUNTIME_WEB names no package: what `npm pack onnxruntime-web` writes")
    command = ["export", str(toys["en-de"]), str(served[0] / "fp32"), "--web", "--onnxruntime-web", PACKAGE]
    assert seq2seq(*command, "--formats", "onnx").code == 0
    page = browser.new_page()
    page.goto(f"{served[1]}/fp32/")
    translator = Translator(load_exported(served[0] / "fp32/model", "fp32", 1), align=True)
    for line, found in zip(LINES, page.evaluate(TRANSLATE, LINES), strict=True):
        (expected,) = translator.translate([line], 4)
        best = expected.candidates[0]
        assert found["translatedText"].strip() == best.text
        assert [tuple(link) for link in found["alignment"]] == list(best.alignment or ())
        assert found["wordConfidences"] == pytest.approx(best.word_confidences, abs=1e-5)
    page.close()


def test_what_cannot_be_written_is_said(toys: dict[str, Path], tmp_path: Path) -> None:
    run, folder = str(toys["en-de"]), str(tmp_path / "site")
    refused(seq2seq("export", run, folder, "--web"), "npm pack onnxruntime-web@")
    refused(seq2seq("export", run, folder, "--onnxruntime-web", "x"), "no effect without --web")
    refused(
        seq2seq("export", run, folder, "--web", "--shortlist", "--onnxruntime-web", "x"), "--shortlist has no effect"
    )
    refused(
        seq2seq("export", run, folder, "--web", "--formats", "onnx-int8,onnx", "--onnxruntime-web", "x"), "one model"
    )
    refused(seq2seq("export", run, folder, "--web", "--onnxruntime-web", str(tmp_path / "none")), "cannot be read")
    (tmp_path / "dist").mkdir()
    for name in offline.RUNTIME:
        (tmp_path / "dist" / name).write_text("another")
    refused(seq2seq("export", run, folder, "--web", "--onnxruntime-web", str(tmp_path)), "is not that of version")
    refused(seq2seq("export", run, str(tmp_path), "--web", "--onnxruntime-web", "x"), "exists")
    assert not Path(folder).exists()
