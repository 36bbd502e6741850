"""Input feeding over a whole target at once (Luong et al. 2015, section 3.3), for the commonest decoder.

Every step waits for the attention of the one before, so there is no product over all steps to be
had forward. But the embeddings' product can be done before the loop, and each weight's gradient,
which autograd would add up step by step, in one product after it. The loop and its derivative are
written out here, for one LSTM layer, dot or general attention and the tanh readout; every other
decoder steps through autograd (`Decoder.step`), with the same results.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.nn.attention import DotAttention, GeneralAttention
from seq2seq.nn.cells import LstmCell
from seq2seq.nn.encoder import Memory
from seq2seq.nn.stack import DecoderStack, Masks


def fits(stack: DecoderStack, attention: object) -> bool:
    """Whether a decoder with input feeding, `attend: top` and Luong's readout is one that this file computes."""
    layer = stack.layers[0]
    single = len(stack.layers) == 1 and stack.connections[0].kind == "plain"
    plain = layer.zoneout == layer.recurrent_dropout == 0 and layer.activity_regularizer is None
    lstm = isinstance(layer.cell, LstmCell) and layer.cell.fused
    return single and plain and lstm and type(attention) in (DotAttention, GeneralAttention)


def attentional_states(
    cell: LstmCell,
    readout: torch.nn.Linear,
    embedded: Float[Tensor, "batch tgt_len embedding"],
    memory: Memory,
    masks: Masks,
) -> Float[Tensor, "batch tgt_len output"]:
    """Every step's attentional state, from the reference's tokens before it.

    Args:
        readout: W and b of tanh(W [h; context] + b).
        masks: the stack's dropout masks.
    """
    size = embedded.shape[-1]
    x, fed_mask, hidden_mask = embedded, None, None
    if masks.outputs:
        input_mask, output_mask = masks.outputs
        if input_mask is not None:
            x, fed_mask = x * input_mask[..., :size], input_mask[:, 0, size:]
        hidden_mask = None if output_mask is None else output_mask[:, 0]
    kernel = cell.kernel
    projected = torch.nn.functional.linear(x.transpose(0, 1), kernel[:, :size], cell.bias)
    weight = torch.cat([cell.recurrent_kernel, kernel[:, size:]], 1)
    state = (part.to(projected.dtype) for part in memory.first[0])
    inputs = (projected, memory.keys, memory.outputs, memory.padding, *state, weight, readout.weight, readout.bias)
    fed: Tensor = _Loop.apply(projected.dtype, fed_mask, hidden_mask, *inputs)  # type: ignore[no-untyped-call]
    return fed.transpose(0, 1)


