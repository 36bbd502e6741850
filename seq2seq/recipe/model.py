"""The section `model`."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.attention import AnyAttention, LuongAttentionConfig, MultiHeadAttentionConfig
from seq2seq.recipe.base import Config, Depth, Faults, PathName, Rate, Size, named, rule
from seq2seq.recipe.cells import (
    Activation,
    AnyCell,
    ElementwiseConfig,
    Initializer,
    LstmConfig,
    TransitionGruConfig,
)


class EmbeddingConfig(Config):
    """Token embeddings."""

    size: Size = 256
    """Embedding dimension."""
    tie: Literal["none", "decoder", "all"] = "decoder"
    """Share the target embedding with the output layer (`decoder`), and with the source embedding too (`all`)."""
    word_dropout: Rate = 0.0
    """Chance that a token's whole embedding is zeroed in training (Gal & Ghahramani 2016)."""
    src_vectors: PathName | None = None
    """Text file of word vectors (word2vec, GloVe, fastText) that the source embedding begins with."""
    tgt_vectors: PathName | None = None
    """The same for the target embedding."""
    frozen: bool = False
    """Do not train the embeddings that begin with vectors (nor an output layer tied to them)."""

    @rule
    def _vectors(self) -> Faults:
        if self.frozen and not (self.src_vectors or self.tgt_vectors):
            yield "frozen", "there are no vectors to keep; name src_vectors or tgt_vectors"
        if self.tie == "all" and self.tgt_vectors:
            yield "tgt_vectors", "with `tie: all` there is one embedding; name its file as src_vectors"


class StackConfig(Config):
    """Recurrent layers, one above the other."""

    cell: AnyCell = LstmConfig()
    """The recurrent unit: a name, or a section with its `kind` and options."""
    layers: Depth = 1
    """Layers of the stack."""
    hidden_size: Size = 512
    """Hidden size (of each direction)."""
    connections: Literal["plain", "residual", "highway", "dense"] = "plain"
    """What a layer gives on: h; x + h (He et al. 2016); a learned mixture (Srivastava et al. 2015); [x; h]
    (Huang et al. 2017). Residual and highway act where x is as long as h."""
    dropout: Rate = 0.0
    """Chance that a number of the stack's input, or of a layer's h before its connection, is zeroed; one mask
    a sentence (Gal & Ghahramani 2016)."""
    input_dropout: Rate | None = None
    """The same of the stack's input alone (of one layer: Keras's `dropout`); null: as `dropout`."""
    recurrent_dropout: Rate = 0.0
    """Chance that a number of h_{t-1} is zeroed where it is multiplied by W_h; one mask a sentence (Gal & Ghahramani
    2016)."""
    weight_dropout: Rate = 0.0
    """Chance that a weight of W_h is zeroed; one mask a step of the optimizer (Merity et al. 2018)."""
    zoneout: Rate = 0.0
    """Chance that a number of the state stays as it was (Krueger et al. 2017)."""

    def output_size(self, input_size: int, directions: int = 1) -> int:
        """Size of the stack's output at each position."""
        above = input_size if self.connections == "dense" else 0
        return above + self.hidden_size * directions * (self.layers if self.connections == "dense" else 1)

    @property
    def drops(self) -> bool:
        """Whether chance parts two passes over a sentence in training; dropped weights are those of a whole step."""
        return any((self.dropout, self.input_dropout, self.recurrent_dropout, self.zoneout))

    @rule
    def _has_something_to_drop(self) -> Faults:
        for key in ("recurrent_dropout", "weight_dropout"):
            if isinstance(self.cell, ElementwiseConfig):
                yield from self.without_effect(key, f"on {self.cell.kind}, which has no W_h; remove it")

    @rule
    def _has_layers_to_connect(self) -> Faults:
        if self.connections in ("residual", "highway") and self.layers == 1:
            yield "connections", f"{self.connections} needs layers: 2 or more"


