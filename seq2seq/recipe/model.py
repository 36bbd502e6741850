"""The section `model`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seq2seq.recipe.section import Positive, Rate, Section, impossible

CellName = Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]


class Embedding(Section):
    """Token embeddings."""

    size: Positive = 256
    """Numbers an embedding."""
    tie: Literal["none", "decoder", "all"] = "decoder"
    """Share the target embedding with the output layer (`decoder`), and with the source embedding too (`all`)."""
    word_dropout: Rate = 0.0
    """Chance that a token's whole embedding is zeroed in training (Gal & Ghahramani 2016)."""


class Stack(Section):
    """Recurrent layers, one above the other."""

    cell: CellName = "lstm"
    """The recurrent unit."""
    layers: Positive = 1
    """Layers of the stack."""
    hidden_size: Positive = 512
    """Numbers of a hidden state (of each direction)."""
    dropout: Rate = 0.0
    """On the stack's input, between layers and on its output; one mask a sentence (Gal & Ghahramani 2016)."""


class Encoder(Stack):
    """Reads the source sentence."""

    hidden_size: Positive = 256
    """Numbers of a hidden state, of each direction."""
    bidirectional: bool = True
    """Read in both directions and join the two states of each position."""


class NoAttention(Section):
    """The decoder sees the source through its first state alone (Sutskever et al. 2014)."""

    kind: Literal["none"]


class BahdanauAttention(Section):
    """Additive: v . tanh(W q + U k) (Bahdanau et al. 2015, section 3.1)."""

    kind: Literal["bahdanau"]
    size: Positive | None = None
    """Units of the scoring layer. Default: the decoder's hidden size."""


class LuongAttention(Section):
    """Dot q . k, general q . W k, or concat v . tanh(W [q; k]) (Luong et al. 2015, equation 8)."""

    kind: Literal["luong_dot", "luong_general", "luong_concat"]


AnyAttention = Annotated[NoAttention | BahdanauAttention | LuongAttention, Field(discriminator="kind")]


class Decoder(Stack):
    """Writes the target sentence."""

    input_feeding: bool = False
    """Feed each step the last attentional state (Luong et al. 2015, section 3.3); slower to train."""
    attention: AnyAttention = LuongAttention(kind="luong_general")
    """How the decoder looks at the source."""


class Model(Section):
    """The encoder-decoder."""

    embedding: Embedding = Embedding()
    encoder: Encoder = Encoder()
    bridge: Literal["project", "copy", "zero"] = "project"
    """The decoder's first states: a learned projection of the encoder's last ones, the same ones, or zeros."""
    decoder: Decoder = Decoder()

    @property
    def memory_size(self) -> int:
        """Numbers of each encoder output."""
        return self.encoder.hidden_size * (2 if self.encoder.bidirectional else 1)

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        encoder, decoder, kind = self.encoder, self.decoder, self.decoder.attention.kind
        if kind == "none" and decoder.input_feeding:
            raise impossible(
                "decoder.input_feeding", "there is no attentional state to feed with attention none; set it to false"
            )
        if kind == "none" and self.bridge == "zero":
            raise impossible(
                "bridge", "with attention none and bridge zero the decoder never sees the source; use project or copy"
            )
        if kind == "luong_dot" and self.memory_size != decoder.hidden_size:
            raise impossible(
                "decoder.attention.kind",
                f"luong_dot needs encoder outputs ({self.memory_size} numbers) as long as the decoder's states "
                f"({decoder.hidden_size}); set decoder.hidden_size to {self.memory_size}, or use luong_general",
            )
        if self.bridge == "copy":
            sides = (encoder, self.memory_size), (decoder, decoder.hidden_size)
            one, other = (f"{side.cell} x {side.layers} of {size}" for side, size in sides)
            if one != other:
                raise impossible(
                    "bridge",
                    "copy needs an encoder and a decoder of the same cell, depth and state size, "
                    f"but they are {one} and {other}; use project",
                )
        return self
