"""The recipe's schema: the only place where a recipe key is defined, documented and defaulted.

Each part of the program receives its own section (an immutable, typed object), never the
whole recipe and never a dictionary. `recipe_file.py` reads YAML into these classes.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

# What users of other toolkits type, and what it is called here.
PEER_NAMES = {
    "trg": "tgt", "target": "tgt", "source": "src", "source_lang": "src", "target_lang": "tgt", "dev": "valid",
    "validation": "valid", "hidden": "hidden_size", "rnn_size": "hidden_size", "num_layers": "layers",
    "rnn_type": "cell", "type": "kind", "lr": "learning_rate", "beam": "beam_size", "mlp": "bahdanau",
    "additive": "bahdanau", "dot": "luong_dot", "general": "luong_general", "luong": "luong_general",
    "concat": "luong_concat", "bi": "bidirectional", "optim": "optimizer", "scheduler": "schedule",
    "scheduling": "schedule", "epochs": "max_epochs", "batch_size": "batch", "clip_grad_norm": "clip_norm",
    "max_grad_norm": "clip_norm", "embedding_dim": "size", "emb_size": "size", "embeddings": "embedding",
    "tied_embeddings": "tie", "tied_softmax": "tie", "rnn": "rnn_tanh", "sentencepiece": "unigram",
    "subword-nmt": "bpe", "spm": "unigram", "warmup": "warmup_steps", "inputfeeding": "input_feeding",
    "input_feed": "input_feeding", "smoothing": "label_smoothing", "attn": "attention", "eval": "evaluation",
    "gnmt": "wu", "testing": "decoding", "random_seed": "seed", "noam": "inverse_sqrt", "vocab": "vocab_size",
    "model_dir": "output_dir", "save_model": "output_dir", "alpha": "length_penalty", "final": "project",
}  # fmt: skip


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean `x`?`, or an empty string where nothing known is near `word`."""
    peer = PEER_NAMES.get(word.lower())
    near = [peer] if peer in known else difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def impossible(key: str, message: str) -> PydanticCustomError:
    """An error about a combination of keys, placed at `key` (dotted, counted from the section that raises it)."""
    return PydanticCustomError("combination", "{message}", {"message": message, "key": key})


class Section(BaseModel):
    """A part of the recipe: strictly typed, immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = list(cls.model_fields)
            for key in data:
                if key not in cls.model_fields:
                    hint = suggestion(str(key), known) or f"; the keys here are {', '.join(known)}"
                    raise PydanticCustomError("unknown_key", "unknown key{hint}", {"hint": hint, "key": str(key)})
        return data


Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]

# --- data ------------------------------------------------------------------------------------------------------------


class Source(Section):
    """A place that parallel sentences come from."""

    weight: float = Field(default=1.0, gt=0, le=1000)
    """How often each pair is seen in an epoch, on average (2: twice; 0.5: every other epoch). Training data only."""


class FilesSource(Source):
    """Two text files, one sentence a line; `.gz`, `.bz2` and `.xz` are read as they are."""

    files: str | list[str]
    """A pattern with `{lang}` in it (`corpus.{lang}`), or a list of two: the source's and the target's file."""

    @model_validator(mode="after")
    def _pattern(self) -> FilesSource:
        if isinstance(self.files, str) and "{lang}" not in self.files:
            raise impossible("files", "the pattern needs `{lang}` where the language goes, as in `corpus.{lang}`")
        if isinstance(self.files, list) and len(self.files) != 2:
            raise impossible("files", f"the list needs two files, the source's and the target's, not {len(self.files)}")
        return self


class TsvSource(Source):
    """One file of tab-separated columns, without quoting."""

    tsv: str
    """The file."""
    src_column: Count = 0
    """The source's column, from 0."""
    tgt_column: Count = 1
    """The target's column, from 0."""

    @model_validator(mode="after")
    def _two_columns(self) -> TsvSource:
        if self.src_column == self.tgt_column:
            raise impossible("tgt_column", f"the source is column {self.src_column} too; name another column")
        return self


