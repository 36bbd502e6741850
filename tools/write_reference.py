"""Write docs/recipe.md, the reference of every recipe key, from the schema: `python tools/write_reference.py`."""

import json
from pathlib import Path
from typing import Any

from seq2seq.recipe import Recipe

HEAD = """# Every key of a recipe

Written by `python tools/write_reference.py` from the schema in [seq2seq/recipe/](../seq2seq/recipe); `seq2seq schema`
prints the same as JSON Schema. `gru` is short for `{kind: gru}`, and the default is meant where no kind is said.
"""
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"string": "text", "boolean": "true or false", "object": "keys and values"}
SCHEMA = Recipe.model_json_schema()
Json = dict[str, Any]
PLACES: dict[tuple[str, ...], str] = {}  # where sections are told of: at the first key that they may stand at


def find_places(config: Json, path: str = "") -> None:
    for name, field in config["properties"].items():
        if (kinds := references(field)) and kinds not in PLACES:
            wider = next((known for known in PLACES if len(kinds) > 1 and set(kinds) < set(known)), None)
            PLACES[kinds] = path + name if wider is None else PLACES[wider]
            for kind in kinds if wider is None else ():
                find_places(SCHEMA["$defs"][kind], f"{path}{name}.")


def references(field: Json) -> tuple[str, ...]:
    """Names of the sections that may stand here."""
    if "$ref" in field:
        return (field["$ref"].rpartition("/")[2],)
    inner = [*field.get("anyOf", []), *field.get("oneOf", []), *field.get("patternProperties", {}).values()]
    inner += [field["items"]] if "items" in field else []
    return tuple(dict.fromkeys(name for part in inner for name in references(part)))


def type_of(field: Json) -> str:
    if kinds := references(field):
        ways = {"null": " or null", "array": ", or a list of them"}
        others = "".join(ways.get(part.get("type"), "") for part in field.get("anyOf", []))
        return f"[section](#{PLACES[kinds].replace('.', '')}){others}"
    if choices := field.get("enum", [field["const"]] if "const" in field else []):
        return ", ".join(f"`{choice}`" for choice in choices)
    if "anyOf" in field:
        return " or ".join(map(type_of, field["anyOf"]))
    if "items" in field:
        return f"list of {type_of(field['items'])}"
    limits = " and ".join(f"{sign} {field[name]}" for name, sign in LIMITS.items() if name in field)
    return f"{TYPES.get(field['type'], field['type'])} {limits}".strip()


def table(fields: Json, needed: list[str]) -> list[str]:
    rows = ["", "| key | type | default | |", "|---|---|---|---|"]
    for name, field in fields.items():
        value = field.get("default", "")
        value = value.get("kind", "") if isinstance(value, dict) else value  # its own table has the rest
        shown = "(needed)" if name in needed else f"`{json.dumps(value)}`".replace('"', "") if value != "" else ""
        text = field.get("description") or SCHEMA["$defs"][references(field)[0]]["description"]
        rows.append(f"| `{name}` | {type_of(field)} | {shown} | {' '.join(text.split()).replace('|', '&#124;')} |")
    return rows if fields else []


def configs(found: list[Json]) -> list[str]:
    """What may stand at one key: the keys of all kinds, then of each its own."""
    first = found[0]["properties"]
    common = {k: f for k, f in first.items() if len(found) > 1 and all(s["properties"].get(k) == f for s in found)}
    lines = ["", "All kinds:", *table(common, [])] if common else []
    for config in found:
        own = {k: f for k, f in config["properties"].items() if k not in common and k != "kind"}
        kind = config["properties"].get("kind", {"const": config.get("required", [""])[0]})  # of data: what they need
        name = "`module:Class`" if "pattern" in kind else type_of(kind)
        text = " ".join(config["description"].split())
        lines += ["", f"**{name}**: {text}" if len(found) > 1 else text, *table(own, config.get("required", []))]
    return lines


def reference() -> str:
    find_places(SCHEMA)
    page = HEAD + "\n".join(table(SCHEMA["properties"], SCHEMA["required"]))
    for kinds, path in PLACES.items():
        if f"\n\n## `{path}`\n" in page:  # some of the kinds that another key has
            continue
        page += "\n".join([f"\n\n## `{path}`", *configs([SCHEMA["$defs"][kind] for kind in kinds])])
    return page + "\n"


if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs/recipe.md").write_text(reference(), encoding="utf-8")
