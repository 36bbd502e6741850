"""Pages in a headless browser: how they are laid out, what they say on the console, and what axe-core finds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = [360, 768, 1280]

LAYOUT = """() => {
  const found = [], width = document.documentElement.clientWidth
  const start = text => (text || '').trim().slice(0, 30)
  const name = e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + start(e.textContent)
  const holds = (a, b) => b.left > a.left - 1 && b.right < a.right + 1 && b.top > a.top - 1 && b.bottom < a.bottom + 1
  if (document.documentElement.scrollWidth > width) found.push('the page is wider than the window')
  const texts = []
  for (const e of document.querySelectorAll('body *')) {
    if (!e.checkVisibility()) continue
    const svg = e instanceof SVGElement
    if (!svg && e.clientWidth && e.scrollWidth > e.clientWidth + 1) found.push('overflows: ' + name(e))
    const box = e.getBoundingClientRect()
    if (box.width && (box.left < -1 || box.right > width + 1)) found.push('beside the window: ' + name(e))
    if (e.tagName == 'text') {
      if (!holds(e.closest('svg').getBoundingClientRect(), box)) found.push('outside its chart: ' + name(e))
    }
    if (['TITLE', 'STYLE', 'SCRIPT', 'OPTION'].includes(e.tagName.toUpperCase())) continue
    for (const node of e.childNodes) {
      if (node.nodeType != 3 || !node.data.trim()) continue
      const range = document.createRange()
      range.selectNodeContents(node)
      for (const r of range.getClientRects()) if (r.width > 1) texts.push([r, e, node])
    }
  }
  texts.sort((a, b) => a[0].top - b[0].top)
  for (let i = 0; i < texts.length; i++)
    for (let j = i + 1; j < texts.length && texts[j][0].top < texts[i][0].bottom; j++) {
      const [a, , one] = texts[i], [b, , other] = texts[j]
      if (one === other) continue
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      if (across > 1.5 && down > 0.35 * Math.min(a.height, b.height))
        found.push('overlap: ' + start(one.data) + ' | ' + start(other.data))
    }
  return found
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    if BROWSER is None:
        pytest.skip("no Chromium found: install Debian's package chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def faults(browser: Any, path: Path, width: int, scheme: str, axe: bool = False) -> list[str]:
    """What is wrong with a page's layout, what it says on the console and, where asked for, what axe-core finds."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.absolute().as_uri())
    for row in page.locator(".explorer .row").all()[:1]:
        row.locator("button").click()
    found = [*said, *page.evaluate(LAYOUT)]
    if axe:
        found += filter(None, [axe_faults(page)])
    page.close()
    return found


def axe_faults(page: Any) -> str:
    """What axe-core finds on an open page: names, roles, contrast, order of headings; empty where that is nothing."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install axe-playwright-python"
    )
    found = axe.Axe().run(page)
    return found.generate_report() if found.violations_count else ""
