"""The page without a server: a folder that any web server serves, whose translations are made in the browser."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from types import SimpleNamespace

from seq2seq.data.tokenization import JOINT, SRC, TGT
from seq2seq.decoding.confidence import FILE as CONFIDENCE
from seq2seq.errors import UserError
from seq2seq.export.folder import FORMATS, export
from seq2seq.files import file_hash, new_folder, write_json, write_text
from seq2seq.languages import has_spaces, language_name
from seq2seq.recipe import DecodingConfig
from seq2seq.runtime.folder import Precision, as_dict, graphs, load_config

HERE = Path(__file__).parent
VERSION = "1.30.0"
"""Of the npm package onnxruntime-web."""
RUNTIME = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""What is taken of it, with SHA-256."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'"
)
IN_THE_BROWSER = {"beam_size", "length_penalty", "max_length", "min_length", "split"}
"""Keys of `decoding` that the browser's search has."""
README = """\
# {source} to {target}, in the browser

Serve this folder with any web server, for example `python -m http.server`, and open its address. The model comes with
the page; texts never leave the browser. `seq2seq translate model` in this folder translates the same.

| | | |
|---|---|---|
| `index.html`, `page/`, `engine/` | the page, the search, the tokenizer | seq2seq, MIT |
| `model/` | the exported model, {precision} | its card: `model/README.md` |
| `runtime/` | onnxruntime-web {version} | MIT, `runtime/LICENSE` |
"""
LICENSE = """\
MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def write_site(run: Path, output: Path, package: Path, form: str = "onnx-int8") -> None:
    """Write the folder, whole or not at all; what stood there before is replaced.

    Args:
        run: a run folder, or a model folder.
        package: the npm package onnxruntime-web, packed or unpacked.
        form: of the model's graphs, one of `export.folder.FORMATS`.

    Raises:
        UserError: the package is another, or the model cannot be exported, or searches as no browser does.
    """
    runtime = {name: _checked(package, name) for name in RUNTIME}
    with new_folder(output) as folder:
        export(run, folder / "model", [form])
        config = load_config(folder / "model")
        _refuse(config)
        shutil.copytree(HERE / "page", folder / "page")
        shutil.copytree(HERE / "engine", folder / "engine")
        (folder / "engine/keep.js").unlink()
        (folder / "engine/translations.js").replace(folder / "page/translations.js")
        page = (folder / "page/index.html").read_text(encoding="utf-8")
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        write_text(folder / "index.html", page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}'))
        (folder / "page/index.html").unlink()
        (folder / "runtime").mkdir()
        for name, content in runtime.items():
            (folder / "runtime" / name).write_bytes(content)
        write_text(folder / "runtime/LICENSE", LICENSE)
        write_json(folder / "site.json", _site(folder / "model", config, FORMATS[form]))
        names = {side: language_name(code) for side, code in (("source", config.src), ("target", config.tgt))}
        write_text(folder / "README.md", README.format(version=VERSION, precision=FORMATS[form], **names))
        _keep_for_later(folder)


def _keep_for_later(folder: Path) -> None:
    """Write the service worker, which has a page that was visited once open without a network."""
    code = (HERE / "engine/keep.js").read_text(encoding="utf-8")
    write_text(folder / "keep.js", f"const FILES = {json.dumps(hashes(folder), indent=2)}\n{code}")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that a browser may ask for, but for the service worker itself."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix != ".md")
    return {
        name: file_hash(folder / name) for file in files if (name := file.relative_to(folder).as_posix()) != "keep.js"
    }


def _site(model: Path, config: SimpleNamespace, precision: Precision) -> dict[str, object]:
    """What the page has to know before it has a model."""
    languages = [
        {"code": code.replace("_", "-"), "name": language_name(code), "targets": targets}
        for code, targets in ((config.src, [config.tgt.replace("_", "-")]), (config.tgt, []))
    ]
    return {
        "languages": languages,
        "tokenizers": [JOINT] if (model / JOINT).exists() else [SRC, TGT],
        "graphs": {name: getattr(graphs(model, precision), name).name for name in ("encoder", "step")},
        "calibrated": (model / CONFIDENCE).exists(),
        "blank": " " if has_spaces(config.tgt) else "",
    }


def _refuse(config: SimpleNamespace) -> None:
    """A search that the browser does not have."""
    if config.task != "translation":
        raise UserError(f"--web: a {config.task.replace('_', ' ')} translates nothing; name a translator's run")
    if config.reverse_target:
        raise UserError("--web: a model of data.reverse_target has no counterpart in the browser; name another run")
    usual, found = DecodingConfig().model_dump(mode="json"), as_dict(config.decoding)
    for key in usual.keys() - IN_THE_BROWSER:
        if found[key] != usual[key]:
            raise UserError(f"--web: decoding.{key} has no counterpart in the browser; set it to "
                            f"{usual[key]!r} in the recipe")  # fmt: skip


def _checked(package: Path, name: str) -> bytes:
    """A file of the npm package."""
    fix = f"name what `npm pack onnxruntime-web@{VERSION}` writes, or the folder of that package"
    try:
        if package.is_dir():
            content = (package / "dist" / name).read_bytes()
        else:
            with tarfile.open(package) as packed:
                member = packed.extractfile(f"package/dist/{name}")
                content = member.read() if member is not None else b""
    except (OSError, KeyError, tarfile.TarError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--onnxruntime-web {package}: {name} cannot be read: {reason}; {fix}") from None
    if hashlib.sha256(content).hexdigest() != RUNTIME[name]:
        raise UserError(f"--onnxruntime-web {package}: {name} is not that of version {VERSION}; {fix}")
    return content
