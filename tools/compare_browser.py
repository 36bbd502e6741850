"""Whether a page without a server translates as `seq2seq translate` does, and how fast.

    python -m tools.compare_browser site FILE --sentences 1000

translates FILE's first lines in headless Chromium (by Playwright) with `site`, the folder of `seq2seq export --web`,
and with `site/model` in Python, one by one and in batches of 32; prints how many texts are equal, and sentences/s.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.runtime import Translator, load_exported

TRANSLATE = """async lines => {
  const { translate } = await import('./page/translations.js')
  const { signal } = new AbortController()
  const found = []
  for (const q of lines) found.push((await translate({ q }, signal)).translatedText)
  return found
}"""
AT_ONCE = 25
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Server(http.server.ThreadingHTTPServer):
    """As any web server; of browsers that hang up it says nothing."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """The address at which a folder is served, and the paths that are asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=folder)
    with Server(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def in_browser(folder: Path, lines: Sequence[str]) -> list[str]:
    """What the page makes of each line."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not of the project's own packages

    found: list[str] = []
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright, served(folder) as (address, _):
        browser = playwright.chromium.launch(executable_path=program)
        page, start = browser.new_page(), time.perf_counter()
        page.goto(address)
        page.evaluate(TRANSLATE, lines[:1])
        print(
            f"browser: {browser.version}; first translation {time.perf_counter() - start:.1f} s after the page's call"
        )
        start = time.perf_counter()
        for first in range(0, len(lines), AT_ONCE):
            found += page.evaluate(TRANSLATE, lines[first : first + AT_ONCE])
        print(f"browser: {len(lines) / (time.perf_counter() - start):.1f} sentences/s")
        browser.close()
    return found


def in_python(folder: Path, lines: Sequence[str], batch_size: int) -> list[str]:
    """What the same model makes of them, with one thread."""
    translator = Translator(load_exported(folder / "model", threads=1), batch_size=batch_size)
    start = time.perf_counter()
    found = [translation.text for translation in translator.translate(lines)]
    print(f"Python, batches of {batch_size}: {len(lines) / (time.perf_counter() - start):.1f} sentences/s")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, help="folder of `seq2seq export --web`")
    parser.add_argument("file", type=Path, help="text, a sentence a line")
    parser.add_argument("--sentences", type=int, default=200)
    options = parser.parse_args(arguments)
    lines = options.file.read_text(encoding="utf-8").split("\n")[: options.sentences]
    lines = [line.strip() for line in lines if line.strip()]
    page, alone, together = in_browser(options.site, lines), *(in_python(options.site, lines, n) for n in (1, 32))
    for name, ours, theirs in (("browser and Python", page, alone), ("Python in batches of 1 and 32", alone, together)):
        print(f"{name}: {sum(a == b for a, b in zip(ours, theirs, strict=True))} of {len(lines)} texts are equal")


if __name__ == "__main__":
    main()
