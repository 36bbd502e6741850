"""What a recipe makes of tiny data, so that two recipes can be compared: prepared files, a training, translations."""

import hashlib
import itertools
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from seq2seq.api import Run
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import score
from seq2seq.pipeline.runner import Runner
from seq2seq.pipeline.trainer import make_trainer
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from tests.decoding.test_fusion import LANGUAGE_MODEL

LINES = [
    "one two three", "four {name} 25", "five", "six seven eight nine one two three four", "nine. Two three. Four five.",
    "see https://a.b/c or x@y.org", "<b>one</b> zzz two",
]  # fmt: skip
HYPOTHESES, REFERENCES = ["eins zwei drei vier fünf", "sechs acht"], ["eins zwei drei fünf fünf", "sechs sieben acht"]
TIMES = ("second", "loading")


class Traces:
    """Traces of recipes; each is made once.

    Args:
        folder: of the data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, dict[str, Any]()
        self.runs = (folder / f"run-{number}" for number in itertools.count())

    @cached_property
    def model(self) -> Path:
        """The run folder of a translator."""
        return self._run("training={max_epochs: 6, batch: {tokens: 100}, optimizer: {learning_rate: 0.02}}")

    @cached_property
    def lm(self) -> Path:
        """Of a language model with the translator's tokenizer."""
        return self._run(*LANGUAGE_MODEL, f"tokenizer={{kind: run, run: {self.model}}}", "training.max_epochs=1")

    @cached_property
    def other(self) -> Path:
        """Of one of another seed."""
        return self._run(
            *LANGUAGE_MODEL, f"tokenizer={{kind: run, run: {self.model}}}", "training.max_epochs=1", "seed=2"
        )

    def _run(self, *settings: str) -> Path:
        run = next(self.runs)
        Runner(load_recipe(self.folder / "recipe.yaml", [*settings, f"output_dir={run}"])).run("train")
        return run

    def of(self, part: str, recipe: Recipe) -> Any:
        """What the recipe's section `part` makes; where it is refused, the message."""
        key = part + recipe.model_dump_json()
        if key not in self.made:
            try:
                self.made[key] = getattr(self, part)(recipe)
            except UserError as refusal:
                self.made[key] = str(refusal)
        return self.made[key]

    def data(self, recipe: Recipe) -> dict[str, str]:
        """By file of the prepared data, its hash; how often pairs are seen is the training's business."""
        prepared = self._prepared(recipe)
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in prepared.iterdir()}

    tokenizer = data

    def training(self, recipe: Recipe) -> tuple[Any, ...]:
        """The log without its times, the checkpoints' names, the weights' hash."""
        run = next(self.runs)
        runner = Runner(recipe.model_copy(update={"output_dir": str(run)}))
        run.mkdir()
        (run / "data").symlink_to(self._prepared(recipe))
        trainer = make_trainer(runner.context())
        state = trainer.run()
        weights = hashlib.sha256(b"".join(w.numpy().tobytes() for w in trainer.best_weights().values())).hexdigest()
        records = [json.loads(line) for line in runner.folder.log.read_text(encoding="utf-8").splitlines()]
        log = [{k: v for k, v in r.items() if not any(t in k for t in TIMES)} for r in records]
        names = sorted(file.name for file in runner.folder.checkpoints.iterdir())
        return state.step, names, log, weights

    seed = training

    def decoding(self, recipe: Recipe) -> list[Any]:
        """Of each line its candidates and their scores."""
        bundle = Run(self.model).translator("cpu")._bundle
        found = Translator(bundle, recipe.decoding).translate(LINES, n_best=min(2, recipe.decoding.beam_size))
        return [(each.text, [(c.text, c.score) for c in each.candidates]) for each in found]

    def evaluation(self, recipe: Recipe) -> str:
        """Scores with their intervals."""
        config = recipe.evaluation
        return repr(score(HYPOTHESES, REFERENCES, config.metrics, recipe.data.tgt, config.bootstrap))

    def _prepared(self, recipe: Recipe) -> Path:
        key = "prepared" + recipe.data.model_dump_json() + recipe.tokenizer.model_dump_json()
        if key not in self.made:
            run = next(self.runs)
            Runner(recipe.model_copy(update={"output_dir": str(run)})).run("prepare")
            self.made[key] = run / "data"
        return self.made[key]