class ProjectionConfig(Config):
    """A layer on top of the encoder: its outputs and its last state become act(V h + b)."""

    size: Size | None = None
    """Size of each output; null: the encoder's hidden size."""
    activation: Activation = "tanh"
    """act in the equation; tanh: the summary c of Cho et al. 2014; identity: RNMT+ (Chen et al. 2018)."""


class EncoderConfig(StackConfig):
    """Reads the source sentence."""

    hidden_size: Size = 256
    """Hidden size, of each direction."""
    direction: Literal[
        "forward", "backward", "bidirectional", "bidirectional_first", "alternating", "bidirectional_alternating"
    ] = "bidirectional"
    """forward; backward (the source reversed: Sutskever et al. 2014); bidirectional: both in each layer, joined
    (Schuster & Paliwal 1997); bidirectional_first: both in the first layer, the others forward (GNMT: Wu et al. 2016);
    alternating: layer by layer (Zhou et al. 2016); bidirectional_alternating: two such stacks side by side (Miceli
    Barone et al. 2017)."""
    projection: ProjectionConfig | None = None
    """A feed-forward layer between the encoder and all that sees it; null: none."""

    @property
    def directions(self) -> list[str]:
        """Of each layer, what it reads: `f` forward, `b` backward, `fb` both."""
        every: dict[str, str] = {"forward": "f", "backward": "b", "bidirectional": "fb"}
        if self.direction in every:
            return [every[self.direction]] * self.layers
        if self.direction == "bidirectional_first":
            return ["fb", *["f"] * (self.layers - 1)]
        pair = ("f", "b") if self.direction == "alternating" else ("fb", "bf")
        return [pair[layer % 2] for layer in range(self.layers)]

    @rule
    def _deep_enough(self) -> Faults:
        if self.direction in ("bidirectional_first", "alternating", "bidirectional_alternating"):
            if self.layers == 1:
                yield "direction", f"{self.direction} needs layers: 2 or more"
            if self.connections == "dense":
                yield "connections", f"dense layers and direction {self.direction} do not go together"

    @rule
    def _can_project(self) -> Faults:
        if self.connections == "dense" and self.projection:
            yield "projection", "dense layers' outputs and last states differ in size; remove it"


ReadoutInput = Literal["state", "previous_state", "context", "token"]


class ReadoutConfig(Config):
    """The layer between the decoder's stack and the output layer."""

    kind: Literal["none", "linear", "tanh", "maxout"] = "tanh"
    """Of the joined inputs x: none: x itself; linear: W x + b; tanh: tanh(W x + b) (Luong et al. 2015, equation 5);
    maxout: the larger of each pair of W x + b (Goodfellow et al. 2013; Bahdanau et al. 2015, appendix A.2.2)."""
    inputs: Annotated[list[ReadoutInput], Field(min_length=1)] | None = None
    """What is joined: the top layer's state, its state of the step before, the attention's context, the embedding of
    the last token. null: state and context, for maxout the token too."""

    @rule
    def _once_each(self) -> Faults:
        if self.inputs and len(set(self.inputs)) < len(self.inputs):
            yield "inputs", "one of them is there twice; remove it"


