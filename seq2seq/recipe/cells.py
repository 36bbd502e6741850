"""The sections `cell`: which recurrent unit, with what of it a recipe may set.

`cell: gru` is short for `cell: {kind: gru}`, all else by default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from seq2seq.recipe.base import Config, Depth, Factor, Faults, named, rule

Activation = Literal[
    "tanh", "relu", "identity", "sigmoid", "hard_sigmoid", "elu", "selu", "gelu", "silu", "softplus", "softsign",
    "celu", "exponential", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "mish", "relu6", "soft_shrink",
    "hard_shrink", "squareplus", "tanh_shrink", "sparse_plus", "sparse_sigmoid",
]  # fmt: skip


class PlainInitializerConfig(Config):
    """Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998; or the same number everywhere."""

    kind: Literal[
        "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "zeros", "ones"
    ]


class MatrixInitializerConfig(Config):
    """Orthogonal (Saxe et al. 2014); or the identity, of each gate (Le et al. 2015)."""

    kind: Literal["orthogonal", "identity"]
    gain: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """What the matrix is multiplied by."""


class ConstantInitializerConfig(Config):
    """The same number everywhere."""

    kind: Literal["constant"]
    value: Annotated[float, Field(ge=-1000, le=1000)]
    """The number."""


class UniformInitializerConfig(Config):
    """Uniform between -range and range."""

    kind: Literal["uniform"]
    range: Annotated[float, Field(gt=0, le=1000)] | None = None
    """null: 1/sqrt(hidden size), as torch's recurrent layers."""


class NormalInitializerConfig(Config):
    """Normal with mean 0; truncated: drawn again beyond two of these deviations, which leaves 0.88 of one."""

    kind: Literal["normal", "truncated_normal"]
    deviation: Annotated[float, Field(gt=0, le=1000)] = 0.05
    """Standard deviation."""


class VarianceScalingInitializerConfig(Config):
    """Mean 0 and variance scale/fan (Keras's VarianceScaling; Glorot & Bengio 2010 for what it does)."""

    kind: Literal["variance_scaling"]
    scale: Annotated[float, Field(gt=0)] = 1.0
    """The variance of what comes out of the weights, by that of what goes in (with `mode: fan_in`)."""
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    """The fan: how many numbers go in, how many come out, or the mean of both."""
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    """Truncated: nothing beyond two standard deviations."""


_Initializer = Annotated[
    PlainInitializerConfig
    | MatrixInitializerConfig
    | ConstantInitializerConfig
    | UniformInitializerConfig
    | NormalInitializerConfig
    | VarianceScalingInitializerConfig,
    Field(discriminator="kind"),
]
Initializer = Annotated[_Initializer, named(_Initializer)]


class VariancePreservingInitializerConfig(Config):
    """Uniform with mean 0 and variance scale/inputs, the scale measured for each cell so that outputs and
    gradient live on through a stack of layers, and through time (docs/initialization.md)."""

    kind: Literal["variance_preserving"]


_KernelInitializer = Annotated[
    VariancePreservingInitializerConfig
    | PlainInitializerConfig
    | MatrixInitializerConfig
    | ConstantInitializerConfig
    | UniformInitializerConfig
    | NormalInitializerConfig
    | VarianceScalingInitializerConfig,
    Field(discriminator="kind"),
]
KernelInitializer = Annotated[_KernelInitializer, named(_KernelInitializer)]


class RegularizerConfig(Config):
    """Added to the loss of each step: l1 * sum |w| + l2 * sum w^2."""

    l1: Factor = 0.0
    """Factor of the sum of absolute values; 0: none."""
    l2: Factor = 0.0
    """Factor of the sum of squares; 0: none."""

    @rule
    def _penalises(self) -> Faults:
        if not any(getattr(self, key) for key in type(self).model_fields):
            keys = ", ".join(f"`{key}`" for key in type(self).model_fields)
            yield "l2", f"there is no penalty: {keys} are all 0; set one of them, or remove this section"


