"""The section `training`."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Count, Factor, Faults, PathName, Positive, Rate, named, rule
from seq2seq.recipe.optimization import (
    AdamConfig,
    AnyOptimizer,
    AnySchedule,
    CosineScheduleConfig,
    PlateauScheduleConfig,
    SwitchConfig,
)


class BatchConfig(Config):
    """How sentences are put together for one optimizer step."""

    tokens: Annotated[int, Field(gt=0, le=1_000_000)] = 1500
    """Budget of a batch: its sentences times the longest of them, in tokens with padding."""
    accumulate: Annotated[int, Field(gt=0, le=10_000)] = 1
    """Batches whose gradients are accumulated for one step."""
    curriculum_epochs: Count = 0
    """First epochs whose batches come from short to long, not in random order (Kocmi & Bojar 2017)."""


class ConstantForcingConfig(Config):
    """The same chance throughout."""

    kind: Literal["constant"] = "constant"
    ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Chance that a step is fed the reference's token, not the model's own last choice. Below 1 training is slower."""


class LinearForcingConfig(Config):
    """The chance falls in a straight line (scheduled sampling: Bengio et al. 2015, section 2.4)."""

    kind: Literal["linear"]
    end: Rate = 0.5
    """Chance from `steps` on; it begins at 1."""
    steps: Positive = 5000
    """Steps over which it falls."""


class InverseSigmoidForcingConfig(Config):
    """The chance is k / (k + exp(step / k)) (scheduled sampling: Bengio et al. 2015, section 2.4)."""

    kind: Literal["inverse_sigmoid"]
    k: Annotated[float, Field(ge=1, le=1e9)] = 1000.0
    """The larger, the later and the slower the chance falls: it is a half at step k * ln(k)."""


_Forcing = Annotated[
    ConstantForcingConfig | LinearForcingConfig | InverseSigmoidForcingConfig, Field(discriminator="kind")
]
AnyForcing = Annotated[_Forcing, named(_Forcing, ConstantForcingConfig)]


class MinimumRiskConfig(Config):
    """Minimum-risk training (Shen et al. 2016): raises the expected BLEU of the translations that the model samples of
    each sentence. A step costs many times that of the token loss, so it comes last."""

    after_epochs: Positive = 10
    """First epochs, with the token loss. Early stopping may end training within them: see its patience."""
    samples: Annotated[int, Field(gt=0, le=1000)] = 8
    """Translations sampled of each source; the same one twice counts once."""
    alpha: Annotated[float, Field(gt=0, le=1000)] = 0.005
    """Sharpness of the distribution over the candidates, in proportion to p(translation)^alpha."""
    reference: bool = True
    """Whether the reference is among the candidates."""
    max_length_ratio: Annotated[float, Field(ge=1, le=100)] = 1.5
    """Longest sample: so many times the reference's tokens."""
    token_weight: Rate = 0.0
    """Share of the token loss in a weighted sum with the risk (Edunov et al. 2018)."""

    @property
    def rows(self) -> int:
        """Candidates of a source, at the most: so many fewer sources fill a batch, and the memory."""
        return self.samples + self.reference

    @rule
    def _compares(self) -> Faults:
        if self.samples == 1 and not self.reference:
            yield "samples", "one candidate alone leaves nothing to choose; set reference to true, or 2"


class EarlyStoppingConfig(Config):
    """Which validation score decides."""

    metric: Literal["loss", "perplexity", "accuracy", "bleu", "chrf", "ter"] = "bleu"
    """Chooses the best model and ends training (bleu, chrf and ter: of greedy translations of the validation set;
    accuracy: of tokens, each after the reference's)."""
    patience: Positive | None = 5
    """Validations without a new best before training ends; null: it runs to the end."""


class CheckpointsConfig(Config):
    """What is kept to resume from after an interruption."""

    every_steps: Positive = 500
    """Steps between two checkpoints; one is also made at each validation."""
    keep_last: Positive = 2
    """Newest checkpoints kept."""
    keep_best: Positive = 1
    """Best checkpoints kept, by the validation score; `seq2seq average` makes one model of several."""


Part = Literal["embedding", "encoder", "bridge", "decoder", "attention", "output"]


TrackerName = Literal["trackio", "wandb", "mlflow"]


