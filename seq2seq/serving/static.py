"""The page for people: its files, and what a browser may do with them."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline, in no other site's frame."""
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def page_routes() -> list[Route]:
    """`/`, and its parts below `/page/`; they are read once."""
    files = {path.name: path for path in FOLDER.iterdir() if path.suffix in TYPES}
    answers = {name: _answer(path) for name, path in files.items()}

    async def index(request: Request) -> Response:
        return answers["index.html"]

    async def part(request: Request) -> Response:
        if request.path_params["name"] not in answers:
            raise HTTPException(404)
        return answers[request.path_params["name"]]

    return [Route("/", index), Route("/page/{name}", part)]


def _answer(path: Path) -> Response:
    return Response(path.read_bytes(), headers=HEADERS, media_type=TYPES[path.suffix])
