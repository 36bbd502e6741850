"""The recipe's schema: the only place where a recipe key is defined, documented and defaulted.

Each part of the program receives its own section (an immutable, typed object), never the
whole recipe and never a dictionary. `recipe_file.py` reads YAML into these classes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from seq2seq.recipe.attention import (
    AnyAttention,
    BahdanauAttentionConfig,
    CoverageAttentionConfig,
    LastStateAttentionConfig,
    LocalAttentionConfig,
    LocationAttentionConfig,
    LuongAttentionConfig,
    MultiHeadAttentionConfig,
    NoAttentionConfig,
    ScaledDotAttentionConfig,
)
from seq2seq.recipe.base import Config, FileName, impossible, suggestion
from seq2seq.recipe.cells import (
    ELEMENTWISE,
    AnyCell,
    CellConfig,
    Constraint,
    CustomCellConfig,
    GruConfig,
    Initializer,
    LstmConfig,
    MaxNormConfig,
    MinGruConfig,
    MinLstmConfig,
    NormalInitializerConfig,
    PlainConstraintConfig,
    PlainInitializerConfig,
    RegularizerConfig,
    RnnConfig,
    SruConfig,
    SsruConfig,
    TransitionGruConfig,
    UniformInitializerConfig,
    VarianceScalingInitializerConfig,
)
from seq2seq.recipe.data import (
    SOURCE_KEYS,
    AnySource,
    AnyTokenizer,
    BpeTokenizerConfig,
    BuiltinSourceConfig,
    CharTokenizerConfig,
    DataConfig,
    FilesSourceConfig,
    FilterConfig,
    HubSourceConfig,
    JsonlSourceConfig,
    SourceConfig,
    TokenizerConfig,
    TsvSourceConfig,
    UnigramTokenizerConfig,
    WordTokenizerConfig,
    source_kind,
)
from seq2seq.recipe.decoding import (
    AnyPenalty,
    AveragePenaltyConfig,
    DecodingConfig,
    EvaluationConfig,
    MaxLengthConfig,
    NoPenaltyConfig,
    WuPenaltyConfig,
)
from seq2seq.recipe.model import (
    DecoderConfig,
    EmbeddingConfig,
    EncoderConfig,
    ModelConfig,
    ProjectionConfig,
    ReadoutConfig,
    StackConfig,
)
from seq2seq.recipe.training import (
    AdamConfig,
    AdamWConfig,
    AnyForcing,
    AnyOptimizer,
    AnySchedule,
    BatchConfig,
    CheckpointsConfig,
    ConstantForcingConfig,
    ConstantScheduleConfig,
    CosineScheduleConfig,
    EarlyStoppingConfig,
    InverseSigmoidForcingConfig,
    InverseSqrtScheduleConfig,
    LinearForcingConfig,
    MinimumRiskConfig,
    PlateauScheduleConfig,
    SgdConfig,
    TrainingConfig,
)


class Recipe(Config):
    """One experiment: data, tokenizer, model, training, decoding, evaluation."""

    name: FileName
    """The experiment's name, and its run folder's (runs/NAME)."""
    output_dir: str = ""
    """The run folder, counted from where the command is run. Default: runs/NAME."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Of every random choice."""
    data: DataConfig
    """Where the parallel text comes from, and what is kept of it."""
    tokenizer: AnyTokenizer = BpeTokenizerConfig()
    """How text becomes tokens."""
    model: ModelConfig = ModelConfig()
    """The encoder-decoder."""
    training: TrainingConfig = TrainingConfig()
    """How the model learns."""
    decoding: DecodingConfig = DecodingConfig()
    """How translations are searched for."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How the translations of test sets are scored."""

    @model_validator(mode="before")
    @classmethod
    def _default_folder(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            return {**data, "output_dir": data.get("output_dir") or f"runs/{data['name']}"}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.training.bpe_dropout > 0 and self.tokenizer.kind != "bpe":
            raise impossible(
                "training.bpe_dropout", f"a tokenizer of kind {self.tokenizer.kind} has no merges to drop; use kind bpe"
            )
        if self.model.embedding.tie == "all" and not self.tokenizer.joint:
            raise impossible(
                "model.embedding.tie",
                "`all` needs one vocabulary for both languages; set tokenizer.joint to true, or tie: decoder",
            )
        self._check_alignments()
        return self

    def _check_alignments(self) -> None:
        """Alignments and what they guide: neither has an effect without the other."""
        aligned = [i for i, file in enumerate(self.data.alignments) if file is not None]
        if self.training.guided_alignment == 0:
            if aligned:
                message = "without effect while training.guided_alignment is 0; set that (0.1), or remove this"
                raise impossible(f"data.train.{aligned[0]}.alignments", message)
            return
        if not aligned:
            message = "there are no alignments; name a file of them beside a source: data.train.0.alignments"
            raise impossible("training.guided_alignment", message)
        kind = self.model.decoder.attention.kind
        if kind in ("none", "last_state"):
            raise impossible("training.guided_alignment", f"attention {kind} has no weights to guide; use another")