class MatrixRegularizerConfig(RegularizerConfig):
    """Added to the loss of each step: l1 * sum |w| + l2 * sum w^2; and what keeps a matrix near an orthogonal one, a
    factor times the mean of |cos| over all pairs of its rows, or of its columns (Keras's OrthogonalRegularizer)."""

    orthogonal_rows: Factor = 0.0
    """Factor for the rows: each holds the weights of one input, in all units and gates; 0: none."""
    orthogonal_columns: Factor = 0.0
    """Factor for the columns: each holds the weights into one unit of one gate; 0: none."""


class MinMaxNormConfig(Config):
    """The norm of the weights into each unit is moved into a range (Keras's MinMaxNorm)."""

    kind: Literal["min_max_norm"]
    min: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """The smallest norm."""
    max: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """The largest norm."""
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of the way into the range that each step goes; 1: all of it."""

    @rule
    def _is_a_range(self) -> Faults:
        if self.min > self.max:
            yield "min", f"{self.min:g} is above `max`, {self.max:g}"


class MaxNormConfig(Config):
    """The weights into each unit are scaled down to this norm where they exceed it (Srivastava et al. 2014)."""

    kind: Literal["max_norm"]
    max: Annotated[float, Field(gt=0, le=1e6)] = 2.0
    """The largest norm."""


class PlainConstraintConfig(Config):
    """Negative weights become 0; or the weights into each unit are scaled to norm 1."""

    kind: Literal["non_negative", "unit_norm"]


_Constraint = Annotated[MaxNormConfig | MinMaxNormConfig | PlainConstraintConfig, Field(discriminator="kind")]
Constraint = Annotated[_Constraint, named(_Constraint)]


class CellConfig(Config):
    """What can be set of every cell's weights: W_x (kernel), W_h (recurrent) and b (bias)."""

    use_bias: bool = True
    """Whether there is a b at all."""
    kernel_initializer: KernelInitializer = VariancePreservingInitializerConfig(kind="variance_preserving")
    """What W_x begins with."""
    recurrent_initializer: Initializer = MatrixInitializerConfig(kind="orthogonal")
    """What W_h begins with."""
    bias_initializer: Initializer = PlainInitializerConfig(kind="zeros")
    """What b begins with."""
    kernel_regularizer: MatrixRegularizerConfig | None = None
    """A penalty on W_x."""
    recurrent_regularizer: MatrixRegularizerConfig | None = None
    """A penalty on W_h."""
    bias_regularizer: RegularizerConfig | None = None
    """A penalty on b."""
    activity_regularizer: RegularizerConfig | None = None
    """A penalty on the outputs h_t, the mean over sentences of each one's sum."""
    kernel_constraint: Constraint | None = None
    """Imposed after each optimizer step."""
    recurrent_constraint: Constraint | None = None
    """Imposed after each optimizer step."""
    bias_constraint: Constraint | None = None
    """Imposed after each optimizer step; the bias counts as the weights into one unit."""

    @property
    def recurs(self) -> bool:
        """Whether h_{t-1} is multiplied by a W_h."""
        return True

    @rule
    def _acts_on_weights(self) -> Faults:
        for part in ("initializer", "regularizer", "constraint"):
            if not self.use_bias:
                yield from self.without_effect(f"bias_{part}", "with use_bias: false; remove it")
            if not self.recurs:
                kind = self.kind  # type: ignore[attr-defined]
                yield from self.without_effect(f"recurrent_{part}", f"on {kind}, which has no W_h; remove it")


class RnnConfig(CellConfig):
    """Simple RNN (Elman 1990): h_t = act(x_t W_x + h_{t-1} W_h + b)."""

    kind: Literal["rnn"]
    activation: Activation = "tanh"
    """act in the equations."""