class JsonlSource(Source):
    """One JSON object a line."""

    jsonl: str
    """The file."""
    src_field: str | None = None
    """The source's field; dots reach into objects (`translation.en`). Default: the source language."""
    tgt_field: str | None = None
    """The target's field. Default: the target language."""


class HubSource(Source):
    """A data set of the Hugging Face hub, or one saved in a local folder (`save_to_disk`, or data files)."""

    hub: str
    """The name on the hub (`bentrevett/multi30k`), or a folder."""
    config: str | None = None
    """The configuration's name, where the data set has several."""
    split: str | None = None
    """Default: train, validation or test, by where this source stands in the recipe."""
    revision: str | None = None
    """A commit or tag of the data set, for runs that can be repeated."""
    src_field: str | None = None
    """The source's field; dots reach into objects. Default: the source language, also within `translation`."""
    tgt_field: str | None = None
    """The target's field. Default: the target language, also within `translation`."""


class BuiltinSource(Source):
    """Phrases of the Unicode CLDR (dates, times, amounts, lists, units), made offline for any two languages."""

    builtin: Literal["cldr"]
    """The generator."""
    pairs: Positive | None = None
    """How many sentence pairs. Default: 40,000 for training, 1,000 for validation and for a test set."""
    split: Literal["train", "valid", "test"] | None = None
    """Which of the three disjoint parts. Default: by where this source stands in the recipe."""


SOURCE_KEYS = ("files", "tsv", "jsonl", "hub", "builtin")


def source_kind(data: Any) -> str | None:
    """Which of SOURCE_KEYS says what kind of source this is; None where none does."""
    if isinstance(data, Source):
        return next(key for key in SOURCE_KEYS if hasattr(data, key))
    return next((key for key in SOURCE_KEYS if key in data), None) if isinstance(data, dict) else None


AnySource = Annotated[
    Annotated[FilesSource, Tag("files")]
    | Annotated[TsvSource, Tag("tsv")]
    | Annotated[JsonlSource, Tag("jsonl")]
    | Annotated[HubSource, Tag("hub")]
    | Annotated[BuiltinSource, Tag("builtin")],
    Discriminator(
        source_kind,
        custom_error_type="source_kind",
        custom_error_message="not a data source: it needs one of the keys files, tsv, jsonl, hub, builtin",
    ),
]


class Filter(Section):
    """What is dropped from the training data; validation and test sets are never filtered."""

    max_length: Positive | None = 100
    """Longest sentence kept, in tokens of the tokenizer, on either side."""
    max_length_ratio: Annotated[float, Field(gt=1)] | None = 4.0
    """Largest ratio kept of the longer side's tokens to the shorter side's."""
    deduplicate: bool = True
    """Drop pairs seen before."""
    drop_test_overlap: bool = True
    """Drop pairs whose source or target is, letter for letter, that of a validation or test pair."""


class Data(Section):
    """Where the parallel text comes from, and what is kept of it."""

    src: Language
    """The source language's code (`en`, `pt_BR`)."""
    tgt: Language
    """The target language's code."""
    train: list[AnySource]
    """The training data: one source, or a list of them."""
    valid: AnySource
    """The validation data: decides early stopping and which model is best."""
    test: dict[FileName, AnySource] = {}
    """The test sets, by name: translated and scored once, at the end."""
    filter: Filter = Filter()
    """What is dropped from the training data."""

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, data: Any) -> Any:
        return (
            {**data, "train": [data["train"]]}
            if isinstance(data, dict) and isinstance(data.get("train"), dict)
            else data
        )

    @model_validator(mode="after")
    def _check(self) -> Data:
        if not self.train:
            raise impossible("train", "the list is empty; name at least one source of training data")
        if self.src.lower() == self.tgt.lower():
            raise impossible("tgt", f"source and target are the same language, {self.src}; a translator needs two")
        for key, source in [("valid", self.valid), *((f"test.{name}", source) for name, source in self.test.items())]:
            if source.weight != 1:
                raise impossible(f"{key}.weight", "a weight has no effect outside the training data; remove it")
        return self


