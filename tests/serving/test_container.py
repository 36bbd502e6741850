"""The packages that the Dockerfile installs are enough to serve an exported model."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.command_line import seq2seq
from tests.serving.conftest import Start

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "tools/Dockerfile").read_text(encoding="utf-8")
MODULES = {"pyyaml": "yaml", "prometheus-client": "prometheus_client", "python-multipart": "python_multipart"}
BLOCK = """import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def installed() -> set[str]:
    (names,) = re.findall(r"pip install --no-cache-dir \\\n((?: +.*\n)+)", DOCKERFILE)
    return set(names.replace("\\", "").split())


def needed() -> set[str]:
    """Names of all packages that the project's metadata asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everything = [*project["dependencies"], *project["optional-dependencies"]["serve"], "onnxruntime"]
    return {re.split(r"[\[<>=]", name)[0] for name in everything}


def test_they_are_enough(toys: dict[str, Path], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
    assert installed() <= needed()
    absent = {MODULES.get(name, name.replace("-", "_")) for name in needed() - installed()}
    assert {"torch", "datasets", "pyarrow", "sacrebleu"} <= absent
    assert seq2seq("export", str(toys["en-de"]), str(tmp_path / "exported"), "--formats", "onnx-int8").code == 0
    (tmp_path / "sitecustomize.py").write_text(BLOCK.format(names=absent))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    with start(tmp_path / "exported") as server:
        assert server.translate("one two three")["translatedText"].strip()
        assert server.ask("/").status == server.ask("/health").status == server.ask("/metrics").status == 200


def test_what_it_copies_is_there() -> None:
    for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.M):
        for name in line.split()[:-1]:
            assert name == "${MODEL}" or (ROOT / name).exists(), name
