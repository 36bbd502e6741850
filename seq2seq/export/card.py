"""The README.md of an exported folder: what the model is, and how to use it."""

from __future__ import annotations

from pathlib import Path

from seq2seq import __version__
from seq2seq.bundle import Bundle

CARD = """\
---
language: [{src}, {tgt}]
pipeline_tag: translation
library_name: seq2seq
tags: [onnx, recurrent]
---

# {name}: {src} to {tgt}

A recurrent encoder-decoder, trained and exported by seq2seq {version}.

    pip install --no-deps seq2seq && pip install numpy tokenizers onnxruntime
    echo "..." | python -m seq2seq.runtime .

Where all of seq2seq is installed, `seq2seq translate .` does the same.

| | |
|---|---|
| parameters | {parameters:,} |
| encoder | {encoder} |
| decoder | {decoder} |
| vocabulary | {src_vocab:,} source and {tgt_vocab:,} target tokens |
| search | beam {beam}, length penalty {penalty} |

| file | bytes |
|---|---|
{files}
"""


def model_card(bundle: Bundle, folder: Path) -> str:
    """The card of a folder whose other files are there."""
    config, model = bundle.config, bundle.config.model
    stacks = [(model.encoder, model.encoder.direction), (model.decoder, f"attention {model.decoder.attention.kind}")]
    encoder, decoder = (f"{s.layers} x {s.cell.kind} {s.hidden_size}, {what}" for s, what in stacks)
    files = [(file.name, file.stat().st_size) for file in sorted(folder.iterdir())]
    return CARD.format(
        src=config.src,
        tgt=config.tgt,
        name=config.name,
        version=__version__,
        parameters=sum(weight.numel() for weight in bundle.model.parameters()),
        encoder=encoder,
        decoder=decoder,
        src_vocab=len(bundle.src_tokenizer),
        tgt_vocab=len(bundle.tgt_tokenizer),
        beam=config.decoding.beam_size,
        penalty=config.decoding.length_penalty.kind,
        files="\n".join(f"| {name} | {size:,} |" for name, size in files),
    )