# --- tokenizer -------------------------------------------------------------------------------------------------------


class Tokenizer(Section):
    """How text becomes tokens."""

    joint: bool = True
    """One vocabulary for both languages (else each has its own)."""
    normalization: Literal["none", "nfc", "nfkc"] = "nfc"
    """The Unicode normalisation of every text before it is cut into tokens."""


class BpeTokenizer(Tokenizer):
    """Byte-pair encoding (Sennrich et al. 2016)."""

    kind: Literal["bpe"]
    vocab_size: Annotated[int, Field(ge=100)] = 8000
    """Tokens of the vocabulary, at the most."""
    min_frequency: Positive = 2
    """How often a pair of symbols must occur to be merged."""


class UnigramTokenizer(Tokenizer):
    """Unigram language model (Kudo 2018)."""

    kind: Literal["unigram"]
    vocab_size: Annotated[int, Field(ge=100)] = 8000
    """Tokens of the vocabulary, at the most."""


class WordTokenizer(Tokenizer):
    """Words and punctuation marks; rare ones become `<unk>`."""

    kind: Literal["word"]
    vocab_size: Annotated[int, Field(ge=100)] = 30000
    """Tokens of the vocabulary, at the most."""
    min_frequency: Positive = 2
    """How often a word must occur to enter the vocabulary."""


class CharTokenizer(Tokenizer):
    """Characters."""

    kind: Literal["char"]
    min_frequency: Positive = 1
    """How often a character must occur to enter the vocabulary."""


AnyTokenizer = Annotated[BpeTokenizer | UnigramTokenizer | WordTokenizer | CharTokenizer, Field(discriminator="kind")]

# --- model -----------------------------------------------------------------------------------------------------------

CellName = Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]


class Embedding(Section):
    """Token embeddings."""

    size: Positive = 256
    """Numbers an embedding."""
    tie: Literal["none", "decoder", "all"] = "decoder"
    """Share the target embedding with the output layer (`decoder`), and with the source embedding too (`all`)."""
    word_dropout: Rate = 0.0
    """Chance that a token's whole embedding is zeroed in training (Gal & Ghahramani 2016)."""


class Stack(Section):
    """Recurrent layers, one above the other."""

    cell: CellName = "lstm"
    """The recurrent unit."""
    layers: Positive = 1
    """Layers of the stack."""
    hidden_size: Positive = 512
    """Numbers of a hidden state (of each direction)."""
    dropout: Rate = 0.0
    """On the stack's input, between layers and on its output; one mask a sentence (Gal & Ghahramani 2016)."""


class Encoder(Stack):
    """Reads the source sentence."""

    hidden_size: Positive = 256
    """Numbers of a hidden state, of each direction."""
    bidirectional: bool = True
    """Read in both directions and join the two states of each position."""


class NoAttention(Section):
    """The decoder sees the source through its first state alone (Sutskever et al. 2014)."""

    kind: Literal["none"]


class BahdanauAttention(Section):
    """Additive: v . tanh(W q + U k) (Bahdanau et al. 2015, section 3.1)."""

    kind: Literal["bahdanau"]
    size: Positive | None = None
    """Units of the scoring layer. Default: the decoder's hidden size."""


class LuongAttention(Section):
    """Dot q . k, general q . W k, or concat v . tanh(W [q; k]) (Luong et al. 2015, equation 8)."""

    kind: Literal["luong_dot", "luong_general", "luong_concat"]


AnyAttention = Annotated[NoAttention | BahdanauAttention | LuongAttention, Field(discriminator="kind")]


class Decoder(Stack):
    """Writes the target sentence."""

    input_feeding: bool = False
    """Feed each step the last attentional state (Luong et al. 2015, section 3.3); slower to train."""
    attention: AnyAttention = LuongAttention(kind="luong_general")
    """How the decoder looks at the source."""


