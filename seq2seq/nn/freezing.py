"""Parts of an encoder-decoder that training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from seq2seq.errors import UserError
from seq2seq.nn.seq2seq import Seq2Seq


def parts_of(model: Seq2Seq) -> dict[str, list[nn.Module | None]]:
    """By the names of `training.freeze`, the modules of a model: each of its weights is in one of them, or tied."""
    encoder, decoder = model.encoder, model.decoder
    return {
        "embedding": [model.src_embedding, model.tgt_embedding],
        "encoder": [encoder.stack, encoder.projection],
        "bridge": [encoder.bridge],
        "decoder": [decoder.stack],
        "attention": [decoder.attention],
        "output": [decoder.readout, model.output],
    }


def freeze(model: Seq2Seq, names: Sequence[str]) -> None:
    """Take parts out of training. What is tied to one of their weights, such as an output layer, goes with it.

    Raises:
        UserError: a part has no weights; nothing would be left to train.
    """
    parts = parts_of(model)
    for name in names:
        weights = [weight for module in parts[name] if module is not None for weight in module.parameters()]
        if not weights:
            raise UserError(f"training.freeze: {name}: this model has no weights there; remove it")
        for weight in weights:
            weight.requires_grad_(False)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise UserError("training.freeze: nothing is left to train; name fewer parts")
