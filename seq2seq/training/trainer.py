"""The training loop: steps, validations, checkpoints; resuming after an interruption as if there had been none."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from seq2seq import recipe
from seq2seq.console import say
from seq2seq.data.batching import Batch
from seq2seq.device import release_freed_memory
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.errors import UserError
from seq2seq.nn.regularization import constrain
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.checkpoint import Checkpoints, pack, unpack
from seq2seq.training.gradients import gradient_norms
from seq2seq.training.health import warnings_of
from seq2seq.training.interruption import Interrupted, StopRequest
from seq2seq.training.log import TrainingLog
from seq2seq.training.objective import Objective, StepTotals
from seq2seq.training.optimization import make_optimizer, rate_factor
from seq2seq.training.pace import Pace
from seq2seq.training.plan import TrainingPlan
from seq2seq.training.progress import TrainingBar
from seq2seq.training.ranking import Ranking
from seq2seq.training.running_mean import RunningMean
from seq2seq.training.state import State, Sums, Window

Validate = Callable[[Seq2Seq], dict[str, Any]]
"""Scores of a model on the validation data (`loss`, `bleu`, ...) and signs of its health."""

RELEASE_EVERY = 50
"""Steps after which freed memory is given back: costs half a percent of the time, saves gigabytes."""

MOST_BAD_STEPS = 10
"""Steps in a row without a finite loss and gradient after which training gives up."""


class Trainer:
    """Trains a model until the recipe says that it is enough.

    Args:
        config: the recipe's `training`.
        objective: the model, and what of it is minimised.
        loader: the training data.
        validate: scores a model on the validation data.
        processes: those that train together; each has its share of every batch, the first one writes.
    """

    def __init__(
        self,
        config: recipe.TrainingConfig,
        objective: Objective,
        loader: BatchLoader,
        validate: Validate,
        checkpoints: Checkpoints,
        log: TrainingLog,
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        self.config, self.loader, self.validate = config, loader, validate
        self.checkpoints, self.log, self.processes = checkpoints, log, processes
        self.model = objective.model
        self.objective: nn.Module = objective if processes.count == 1 else DistributedDataParallel(objective)
        self.parameters = [weight for weight in self.model.parameters() if weight.requires_grad]
        self._begin_optimizer(1)
        self.mean = None if config.ema_decay is None else RunningMean(self.model, config.ema_decay)
        self.plan = TrainingPlan(config, loader)
        self.ranking = Ranking(config.early_stopping.metric, config.checkpoints.keep_best)
        self.state = State()
        self.stop = StopRequest()
        self.pace = Pace()
        self.learning_rate = self.gradient_norm = 0.0

    def run(self) -> State:
        """Train to the end, from the newest checkpoint if there is one.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once all is saved.
            UserError: the loss is not finite, again and again.
        """
        self._resume()
        self._say_plan()
        with self.stop.listening(), TrainingBar(self.plan.total_steps, self.state.step) as bar:
            while not self.plan.ended(self.state):
                started = time.perf_counter()
                self._seed_step()
                batches = self.loader.take(self.state.epoch, self.state.batch, self.processes)
                self.state.window.loading += time.perf_counter() - started
                stopping = self.train_step(batches)
                self._end_epoch_if_done()
                self._count_seconds(time.perf_counter() - started)
                bar.show(self.state)
                self._log_if_due()
                if self.state.step % RELEASE_EVERY == 0:
                    release_freed_memory()
                if self.plan.validation_due(self.state):
                    self._validate()
                    self._save()
                elif stopping or self.plan.checkpoint_due(self.state):
                    self._save()
                if stopping and not self.plan.ended(self.state):
                    raise Interrupted
        score, step = self.state.ranking[0]
        best = f"best {self.ranking.metric} {score:.3f} at step {step}"
        say(f"training ended at step {self.state.step}: {self.plan.ended(self.state)}; {best}")
        return self.state

    def best_weights(self) -> dict[str, Tensor]:
        """The weights that scored best in validation.

        Raises:
            UserError: their checkpoint is damaged.
        """
        return self.checkpoints.best_weights(self.state.ranking[0][1])

    def first_gradients(self) -> dict[str, float]:
        """Each layer's gradient norm at the first step, which is not made."""
        self.model.train()
        self._seed_step()
        self._backward(self.loader.take(0, 0, self.processes))
        return gradient_norms(self.model)

    # --- a step ---

    def train_step(self, batches: list[Batch]) -> bool:
        """One optimizer step, from one batch or from several whose gradients are accumulated.

        Returns:
            whether a process was asked to stop.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        sums, stopping = self._backward(batches)
        self.gradient_norm = clip_grad_norm_(self.parameters, self.config.clip_norm or math.inf).item()
        epochs = self.plan.epochs(self.state)
        self.state.step += 1
        self.state.batch += len(batches)
        if self.config.optimizer_at(self.state.step) is not self.optimizer_config:
            self._begin_optimizer(self.state.step)
        if math.isfinite(sums.loss) and math.isfinite(self.gradient_norm):
            self._set_learning_rate(epochs)
            self.optimizer.step()
            constrain(self.model)
            if self.mean is not None:
                self.mean.update(self.model, self.state.step)
            self.state.bad_steps = 0
            self.state.tokens += sums.tokens
            self.state.window.add(sums)
        else:
            self._skip_bad_step()
        return stopping

    def _backward(self, batches: list[Batch]) -> tuple[Sums, bool]:
        """The gradients of the step's batches, over all processes; the sums of their losses; whether one is to stop."""
        processes, epoch = self.processes, self.state.epoch
        minimum_risk = self.config.minimum_risk_in(epoch)
        parts = batches if minimum_risk is None else [part for b in batches for part in b.split(minimum_risk.rows)]
        counted = [part for part in parts if part.tgt_tokens]
        sizes = [(part.tgt_tokens, len(part.src), part.aligned) for part in counted]
        tokens, sentences, aligned, count = processes.sum([*(sum(s[i] for s in sizes) for i in range(3)), len(parts)])
        whole = StepTotals(self.state.step + 1, tokens, sentences, int(count), epoch, aligned)
        own = torch.zeros(4, dtype=torch.float64)
        with processes.meeting():
            for i, part in enumerate(parts):
                with self._gradients_unshared(until=i + 1 == len(parts)):
                    target, *sums = self.objective(part.to(processes.device), whole)
                    (target * processes.count).backward()  # DistributedDataParallel takes the mean
                own += torch.stack(sums).cpu()
        loss, nll, risk, alignment, stops = processes.sum([*own.tolist(), self.stop.made is not None])
        risked = int(sentences) if minimum_risk else 0
        return Sums(loss, nll, int(tokens), risk, risked, alignment, int(aligned)), stops > 0

    def _gradients_unshared(self, until: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients meet those of the other processes once a step, with its last batch."""
        if until or not isinstance(self.objective, DistributedDataParallel):
            return contextlib.nullcontext()
        return self.objective.no_sync()

    def _begin_optimizer(self, step: int) -> None:
        self.optimizer_config = self.config.optimizer_at(step)
        self.optimizer = make_optimizer(self.optimizer_config, self.parameters)

    def _set_learning_rate(self, epochs: float) -> None:
        total = self.plan.steps_within_budget(self.state)
        factor = self.state.rate * rate_factor(self.config.schedule, self.state.step, total, epochs)
        self.learning_rate = self.optimizer_config.learning_rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def _skip_bad_step(self) -> None:
        self.state.bad_steps += 1
        say(f"step {self.state.step}: the loss or its gradient is not a finite number; this step is skipped")
        if self.state.bad_steps >= MOST_BAD_STEPS:
            self._give_up()

    def _give_up(self) -> NoReturn:
        raise UserError(
            f"training: {self.state.bad_steps} steps in a row without a finite loss; try a lower "
            "training.optimizer.learning_rate, a smaller training.clip_norm, or training.precision=fp32"
        )

    # --- around the steps ---

    def _seed_step(self) -> None:
        """Random numbers of a step's own: those of an interrupted training, whatever came before."""
        entropy = (self.loader.seed, self.state.step, self.processes.rank)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))

    def _end_epoch_if_done(self) -> None:
        if self.state.batch >= self.loader.batches(self.state.epoch):
            self.state.epoch, self.state.batch = self.state.epoch + 1, 0

    def _count_seconds(self, seconds: float) -> None:
        if self.config.budget is not None:  # all processes must end at the same step
            seconds = self.processes.broadcast(seconds)
        self.state.seconds += seconds
        self.state.window.seconds += seconds
        if told := self.pace.after(seconds, max(0, self._planned_steps() - self.state.step)):
            say(told)

    def _log_if_due(self) -> None:
        if self.plan.log_due(self.state):
            self.log.train(self.plan.position(self.state), self.state, self.learning_rate, self._gradient_norms())
            self.state.window = Window()

    def _gradient_norms(self) -> dict[str, float]:
        """Of each layer, in the step that is done, before clipping."""
        norms = gradient_norms(self.model)
        clipped = math.hypot(*norms.values())
        return {layer: norm * self.gradient_norm / clipped for layer, norm in norms.items()} if clipped else norms

    def _validate(self) -> None:
        if not self.state.tokens:  # every step so far was skipped
            self._give_up()
        started, state = time.perf_counter(), self.state
        with contextlib.nullcontext() if self.mean is None else self.mean.applied_to(self.model):
            scores = self.validate(self.model)
        state.ranking = self.ranking.add(state.ranking, scores[self.ranking.metric], state.step)
        best = state.ranking[0][1] == state.step
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        self._lower_rate_on_plateau()
        state.validation_seconds = self.processes.broadcast(time.perf_counter() - started)
        state.seconds += state.validation_seconds
        self.log.validation(self.plan.position(state), scores, warnings_of(scores), best, state.seconds)

    def _lower_rate_on_plateau(self) -> None:
        schedule, waited = self.config.schedule, self.state.validations_since_best
        if isinstance(schedule, recipe.PlateauScheduleConfig) and waited and waited % (schedule.patience + 1) == 0:
            self.state.rate *= schedule.factor

    def _save(self) -> None:
        state = asdict(self.state) | {"records": self.log.lines, "planned_steps": self._planned_steps()}
        best = [step for _, step in self.state.ranking]
        self.checkpoints.save(self.state.step, state, pack(self.model, self.optimizer, self.mean), best)

    def _resume(self) -> None:
        """Resume from the newest whole checkpoint; without one, begin."""
        found, records = self.checkpoints.newest(), []
        if found is not None:
            state = dict(found.state)
            records, planned = state.pop("records"), state.pop("planned_steps", None)
            self.state = State.from_dict(state)
            self._begin_optimizer(self.state.step)
            unpack(found.tensors, self.model, self.optimizer, self.mean)
            say(f"resuming from step {self.state.step} of {self.plan.total_steps}")
            if planned is not None and planned != self._planned_steps():
                self._say_continued(planned)
        self.log.restore(records)

    def _planned_steps(self) -> int:
        """Steps of the whole training, by which the learning rate's schedule goes."""
        return self.plan.steps_within_budget(self.state)

    def _say_continued(self, planned: int) -> None:
        """The recipe's limits are others than when the checkpoint was made: how the learning rate goes on."""
        schedule, step, now = self.config.schedule, self.state.step, self._planned_steps()
        full, epochs = self.optimizer_config.learning_rate * self.state.rate, self.plan.epochs(self.state)
        before, after = (full * rate_factor(schedule, step, total, epochs) for total in (planned, now))
        say(
            f"continued: {now:,} steps instead of {planned:,}; the {schedule.kind} schedule is that of {now:,} steps "
            f"from here on: learning rate {before:.3g} -> {after:.3g} (not the bits of one long training)"
        )

    def _say_plan(self) -> None:
        say(self.plan.description())
        for warning in self.plan.warnings():
            say(f"warning: {warning}")