class DecoderConfig(StackConfig):
    """Writes the target sentence."""

    attention: AnyAttention = LuongAttentionConfig()
    """How the decoder looks at the source."""
    attend: Literal["top", "first", "within", "previous"] = "top"
    """With which state: the top layer's new one, its context joining the output (Luong et al. 2015); the first
    layer's new one, the context an input of the layers above (GNMT: Wu et al. 2016); within the first layer, the
    state of its first GRU, the context an input of its second and of the layers above (conditional GRU: Sennrich et al.
    2017; Miceli Barone et al. 2017); the top layer's previous one, the context an input of the first layer (Bahdanau
    et al. 2015)."""
    input_feeding: bool = False
    """Feed each step what the last one saw: the attentional state (Luong et al. 2015, section 3.3), or with `attend:
    first` the context (Wu et al. 2016); slower to train."""
    readout: Annotated[ReadoutConfig, named(Annotated[ReadoutConfig, Field()], ReadoutConfig)] = ReadoutConfig()
    """What the output layer sees: a kind, or a section with its `kind` and `inputs`."""

    @property
    def readout_inputs(self) -> list[ReadoutInput]:
        """What the readout joins."""
        if self.readout.inputs is not None:
            return self.readout.inputs
        context: list[ReadoutInput] = [] if self.attention.kind == "none" else ["context"]
        token: list[ReadoutInput] = ["token"] if self.readout.kind == "maxout" else []
        return ["state", *context, *token]

    @rule
    def _looks(self) -> Faults:
        if self.attention.kind == "none":
            yield from self.without_effect("input_feeding", "with attention none; set it to false")
            yield from self.without_effect("attend", "with attention none; remove it")
        if self.attend in ("previous", "within") and self.input_feeding:
            message = f"the context is an input already with `attend: {self.attend}`; set it to false"
            yield "input_feeding", message
        if self.attend == "first" and self.layers == 1:
            yield "attend", "`first` needs layers: 2 or more; use top"
        if self.attend == "within" and not isinstance(self.cell, TransitionGruConfig):
            yield "attend", f"`within` needs cell: transition_gru, not {self.cell.kind}; use top"

    @rule
    def _reads_out(self) -> Faults:
        inputs = self.readout_inputs
        if self.attention.kind == "none" and "context" in inputs:
            yield "readout.inputs", "there is no context with attention none; remove it"
        if self.attention.kind != "none" and self.attend == "top" and "context" not in inputs:
            yield "readout.inputs", "with `attend: top` the context acts through the readout; add context"
        if set(inputs) == {"token"}:
            yield "readout.inputs", "from the token alone the output layer never sees the source; add state"
        if self.readout.kind == "none" and self.connections == "dense":
            yield "readout.kind", "dense layers leave too many numbers for the output layer; use linear"


