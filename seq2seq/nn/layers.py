"""Recurrent layers for any model: batch first, with the arguments of Keras's layers.

`RNN`, `LSTM` and `GRU` compute what `keras.layers.SimpleRNN`, `LSTM` and `GRU` do (tests/nn/test_layers.py
compares them); the equations are those of `seq2seq.nn.cells`, one step each.
"""

import copy
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.errors import UserError
from seq2seq.nn.blocks import checked
from seq2seq.nn.cells import Cell, State, make_cell
from seq2seq.nn.layer import Layer, SequenceMask, dropout_mask
from seq2seq.nn.regularization import constrain, penalty_of, weight_penalty

Outputs = Tensor | tuple[Tensor, ...]
Initializer = str | dict[str, Any]
"""A name (`glorot_uniform`) or a kind with its options (`{"kind": "uniform", "range": 0.1}`)."""
Options = dict[str, Any] | None
Constraint = str | dict[str, Any] | None


class RecurrentOptions(TypedDict, total=False):
    """The options that `RNN`, `LSTM` and `GRU` share; `RecurrentLayer` says what each means."""

    use_bias: bool
    kernel_initializer: Initializer
    recurrent_initializer: Initializer
    bias_initializer: Initializer | None
    kernel_regularizer: Options
    recurrent_regularizer: Options
    bias_regularizer: Options
    activity_regularizer: Options
    kernel_constraint: Constraint
    recurrent_constraint: Constraint
    bias_constraint: Constraint
    dropout: float
    recurrent_dropout: float
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    stateful: bool
    unroll: bool


