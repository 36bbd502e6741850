"""The training loop: updates, validations, checkpoints; going on after an interruption as if there had been none."""

from __future__ import annotations

import contextlib
import json
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.bundle import load_weights, weights_of
from seq2seq.data.batching import Batch, Plan, collate, plan_epoch
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import PAD
from seq2seq.errors import UserError
from seq2seq.evaluation.health import warnings_of
from seq2seq.machine import Precision, autocast, release_freed_memory
from seq2seq.nn.regularization import constrain, weight_penalty
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.run_folder import write_text
from seq2seq.training import checkpoint
from seq2seq.training.loss import divergence, output_cross_entropy, smoothed_cross_entropy
from seq2seq.training.optimization import (
    RunningMean,
    forcing_ratio,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    rate_factor,
)
from seq2seq.training.progress import TrainingBar, say

Validate = Callable[[Seq2Seq], dict[str, Any]]
"""Scores of a model on the validation data (`loss`, `bleu`, ...) and signs of its health."""
SHOWN = ("loss", "perplexity", "accuracy", "bleu", "chrf", "ter")
"""Scores in the line of a validation."""

RELEASE_EVERY = 50
"""Updates after which freed memory is given back: costs half a percent of the time, saves gigabytes."""

MOST_BAD_STEPS = 10
"""Updates in a row without a finite loss and gradient after which training gives up."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; all of it is saved."""


@dataclass
class Window:
    """Sums since the last log record."""

    loss: float = 0.0
    negative_log_likelihood: float = 0.0
    tokens: int = 0
    seconds: float = 0.0


