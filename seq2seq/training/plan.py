"""What a training will do, from its first step to its last: when it validates, saves, logs and ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seq2seq import recipe
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.optimization import warmup_steps
from seq2seq.training.state import State


@dataclass(frozen=True)
class TrainingPlan:
    """The course of a training."""

    config: recipe.TrainingConfig
    loader: BatchLoader

    @property
    def total_steps(self) -> int:
        """Optimizer steps, at the most."""
        in_epochs = self.config.max_epochs * self.loader.steps(0)
        return min(self.config.max_steps or in_epochs, in_epochs)

    def ended(self, state: State) -> str | None:
        """Why training is over; None: it is not."""
        config, patience = self.config, self.config.early_stopping.patience
        if patience is not None and state.validations_since_best >= patience:
            return f"no better {config.early_stopping.metric} in {patience} validations"
        if state.step >= self.total_steps or state.epoch >= config.max_epochs:
            return "all epochs done" if state.epoch >= config.max_epochs else "all steps done"
        if state.seconds + state.validation_seconds >= config.budget_seconds:
            return f"budget of {config.budget} spent"
        return None

    def steps_within_budget(self, state: State) -> int:
        """Steps of the whole training, as far as its speed so far can tell."""
        if state.seconds == 0 or self.config.budget is None:
            return self.total_steps
        return min(self.total_steps, int(state.step * self.config.budget_seconds / state.seconds))

    def validation_due(self, state: State) -> bool:
        """Whether the step that is done is followed by a validation."""
        every = self.config.validate_every
        due = state.batch == 0 if every is None else state.step % every == 0
        return due or self.ended(state) is not None

    def checkpoint_due(self, state: State) -> bool:
        """Whether the step that is done is saved, even without a validation."""
        return state.step % self.config.checkpoints.every_steps == 0

    def log_due(self, state: State) -> bool:
        """Whether the step that is done ends a record of the log; the first one does, so that its loss is seen soon."""
        return state.window.tokens > 0 and (state.step == 1 or state.step % self.config.log_every == 0)

    def position(self, state: State) -> dict[str, float]:
        """Where the training stands, for the log: step, and epochs with their fraction."""
        return {"step": state.step, "epoch": round(self.epochs(state), 4)}

    def epochs(self, state: State) -> float:
        """Epochs that are done, with their fraction."""
        return state.epoch + (state.batch / self.loader.batches(state.epoch) if state.batch else 0.0)

    def description(self) -> str:
        """The plan in two lines."""
        config, loader, total = self.config, self.loader, self.total_steps
        steps, batches = loader.steps(0), loader.batches(0)
        accumulated = f" in batches of {config.batch.accumulate}" if config.batch.accumulate > 1 else ""
        budget = f", within {config.budget}" if config.budget else ""
        warmup = warmup_steps(config.schedule, total)
        rising = f"warm-up of {warmup:,} steps to " if warmup else ""
        often = "each epoch" if config.validate_every is None else f"every {config.validate_every:,} steps"
        saved = f"checkpoint every {config.checkpoints.every_steps:,} steps and with each validation"
        return (
            f"plan: at most {total:,} steps{budget}, {total / steps:.3g} epochs of {steps:,} steps "
            f"({len(loader.pairs):,} pairs, {batches:,} batches{accumulated})\n"
            f"plan: {rising}learning rate {config.optimizer.learning_rate:g}, then {config.schedule.kind}; "
            f"validation {often}, {saved}"
        )

    def warnings(self) -> list[str]:
        """What the recipe asks for and this training is too short for."""
        config, total, epoch = self.config, self.total_steps, self.loader.steps(0)
        warmup, forcing, found = warmup_steps(config.schedule, total), config.teacher_forcing, {}
        if 2 * warmup > total > 1:
            reached = f", to {total / warmup:.0%} of optimizer.learning_rate at the end" if warmup > total else ""
            found["schedule.warmup_steps"] = (
                f"the learning rate rises for {warmup:,}{reached}; set {max(1, total // 10):,}, or train longer"
            )
        if total < epoch:
            found["max_steps"] = f"an epoch has {epoch:,}: {total / epoch:.0%} of the pairs are seen"
        if config.minimum_risk is not None and config.minimum_risk.after_epochs * epoch >= total:
            begin = config.minimum_risk.after_epochs * epoch
            found["minimum_risk.after_epochs"] = f"the risk is minimised after step {begin:,}: never"
        if config.switch_optimizer is not None and config.switch_optimizer.after_steps >= total:
            found["switch_optimizer.after_steps"] = "the second optimizer comes after them: never"
        if total <= config.batch.curriculum_epochs * epoch:
            found["batch.curriculum_epochs"] = "all of them go from short to long sentences, none in random order"
        if isinstance(forcing, recipe.LinearForcingConfig) and forcing.steps > total:
            found["teacher_forcing.steps"] = f"the chance falls over {forcing.steps:,}: not to its end"
        if isinstance(forcing, recipe.InverseSigmoidForcingConfig) and forcing.k * math.log(forcing.k) > total:
            half = round(forcing.k * math.log(forcing.k))
            found["teacher_forcing.k"] = f"the chance is a half at step {half:,}: never"
        return [f"training.{key}: training has {total:,} steps, and {why}" for key, why in found.items()]
