"""Running a given translation through the model: where it looks as it writes each token."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.tokenization import BOS
from seq2seq.nn.seq2seq import Seq2Seq


@torch.inference_mode()
def attention_weights(
    model: Seq2Seq, src: Sequence[int], tgt: Sequence[int]
) -> Float[Tensor, "tgt_len src_len"] | None:
    """The attention over the source at each target token; None for a model without attention.

    Args:
        src, tgt: tokens with </s>.
    """
    device = model.output.weight.device
    memory = model.encode(torch.tensor([src], device=device), torch.tensor([len(src)], device=device))
    state, rows = model.start(memory), []
    for token in [BOS, *tgt[:-1]]:
        _, state = model.step(torch.tensor([[token]], device=device), state, memory)
        if state.attention is None:
            return None
        rows.append(state.attention[0, 0])
    return torch.stack(rows).float().cpu()
