"""The training loop: updates, validations, checkpoints; going on after an interruption as if there had been none."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.bundle import load_weights, weights_of
from seq2seq.console import say
from seq2seq.data.batching import Batch
from seq2seq.device import Precision, release_freed_memory
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.errors import UserError
from seq2seq.files import raise_if_disk_full, write_text
from seq2seq.nn.regularization import constrain
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training import checkpoint
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.health import warnings_of
from seq2seq.training.interruption import Interrupted, StopRequest
from seq2seq.training.minimum_risk import Cost
from seq2seq.training.objective import Objective, StepTotals
from seq2seq.training.optimization import (
    RunningMean,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    rate_factor,
)
from seq2seq.training.progress import TrainingBar
from seq2seq.training.state import State, Window

Validate = Callable[[Seq2Seq], dict[str, Any]]
"""Scores of a model on the validation data (`loss`, `bleu`, ...) and signs of its health."""
SHOWN = ("loss", "perplexity", "accuracy", "bleu", "chrf", "ter")
"""Scores in the line of a validation."""

RELEASE_EVERY = 50
"""Updates after which freed memory is given back: costs half a percent of the time, saves gigabytes."""

MOST_BAD_STEPS = 10
"""Updates in a row without a finite loss and gradient after which training gives up."""


class Trainer:
    """Trains a model until the recipe says that it is enough.

    Args:
        config: the recipe's `training`.
        validate: scores a model on the validation data.
        checkpoints: folder of the checkpoints.
        log: the JSON-lines log.
        identity: of all that this training depends on; only checkpoints of the same one are taken up.
        processes: those that train together; each has its share of the feed, the first one writes.
        cost: of a translation, for minimum-risk training.
    """

    def __init__(
        self,
        config: recipe.TrainingConfig,
        model: Seq2Seq,
        feed: BatchLoader,
        validate: Validate,
        checkpoints: Path,
        log: Path,
        identity: str,
        precision: Precision,
        processes: Processes = SINGLE_PROCESS,
        cost: Cost | None = None,
    ) -> None:
        self.config, self.model, self.feed, self.validate = config, model, feed, validate
        self.checkpoints, self.log, self.identity = checkpoints, log, identity
        self.processes, self.device = processes, processes.device
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.objective: nn.Module = Objective(config, model, precision, cost)
        if processes.count > 1:
            self.objective = nn.parallel.DistributedDataParallel(self.objective)
        self.optimizer = make_optimizer(config.optimizer, self.parameters)
        self.mean = RunningMean(model, config.ema_decay) if config.ema_decay is not None else None
        self.state = State()
        self.stop = StopRequest()
        self.learning_rate = self.gradient_norm = 0.0
        in_epochs = config.max_epochs * feed.updates(0)
        self.total_steps = min(config.max_steps or in_epochs, in_epochs)

    # --- the loop ---

    def run(self) -> State:
        """Train to the end, from the newest checkpoint if there is one.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once all is saved.
            UserError: the loss is not finite, again and again.
        """
        self._resume()
        with self.stop.listening(), TrainingBar(self.total_steps, self.state.step) as bar:
            while not self._ended():
                started = time.perf_counter()
                self._seed_update()
                batches = self.feed.take(self.state.epoch, self.state.batch, self.processes)
                self.state.window.loading += time.perf_counter() - started
                stopping = self._update(batches)
                self._end_epoch_if_done()
                self._count_seconds(time.perf_counter() - started)
                bar.update(self.state.step, self._log_if_due())
                if self.state.step % RELEASE_EVERY == 0:
                    release_freed_memory()
                if self._validation_due():
                    self._validate()
                    self._save()
                elif stopping or self.state.step % self.config.checkpoints.every_steps == 0:
                    self._save()
                if stopping and not self._ended():
                    raise Interrupted
        say(f"training ended at step {self.state.step}: {self._ended()}; {self._best()}")
        return self.state

    def _best(self) -> str:
        metric = self.config.early_stopping.metric
        score, step = self.state.ranking[0]
        return f"best {metric} {score:.3f} at step {step}"

    def best_weights(self) -> dict[str, Tensor]:
        """The weights that scored best in validation.

        Raises:
            UserError: their checkpoint is damaged.
        """
        try:
            return checkpoint.weights(self.checkpoints, self.state.ranking[0][1])
        except ValueError as error:
            raise UserError(f"{error}; it held the best model: add --force to train anew") from None

    def _seed_update(self) -> None:
        """Random numbers of an update's own: those of an interrupted training, whatever came before."""
        entropy = (self.feed.seed, self.state.step, self.processes.rank)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))

    def _update(self, batches: list[Batch]) -> bool:
        """One update of the weights from one batch, or from several whose gradients are added up.

        Returns:
            whether a process was asked to stop.
        """
        self.model.train()
        state, processes = self.state, self.processes
        minimum_risk = self.config.minimum_risk_in(state.epoch)
        parts = batches if minimum_risk is None else [part for b in batches for part in b.split(minimum_risk.rows)]
        counted = [part for part in parts if part.tgt_tokens]
        sizes = [(part.tgt_tokens, len(part.src), part.aligned) for part in counted]
        tokens, sentences, aligned, count = processes.sum([*(sum(s[i] for s in sizes) for i in range(3)), len(parts)])
        whole = StepTotals(state.step + 1, tokens, sentences, int(count), state.epoch, aligned)
        own = torch.zeros(4, dtype=torch.float64)
        with processes.meeting():
            for i, part in enumerate(parts):
                with self._gradients_unshared(until=i + 1 == len(parts)):
                    target, *sums = self.objective(part.to(self.device), whole)
                    (target * processes.count).backward()  # DistributedDataParallel takes the mean
                own += torch.stack(sums).cpu()
        loss_sum, nll_sum, risk_sum, alignment_sum, stops = processes.sum([*own.tolist(), self.stop.made is not None])
        limit = self.config.clip_norm or math.inf
        self.gradient_norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit).item()
        state.step += 1
        state.batch += len(batches)
        if math.isfinite(loss_sum) and math.isfinite(self.gradient_norm):
            self._step_optimizer()
            state.bad_steps = 0
            state.tokens += int(tokens)
            state.window.loss += loss_sum
            state.window.negative_log_likelihood += nll_sum
            state.window.tokens += int(tokens)
            state.window.risk += risk_sum
            state.window.risked += int(sentences) if minimum_risk else 0
            state.window.alignment_loss += alignment_sum
            state.window.aligned += int(aligned)
        else:
            self._skip_bad_step()
        self.optimizer.zero_grad(set_to_none=True)
        return stops > 0

    def _gradients_unshared(self, until: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients meet those of the other processes once an update, with its last batch."""
        if until or not isinstance(self.objective, nn.parallel.DistributedDataParallel):
            return contextlib.nullcontext()
        return self.objective.no_sync()

    def _step_optimizer(self) -> None:
        factor = self.state.rate * rate_factor(self.config.schedule, self.state.step, self._steps_within_budget())
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate = self.config.optimizer.learning_rate * factor
        self.optimizer.step()
        constrain(self.model)
        if self.mean is not None:
            self.mean.update(self.model, self.state.step)

    def _skip_bad_step(self) -> None:
        self.state.bad_steps += 1
        say(f"step {self.state.step}: the loss or its gradient is not a finite number; this update is skipped")
        if self.state.bad_steps >= MOST_BAD_STEPS:
            self._give_up()

    def _give_up(self) -> NoReturn:
        raise UserError(
            f"training: {self.state.bad_steps} updates in a row without a finite loss; try a lower "
            "training.optimizer.learning_rate, a smaller training.clip_norm, or training.precision=fp32"
        )

    # --- how far it is ---

    def _end_epoch_if_done(self) -> None:
        if self.state.batch >= self.feed.batches(self.state.epoch):
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    def _count_seconds(self, seconds: float) -> None:
        if self.config.budget is not None:  # all processes must end at the same step
            seconds = self.processes.broadcast(seconds)
        self.state.seconds += seconds
        self.state.window.seconds += seconds

    def _ended(self) -> str | None:
        """Why training is over; None: it is not."""
        state, config = self.state, self.config
        patience = config.early_stopping.patience
        if patience is not None and state.validations_since_best >= patience:
            return f"no better {config.early_stopping.metric} in {patience} validations"
        if state.step >= self.total_steps or state.epoch >= config.max_epochs:
            return "all epochs done" if state.epoch >= config.max_epochs else "all updates done"
        if state.seconds + state.validation_seconds >= config.budget_seconds:
            return f"budget of {config.budget} spent"
        return None

    def _steps_within_budget(self) -> int:
        """Updates of the whole training, as far as its speed so far can tell."""
        if self.state.seconds == 0 or self.config.budget is None:
            return self.total_steps
        return min(self.total_steps, int(self.state.step * self.config.budget_seconds / self.state.seconds))

    # --- validation ---

    def _validation_due(self) -> bool:
        every = self.config.validate_every
        due = self.state.batch == 0 if every is None else self.state.step % every == 0
        return due or self._ended() is not None

    def _validate(self) -> None:
        started = time.perf_counter()
        if not self.state.tokens:  # every update so far was skipped
            self._give_up()
        with self._averaged():
            scores = self.validate(self.model)
        state, metric = self.state, self.config.early_stopping.metric
        score = scores[metric]
        sign = 1 if metric in ("loss", "perplexity", "ter") else -1
        ranking = sorted([*state.ranking, (score, state.step)], key=lambda entry: (sign * entry[0], entry[1]))
        state.ranking = ranking[: self.config.checkpoints.keep_best]
        better = ranking[0][1] == state.step
        if better:
            state.validations_since_best = 0
        else:
            state.validations_since_best += 1
            self._lower_rate_on_plateau()
        state.validation_seconds = self.processes.broadcast(time.perf_counter() - started)
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
        schedule = self.config.schedule
        if (
            isinstance(schedule, recipe.PlateauScheduleConfig)
            and self.state.validations_since_best % (schedule.patience + 1) == 0
        ):
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
        done = self.state.batch / self.feed.batches(self.state.epoch) if self.state.batch else 0.0
        return {"step": self.state.step, "epoch": round(self.state.epoch + done, 4)}

    def _log_if_due(self) -> str | None:
        """Write a record of the updates since the last one; returns what the bar shows of it."""
        window = self.state.window
        if self.state.step % self.config.log_every or not window.tokens:
            return None
        loss, nll = window.loss / window.tokens, window.negative_log_likelihood / window.tokens
        risk = {"risk": window.risk / window.risked} if window.risked else {}
        alignment = {"alignment_loss": window.alignment_loss / window.aligned} if window.aligned else {}
        speed = window.tokens / window.seconds
        self._write(
            {
                "kind": "train",
                **self._position(),
                "loss": loss,
                "perplexity": math.exp(min(nll, 100)),
                **risk,
                **alignment,
                "learning_rate": self.learning_rate,
                "gradient_norm": self.gradient_norm,
                "tokens_per_second": round(speed),
                "loading": round(window.loading / window.seconds, 5),
                "seconds": round(self.state.seconds, 2),
            }
        )
        self.state.window = Window()
        return f"loss {loss:.2f}, {speed:,.0f} tokens/s"

    def _write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record)
        self.state.records.append(line)
        if not self.processes.first:
            return
        with raise_if_disk_full(self.log), open(self.log, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _save(self) -> None:
        if not self.processes.first:
            return
        tensors = {f"model.{name}": weight for name, weight in weights_of(self.model).items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(self.optimizer)}
        if self.mean is not None:
            tensors |= {f"mean.{name}": weight for name, weight in self.mean.weights.items()}
        checkpoint.save(
            self.checkpoints, self.state.step, checkpoint.Checkpoint(self.identity, asdict(self.state), tensors)
        )
        checkpoint.prune(self.checkpoints, self.config.checkpoints.keep_last, [step for _, step in self.state.ranking])

    def _resume(self) -> None:
        """Take up the newest whole checkpoint; without one, begin, and clear away what another training left."""
        found = checkpoint.load_newest(self.checkpoints, self.identity, say) if self.processes.first else None
        step = self.processes.broadcast(None if found is None else int(found.state["step"]))
        if step is not None:
            self._restore(found or checkpoint.load(self.checkpoints, step))
            say(f"going on from step {step} of {self.total_steps}")
        if not self.processes.first:
            return
        if step is None:
            checkpoint.remove_all(self.checkpoints)
        write_text(self.log, "".join(line + "\n" for line in self.state.records))

    def _restore(self, found: checkpoint.Checkpoint) -> None:
        def part(name: str) -> dict[str, Tensor]:
            return {key.removeprefix(name): t for key, t in found.tensors.items() if key.startswith(name)}

        self.state = State.from_dict(found.state)
        load_weights(self.model, part("model."))
        load_optimizer_tensors(self.optimizer, part("optimizer."))
        if self.mean is not None:
            self.mean.weights = {name: weight.to(self.device) for name, weight in part("mean.").items()}
