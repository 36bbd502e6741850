"""A server in a process of its own, and the little HTTP that measuring it needs."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """Of a good answer."""
        found: str = json.loads(self.body)["translatedText"]
        return found


class Served:
    """`seq2seq serve ARGUMENTS` at a free port, until the `with` is left; POSIX, and Linux for memory and time.

    Raises:
        SystemExit: it does not start.
    """

    def __init__(self, *arguments: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-m", "seq2seq", "serve", *arguments, "--port", "0"]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop it once full
        self.process = subprocess.Popen(command, stderr=self._log, env=environment)
        while not (found := re.search(r" at http://(\S+):(\d+)\n", self.log)):
            if self.process.poll() is not None:
                raise SystemExit(f"{' '.join(command)}: does not start\n{self.log}")
            time.sleep(0.05)
        self.host, self.port = found[1], int(found[2])

    @property
    def log(self) -> str:
        """What it has said so far."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._log.close()

    def get(self, path: str) -> str:
        """What is there."""
        with urllib.request.urlopen(f"http://{self.host}:{self.port}{path}", timeout=60) as response:
            found: str = response.read().decode()
            return found

    @property
    def memory(self) -> float:
        """Resident, in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def seconds(self) -> float:
        """Of processor time, until now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client:
    """A connection that is kept alive."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def translate(self, q: Any, source: str, target: str, **others: Any) -> Answer:
        """POST /translate."""
        return await self.post(json.dumps({"q": q, "source": source, "target": target} | others).encode())

    async def post(self, body: bytes) -> Answer:
        """Whatever that is."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.served.host, self.served.port)
        reader, writer = self.streams
        head = f"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)
        await writer.drain()
        return await read_answer(reader)

    def close(self) -> None:
        """Hang up."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """An answer with a Content-Length, as all of ours are."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"(?i)^content-length: (\d+)", head, re.M)
    assert length, head
    return Answer(int(head.split()[1]), await reader.readexactly(int(length[1])))
