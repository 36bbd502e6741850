"""The parts of a translator as parts of any model: a stack of layers, an attention, a decoder with one. Batch first."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.errors import UserError
from seq2seq.nn.attention import make_attention
from seq2seq.nn.cells import State
from seq2seq.nn.decoder import Decoder as TranslationDecoder
from seq2seq.nn.encoder import Memory
from seq2seq.nn.stack import EncoderStack
from seq2seq.recipe import errors
from seq2seq.recipe.reader import Source

T = TypeVar("T", bound=recipe.Config)


class Encoder(EncoderStack):
    """Recurrent layers over padded sequences, in any direction.

    Args:
        input_size: size of x_t.
        options: the keys of a recipe's `model.encoder` (docs/recipe.md): cell, hidden_size, layers, direction,
            connections, dropout, recurrent_dropout, ...

    Call it with x [batch, src_len, input_size] and, where sequences are padded behind, their lengths [batch]. It gives
    every position's output [batch, src_len, output_size], zero on padding, and the last state of each layer.

    Raises:
        UserError: an option that is not valid, or has no effect.
    """

    def __init__(self, input_size: int, **options: Any) -> None:
        super().__init__(checked(recipe.EncoderConfig, "Encoder", options), input_size)


class Attention(nn.Module):
    """The weighted mean of a memory for each query (Bahdanau et al. 2015; Luong et al. 2015).

    Args:
        kind: bahdanau, luong_dot, luong_general, luong_concat, scaled_dot, multi_head, local_p, ... (docs/cells.md).
        query_size, memory_size: sizes of a query and of a position of the memory.
        options: of that kind, as in a recipe's `model.decoder.attention`.

    Raises:
        UserError: an option that is not valid; a kind that depends on the steps before, which a `Decoder` alone has.
    """

    def __init__(self, kind: str, query_size: int, memory_size: int, **options: Any) -> None:
        super().__init__()
        config = checked(recipe.DecoderConfig, "Attention", {"attention": {"kind": kind, **options}}).attention
        attention = make_attention(config, query_size, memory_size)
        if attention is None or attention.follows:
            raise UserError(f"attention {kind}: only a Decoder can have it; use another kind, such as luong_general")
        if kind == "luong_dot" and query_size != memory_size:
            raise UserError(
                f"attention luong_dot: queries ({query_size}) must be as long as the memory ({memory_size})"
            )
        self.attention = attention

    def forward(
        self,
        queries: Float[Tensor, "batch queries query_size"],
        memory: Float[Tensor, "batch src_len memory"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries memory"], Float[Tensor, "batch queries src_len"]]:
        """The context of each query, and its weights over the memory (each row sums to 1, padding has 0).

        Args:
            lengths: positions of each memory that count; None: all.
        """
        padding = padding_of(memory, lengths)
        context, weights = self.attention(queries, self.attention.keys(memory), memory, padding)
        return context, weights


class Decoder(nn.Module):
    """Recurrent layers that look at a memory as they go, and what they and the context are joined to.

    Args:
        input_size: size of the embedded tokens.
        memory_size: size of a position of the memory.
        options: the keys of a recipe's `model.decoder` (docs/recipe.md): cell, hidden_size, layers, attention,
            attend, input_feeding, readout, dropout, ...

    Raises:
        UserError: an option that is not valid, or has no effect.
    """

    def __init__(self, input_size: int, memory_size: int, **options: Any) -> None:
        super().__init__()
        encoder = {"cell": "gru", "hidden_size": memory_size, "direction": "forward"}  # for its output's size alone
        embedding = {"size": input_size, "tie": "none"}
        config = checked(
            recipe.ModelConfig, "Decoder", {"encoder": encoder, "decoder": options, "embedding": embedding}
        )
        self.decoder = TranslationDecoder(config)
        self.hidden_size, self.layers = config.decoder.hidden_size, config.decoder.layers

    def forward(
        self,
        x: Float[Tensor, "batch tgt_len input"],
        memory: Float[Tensor, "batch src_len memory"],
        lengths: Int[Tensor, " batch"] | None = None,
        states: list[State] | None = None,
    ) -> tuple[Float[Tensor, "batch tgt_len hidden"], Float[Tensor, "batch tgt_len src_len"] | None]:
        """Teacher forcing: an output for each position, computed from the inputs up to it.

        Args:
            x: the embedded tokens before each output, the first that of <s>.
            lengths: positions of each memory that count; None: all.
            states: of each layer before the first step, tensors [batch, hidden]; None: zeros.

        Returns:
            the outputs, and the attention's weights (None without attention).
        """
        if states is None:
            zero = x.new_zeros(len(x), self.hidden_size)
            states = [(zero,) * self.decoder.states] * self.layers
        whole = Memory(memory, self.decoder.keys(memory), padding_of(memory, lengths), states)
        return self.decoder(x, whole, with_attention=True)  # type: ignore[no-any-return]


def padding_of(memory: Tensor, lengths: Int[Tensor, " batch"] | None) -> Float[Tensor, "batch 1 src_len"]:
    """0, or -inf behind each sequence's end: to be added to scores."""
    padding = memory.new_zeros(len(memory), 1, memory.shape[1])
    if lengths is None:
        return padding
    positions = torch.arange(memory.shape[1], device=memory.device)
    return padding.masked_fill((positions >= lengths.unsqueeze(1)).unsqueeze(1), -torch.inf)


def checked(kind: type[T], name: str, options: dict[str, Any]) -> T:
    """Options as the recipe's config class that they are for.

    Args:
        name: of the class that was given them, for errors.

    Raises:
        UserError: they are not valid; a line for each fault.
    """
    return errors.checked(kind, Source(Path(name), options))