class TrainingConfig(Config):
    """How the model learns."""

    start_from: PathName | None = None
    """Fine-tuning: another run, whose weights training begins with, and whose tokenizer it has: a run or model folder,
    or `hf:USER/NAME`. `model` is that run's where it is left out, else it must fit; optimizer and schedule start again;
    test sets are translated by both, before and after; null: weights drawn by chance."""
    freeze: Annotated[list[Part], Field(min_length=1)] | None = None
    """Parts that stay as they were in `start_from`: embedding (both sides'), encoder, bridge, decoder (recurrent
    layers), attention, output (with what joins state and context); an output layer that is tied to an embedding is
    frozen with it; null: all is trained."""
    batch: BatchConfig = BatchConfig()
    """How many sentences make a step, and in which order they come."""
    optimizer: AnyOptimizer = AdamConfig()
    """What makes a step of the gradient."""
    switch_optimizer: SwitchConfig | None = None
    """Another one for the later steps; null: one for all."""
    schedule: AnySchedule = CosineScheduleConfig()
    """The learning rate's course over the training."""
    label_smoothing: Rate = 0.1
    """Share of the probability spread over the whole vocabulary (Szegedy et al. 2016)."""
    normalization: Literal["tokens", "sentences"] = "tokens"
    """What a batch's loss is divided by: its target tokens, or its sentences, as in most papers before 2016: gradients,
    and so SGD's steps and the norms to clip, are then as many times larger as a sentence has tokens."""
    teacher_forcing: AnyForcing = ConstantForcingConfig()
    """What the decoder is fed in training: the reference's tokens, or sometimes its own choices."""
    bpe_dropout: Rate = 0.0
    """Chance that a merge is passed over where a word of the training data is cut into pieces, differently each time
    (Provilkov et al. 2020); needs a tokenizer of kind bpe."""
    r_drop: Factor = 0.0
    """Weight of the divergence between two passes with different dropout (R-Drop: Liang et al. 2021); costs twice."""
    guided_alignment: Factor = 0.0
    """Weight of the cross-entropy of the attention against given word alignments (guided alignment: Chen et al. 2016),
    the mean over the target tokens that are aligned; needs `alignments` beside a source of `data.train`."""
    minimum_risk: MinimumRiskConfig | None = None
    """In the last epochs, the BLEU of sampled translations in place of the token loss; null: the token loss alone."""
    clip_norm: Annotated[float, Field(gt=0, le=1e9)] | None = 1.0
    """Longest gradient, by its norm over all weights (Pascanu et al. 2013); null: no clipping."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = 0.998
    """The model kept is a running mean of the weights with this decay a step; null: the weights themselves."""
    max_epochs: Positive = 20
    """Passes over the training data, at the most."""
    max_steps: Positive | None = None
    """Maximum number of optimizer steps; null: as many as the epochs hold."""
    budget: Annotated[str, Field(pattern=r"^[0-9]+([.][0-9]+)?[smh]$", max_length=12)] | None = None
    """Longest time of training with its validations: 90s, 20m, 1.5h. The schedule falls to its end within it. A run
    that a budget ends depends on the machine's speed."""
    validate_every: Positive | None = None
    """Steps between two validations; null: at the end of each epoch."""
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()
    """Which validation score chooses the best model, and when training ends before `max_epochs`."""
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    """What is kept to resume from, and to average."""
    log_every: Positive = 50
    """Steps between two records of the log."""
    track: TrackerName | None = None
    """An experiment tracker that the log's records are sent on to, under the recipe's name and the run folder's; null:
    none."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where this machine multiplies faster in it, with fp32 weights; else fp32."""

    @rule
    def _freezes_what_was_trained(self) -> Faults:
        if self.freeze is not None and self.start_from is None:
            yield "freeze", "would keep weights that chance has drawn; name the run that has trained them: start_from"
        if self.freeze is not None and len(set(self.freeze)) < len(self.freeze):
            yield "freeze", "a part is named twice; name each once"

    @rule
    def _reaches_minimum_risk(self) -> Faults:
        if self.minimum_risk is not None and self.minimum_risk.after_epochs >= self.max_epochs:
            yield "minimum_risk.after_epochs", f"training ends before, with max_epochs {self.max_epochs}; set it lower"

    @rule
    def _lowers_the_rate_before_it_stops(self) -> Faults:
        waits = self.schedule.patience if isinstance(self.schedule, PlateauScheduleConfig) else None
        ends = self.early_stopping.patience
        if waits is not None and ends is not None and waits + 1 >= ends:
            fix = f"set it below {ends - 1}" if ends > 1 else "use another schedule"
            message = f"never acts: training ends after {ends} validations without a new best; {fix}, or raise"
            yield "schedule.patience", f"{message} training.early_stopping.patience"

    @rule
    def _orders_its_epochs(self) -> Faults:
        if self.batch.curriculum_epochs > self.max_epochs:
            yield "batch.curriculum_epochs", f"training ends before, with max_epochs {self.max_epochs}; set it lower"

    @rule
    def _can_be_guided(self) -> Faults:
        if self.guided_alignment > 0 and self.bpe_dropout > 0:
            yield "guided_alignment", "bpe_dropout splits aligned words differently each time; set one of them to 0"
        if self.guided_alignment > 0 and self.minimum_risk is not None:
            yield "guided_alignment", "sampled translations have no alignments; remove it, or minimum_risk"

    def optimizer_at(self, step: int) -> AnyOptimizer:
        """The optimizer of a step (from 1)."""
        switch = self.switch_optimizer
        return self.optimizer if switch is None or step <= switch.after_steps else switch.optimizer

    def minimum_risk_in(self, epoch: int) -> MinimumRiskConfig | None:
        """How the risk is minimised in an epoch (from 0); None: the token loss is."""
        config = self.minimum_risk
        return None if config is None or epoch < config.after_epochs else config

    @property
    def budget_seconds(self) -> float:
        """The budget in seconds; infinite where there is none."""
        if self.budget is None:
            return math.inf
        return float(self.budget[:-1]) * {"s": 1, "m": 60, "h": 3600}[self.budget[-1]]