class ModelConfig(Config):
    """The encoder-decoder."""

    embedding: EmbeddingConfig = EmbeddingConfig()
    """The tokens' vectors."""
    encoder: EncoderConfig = EncoderConfig()
    """Reads the source sentence."""
    bridge: Literal["project", "project_backward", "project_mean", "copy", "zero"] = "project"
    """The decoder's first states: tanh(W s + b) of the top encoder layer's last state s in all directions, in the
    backward one alone (Bahdanau et al. 2015, appendix A.2.2), or of the mean of its outputs (Sennrich et al. 2017);
    the encoder's last states, layer by layer (Sutskever et al. 2014); or zeros."""
    decoder: DecoderConfig = DecoderConfig()
    """Writes the target sentence."""
    initializer: Initializer | None = None
    """What embeddings and linear layers begin with (cells have their own keys); `uniform` without a range:
    1/sqrt(numbers that go in); null: embeddings normal with deviation 1/sqrt(size), linear layers glorot_uniform."""

    @property
    def sees_source(self) -> bool:
        """Whether the decoder does: else it is a language model."""
        return self.decoder.attention.kind != "none" or self.bridge != "zero"

    @property
    def memory_size(self) -> int:
        """Size of each encoder output."""
        if self.encoder.projection is not None:
            return self.encoder.projection.size or self.encoder.hidden_size
        return self.encoder.output_size(self.embedding.size, len(self.encoder.directions[-1]))

    @property
    def output_size(self) -> int:
        """Size of what the output layer sees."""
        decoder, embedding = self.decoder, self.embedding
        if decoder.readout.kind == "none":
            sizes = {"context": self.memory_size, "token": embedding.size}
            return sum(sizes.get(name, decoder.hidden_size) for name in decoder.readout_inputs)
        return decoder.hidden_size if embedding.tie == "none" else embedding.size

    @rule
    def _begins_with_differences(self) -> Faults:
        first = self.initializer
        if first is not None and first.kind in ("identity", "zeros", "ones", "constant"):
            yield "initializer", f"{first.kind} gives tokens that training cannot tell apart; use uniform, or normal"

    @rule
    def _sees_all_layers(self) -> Faults:
        unseen = self.encoder.layers == 1 and self.bridge in ("project", "project_backward", "copy")
        if self.decoder.attention.kind == "none" and self.encoder.connections == "dense" and unseen:
            yield "encoder.connections", "has no effect with attention none: the bridge sees the layer's state alone"

    @rule
    def _compares_like_with_like(self) -> Faults:
        decoder = self.decoder
        if decoder.attention.kind == "luong_dot" and (decoder.connections == "dense" or decoder.attend == "first"):
            yield "decoder.attention.kind", "luong_dot compares plain top states only; use luong_general"
        elif decoder.attention.kind == "luong_dot" and self.memory_size != decoder.hidden_size:
            yield (
                "decoder.attention.kind",
                f"luong_dot needs encoder outputs ({self.memory_size} numbers) as long as the decoder's states "
                f"({decoder.hidden_size}); set decoder.hidden_size to {self.memory_size}, or use luong_general",
            )
        if isinstance(decoder.attention, MultiHeadAttentionConfig) and self.memory_size % decoder.attention.heads:
            yield (
                "decoder.attention.heads",
                f"the heads must divide the encoder's outputs ({self.memory_size} numbers) evenly; "
                f"{decoder.attention.heads} do not",
            )

    @rule
    def _projects(self) -> Faults:
        encoder = self.encoder
        if self.bridge == "project_backward" and encoder.projection:
            yield "bridge", "encoder.projection leaves no state of the backward direction; use project"
        elif self.bridge == "project_backward" and "b" not in encoder.directions[-1]:
            yield "bridge", "the top encoder layer reads forward only; use project"
        if encoder.projection and self.decoder.attention.kind == "none" and self.bridge == "copy":
            yield "encoder.projection", "nothing sees it with attention none and bridge copy; remove it"

    @rule
    def _fits_the_embeddings(self) -> Faults:
        if self.embedding.tie != "none" and self.output_size != self.embedding.size:
            yield (
                "decoder.readout",
                f"none gives the output layer {self.output_size} numbers, but it is tied to embeddings of "
                f"{self.embedding.size}; use linear, or embedding.tie: none",
            )

    @rule
    def _connects(self) -> Faults:
        """A connection acts where a layer's input is as long as its output; of a decoder's two layers the upper is."""
        encoder = self.encoder
        joined = encoder.direction != "bidirectional_alternating"
        widths = [encoder.hidden_size * (len(d) if joined else 1) for d in encoder.directions]
        acts = any(below == above for below, above in itertools.pairwise([self.embedding.size, *widths]))
        if encoder.connections in ("residual", "highway") and not acts:
            yield (
                "encoder.connections",
                f"{encoder.connections} never acts: no layer's input is as long as its output "
                f"({' -> '.join(map(str, [self.embedding.size, *widths]))} numbers); add a layer, or use plain",
            )

    @rule
    def _can_copy(self) -> Faults:
        if self.bridge != "copy":
            return
        encoder, decoder = self.encoder, self.decoder
        sizes = {encoder.hidden_size * len(directions) for directions in encoder.directions}
        states = " or ".join(str(size) for size in sorted(sizes))
        one = f"{encoder.cell.kind} x {encoder.layers} of {states}"
        other = f"{decoder.cell.kind} x {decoder.layers} of {decoder.hidden_size}"
        if one != other:
            yield (
                "bridge",
                "copy needs an encoder and a decoder of the same cell, depth and state size, "
                f"but they are {one} and {other}; use project",
            )