class Model(Section):
    """The encoder-decoder."""

    embedding: Embedding = Embedding()
    encoder: Encoder = Encoder()
    bridge: Literal["project", "copy", "zero"] = "project"
    """The decoder's first states: a learned projection of the encoder's last ones, the same ones, or zeros."""
    decoder: Decoder = Decoder()

    @property
    def memory_size(self) -> int:
        """Numbers of each encoder output."""
        return self.encoder.hidden_size * (2 if self.encoder.bidirectional else 1)

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        encoder, decoder, kind = self.encoder, self.decoder, self.decoder.attention.kind
        if kind == "none" and decoder.input_feeding:
            raise impossible(
                "decoder.input_feeding", "there is no attentional state to feed with attention none; set it to false"
            )
        if kind == "none" and self.bridge == "zero":
            raise impossible(
                "bridge", "with attention none and bridge zero the decoder never sees the source; use project or copy"
            )
        if kind == "luong_dot" and self.memory_size != decoder.hidden_size:
            raise impossible(
                "decoder.attention.kind",
                f"luong_dot needs encoder outputs ({self.memory_size} numbers) as long as the decoder's states "
                f"({decoder.hidden_size}); set decoder.hidden_size to {self.memory_size}, or use luong_general",
            )
        if self.bridge == "copy":
            sides = (encoder, self.memory_size), (decoder, decoder.hidden_size)
            one, other = (f"{side.cell} x {side.layers} of {size}" for side, size in sides)
            if one != other:
                raise impossible(
                    "bridge",
                    "copy needs an encoder and a decoder of the same cell, depth and state size, "
                    f"but they are {one} and {other}; use project",
                )
        return self


# --- training --------------------------------------------------------------------------------------------------------


class Batch(Section):
    """How sentences are put together for one step."""

    tokens: Positive = 1500
    """Budget of a batch: its sentences times the longest of them, in tokens with padding."""
    accumulate: Positive = 1
    """Batches whose gradients are added up for one update."""


class Adam(Section):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"]
    learning_rate: Annotated[float, Field(gt=0)] = 0.002
    betas: Annotated[list[Rate], Field(min_length=2, max_length=2)] = [0.9, 0.98]
    """Decay of the running means of the gradient and of its square."""


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"]  # type: ignore[assignment]
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class Sgd(Section):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    learning_rate: Annotated[float, Field(gt=0)] = 0.5
    momentum: Rate = 0.0


AnyOptimizer = Annotated[Adam | AdamW | Sgd, Field(discriminator="kind")]


class Constant(Section):
    """The same rate at every step, after the warm-up."""

    kind: Literal["constant"]
    warmup_steps: Count = 0
    """Steps over which the rate grows linearly from 0."""


class InverseSqrt(Section):
    """Falls as 1/sqrt(step) after the warm-up (Vaswani et al. 2017)."""

    kind: Literal["inverse_sqrt"]
    warmup_steps: Positive = 1000
    """Steps over which the rate grows linearly from 0."""


class Cosine(Section):
    """Falls along half a cosine from the rate to `final` times the rate at the last step (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"]
    warmup_steps: Count = 300
    """Steps over which the rate grows linearly from 0."""
    final: Rate = 0.02
    """What is left of the rate at the end."""


class Plateau(Section):
    """Falls by `factor` when the early-stopping metric has not improved for `patience` validations."""

    kind: Literal["plateau"]
    warmup_steps: Count = 0
    """Steps over which the rate grows linearly from 0."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    patience: Count = 2
    """Validations without a new best that are waited for."""


AnySchedule = Annotated[Constant | InverseSqrt | Cosine | Plateau, Field(discriminator="kind")]


