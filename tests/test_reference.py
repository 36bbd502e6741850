"""docs/recipe.md is what its tool writes."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_reference_is_up_to_date_and_its_links_lead_somewhere() -> None:
    page = (ROOT / "docs/recipe.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(ROOT / "tools/write_reference.py"))["reference"]()
    assert page == made, "the schema has changed: python tools/write_reference.py"
    headings = {heading.replace(".", "") for heading in re.findall(r"^## `(.*)`$", page, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", page)) == headings