def _dropped(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask


class _Loop(torch.autograd.Function):
    """With R_t = [h_{t-1}; s_{t-1}], s the attentional state:

    i, f, g, o = projected_t + R_t W;  c_t = sigma(f) * c_{t-1} + sigma(i) * tanh(g);  h_t = sigma(o) * tanh(c_t)
    a_t = softmax(h_t . keys);  Z_t = [h_t; sum a_t memory];  s_t = tanh(Z_t V + b)

    Products are made in `dtype`, the rest in at least fp32.
    """

    @staticmethod
    def forward(
        ctx: Any, dtype: torch.dtype, fed_mask: Tensor | None, hidden_mask: Tensor | None, projected: Tensor,
        keys: Tensor, memory: Tensor, padding: Tensor, h: Tensor, c: Tensor, weight: Tensor, readout: Tensor,
        bias: Tensor,
    ) -> Tensor:  # fmt: skip
        (steps, batch, _), hidden, exact = projected.shape, h.shape[-1], torch.promote_types(dtype, torch.float32)
        keys, memory, padding, w, v, b = (x.to(dtype) for x in (keys, memory, padding, weight, readout, bias))

        def held(*sizes: int, dtype: torch.dtype = dtype) -> Tensor:
            return torch.empty(*sizes, dtype=dtype, device=h.device)

        before = held(steps + 1, batch, w.shape[1])  # R
        seen = held(steps, batch, v.shape[1])  # Z
        fed, attention = held(steps, batch, len(v)), held(steps, batch, 1, keys.shape[1])
        gates, cells = held(*projected.shape, dtype=exact), held(steps + 1, batch, hidden, dtype=exact)
        before[0, :, :hidden], before[0, :, hidden:], cells[0] = h, 0, c
        with torch.autocast(h.device.type, enabled=False):
            for t in range(steps):
                sums = torch.addmm(projected[t], before[t], w.t()).to(exact)
                torch.sigmoid(sums, out=gates[t])
                i, f, g, o = gates[t].chunk(4, -1)
                torch.tanh(sums[:, 2 * hidden : 3 * hidden], out=g)
                torch.addcmul(f * cells[t], i, g, out=cells[t + 1])
                h = o * torch.tanh(cells[t + 1])
                seen[t, :, :hidden] = _dropped(h, hidden_mask)
                scores = torch.baddbmm(padding, seen[t, :, None, :hidden], keys.transpose(1, 2))
                attention[t] = torch.softmax(scores.to(exact), -1)
                seen[t, :, hidden:] = torch.bmm(attention[t], memory)[:, 0]
                torch.tanh(torch.addmm(b, seen[t], v.t()), out=fed[t])
                before[t + 1, :, :hidden], before[t + 1, :, hidden:] = h, _dropped(fed[t], fed_mask)
        ctx.save_for_backward(keys, memory, w, v, before, seen, fed, attention, gates, cells, fed_mask, hidden_mask)
        return fed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        keys, memory, w, v, before, seen, fed, attention, gates, cells, fed_mask, hidden_mask = ctx.saved_tensors
        hidden, dtype = cells.shape[-1], fed.dtype
        d_sums, d_read = torch.empty(gates.shape, dtype=dtype, device=fed.device), torch.empty_like(fed)
        d_context, d_scores = torch.empty_like(seen[:, :, hidden:]), torch.empty_like(attention)
        d_before, d_c = torch.zeros_like(before[0]), torch.zeros_like(cells[0])
        for t in reversed(range(len(fed))):
            d_fed = gradients[0][t] + _dropped(d_before[:, hidden:], fed_mask)
            d_read[t] = d_fed * (1 - fed[t] * fed[t])
            d_seen = d_read[t] @ v
            d_context[t] = d_seen[:, hidden:]
            a = attention[t].to(cells.dtype)
            d_a = torch.bmm(d_context[t].unsqueeze(1), memory.transpose(1, 2)).to(cells.dtype)
            d_scores[t] = a * (d_a - (a * d_a).sum(-1, keepdim=True))
            d_hidden = d_seen[:, :hidden] + torch.bmm(d_scores[t], keys)[:, 0]
            d_h = _dropped(d_hidden, hidden_mask).to(cells.dtype) + d_before[:, :hidden]
            i, f, g, o = gates[t].chunk(4, -1)
            c = torch.tanh(cells[t + 1])
            d_c = d_c + d_h * o * (1 - c * c)
            slope = gates[t] - gates[t] * gates[t]
            slope[:, 2 * hidden : 3 * hidden] = 1 - g * g
            d_sums[t] = torch.cat([d_c * g, d_c * cells[t], d_c * i, d_h * c], -1) * slope
            d_c = d_c * f
            d_before = d_sums[t] @ w
        d_weight = d_sums.flatten(0, 1).t() @ before[:-1].flatten(0, 1)
        d_readout = d_read.flatten(0, 1).t() @ seen.flatten(0, 1)
        d_memory = torch.bmm(attention[:, :, 0].permute(1, 2, 0), d_context.transpose(0, 1))
        d_keys = torch.bmm(d_scores[:, :, 0].permute(1, 2, 0), seen[:, :, :hidden].transpose(0, 1))
        d_bias = d_read.flatten(0, 1).sum(0, dtype=cells.dtype)
        state = d_before[:, :hidden], d_c
        return None, None, None, d_sums, d_keys, d_memory, None, *state, d_weight, d_readout, d_bias
