"""`seq2seq export`: a trained model as a folder that translates without torch (`seq2seq.runtime`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from seq2seq import __version__
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import copy_tokenizers
from seq2seq.errors import UserError
from seq2seq.export.card import exported_card
from seq2seq.export.shortlist import make_shortlist
from seq2seq.files import new_folder, write_json, write_text
from seq2seq.run_folder import folder_of_model
from seq2seq.runtime.folder import FORMAT, Precision, graphs

FORMATS: dict[str, Precision] = {"onnx": "fp32", "onnx-int8": "int8"}
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export(run: Path, output: Path, formats: list[str], pairs: Path | None = None) -> None:
    """Write the exported folder, whole or not at all; what stood there before is replaced.

    Args:
        run: a run folder, or a model folder.
        formats: of `FORMATS`.
        pairs: prepared training data, of which a vocabulary shortlist is made; None: none is.

    Raises:
        UserError: packages are missing, or a part of the model cannot be exported.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"exporting needs {', '.join(missing)}; install with: pip install 'seq2seq[onnx]'")
    from seq2seq.export.onnx import quantize, quantize_short, write_graphs  # noqa: PLC0415 - an extra

    bundle = load_bundle(run, torch.device("cpu"))
    source = folder_of_model(run)
    with new_folder(output) as folder:
        fp32 = graphs(folder, "fp32")
        int8 = graphs(folder, "int8")
        write_graphs(bundle.model, fp32, pairs is not None)
        if "onnx-int8" in formats:
            quantize(fp32.encoder, int8.encoder)
            quantize(fp32.step, int8.step)
            if pairs is not None:
                quantize_short(fp32.short, int8.short)
        if "onnx" not in formats:
            for file in fp32:
                file.unlink(missing_ok=True)
        if pairs is not None:
            make_shortlist(PreparedPairs(pairs), len(bundle.src_tokenizer), len(bundle.tgt_tokenizer)).save(folder)
        copy_tokenizers(source, folder)
        if bundle.confidence is not None:
            bundle.confidence.save(folder)
        write_json(folder / "config.json", _config(bundle))
        write_text(folder / "README.md", exported_card(bundle, folder))


def _config(bundle: Bundle) -> dict[str, object]:
    """What the runtime has to know; `model` is for readers."""
    config = bundle.config
    kept = config.model_dump(
        include={"name", "task", "src", "tgt", "reverse_target", "max_length", "decoding", "model"}
    )
    return {"format": FORMAT, "seq2seq_version": __version__, **kept}
