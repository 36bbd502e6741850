"""As much of the hub's HTTP interface as uploading and fetching a model takes, on this machine, in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


class FakeHub:
    """Repositories by name: each a list of branches, each branch a list of commits, each commit its files."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}  # repository, commit, path
        self.branches: dict[str, dict[str, str]] = {}
        self.private: set[str] = set()
        self.requests: list[str] = []
        self.token = "secret"

    def commit(self, repo: str, branch: str, files: dict[str, bytes]) -> str:
        content = repr(sorted((name, data) for name, data in files.items())) + branch
        sha = hashlib.sha1(content.encode()).hexdigest()
        self.commits[repo][sha] = files
        self.branches[repo][branch] = sha
        return sha

    def files(self, repo: str, revision: str) -> dict[str, bytes]:
        return self.commits[repo][self.branches[repo].get(revision, revision)]

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Its address, while the block runs."""
        hub = self

        class Handler(_Handler):
            own = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    own: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:  # noqa: PLR0911
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(self.path)
        self.own.requests.append(f"POST {path}")
        if self.headers.get("Authorization") != f"Bearer {self.own.token}":
            return self.answer(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = "/".join(part for part in (asked.get("organization"), asked["name"]) if part)
            if repo in self.own.commits:
                return self.answer(409, {"error": "You already created this model repo", "url": f"/{repo}"})
            self.own.commits[repo], self.own.branches[repo] = {}, {}
            self.own.private |= {repo} if asked.get("private") or asked.get("visibility") == "private" else set()
            self.own.commit(repo, "main", {})
            return self.answer(200, {"url": f"http://{self.headers['Host']}/{repo}", "name": repo})
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|branch)/(.+)", path)
        if match is None:
            return self.answer(404, {"error": path})
        repo, what, revision = match.groups()
        if what == "branch":
            self.own.branches[repo].setdefault(revision, self.own.branches[repo]["main"])
            return self.answer(200, {})
        if what == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        files = dict(self.own.files(repo, revision))
        for line in body.decode().splitlines():
            record = json.loads(line)
            if record["key"] == "file":
                files[record["value"]["path"]] = base64.b64decode(record["value"]["content"])
            elif record["key"] == "deletedFile":
                del files[record["value"]["path"]]
        sha = self.own.commit(repo, revision, files)
        url = f"http://{self.headers['Host']}/{repo}/commit/{sha}"
        return self.answer(200, {"commitUrl": url, "commitOid": sha, "success": True})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.own.requests.append(f"{self.command} {path}")
        match = re.fullmatch(r"(?:/api/models)?/([^/]+/[^/]+)(?:/(resolve|revision|tree)/([^/]+)(?:/(.+))?)?", path)
        repo, what, revision, file = match.groups() if match else ("", None, None, None)
        known = self.headers.get("Authorization") == f"Bearer {self.own.token}"
        if repo not in self.own.commits or (repo in self.own.private and not known):
            return self.answer(401, {"error": "Repository not found"}, "RepoNotFound")
        try:
            files = self.own.files(repo, revision or "main")
        except KeyError:
            return self.answer(404, {"error": "Invalid rev id"}, "RevisionNotFound")
        sha = next(sha for sha, content in self.own.commits[repo].items() if content is files)
        if what == "resolve":
            if file not in files:
                return self.answer(404, {"error": "Entry not found"}, "EntryNotFound")
            return self.answer(200, files[file], headers={"X-Repo-Commit": sha, "ETag": f'"{_oid(files[file])}"'})
        if what == "tree":
            return self.answer(200, [
                {"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()
            ])  # fmt: skip
        return self.answer(200, {"id": repo, "sha": sha, "siblings": [{"rfilename": name} for name in files]})

    def answer(self, status: int, body: Any, code: str = "", headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "X-Error-Code": code, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
