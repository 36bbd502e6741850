"""The encoder-decoder: embeddings, encoder, decoder and output layer.

Training calls `forward` and `logits`; decoding calls `encode`, `start` and `step`.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seq2seq import recipe
from seq2seq.nn.decoder import Decoder, DecoderState, joined
from seq2seq.nn.encoder import Encoder, Memory
from seq2seq.nn.initialization import initialize
from seq2seq.nn.regularization import Activity


class Seq2SeqOutput(NamedTuple):
    """What a forward pass gives."""

    states: Float[Tensor, "batch tgt_len output"]
    """The attentional state before each target token, to be given to `logits`."""
    attention: Float[Tensor, "batch tgt_len src_len"] | None
    """The attention's weights, with their gradient; None: not asked for, or the model has no attention."""
    activity_penalty: Tensor | None
    """Summed over the batch's sentences; None: the recipe asks for none, or the model is not training."""


class Seq2Seq(nn.Module):
    """A recurrent encoder-decoder.

    Args:
        config: the recipe's `model`.
        src_vocab_size, tgt_vocab_size: tokens of each side; equal where the embeddings are tied three ways.
        padding_id: the token that stands for nothing.
    """

    def __init__(self, config: recipe.ModelConfig, src_vocab_size: int, tgt_vocab_size: int, padding_id: int) -> None:
        super().__init__()
        embedding = config.embedding
        self.src_embedding = nn.Embedding(src_vocab_size, embedding.size, padding_id)
        shared = embedding.tie == "all"
        self.tgt_embedding = self.src_embedding if shared else nn.Embedding(tgt_vocab_size, embedding.size, padding_id)
        tied = embedding.tie != "none"
        self.decoder = Decoder(config)
        self.encoder = Encoder(config, self.decoder.states)
        self.output = nn.Linear(config.output_size, tgt_vocab_size)
        initialize(self, config.initializer)
        if tied:
            self.output.weight = self.tgt_embedding.weight
        # A tied embedding is small, as an output layer must be; as an input it is scaled up.
        self.embedding_scale = 0.5 * math.sqrt(embedding.size) if tied else 1.0
        self.sees_source = config.sees_source
        if not self.sees_source:
            self.encoder.requires_grad_(False)
            self.src_embedding.requires_grad_(shared)
        self.word_dropout = embedding.word_dropout
        self.output_dropout = nn.Dropout(config.decoder.dropout)
        self.padding_id = padding_id

    def forward(
        self,
        src: Int[Tensor, "sources src_len"],
        src_lengths: Int[Tensor, " sources"],
        tgt_input: Int[Tensor, "batch tgt_len"],
        teacher_forcing: float = 1.0,
        sources: Int[Tensor, " batch"] | None = None,
        with_attention: bool = False,
    ) -> Seq2SeqOutput:
        """Read the source, and the target behind it token by token.

        Args:
            src: source tokens, padded behind.
            tgt_input: <s> and the reference without its last token.
            teacher_forcing: chance that a step is fed `tgt_input` and not the model's own last choice.
            sources: the row of `src` that each target translates; None: its own.
            with_attention: give the attention's weights too, which input feeding cannot in its fastest way.
        """
        if not self.sees_source:  # no more of it is read than has to be
            src, src_lengths = src[:, :1], torch.ones_like(src_lengths)
        # Dropped weights are the same ones at all steps.
        with parametrize.cached(), Activity(self.encoder) as read, Activity(self.decoder) as written:
            memory = self.encode(src, src_lengths)
            memory = memory if sources is None else memory.select(sources)
            if teacher_forcing >= 1:
                states, attention = self.decoder(self._embed(self.tgt_embedding, tgt_input), memory, with_attention)
            else:
                states, attention = self._partly_forced(memory, tgt_input, teacher_forcing)
        parts = [read.penalty(), written.penalty(tgt_input != self.padding_id)]
        given = [part for part in parts if part is not None]
        penalty = torch.stack(given).sum() if given else None
        return Seq2SeqOutput(self.output_dropout(states), attention if with_attention else None, penalty)

    def logits(self, states: Float[Tensor, "*rows output"]) -> Float[Tensor, "*rows tgt_vocab"]:
        """Unnormalised log-probabilities of the next token."""
        logits: Tensor = self.output(states)
        return logits

    def encode(self, src: Int[Tensor, "batch src_len"], src_lengths: Int[Tensor, " batch"]) -> Memory:
        """Read the source sentences."""
        memory: Memory = self.encoder(self._embed(self.src_embedding, src), src_lengths, self.decoder.keys)
        return memory

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token, one hypothesis a sentence."""
        return self.decoder.start(memory)

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: DecoderState, memory: Memory
    ) -> tuple[Float[Tensor, "batch beam tgt_vocab"], DecoderState]:
        """The logits after one more token of every hypothesis, and the next state."""
        output, state = self.advance(tokens, state, memory)
        return self.logits(output), state

    def advance(
        self, tokens: Int[Tensor, "batch beam"], state: DecoderState, memory: Memory
    ) -> tuple[Float[Tensor, "batch beam output"], DecoderState]:
        """The attentional state after one more token of every hypothesis, and the next state."""
        advanced: tuple[Tensor, DecoderState] = self.decoder.step(
            self._embed(self.tgt_embedding, tokens), state, memory
        )
        return advanced

    def _embed(self, embedding: nn.Embedding, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time size"]:
        embedded: Tensor = embedding(tokens) * self.embedding_scale
        if self.training and self.word_dropout > 0:
            kept = torch.rand(tokens.shape, device=tokens.device) >= self.word_dropout
            embedded = embedded * kept.unsqueeze(-1)
        return embedded

    def _partly_forced(
        self, memory: Memory, tgt_input: Int[Tensor, "batch tgt_len"], ratio: float
    ) -> tuple[Float[Tensor, "batch tgt_len output"], Float[Tensor, "batch tgt_len src_len"] | None]:
        """Step by step: each sentence's next input is the reference's token, or the model's likeliest one.

        Returns:
            the attentional states and the attention's weights.
        """
        embedded = self._embed(self.tgt_embedding, tgt_input)
        masks = self.decoder.masks(embedded)
        state, x, outputs, weights = self.start(memory), embedded[:, :1], [], []
        for t in range(tgt_input.shape[1]):
            output, state = self.decoder.step(x, state, memory, masks)
            outputs.append(output)
            weights.append(state.attention)
            if t + 1 < tgt_input.shape[1]:
                with torch.no_grad():
                    own = self.logits(output).argmax(-1)
                forced = torch.rand(own.shape, device=own.device) < ratio
                own_embedded = self._embed(self.tgt_embedding, own)
                x = torch.where(forced.unsqueeze(-1), embedded[:, t + 1 : t + 2], own_embedded)
        return torch.cat(outputs, 1), joined(weights)