class RecurrentLayer(nn.Module):
    """A cell run over time: what `RNN`, `LSTM` and `GRU` share.

    Args:
        cell: which cell, and its own options, as in a recipe.
        units: hidden size.
        input_size: size of x_t.
        use_bias: whether there is a bias b.
        kernel_initializer, recurrent_initializer, bias_initializer: of W_x, W_h and b; the bias begins with zeros.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on weights such as `{"l2": 1e-4}`;
            `penalty()` gives them, to be added to the loss.
        activity_regularizer: a penalty on the outputs; `penalty(outputs)` gives it.
        kernel_constraint, recurrent_constraint, bias_constraint: such as `{"kind": "max_norm", "max": 2.0}`, imposed
            by `constrain()`, to be called after each optimizer step.
        dropout: share of x_t's elements that are zeroed in training, the same ones at all steps of a sequence.
        recurrent_dropout: the same for h_{t-1} where it is multiplied by W_h (Gal & Ghahramani 2016).
        return_sequences: return every h_t, not the last one alone.
        return_state: return the last state beside the output: h, and for an LSTM c.
        go_backwards: read from the last step to the first; outputs come in the order in which they are computed.
        stateful: begin each call with the state that the last one ended with, without its gradient;
            `reset_state()` forgets it.
        unroll: step by step in Python, even where there is a fused kernel.

    Raises:
        UserError: an argument that is not valid, or has no effect.
    """

    def __init__(
        self,
        cell: dict[str, Any],
        units: int,
        input_size: int,
        *,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer | None = None,
        kernel_regularizer: Options = None,
        recurrent_regularizer: Options = None,
        bias_regularizer: Options = None,
        activity_regularizer: Options = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (("units", units), ("input_size", input_size)):
            if size < 1:
                raise UserError(f"{name}: must be at least 1, not {size}")
        given = {
            "use_bias": use_bias, "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "recurrent_regularizer": recurrent_regularizer,
            "bias_regularizer": bias_regularizer, "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        }  # fmt: skip
        cell = {**cell, **{name: value for name, value in given.items() if value is not None}}
        self.config = config = checked(
            recipe.StackConfig,
            type(self).__name__,
            {"cell": cell, "hidden_size": units, "recurrent_dropout": recurrent_dropout},
        )
        if not 0 <= dropout < 1:
            raise UserError(f"dropout: must be at least 0 and less than 1, not {dropout}")
        self.units, self.input_size, self.dropout = units, input_size, dropout
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful
        self.layer = Layer(config, input_size, reverse=go_backwards)
        if unroll:
            self.layer.cell.fused = False
        self._state: State | None = None

    @property
    def cell(self) -> Cell:
        """One step, and its weights: kernel [gates * units, inputs], recurrent_kernel [gates * units, units], bias."""
        return self.layer.cell

    def forward(
        self,
        x: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"] | None = None,
        initial_state: Tensor | Sequence[Tensor] | None = None,
    ) -> Outputs:
        """Run over the sequences.

        Args:
            x: [batch, time, input_size].
            mask: the steps that count; the others are stepped over, and give zeros. None: all.
            initial_state: h_0, or (h_0, c_0) for an LSTM, each [batch, units]; None: zeros.

        Returns:
            every h_t [batch, time, units] with `return_sequences`, else the last one [batch, units]; with
            `return_state` a tuple of that and the tensors of the last state, each [batch, units].

        Raises:
            ValueError: the mask of a sequence has no step that counts.
        """
        state = self._first_state(initial_state)
        if self.training and self.dropout > 0:
            x = x * dropout_mask(x, len(x), x.shape[-1], self.dropout).unsqueeze(1).to(x.dtype)
        inside = None if mask is None else SequenceMask.of_mask(mask.T)
        outputs, last = self.layer(x.transpose(0, 1), state, inside, self.layer.recurrent_mask(x, len(x)))
        if self.stateful:
            self._state = tuple(part.detach() for part in last)
        outputs = outputs.flip(0) if self.go_backwards else outputs
        result = outputs.transpose(0, 1) if self.return_sequences else last[0]
        return (result, *last) if self.return_state else result

    def penalty(self, outputs: Float[Tensor, "batch *time units"] | None = None) -> Float[Tensor, ""]:
        """What the regularizers add to the loss.

        Args:
            outputs: what the layer gave, for the activity regularizer: its sum divided by the batch size, as in Keras.
        """
        weights = weight_penalty(self)
        total = self.cell.kernel.new_zeros(()) if weights is None else weights
        activity = self.layer.activity_regularizer
        return total if activity is None or outputs is None else total + penalty_of(outputs, activity) / len(outputs)

    def constrain(self) -> None:
        """Impose the constraints on the weights, after an optimizer step."""
        constrain(self)

    def reversed_twin(self) -> "RecurrentLayer":
        """A layer like this one, with weights of its own, that reads in the other direction."""
        twin = copy.deepcopy(self)
        twin.go_backwards = twin.layer.reverse = not self.go_backwards
        twin.layer.cell = make_cell(self.config.cell, self.input_size, self.units)
        twin.layer.cell.fused = self.layer.cell.fused
        return twin

    def reset_state(self) -> None:
        """Begin the next call of a stateful layer with zeros."""
        self._state = None

    def _first_state(self, given: Tensor | Sequence[Tensor] | None) -> State | None:
        if given is None:
            return self._state
        return (given,) if isinstance(given, Tensor) else tuple(given)


class RNN(RecurrentLayer):
    """Simple RNN (Elman 1990): h_t = act(x_t W_x + h_{t-1} W_h + b).

    Args:
        units: hidden size.
        input_size: size of x_t.
        activation: act.
        options: those of every `RecurrentLayer`.
    """

    def __init__(
        self, units: int, input_size: int, *, activation: str = "tanh", **options: Unpack[RecurrentOptions]
    ) -> None:
        super().__init__({"kind": "rnn", "activation": activation}, units, input_size, **options)


class LSTM(RecurrentLayer):
    """LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000): f, i, o = sigma(...), C_t = f C_{t-1} + i C~.

    Args:
        units: hidden size.
        input_size: size of x_t.
        activation: of C~ and of the output, h_t = o * act(C_t).
        recurrent_activation: sigma, of the gates.
        unit_forget_bias: begin with a bias of 1 at the forget gate (Jozefowicz et al. 2015).
        options: those of every `RecurrentLayer`.
    """

    def __init__(
        self,
        units: int,
        input_size: int,
        *,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        unit_forget_bias: bool = True,
        **options: Unpack[RecurrentOptions],
    ) -> None:
        cell: dict[str, Any] = {"activation": activation, "recurrent_activation": recurrent_activation}
        if options.get("use_bias", True):
            cell["forget_bias"] = float(unit_forget_bias)
        super().__init__({"kind": "lstm", **cell}, units, input_size, **options)


class GRU(RecurrentLayer):
    """GRU (Cho et al. 2014): h_t = z * h_{t-1} + (1 - z) * g.

    Args:
        units: hidden size.
        input_size: size of x_t.
        activation: of g.
        recurrent_activation: of the gates r and z.
        reset_after: apply r after the recurrent product (cuDNN; fast), not before it as in the paper.
        options: those of every `RecurrentLayer`.
    """

    def __init__(
        self,
        units: int,
        input_size: int,
        *,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        reset_after: bool = True,
        **options: Unpack[RecurrentOptions],
    ) -> None:
        cell = {"activation": activation, "recurrent_activation": recurrent_activation}
        reset = "after" if reset_after else "before"
        super().__init__({"kind": "gru", "reset": reset, **cell}, units, input_size, **options)


class Bidirectional(nn.Module):
    """A layer that reads forward, and its twin that reads backward (Schuster & Paliwal 1997).

    Args:
        layer: the forward layer.
        merge_mode: how the two outputs become one: concat, sum, mul or ave; None: they are returned side by side.
        backward_layer: reads backward; None: a new one with the options of `layer`, and weights of its own.

    Raises:
        UserError: the two layers do not read in opposite directions, or differ in what they return.
    """

    def __init__(
        self,
        layer: RecurrentLayer,
        merge_mode: str | None = "concat",
        backward_layer: RecurrentLayer | None = None,
    ) -> None:
        super().__init__()
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise UserError(f"merge_mode: must be concat, sum, mul, ave or None, not {merge_mode!r}")
        self.forward_layer, self.merge_mode = layer, merge_mode
        self.backward_layer = layer.reversed_twin() if backward_layer is None else backward_layer
        if self.backward_layer.go_backwards == layer.go_backwards:
            raise UserError("backward_layer: must read in the other direction; set its go_backwards")
        for option in ("return_sequences", "return_state", "stateful"):
            if getattr(self.backward_layer, option) != getattr(layer, option):
                raise UserError(f"backward_layer: its {option} must be that of the forward layer")

    def forward(
        self,
        x: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"] | None = None,
        initial_state: Sequence[Tensor] | None = None,
    ) -> Outputs:
        """Run both over the sequences.

        Args:
            x: [batch, time, input_size].
            mask: the steps that count.
            initial_state: the tensors of the forward layer's first state, then the backward layer's.

        Returns:
            the merged output [batch, time, 2 * units] (`concat`, with `return_sequences`); with `return_state` followed
            by the tensors of the forward layer's last state and of the backward layer's.
        """
        half = None if initial_state is None else len(initial_state) // 2
        states = (None, None) if initial_state is None else (initial_state[:half], initial_state[half:])
        runs = []
        for layer, state in zip((self.forward_layer, self.backward_layer), states, strict=True):
            found = layer(x, mask, state)
            output, *last = found if isinstance(found, tuple) else (found,)
            in_order = output.flip(1) if layer.return_sequences and layer.go_backwards else output
            runs.append((in_order, last))
        merged = self._merge(runs[0][0], runs[1][0])
        last = [*runs[0][1], *runs[1][1]]
        return (*merged, *last) if last or len(merged) > 1 else merged[0]

    def _merge(self, forward: Tensor, backward: Tensor) -> tuple[Tensor, ...]:
        if self.merge_mode == "concat":
            return (torch.cat([forward, backward], -1),)
        if self.merge_mode == "mul":
            return (forward * backward,)
        if self.merge_mode is None:
            return forward, backward
        return ((forward + backward) / (2 if self.merge_mode == "ave" else 1),)
