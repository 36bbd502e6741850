"""The recipe's schema: the only place where a recipe key is defined, documented and defaulted.

Each part of the program receives its own section (an immutable, typed object), never the
whole recipe and never a dictionary. `file.py` reads YAML into these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from seq2seq.languages import has_spaces
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
from seq2seq.recipe.base import Config, Faults, FileName, PathName, rule
from seq2seq.recipe.cells import (
    AnyCell,
    CellConfig,
    ConstantInitializerConfig,
    Constraint,
    CustomCellConfig,
    ElementwiseConfig,
    GruConfig,
    Initializer,
    KernelInitializer,
    LstmConfig,
    MatrixInitializerConfig,
    MatrixRegularizerConfig,
    MaxNormConfig,
    MinGruConfig,
    MinLstmConfig,
    MinMaxNormConfig,
    NormalInitializerConfig,
    PlainConstraintConfig,
    PlainInitializerConfig,
    RegularizerConfig,
    RnnConfig,
    SruConfig,
    SsruConfig,
    TransitionGruConfig,
    UniformInitializerConfig,
    VariancePreservingInitializerConfig,
    VarianceScalingInitializerConfig,
)
from seq2seq.recipe.data import (
    AnyTokenizer,
    BpeTokenizerConfig,
    CharTokenizerConfig,
    DataConfig,
    FilterConfig,
    LearntTokenizer,
    RunTokenizerConfig,
    TokenizerConfig,
    UnigramTokenizerConfig,
    WordTokenizerConfig,
)
from seq2seq.recipe.decoding import (
    AnyPenalty,
    AveragePenaltyConfig,
    DecodingConfig,
    DiversityConfig,
    EvaluationConfig,
    LanguageModelConfig,
    MaxLengthConfig,
    MbrConfig,
    MinLengthConfig,
    NoPenaltyConfig,
    RescoreConfig,
    SamplingConfig,
    WuPenaltyConfig,
)
from seq2seq.recipe.export import ExportConfig
from seq2seq.recipe.model import (
    DecoderConfig,
    EmbeddingConfig,
    EncoderConfig,
    ModelConfig,
    ProjectionConfig,
    ReadoutConfig,
    StackConfig,
)
from seq2seq.recipe.optimization import (
    AdadeltaConfig,
    AdagradConfig,
    AdamConfig,
    AdamWConfig,
    AnyOptimizer,
    AnySchedule,
    ConstantScheduleConfig,
    CosineScheduleConfig,
    ExponentialScheduleConfig,
    InverseSqrtScheduleConfig,
    PlateauScheduleConfig,
    RmspropConfig,
    SgdConfig,
    SwitchConfig,
)
from seq2seq.recipe.report import ReportConfig
from seq2seq.recipe.sources import (
    SOURCE_KEYS,
    AnySource,
    BuiltinSourceConfig,
    FilesSourceConfig,
    HubSourceConfig,
    JsonlSourceConfig,
    SourceConfig,
    TsvSourceConfig,
    source_kind,
)
from seq2seq.recipe.start import started_from
from seq2seq.recipe.training import (
    AnyForcing,
    BatchConfig,
    CheckpointsConfig,
    ConstantForcingConfig,
    EarlyStoppingConfig,
    InverseSigmoidForcingConfig,
    LinearForcingConfig,
    MinimumRiskConfig,
    TrackerName,
    TrainingConfig,
)


class Recipe(Config):
    """One experiment: data, tokenizer, model, training, decoding, evaluation."""

    name: FileName
    """The experiment's name, and its run folder's (runs/NAME)."""
    task: Literal["translation", "language_model"] = "translation"
    """A language model learns the target side alone: for `decoding.language_model` of a translator's recipe."""
    output_dir: PathName = ""
    """The run folder, counted from where the command is run. Default: runs/NAME."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """The random seed of the training: first weights, order of the data, dropout, sampling."""
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=2, max_length=100)] | None = None
    """Instead of `seed`: train once with each (folders seed-N in the run folder, one preparation for all), and report
    their mean, standard deviation and ensemble."""
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
    report: ReportConfig = ReportConfig()
    """What the run's page tells besides."""
    export: ExportConfig | None = None
    """Also write the model to the run folder's `export`, for translating without torch; null: do not."""

    @model_validator(mode="before")
    @classmethod
    def _default_folder(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            return {**data, "output_dir": data.get("output_dir") or f"runs/{data['name']}"}
        return data

    @model_validator(mode="before")
    @classmethod
    def _tokenizer_of_the_start(cls, data: Any) -> Any:
        """That of the run which training starts from."""
        start = started_from(data)
        return data if start is None else {"tokenizer": {"kind": "run", "run": start}, **data}

    @rule
    def _goes_on_with_the_start(self) -> Faults:
        start = self.training.start_from
        if start is None:
            return
        if getattr(self.tokenizer, "run", None) != start:
            fix = f"remove this, or set tokenizer={{kind: run, run: {start}}}"
            yield "tokenizer", f"the weights of training.start_from go with its tokenizer alone; {fix}"
        for key in ("src_vectors", "tgt_vectors"):
            why = "beside training.start_from, whose embeddings are taken; remove it"
            yield from self.without_effect(f"model.embedding.{key}", why)

    @rule
    def _has_seed_or_seeds(self) -> Faults:
        if self.seeds is not None:
            if self.seed != type(self).model_fields["seed"].default:
                yield "seed", "has no effect beside `seeds`; remove one of them"
            if len(set(self.seeds)) < len(self.seeds):
                yield "seeds", "a seed is named twice; name each once"
            if self.task == "language_model":
                yield "seeds", "their mean and ensemble are of translations, which a language model does not make"

    @rule
    def _has_merges_to_drop(self) -> Faults:
        if self.tokenizer.kind != "bpe":
            why = f"with a tokenizer of kind {self.tokenizer.kind}, which has no merges to drop; use kind bpe"
            yield from self.without_effect("training.bpe_dropout", why)

    @rule
    def _has_one_vocabulary(self) -> Faults:
        if self.model.embedding.tie == "all" and not getattr(self.tokenizer, "joint", True):
            message = "`all` needs one vocabulary for both languages; set tokenizer.joint to true, or tie: decoder"
            yield "model.embedding.tie", message

    @rule
    def _has_dropout_to_compare(self) -> Faults:
        model, forcing = self.model, self.training.teacher_forcing
        samples = forcing.kind != "constant" or forcing.ratio < 1
        if not (model.encoder.drops or model.decoder.drops or model.embedding.word_dropout or samples):
            why = "where nothing is dropped: both passes are the same; set model.decoder.dropout, or remove it"
            yield from self.without_effect("training.r_drop", why)

    @rule
    def _has_attention_to_add_up(self) -> Faults:
        if (kind := self.model.decoder.attention.kind) in ("none", "last_state"):
            why = f"with attention {kind}, which looks at no words; use another, or remove it"
            yield from self.without_effect("decoding.coverage_penalty", why)
            yield from self.without_effect("decoding.keep", why)

    @rule
    def _begins_with_the_prefix(self) -> Faults:
        if self.data.reverse_target and self.decoding.prefix:
            yield "decoding.prefix", "with data.reverse_target the beginning is written last; remove one of them"

    @rule
    def _has_words_to_keep(self) -> Faults:
        for language in (self.data.src, self.data.tgt):
            if self.decoding.keep and not has_spaces(language):
                yield "decoding.keep", f"{language} puts no spaces between words; remove it"

    @rule
    def _sees_what_its_task_needs(self) -> Faults:
        if self.task == "translation" and not self.model.sees_source:
            message = "with attention none and bridge zero the decoder never sees the source; use project or copy"
            yield "model.bridge", message
        if self.task == "language_model":
            if self.model.decoder.attention.kind != "none":
                yield "model.decoder.attention", "a language model sees no source; set it to none"
            if self.model.bridge != "zero":
                yield "model.bridge", "a language model sees no source; set it to zero"
            if self.data.test:
                yield "data.test", "a language model translates nothing; remove it"
            if self.training.early_stopping.metric in ("bleu", "chrf", "ter"):
                message = "scores translations, which a language model does not make; use loss"
                yield "training.early_stopping.metric", message
            if self.training.minimum_risk is not None:
                yield "training.minimum_risk", "compares translations, which a language model does not make; remove it"
            if self.decoding != DecodingConfig():
                yield "decoding", "has no effect on a language model; remove it"

    @rule
    def _has_test_sets_to_score(self) -> Faults:
        if not self.data.test:
            for key in ("metrics", "bootstrap"):
                yield from self.without_effect(f"evaluation.{key}", "without test sets; name some in data.test")

    @rule
    def _aligns(self) -> Faults:
        """Alignments and what they guide: neither has an effect without the other."""
        aligned = [i for i, file in enumerate(self.data.alignments) if file is not None]
        if self.training.guided_alignment == 0:
            for i in aligned:
                message = "has no effect while training.guided_alignment is 0; set that (0.1), or remove this"
                yield f"data.train.{i}.alignments", message
        elif not aligned:
            message = "there are no alignments; name a file of them beside a source: data.train.0.alignments"
            yield "training.guided_alignment", message
        elif self.model.decoder.attention.kind in ("none", "last_state"):
            kind = self.model.decoder.attention.kind
            yield "training.guided_alignment", f"attention {kind} has no weights to guide; use another"