@dataclass
class State:
    """Where a training stands, all but the tensors."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of the epoch that are done."""
    ranking: list[tuple[float, int]] = field(default_factory=list)
    """The best validations so far, by the recipe's metric: score and step, best first."""
    validations_since_best: int = 0
    rate: float = 1.0
    """What plateaus have left of the learning rate."""
    tokens: int = 0
    seconds: float = 0.0
    """In training and validation, all sessions together."""
    validation_seconds: float = 0.0
    """Of the last validation."""
    bad_steps: int = 0
    """Updates in a row that were skipped, because the loss or the gradient was not finite."""
    window: Window = field(default_factory=Window)
    records: int = 0
    """Lines of the log that belong to this training so far."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> State:
        """The inverse of `dataclasses.asdict`."""
        ranking = [(score, step) for score, step in values["ranking"]]
        return cls(**{**values, "window": Window(**values["window"]), "ranking": ranking})


class Trainer:
    """Trains a model until the recipe says that it is enough.

    Args:
        section: the recipe's `training`.
        weights: how often each training pair is seen an epoch, on average [pairs]; None: once.
        validate: scores a model on the validation data.
        checkpoints: folder of the checkpoints.
        log: the JSON-lines log.
        identity: of all that this training depends on; only checkpoints of the same one are taken up.
    """

    def __init__(
        self,
        section: recipe.Training,
        model: Seq2Seq,
        pairs: PreparedPairs,
        weights: np.ndarray | None,
        validate: Validate,
        checkpoints: Path,
        log: Path,
        identity: str,
        seed: int,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.section, self.model, self.pairs, self.weights, self.validate = section, model, pairs, weights, validate
        self.checkpoints, self.log, self.identity, self.seed = checkpoints, log, identity, seed
        self.device, self.precision = device, precision
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimizer = make_optimizer(section.optimizer, self.parameters)
        self.mean = RunningMean(model, section.ema_decay) if section.ema_decay is not None else None
        self.state = State()
        self.stop_requested = False
        self.learning_rate = self.gradient_norm = 0.0
        self._plans: dict[int, Plan] = {}
        in_epochs = section.max_epochs * self._steps_in(self._plan(0))
        self.total_steps = min(section.max_steps or in_epochs, in_epochs)

    # --- the loop ---

    def run(self) -> State:
        """Train to the end, from the newest checkpoint if there is one.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once all is saved.
            UserError: the loss is not finite, again and again.
        """
        self._resume()
        with _stop_signals(self._request_stop), TrainingBar(self.total_steps, self.state.step) as bar:
            while not self._ended():
                started = time.perf_counter()
                self._update(self._next_batches())
                self._end_epoch_if_done()
                elapsed = time.perf_counter() - started
                self.state.seconds += elapsed
                self.state.window.seconds += elapsed
                bar.update(self.state.step, self._log_if_due())
                if self.state.step % RELEASE_EVERY == 0:
                    release_freed_memory()
                if self._validation_due():
                    self._validate()
                    self._save()
                elif self.stop_requested or self.state.step % self.section.checkpoints.every_steps == 0:
                    self._save()
                if self.stop_requested and not self._ended():
                    raise Interrupted
        say(f"training ended at step {self.state.step}: {self._ended()}; {self._best()}")
        return self.state

    def _best(self) -> str:
        metric = self.section.early_stopping.metric
        score, step = self.state.ranking[0]
        return f"best {metric} {score:.3f} at step {step}"

    def best_weights(self) -> dict[str, Tensor]:
        """The weights that scored best in validation."""
        return checkpoint.weights(self.checkpoints, self.state.ranking[0][1])

    def _update(self, batches: list[Batch]) -> None:
        """One update of the weights from one batch, or from several whose gradients are added up."""
        self.model.train()
        state, tokens = self.state, sum(batch.tgt_tokens for batch in batches)
        loss_sum = nll_sum = 0.0
        for batch in batches:
            with autocast(self.device, self.precision):
                loss, nll = self._loss(batch)
            target, weights, activity = loss / tokens, weight_penalty(self.model), self.model.activity_penalty
            target = target if weights is None else target + weights / len(batches)
            (target if activity is None else target + activity / sum(len(b.src) for b in batches)).backward()
            loss_sum, nll_sum = loss_sum + loss.item(), nll_sum + nll.item()
        limit = self.section.clip_norm or math.inf
        self.gradient_norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit).item()
        state.step += 1
        state.batch += len(batches)
        if math.isfinite(loss_sum) and math.isfinite(self.gradient_norm):
            factor = state.rate * rate_factor(self.section.schedule, state.step, self._steps_within_budget())
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate = self.section.optimizer.learning_rate * factor
            self.optimizer.step()
            constrain(self.model)
            if self.mean is not None:
                self.mean.update(self.model, state.step)
            state.bad_steps = 0
            state.tokens += tokens
            state.window.loss += loss_sum
            state.window.negative_log_likelihood += nll_sum
            state.window.tokens += tokens
        else:
            self._skip_bad_step()
        self.optimizer.zero_grad(set_to_none=True)

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss and negative log-likelihood of a batch, in sum; no logits are computed for padding."""
        forced = forcing_ratio(self.section.teacher_forcing, self.state.step + 1)
        real = (batch.tgt_output != PAD).flatten().nonzero().squeeze(1)
        targets = batch.tgt_output.flatten().index_select(0, real)

        def states() -> Tensor:
            every: Tensor = self.model(batch.src, batch.src_lengths, batch.tgt_input, forced)
            return every.flatten(0, 1).index_select(0, real)

        smoothing = self.section.label_smoothing
        if self.section.r_drop == 0:
            return output_cross_entropy(states(), self.model.output, targets, smoothing)
        first, second = self.model.logits(states()), self.model.logits(states())  # the same batch, dropped otherwise
        loss, nll = smoothed_cross_entropy(first, targets, smoothing)
        other_loss, other_nll = smoothed_cross_entropy(second, targets, smoothing)
        apart = self.section.r_drop * divergence(first, second)
        return (loss + other_loss + apart) / 2, (nll + other_nll) / 2

    def _skip_bad_step(self) -> None:
        self.state.bad_steps += 1
        say(f"step {self.state.step}: the loss or its gradient is not a finite number; this update is skipped")
        if self.state.bad_steps >= MOST_BAD_STEPS:
            raise UserError(
                f"training: {MOST_BAD_STEPS} updates in a row without a finite loss; try a lower "
                "training.optimizer.learning_rate, a smaller training.clip_norm, or training.precision=fp32"
            )

    # --- order of the data ---

    def _plan(self, epoch: int) -> Plan:
        if epoch not in self._plans:
            batch, lengths = self.section.batch, self.pairs.lengths
            ascending = epoch < batch.curriculum_epochs
            self._plans = {epoch: plan_epoch(*lengths, batch.tokens, self.seed, epoch, self.weights, ascending)}
        return self._plans[epoch]

    def _steps_in(self, plan: Plan) -> int:
        return -(-len(plan) // self.section.batch.accumulate)

    def _next_batches(self) -> list[Batch]:
        plan, first = self._plan(self.state.epoch), self.state.batch
        last = min(first + self.section.batch.accumulate, len(plan))
        return [collate(*self.pairs.take(plan[i])).to(self.device) for i in range(first, last)]

    def _end_epoch_if_done(self) -> None:
        if self.state.batch >= len(self._plan(self.state.epoch)):
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    def _ended(self) -> str | None:
        """Why training is over; None: it is not."""
        state, section = self.state, self.section
        patience = section.early_stopping.patience
        if patience is not None and state.validations_since_best >= patience:
            return f"no better {section.early_stopping.metric} in {patience} validations"
        if state.step >= self.total_steps or state.epoch >= section.max_epochs:
            return "all epochs done" if state.epoch >= section.max_epochs else "all updates done"
        if state.seconds + state.validation_seconds >= section.budget_seconds:
            return f"budget of {section.budget} spent"
        return None

    def _steps_within_budget(self) -> int:
        """Updates of the whole training, as far as its speed so far can tell."""
        if self.state.seconds == 0 or self.section.budget is None:
            return self.total_steps
        return min(self.total_steps, int(self.state.step * self.section.budget_seconds / self.state.seconds))

    # --- validation ---

    def _validation_due(self) -> bool:
        every = self.section.validate_every
        due = self.state.batch == 0 if every is None else self.state.step % every == 0
        return due or self._ended() is not None

    def _validate(self) -> None:
        started = time.perf_counter()
        with self._averaged():
            scores = self.validate(self.model)
        state, metric = self.state, self.section.early_stopping.metric
        score = scores[metric]
        sign = 1 if metric in ("loss", "perplexity", "ter") else -1
        ranking = sorted([*state.ranking, (score, state.step)], key=lambda entry: (sign * entry[0], entry[1]))
        state.ranking = ranking[: self.section.checkpoints.keep_best]
        better = ranking[0][1] == state.step
        if better:
            state.validations_since_best = 0
        else:
            state.validations_since_best += 1
            self._lower_rate_on_plateau()
        state.validation_seconds = time.perf_counter() - started
        state.seconds += state.validation_seconds
        warnings = warnings_of(scores)
        self._write(
            {"kind": "validation", **self._position(), **scores, "warnings": warnings, "best": better}
            | {"seconds": round(state.seconds, 2)}
        )
        shown = ", ".join(f"{name} {scores[name]:.{3 if name == 'loss' else 2}f}" for name in SHOWN if name in scores)
        say(f"epoch {self._position()['epoch']:.2f}, step {state.step}: {shown}{' (best so far)' if better else ''}")
        for warning in warnings:
            say(f"warning: {warning}")

    def _lower_rate_on_plateau(self) -> None:
        schedule = self.section.schedule
        if isinstance(schedule, recipe.Plateau) and self.state.validations_since_best % (schedule.patience + 1) == 0:
            self.state.rate *= schedule.factor

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model with the running mean of its weights, for as long as the block lasts."""
        if self.mean is None:
            yield
            return
        own = {name: weight.clone() for name, weight in weights_of(self.model).items()}
        load_weights(self.model, self.mean.weights)
        try:
            yield
        finally:
            load_weights(self.model, own)

    # --- log and checkpoints ---

    def _position(self) -> dict[str, float]:
        done = self.state.batch / len(self._plan(self.state.epoch)) if self.state.batch else 0.0
        return {"step": self.state.step, "epoch": round(self.state.epoch + done, 4)}

    def _log_if_due(self) -> str | None:
        """Write a record of the updates since the last one; returns what the bar shows of it."""
        window = self.state.window
        if self.state.step % self.section.log_every or not window.tokens:
            return None
        loss, nll = window.loss / window.tokens, window.negative_log_likelihood / window.tokens
        speed = window.tokens / window.seconds
        self._write(
            {
                "kind": "train",
                **self._position(),
                "loss": loss,
                "perplexity": math.exp(min(nll, 100)),
                "learning_rate": self.learning_rate,
                "gradient_norm": self.gradient_norm,
                "tokens_per_second": round(speed),
                "seconds": round(self.state.seconds, 2),
            }
        )
        self.state.window = Window()
        return f"loss {loss:.2f}, {speed:,.0f} tokens/s"

    def _write(self, record: dict[str, Any]) -> None:
        self.state.records += 1
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _save(self) -> None:
        tensors = {f"model.{name}": weight for name, weight in weights_of(self.model).items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(self.optimizer)}
        if self.mean is not None:
            tensors |= {f"mean.{name}": weight for name, weight in self.mean.weights.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        checkpoint.save(
            self.checkpoints, self.state.step, checkpoint.Checkpoint(self.identity, asdict(self.state), tensors)
        )
        checkpoint.prune(self.checkpoints, self.section.checkpoints.keep_last, [step for _, step in self.state.ranking])

    def _resume(self) -> None:
        """Take up the newest whole checkpoint; without one, begin, and clear away what another training left."""
        found = checkpoint.load_newest(self.checkpoints, self.identity, say)
        if found is None:
            checkpoint.remove_all(self.checkpoints)
            torch.manual_seed(self.seed)
        else:
            self._restore(found)
            say(f"going on from step {self.state.step} of {self.total_steps}")
        lines = self.log.read_text(encoding="utf-8").split("\n") if found and self.log.exists() else []
        write_text(self.log, "".join(line + "\n" for line in lines[: self.state.records]))

    def _restore(self, found: checkpoint.Checkpoint) -> None:
        def part(name: str) -> dict[str, Tensor]:
            return {key.removeprefix(name): t for key, t in found.tensors.items() if key.startswith(name)}

        self.state = State.from_dict(found.state)
        load_weights(self.model, part("model."))
        load_optimizer_tensors(self.optimizer, part("optimizer."))
        if self.mean is not None:
            self.mean.weights = {name: weight.to(self.device) for name, weight in part("mean.").items()}
        torch.set_rng_state(found.tensors["random.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(found.tensors["random.cuda"], self.device)

    def _request_stop(self) -> None:
        if self.stop_requested:  # asked twice: now, from the last checkpoint
            raise KeyboardInterrupt
        self.stop_requested = True
        say("stopping after this update; saving ...")


@contextlib.contextmanager
def _stop_signals(handler: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `handler` while the block lasts."""

    def call(number: int, frame: FrameType | None) -> None:
        handler()

    before = {number: signal.signal(number, call) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