class LstmConfig(CellConfig):
    """LSTM (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

    kind: Literal["lstm"] = "lstm"
    activation: Activation = "tanh"
    """act in the equations."""
    recurrent_activation: Activation = "sigmoid"
    """Of the gates."""
    forget_bias: Annotated[float, Field(ge=-100, le=100)] = 1.0
    """Added to the forget gate's first bias (Gers et al. 2000; Jozefowicz et al. 2015)."""
    peephole: bool = False
    """The gates see the cell state (Gers & Schmidhuber 2000; Graves 2013, equations 7 to 11)."""
    coupled: bool = False
    """One gate for both: i = 1 - f (Greff et al. 2017, CIFG)."""
    layer_norm: bool = False
    """Layer normalisation (Ba et al. 2016, equations 20 to 22)."""

    @rule
    def _begins_with_a_bias(self) -> Faults:
        if not self.use_bias:
            yield from self.without_effect("forget_bias", "with use_bias: false; remove it")


class GruConfig(CellConfig):
    """GRU (Cho et al. 2014)."""

    kind: Literal["gru"]
    activation: Activation = "tanh"
    """act in the equations."""
    recurrent_activation: Activation = "sigmoid"
    """Of the gates."""
    reset: Literal["before", "after"] = "after"
    """Where the reset gate acts: before the recurrent product (Cho et al. 2014), or after it (cuDNN; faster)."""
    layer_norm: bool = False
    """Layer normalisation (Ba et al. 2016, supplement)."""


class TransitionGruConfig(CellConfig):
    """Deep-transition GRU: at each step, one GRU takes x_t and others follow it (Miceli Barone et al. 2017)."""

    kind: Literal["transition_gru"]
    activation: Activation = "tanh"
    """act in the equations."""
    recurrent_activation: Activation = "sigmoid"
    """Of the gates."""
    transitions: Depth = 1
    """GRU steps without an input after the first."""
    layer_norm: bool = False
    """Layer normalisation (Ba et al. 2016, supplement)."""


class ElementwiseConfig(CellConfig):
    """Cells without a product of the last state: what acts on W_h has nothing to act on."""

    recurrent_initializer: Initializer = UniformInitializerConfig(kind="uniform")  # as the first models' files say
    """Of no effect: there is no W_h."""

    @property
    def recurs(self) -> bool:
        """No."""
        return False


class SruConfig(ElementwiseConfig):
    """Simple recurrent unit (Lei et al. 2018): no product with h_{t-1}; its gates see c_{t-1} element by element."""

    kind: Literal["sru"]
    peephole: bool = True
    """The gates' view of c_{t-1}. Without it all steps are computed at once, by a parallel scan."""


class SsruConfig(ElementwiseConfig):
    """Simpler simple recurrent unit (Kim et al. 2019): one gate, no product with h_{t-1}."""

    kind: Literal["ssru"]


class MinGruConfig(ElementwiseConfig):
    """Minimal GRU (Feng et al. 2024): its gate does not see h_{t-1}."""

    kind: Literal["mingru"]


class MinLstmConfig(ElementwiseConfig):
    """Minimal LSTM (Feng et al. 2024): its gates do not see h_{t-1} and sum to 1."""

    kind: Literal["minlstm"]


class CustomCellConfig(CellConfig):
    """A cell of your own: `kind: my_module:MyCell` (see docs/cells.md)."""

    kind: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", max_length=200)]
    """Python module and class; the module is looked for where the command is run, then among installed packages."""
    options: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str | int | float | bool] = {}
    """Given to the class by name."""


def _cell_kind(value: Any) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "custom" if isinstance(kind, str) and ":" in kind else kind


_Cell = Annotated[
    Annotated[RnnConfig, Tag("rnn")]
    | Annotated[LstmConfig, Tag("lstm")]
    | Annotated[GruConfig, Tag("gru")]
    | Annotated[TransitionGruConfig, Tag("transition_gru")]
    | Annotated[SruConfig, Tag("sru")]
    | Annotated[SsruConfig, Tag("ssru")]
    | Annotated[MinGruConfig, Tag("mingru")]
    | Annotated[MinLstmConfig, Tag("minlstm")]
    | Annotated[CustomCellConfig, Tag("custom")],
    Discriminator(_cell_kind),
]
AnyCell = Annotated[_Cell, named(_Cell, LstmConfig)]
