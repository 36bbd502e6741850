"""What each stage of a recipe does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq import __version__, bundle
from seq2seq.console import say
from seq2seq.data.bpe_dropout import BpeDropout
from seq2seq.data.preparation import PreparedPairs, prepare
from seq2seq.data.tokenization import EOS, Tokenizer
from seq2seq.data.vectors import places_of, read_vectors
from seq2seq.decoding.scoring import attention_weights
from seq2seq.decoding.translator import Translator
from seq2seq.device import fastest_precision
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.evaluation.metrics import Score, score
from seq2seq.evaluation.report import AttentionExample, RunReport, TestSetReport, to_html, to_markdown
from seq2seq.files import new_folder, write_json, write_text
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline import STAGES, Pipeline, Stage, digest
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.log import TrainingLog
from seq2seq.training.minimum_risk import bleu_cost
from seq2seq.training.objective import Objective
from seq2seq.training.trainer import Trainer
from seq2seq.training.validation import Validator

ATTENTION_MAPS = 6
"""Shown for each test set."""


@dataclass
class Runner:
    """Carries out a recipe's stages, those that are not fresh."""

    pipeline: Pipeline
    processes: Processes = SINGLE_PROCESS
    """Those that train; the first one does all the rest alone."""

    @property
    def device(self) -> torch.device:
        """That the models are on."""
        return self.processes.device

    def run(self, until: Stage = "report") -> bool:
        """Run what has to run; returns whether anything had to."""
        work: dict[Stage, Callable[[], list[Path]]] = {
            "prepare": self.prepare,
            "train": self.train,
            "translate": self.translate,
            "evaluate": self.evaluate,
            "report": self.report,
        }
        if not self.processes.first:
            return self._help(until)
        ran = False
        with self.pipeline.alone():
            for stage in STAGES[: STAGES.index(until) + 1]:
                verdict = self.pipeline.plan(stage)[-1]
                if verdict.reasons and not ran:
                    self.pipeline.start()
                if stage == "train":
                    self.processes.broadcast(bool(verdict.reasons))
                if verdict.reasons:
                    say(f"[{stage}] {'; '.join(verdict.reasons)}")
                    self.pipeline.run(stage, work[stage], str(self.device))
                    ran = True
                else:
                    say(f"[{stage}] fresh")
        return ran

    def _help(self, until: Stage) -> bool:
        """What the other processes do: wait for the data, and train."""
        due = STAGES.index(until) >= STAGES.index("train") and self.processes.broadcast(False)
        if due:
            self._trainer().run()
        return due

    def prepare(self) -> list[Path]:
        """Read, clean, tokenize; write Arrow files and the audit."""
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        with new_folder(folder.data) as partial:
            prepare(recipe.data, recipe.tokenizer, partial, say)
        return [folder.data]

    def train(self) -> list[Path]:
        """Train, from the newest checkpoint if there is one; leave the best weights as the model."""
        folder, trainer = self.pipeline.folder, self._trainer()
        trainer.run()
        bundle.save_bundle(folder.model, self._config(), trainer.best_weights(), folder.data)
        # Not the whole folder: the translate stage brings its config up to date.
        return [folder.model / "model.safetensors", folder.log]

    def _trainer(self) -> Trainer:
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        training, aligned = recipe.training, recipe.training.guided_alignment > 0
        tokenizers = bundle.load_tokenizers(folder.data)
        pairs = PreparedPairs(folder.data / "train.arrow")
        valid = PreparedPairs(folder.data / "valid.arrow")
        torch.manual_seed(recipe.seed)
        model = bundle.make_model(recipe.model, tokenizers)
        self._take_vectors(model, tokenizers)
        model = model.to(self.device)
        fastest = self.processes.broadcast(fastest_precision(self.device))
        precision = fastest if training.precision == "auto" else training.precision
        say(f"{sum(p.numel() for p in model.parameters()):,} weights, {len(pairs):,} pairs, {self.device}, {precision}")
        metrics = ["bleu", "chrf", *(["ter"] if training.early_stopping.metric == "ter" else [])]
        identity, cost = digest(self.pipeline.inputs["train"]), bleu_cost(tokenizers[1], recipe.data.tgt)
        return Trainer(
            training,
            Objective(training, model, precision, cost),
            BatchLoader(training.batch, pairs, self._weights(pairs), recipe.seed, self._dropouts(tokenizers), aligned),
            Validator(valid, tokenizers[1], recipe.data.tgt, training.batch.tokens, metrics, self.processes),
            Checkpoints(folder.checkpoints, identity, training.checkpoints, self.processes),
            TrainingLog(folder.log, writes=self.processes.first),
            self.processes,
        )

    def translate(self) -> list[Path]:
        """Translate every test set."""
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        write_json(folder.model / "config.json", self._config().model_dump())
        translator = Translator(bundle.load_bundle(folder.model, self.device))
        with new_folder(folder.translations) as partial:
            for name in recipe.data.test:
                sources = PreparedPairs(folder.data / f"test-{name}.arrow").src_texts()
                lines = [translation.text for translation in translator.translate(sources)]
                write_text(partial / f"{name}.{recipe.data.tgt}", "".join(line + "\n" for line in lines))
        return [folder.translations]

    def evaluate(self) -> list[Path]:
        """Score the translations."""
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        result = {}
        for name in recipe.data.test:
            _, hypotheses, references = self._test_set(name)
            config = recipe.evaluation
            scores = score(hypotheses, references, config.metrics, recipe.data.tgt, config.bootstrap)
            result[name] = [asdict(s) for s in scores]
        write_json(folder.report / "scores.json", result)
        return [folder.report / "scores.json"]

    def report(self) -> list[Path]:
        """Write report.html and report.md."""
        folder = self.pipeline.folder
        content = self._report()
        write_text(folder.report / "report.html", to_html(content))
        write_text(folder.report / "report.md", to_markdown(content))
        return [folder.report / "report.html", folder.report / "report.md"]

    def scores(self) -> dict[str, list[Score]]:
        """The scores of each test set."""
        stored = json.loads((self.pipeline.folder.report / "scores.json").read_text(encoding="utf-8"))
        return {name: [Score(**entry) for entry in entries] for name, entries in stored.items()}

    def _test_set(self, name: str) -> tuple[list[str], list[str], list[str]]:
        """Sources, translations and references of a test set."""
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        pairs = PreparedPairs(folder.data / f"test-{name}.arrow")
        written = (folder.translations / f"{name}.{recipe.data.tgt}").read_text(encoding="utf-8")
        return pairs.src_texts(), written.split("\n")[:-1], pairs.tgt_texts()

    def _report(self) -> RunReport:
        recipe, folder = self.pipeline.recipe, self.pipeline.folder
        loaded = bundle.load_bundle(folder.model, self.device)
        test_sets = []
        for name, scores in self.scores().items():
            sources, hypotheses, references = self._test_set(name)
            attentions = self._attentions(loaded, sources, hypotheses)
            test_sets.append(TestSetReport(name, sources, hypotheses, references, scores, attentions))
        log = [json.loads(line) for line in folder.log.read_text(encoding="utf-8").split("\n") if line]
        audit = json.loads((folder.data / "audit.json").read_text(encoding="utf-8"))
        facts = self._facts(sum(p.numel() for p in loaded.model.parameters()), log)
        text = folder.recipe.read_text(encoding="utf-8")
        return RunReport(recipe.name, recipe.data.src, recipe.data.tgt, facts, text, log, audit, test_sets)

    def _attentions(self, loaded: bundle.Bundle, sources: list[str], hypotheses: list[str]) -> list[AttentionExample]:
        """Attention maps of the first sentences that are neither trivial nor too wide to look at."""
        examples: list[AttentionExample] = []
        for source, hypothesis in zip(sources, hypotheses, strict=True):
            src, tgt = (
                loaded.src_tokenizer.encode_batch([source])[0],
                loaded.tgt_tokenizer.encode_batch([hypothesis])[0],
            )
            if not (4 <= len(src) <= 25 and 4 <= len(tgt) <= 25):
                continue
            weights = attention_weights(loaded.model, [*src, EOS], [*tgt, EOS])
            if weights is None or len(examples) == ATTENTION_MAPS:
                break
            names = [*loaded.src_tokenizer.tokens(src), "</s>"], [*loaded.tgt_tokenizer.tokens(tgt), "</s>"]
            examples.append(AttentionExample(*names, weights.numpy()))
        return examples

    def _facts(self, parameters: int, log: list[dict[str, Any]]) -> list[tuple[str, str]]:
        stages = self.pipeline.manifest["stages"]
        train, last = stages["train"], log[-1]
        best = [record for record in log if record.get("best")][-1]
        facts = [
            ("Weights", f"{parameters:,}"),
            ("Training", f"{last['step']:,} steps, {last['epoch']:.1f} epochs, {last['seconds'] / 60:.1f} minutes"),
            ("Best model", f"step {best['step']:,}: validation BLEU {best['bleu']:.2f}, loss {best['loss']:.3f}"),
            ("Whole run", f"{sum(stage['seconds'] for stage in stages.values()) / 60:.1f} minutes"),
            ("Peak memory", f"{max(stage['peak_memory_mib'] for stage in stages.values()):,} MiB"),
            ("Machine", train["machine"]),
            ("Command", train["command"]),
        ]
        facts += [("Warning", warning) for warning in best.get("warnings", [])]
        return facts + [(name, version) for name, version in train["versions"].items()]

    def _config(self) -> bundle.BundleConfig:
        recipe = self.pipeline.recipe
        return bundle.BundleConfig(
            format=bundle.FORMAT,
            seq2seq_version=__version__,
            name=recipe.name,
            src=recipe.data.src,
            tgt=recipe.data.tgt,
            max_length=recipe.data.filter.max_length,
            model=recipe.model,
            decoding=recipe.decoding,
        )

    def _take_vectors(self, model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
        """Begin with pretrained word vectors, where the recipe names them."""
        config = self.pipeline.recipe.model.embedding
        sides = zip(("src", "tgt"), (model.src_embedding, model.tgt_embedding), tokenizers, strict=True)
        for side, embedding, tokenizer in sides:
            path: str | None = getattr(config, f"{side}_vectors")
            if path is None:
                continue
            places = places_of(tokenizer.tokens(range(len(tokenizer))))
            found = read_vectors(Path(path), places, config.size, f"model.embedding.{side}_vectors")
            say(f"{path}: vectors of {len(found):,} of {len(tokenizer):,} tokens")
            with torch.no_grad():
                for row, vector in found.items():
                    embedding.weight[row] = torch.from_numpy(vector) / model.embedding_scale
            embedding.weight.requires_grad_(not config.frozen)

    def _dropouts(self, tokenizers: tuple[Tokenizer, Tokenizer]) -> tuple[BpeDropout, BpeDropout] | None:
        rate, (src, tgt) = self.pipeline.recipe.training.bpe_dropout, tokenizers
        if rate == 0:
            return None
        cut = BpeDropout(src, rate)
        return cut, cut if tgt is src else BpeDropout(tgt, rate)  # joint: words are remembered once

    def _weights(self, pairs: PreparedPairs) -> np.ndarray | None:
        weights = np.array([source.weight for source in self.pipeline.recipe.data.train])
        return None if (weights == 1).all() else weights[pairs.source]
