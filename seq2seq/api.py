"""The public face in Python: run a recipe, translate, score. `seq2seq/__init__.py` names what is public."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from seq2seq import notebook
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.tokenization import EOS
from seq2seq.decoding import scoring
from seq2seq.decoding import translator as engine
from seq2seq.decoding.translation import Translation
from seq2seq.device import set_up
from seq2seq.distributed import Processes
from seq2seq.errors import UserError
from seq2seq.evaluation import metrics as evaluation
from seq2seq.evaluation.metrics import DEFAULT_METRICS, Score
from seq2seq.pipeline.seeds import of_seed, runner_of
from seq2seq.pipeline.stages.evaluate import read_scores, read_start_scores
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe, naming_variables, override_decoding
from seq2seq.run_folder import RunFolder


def run(
    recipe: str | Path | Mapping[str, Any],
    *settings: str,
    force: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Run:
    """Carry out a recipe as the command `seq2seq run` does: only what is not up to date runs.

    Args:
        recipe: a YAML file, a run folder, or the keys of a recipe, whose paths count from the current folder.
        settings: keys to set, as on the command line: `"training.max_steps=200"`.
        force: run everything, replacing what the run folder holds.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`.
        threads: CPU threads; None: torch's choice.

    Raises:
        UserError: what the command would say.
        KeyboardInterrupt: it was interrupted; all finished work is saved, the same call resumes.
    """
    loaded = load_recipe(recipe, settings)
    processes = Processes.join(set_up(device, threads))
    with naming_variables(recipe):
        runner = runner_of(loaded, force)
    runner.run_whole(processes)
    return Run(loaded.output_dir)


class Run:
    """A run folder: what carrying out a recipe has left.

    Raises:
        UserError: there is none.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._paths = RunFolder(self.folder)
        self._existing(self._paths.recipe)

    @property
    def recipe(self) -> Recipe:
        """With every default written out."""
        return load_recipe(self.folder)

    @property
    def seeds(self) -> dict[int, Run]:
        """By seed, the runs of a recipe that has several; else empty."""
        recipe = self.recipe
        return {seed: Run(of_seed(recipe, seed).output_dir) for seed in recipe.seeds or ()}

    @property
    def scores(self) -> dict[str, dict[str, Score]]:
        """By test set and metric: `run.scores["cldr"]["bleu"].value`.

        Over several seeds that is the mean, with `deviation`, `by_seed` and `ensemble` beside it (`SeedsScore`).
        """
        self._existing(self._paths.scores)
        return {name: {score.metric: score for score in scores} for name, scores in read_scores(self._paths).items()}

    @property
    def start_scores(self) -> dict[str, dict[str, Score]]:
        """What the run that training started from scores on the same test sets, as `scores`: what was learnt since,
        and what was forgotten. Empty where training started from none."""
        of_run = next(iter(self.seeds.values()), self)._paths
        return {name: {score.metric: score for score in scores} for name, scores in read_start_scores(of_run).items()}

    @property
    def log(self) -> notebook.Table:
        """The training's records, oldest first: step, loss, learning rate, ..., at times validation scores."""
        lines = self._existing(self._paths.log).read_text(encoding="utf-8").split("\n")
        return notebook.Table(json.loads(line) for line in lines if line)

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self._existing(self._paths.report / "report.html")

    def translator(self, device: str = "auto") -> Translator:
        """That translates with the model that was trained."""
        return Translator.load(self.folder, device)

    def _existing(self, path: Path) -> Path:
        if not path.exists():
            raise UserError(f"{self.folder}: has no {path.relative_to(self.folder)}; run its recipe first")
        return path

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        scores = [(name, score) for name, scores in self.scores.items() for score in scores.values()]
        rows = [(name, s.label, s.value, _interval(s), s.sentences) for name, s in scores]
        return notebook.table(("test set", "metric", "score", "95 % interval", "sentences"), rows)


@dataclass(frozen=True)
class TranslationScore:
    """How likely a model finds a given translation."""

    tokens: list[str]
    """Of the translation, with </s>."""
    token_log_probabilities: list[float]
    """Of each after those before it, in nats."""

    @property
    def log_probability(self) -> float:
        """Of the whole translation, in nats."""
        return math.fsum(self.token_log_probabilities)

    @property
    def perplexity(self) -> float:
        """exp of the mean loss a token."""
        return math.exp(-self.log_probability / len(self.tokens))


@dataclass(frozen=True)
class Attention:
    """Where a model looks in the source as it writes a translation."""

    source_tokens: list[str]
    target_tokens: list[str]
    weights: np.ndarray
    """[tgt_len, src_len], rows sum to 1."""

    def _repr_html_(self) -> str:
        return notebook.heat_map(self.source_tokens, self.target_tokens, self.weights.tolist())


class Translator:
    """A trained model, ready to translate.

    Args:
        batch_size: sentences translated together; changes speed and memory, never a translation (in fp32).
    """

    def __init__(self, bundle: Bundle, batch_size: int = 32) -> None:
        self._bundle, self._batch_size = bundle, batch_size

    @classmethod
    def load(cls, path: str | Path, device: str = "auto", batch_size: int = 32) -> Translator:
        """Read a run folder's model, a model folder, or a model of the Hugging Face hub.

        Args:
            path: of the hub `hf:USER/NAME`, or `hf:USER/NAME@REVISION`.
            device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`.

        Raises:
            UserError: there is none, it is damaged, or there is no such device.
        """
        return cls(load_bundle(path, set_up(device)), batch_size)

    @overload
    def translate(
        self, text: str, n_best: int = 1, phrases: Sequence[str] | None = None, **settings: Any
    ) -> Translation: ...
    @overload
    def translate(
        self, text: Iterable[str], n_best: int = 1, phrases: Sequence[Sequence[str]] | None = None, **settings: Any
    ) -> list[Translation]: ...
    def translate(
        self, text: str | Iterable[str], n_best: int = 1, phrases: Sequence[Any] | None = None, **settings: Any
    ) -> Translation | list[Translation]:
        """Translate a text, or each of several.

        Args:
            n_best: candidates of each, at most as many as the beam holds.
            phrases: that the translation has to hold; of several texts, a list for each. `require=[...]`, a setting,
                is for all of them.
            settings: keys of the recipe's `decoding` (docs/recipe.md) that replace the model's own: `beam_size=10`.

        Returns:
            a `Translation` of a str, else a list.

        Raises:
            UserError: an unknown setting or a wrong value, told as the command line tells it.
        """
        config = override_decoding(self._bundle.config.decoding, settings)
        engine.check_n_best(n_best, config)
        texts = _texts(text, "text")
        required = _phrases([phrases] if isinstance(text, str) and phrases is not None else phrases, len(texts))
        found = engine.Translator(self._bundle, config, self._batch_size).translate(texts, n_best, required)
        return found[0] if isinstance(text, str) else found

    @overload
    def score(self, src: str, tgt: str) -> TranslationScore: ...  # type: ignore[overload-overlap]
    @overload
    def score(self, src: Iterable[str], tgt: Iterable[str]) -> list[TranslationScore]: ...
    def score(self, src: str | Iterable[str], tgt: str | Iterable[str]) -> TranslationScore | list[TranslationScore]:
        """How likely the model finds given translations: of a pair of texts, or of each of several pairs.

        Raises:
            UserError: there are not as many translations as sources.
        """
        sources, targets = self._encode_pairs(src, tgt)
        scores = scoring.score(self._bundle.model, sources, targets, self._batch_size)
        names = [self._bundle.tgt_tokenizer.tokens(tokens) for tokens in targets]
        found = [TranslationScore(*pair) for pair in zip(names, scores, strict=True)]
        return found[0] if isinstance(src, str) else found

    def attention(self, src: str, tgt: str) -> Attention:
        """Where the model looks in `src` as it writes `tgt`.

        Raises:
            UserError: the model has no attention.
        """
        (source,), (target,) = self._encode_pairs(src, tgt)
        weights = scoring.attention_weights(self._bundle.model, source, target)
        if weights is None:
            raise UserError("attention: this model has none (its recipe's model.decoder.attention is none)")
        names = self._bundle.src_tokenizer.tokens(source), self._bundle.tgt_tokenizer.tokens(target)
        return Attention(*names, weights.numpy())

    def _encode_pairs(self, src: str | Iterable[str], tgt: str | Iterable[str]) -> tuple[list[list[int]], ...]:
        """Sources and translations as tokens with </s>."""
        if isinstance(src, str) != isinstance(tgt, str):
            raise UserError("src, tgt: give two texts, or two sequences of texts")
        texts = _texts(src, "src"), _texts(tgt, "tgt")
        if len(texts[0]) != len(texts[1]):
            raise UserError(f"{len(texts[0]):,} sources, but {len(texts[1]):,} translations; give one for each")
        tokenizers = self._bundle.src_tokenizer, self._bundle.tgt_tokenizer
        sides = zip(texts, tokenizers, strict=True)
        return tuple([[*tokens, EOS] for tokens in tokenizer.encode_batch(lines)] for lines, tokenizer in sides)

    def __repr__(self) -> str:
        config = self._bundle.config
        return f"<Translator {config.name}: {config.src} to {config.tgt}>"


def evaluate(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str = "en",
    metrics: Sequence[str] = DEFAULT_METRICS,
    bootstrap: int = 1000,
    sources: Sequence[str] | None = None,
    comet: str | Path | None = None,
) -> dict[str, Score]:
    """Score translations with sacreBLEU, as `seq2seq evaluate --hyp FILE --ref FILE` does.

    Args:
        hypotheses, references: equally many texts, detokenised.
        language: the target's, for sacreBLEU's tokenizer.
        metrics: bleu, chrf, chrf++, ter, spbleu, spbleu101, comet.
        bootstrap: resamplings behind the 95 % intervals; 0: no intervals.
        sources: as many texts, which comet reads.
        comet: the folder of its model.

    Returns:
        by metric, the score with its interval and signature.

    Raises:
        UserError: the counts differ, there is nothing to score, a metric is unknown or cannot be computed here.
    """
    ours, theirs = _texts(hypotheses, "hypotheses"), _texts(references, "references")
    read = None if sources is None else _texts(sources, "sources")
    folder = None if comet is None else Path(comet)
    found = evaluation.score(ours, theirs, metrics, language, bootstrap, sources=read, comet=folder)
    return {score.metric: score for score in found}


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{score.low:.2f} to {score.high:.2f}"


def _phrases(given: Sequence[Any] | None, count: int) -> list[list[str]] | None:
    """A list of phrases for each text.

    Raises:
        UserError: something else was given.
    """
    if given is None:
        return None
    if len(given) != count or any(isinstance(one, str) for one in given):
        raise UserError(f"phrases: give a list of str for each of the {count:,} texts, [] where nothing is required")
    return [_texts(one, "phrases") for one in given]


def _texts(given: str | Iterable[str], name: str) -> list[str]:
    """A list of one or more texts.

    Raises:
        UserError: something else was given.
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, Iterable):
        raise UserError(f"{name}: must be a str or a sequence of str, not {type(given).__name__}")
    texts = list(given)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserError(f"{name}: item {i} must be a str, not {type(text).__name__}")
    return texts