class TeacherForcing(Section):
    """What the decoder is fed in training."""

    ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Chance that a step is fed the reference's token, not the model's own last choice. Below 1 training is slower."""


class EarlyStopping(Section):
    """Which validation score decides."""

    metric: Literal["loss", "bleu", "chrf"] = "bleu"
    """Chooses the best model and ends training (bleu and chrf: of greedy translations of the validation set)."""
    patience: Positive | None = 5
    """Validations without a new best before training ends; null: it goes on to the end."""


class Checkpoints(Section):
    """What is kept to go on from after an interruption."""

    every_steps: Positive = 500
    """Updates between two checkpoints; one is also made at each validation."""
    keep_last: Positive = 2
    """Newest checkpoints kept; the best one is kept too."""


class Training(Section):
    """How the model learns."""

    batch: Batch = Batch()
    optimizer: AnyOptimizer = Adam(kind="adam")
    schedule: AnySchedule = Cosine(kind="cosine")
    label_smoothing: Rate = 0.1
    """Share of the probability spread over the whole vocabulary (Szegedy et al. 2016)."""
    teacher_forcing: TeacherForcing = TeacherForcing()
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Longest gradient, by its norm over all weights (Pascanu et al. 2013); null: no clipping."""
    ema_decay: Rate | None = 0.998
    """The model kept is a running mean of the weights with this decay a step; null: the weights themselves."""
    max_epochs: Positive = 20
    """Passes over the training data, at the most."""
    max_steps: Positive | None = None
    """Updates, at the most; null: as many as the epochs hold."""
    validate_every: Positive | None = None
    """Updates between two validations; null: at the end of each epoch."""
    early_stopping: EarlyStopping = EarlyStopping()
    checkpoints: Checkpoints = Checkpoints()
    log_every: Positive = 50
    """Updates between two records of the log."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where this machine multiplies faster in it, with fp32 weights; else fp32."""


# --- decoding and evaluation -----------------------------------------------------------------------------------------


class NoPenalty(Section):
    """Hypotheses compete by their log-probability: favours short ones."""

    kind: Literal["none"]


class AveragePenalty(Section):
    """By log-probability a token."""

    kind: Literal["average"]


class WuPenalty(Section):
    """By log-probability over ((5 + length) / 6)^alpha (GNMT: Wu et al. 2016, equation 14)."""

    kind: Literal["wu"]
    alpha: Annotated[float, Field(ge=0, le=5)] = 1.0


AnyPenalty = Annotated[NoPenalty | AveragePenalty | WuPenalty, Field(discriminator="kind")]


class MaxLength(Section):
    """Longest translation: `ratio` times the source's tokens, plus `offset`."""

    ratio: Annotated[float, Field(ge=0)] = 1.5
    offset: Positive = 10


class Decoding(Section):
    """How translations are searched for."""

    beam_size: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept at each step; 1 is greedy search."""
    length_penalty: AnyPenalty = WuPenalty(kind="wu")
    max_length: MaxLength = MaxLength()


class Evaluation(Section):
    """How test sets are scored, with sacreBLEU."""

    metrics: Annotated[list[Literal["bleu", "chrf", "ter"]], Field(min_length=1)] = ["bleu", "chrf", "ter"]
    bootstrap: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Resamplings behind the 95 % intervals; 0: no intervals."""

    @model_validator(mode="after")
    def _each_once(self) -> Evaluation:
        if len(set(self.metrics)) != len(self.metrics):
            raise impossible("metrics", "a metric is named twice; name each once")
        return self


class Recipe(Section):
    """One experiment: data, tokenizer, model, training, decoding, evaluation."""

    name: FileName
    """The experiment's name."""
    output_dir: str = ""
    """The run folder, counted from where the command is run. Default: runs/NAME."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Of every random choice."""
    data: Data
    tokenizer: AnyTokenizer = BpeTokenizer(kind="bpe")
    model: Model = Model()
    training: Training = Training()
    decoding: Decoding = Decoding()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="before")
    @classmethod
    def _default_folder(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            return {**data, "output_dir": data.get("output_dir") or f"runs/{data['name']}"}
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.model.embedding.tie == "all" and not self.tokenizer.joint:
            raise impossible(
                "model.embedding.tie",
                "`all` needs one vocabulary for both languages; set tokenizer.joint to true, or tie: decoder",
            )
        return self
