"""The training loop: batches, steps, logs, checkpoints, and an end that can be resumed from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from scene3d.data.loading import ResumableSampler, loader
from scene3d.engine.checkpoint import (
    checkpoint_name,
    keep_newest,
    load_checkpoint,
    newest_valid,
    save_checkpoint,
)
from scene3d.engine.distributed import (
    Ranks,
    barrier,
    from_leader,
    gather,
    largest_over_ranks,
    pick_device,
    process_group,
)
from scene3d.engine.guard import FP16_SEARCH, Guard
from scene3d.engine.journal import Journal
from scene3d.engine.learner import Learner, Step
from scene3d.engine.optim import rate_factor
from scene3d.engine.random_state import random_state, seed_all, set_random_state, undisturbed
from scene3d.engine.run import Run
from scene3d.engine.stopping import Clock, StopSignals
from scene3d.engine.train_config import TrainConfig
from scene3d.engine.weights import save_weights, start_from
from scene3d.errors import CheckpointError, ConfigError
from scene3d.methods import Method, as_module
from scene3d.structures.frames import Frames

__all__ = ["Check", "Outcome", "TrainConfig", "Trainer"]

log = logging.getLogger(__name__)

Check = Callable[[Method, int], Mapping[str, float]]
"""Evaluates a method during training: the method, with averaged weights, and the number of steps done."""


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        step: steps done.
        reason: "steps", "max_minutes" or "max_cpu_minutes".
        seconds: wall time, over all resumed parts.
        cpu_seconds: CPU time likewise.
        weights: the exported weights.
    """

    step: int
    reason: str
    seconds: float
    cpu_seconds: float
    weights: Path


class Trainer:
    """Trains a method on a dataset into a run folder, from the newest checkpoint there if there is one.

    Args:
        method: an `nn.Module` with `training_step`, `predict` and `parameter_groups`.
        data: a dataset whose items, asked for by (index, epoch), are `Frames` of B = 1.
        config: of the training.
        run: where it is written.
        device: "auto", "cpu", "cuda", "cuda:1".
        check: called every `check_every` steps, on rank 0, in evaluation mode and with averaged weights.
        begin: called once before the first step of a run that is not resumed, for what is measured rather than learnt.
        finish: called once after the last step, like `check`, for what is not learnt by gradient: a threshold,
            names of clusters. What it changes is exported.
        notes: plain values to lie beside the weights.
        progress: whether to show a bar.
    """

    def __init__(
        self,
        method: Method,
        data: Dataset[Frames],
        config: TrainConfig,
        run: Run,
        *,
        device: str = "auto",
        check: Check | None = None,
        begin: Callable[[Method], None] | None = None,
        finish: Callable[[Method], None] | None = None,
        notes: Mapping[str, Any] | None = None,
        progress: bool = True,
    ) -> None:
        self.method, self.data, self.config, self.run = method, data, config, run
        self._device_name, self._progress = device, progress
        self._check, self._begin, self._finish, self._notes = check, begin, finish, dict(notes or {})
        self._best: float | None = None
        self._done = 0

    def train(self) -> Outcome:
        """Train to the last step or the time limit, save, and export the weights.

        Raises:
            KeyboardInterrupt: on Ctrl-C or SIGTERM, after a checkpoint was saved.
            Scene3dError: the loss was not finite, or the gradient zero, for too long; or the disk is full.
        """
        with process_group(self._device_name) as ranks, StopSignals() as signals:
            self._prepare(ranks)
            try:
                reason = self._loop(signals)
                self._save()
                if reason == "signal":
                    raise KeyboardInterrupt(f"{self.run.folder}: saved at step {self._done}")
                self._journal.close()  # finishing may take minutes, which are not steps
                self._export(self.run.weights_file, finished=True)
            finally:
                self._journal.close()
            clock = self._clock
            return Outcome(self._done, reason, clock.seconds, clock.cpu_seconds, self.run.weights_file)

    def _prepare(self, ranks: Ranks) -> None:
        """Everything that depends on ranks and device, and on what the run folder holds already."""
        config, self._ranks = self.config, ranks
        self._device = pick_device(self._device_name, ranks)
        barrier()  # all have looked at the folder before one of them fills it
        if ranks.leads:
            self.run.open(config.seed)
        seed_all(config.seed + ranks.rank)
        as_module(self.method).to(self._device)
        found = self._newest()
        if found is None and config.start_from is not None:
            start_from(as_module(self.method), config.start_from, into=config.into, part=config.part)
        if found is None and self._begin is not None:
            self._begin(self.method)
        self._learner = Learner(
            self.method,
            config.optim,
            device=self._device,
            precision=config.precision,
            compiled=config.compile,
            ranks=ranks,
        )
        self._sampler = ResumableSampler(
            len(self.data),  # type: ignore[arg-type]
            seed=config.seed,
            rank=ranks.rank,
            world=ranks.world,
        )
        skips = config.skip_nonfinite + (FP16_SEARCH if config.precision == "fp16" else 0)
        self._guard = Guard(self.run, ranks, skips=skips, zeros=config.stop_on_zero_gradient)
        self._clock = Clock()
        if found is not None:
            self._resume(found)
        elif ranks.leads:
            self.run.forget_after(0)
        self._journal = Journal(
            self.run,
            self._clock,
            step=self._done,
            steps=config.steps,
            ranks=ranks,
            device=self._device,
            progress=self._progress,
        )

    def _loop(self, signals: StopSignals) -> str:
        """Steps until there is a reason to stop, which is returned."""
        batches = self._batches()
        while self._done < self.config.steps:
            rate = self.config.optim.rate * rate_factor(self.config.optim, self._done, self.config.steps)
            step = self._learner.step(batches, self._done, rate, self.config.accumulate)
            self._guard.look(self._done, step)
            self._sampler.advance(self.config.batch_size * self.config.accumulate)
            self._done += 1
            self._after(step, rate)
            reason = self._reason_to_stop(signals)
            if reason:
                return reason
        return "steps"

    def _after(self, step: Step, rate: float) -> None:
        config, last = self.config, self._done == self.config.steps
        self._journal.add(step)
        if self._done % config.log_every == 0 or last:
            self._journal.write(self._done, rate)
        if self._check and config.check_every and (self._done % config.check_every == 0 or last):
            self._evaluate()
        if self._done % config.save_every == 0 and not last:
            self._save()

    def _reason_to_stop(self, signals: StopSignals) -> str | None:
        config = self.config
        wall = config.max_minutes is not None and self._clock.seconds >= 60 * config.max_minutes
        cpu = config.max_cpu_minutes is not None and self._clock.cpu_seconds >= 60 * config.max_cpu_minutes
        flags = largest_over_ranks([float(signals.caught), float(wall), float(cpu)], self._device)
        reasons = ("signal", "max_minutes", "max_cpu_minutes")
        return next((reason for reason, flag in zip(reasons, flags, strict=True) if flag), None)

    def _batches(self) -> Iterator[Frames]:
        pin = self._device.type == "cuda"
        return iter(loader(self.data, self.config.batch_size, self._sampler, self.config.workers, pin_memory=pin))

    def _evaluate(self) -> None:
        """Ask `check`, which must not change how training goes on, and keep the weights that did best."""
        barrier()
        if self._ranks.leads and self._check is not None:
            module = as_module(self.method)
            with undisturbed(), self._learner.averaged(), torch.no_grad():
                module.eval()
                figures = {name: float(value) for name, value in self._check(self.method, self._done).items()}
            self._journal.write_check(self._done, figures)
            self._keep_if_best(figures)
        barrier()

    def _keep_if_best(self, figures: Mapping[str, float]) -> None:
        name = self.config.best
        if name is None:
            return
        if name not in figures:
            raise ConfigError(f"train.best: expected one of {', '.join(figures)}, got {name!r}")
        if self._is_best(figures[name]):
            self._best = figures[name]
            self._export(self.run.best_file)

    def _is_best(self, figure: float) -> bool:
        if figure != figure or self._best is None:
            return figure == figure
        return figure < self._best if self.config.best_is == "lowest" else figure > self._best

    def _save(self) -> None:
        random_states = gather(random_state())
        if self._ranks.leads:
            state = {
                "step": self._done,
                "recipe": self.run.recipe,
                "learner": self._learner.state(),
                "guard": self._guard.state(),
                "sampler": self._sampler.state_dict(),
                "random": random_states,
                "seconds": self._clock.seconds,
                "cpu_seconds": self._clock.cpu_seconds,
                "best": self._best,
                "notes": self._notes,
            }
            save_checkpoint(self.run.checkpoints / checkpoint_name(self._done), state)
            keep_newest(self.run.checkpoints, self.config.keep)
        barrier()

    def _newest(self) -> dict[str, Any] | None:
        """The state to go on from; rank 0 chooses the file, every rank reads it."""
        found = newest_valid(self.run.checkpoints) if self._ranks.leads else None
        name = from_leader(found[0].name if found else None)
        if name is None:
            return None
        return found[1] if found else load_checkpoint(self.run.checkpoints / name)

    def _resume(self, state: dict[str, Any]) -> None:
        try:
            self._learner.set_state(state["learner"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(f"{self.run.checkpoints}: does not fit this method: {reason}") from None
        self._guard.set_state(state["guard"])
        self._sampler.load_state_dict(state["sampler"])
        self._done, self._best = state["step"], state["best"]
        self._clock = Clock(state["seconds"], state["cpu_seconds"])
        if len(state["random"]) == self._ranks.world:
            set_random_state(state["random"][self._ranks.rank])
        else:
            before, now = len(state["random"]), self._ranks.world
            log.warning("saved by %d ranks, resumed by %d: the draws will differ", before, now)
        if self._ranks.leads:
            self.run.forget_after(self._done)
            log.info("%s: resumed at step %d", self.run.folder, self._done)

    def _export(self, path: Path, *, finished: bool = False) -> None:
        """Write the weights that predict, averaged where an average is kept."""
        if not self._ranks.leads:
            return
        module = as_module(self.method)
        with self._learner.averaged(), undisturbed():
            if finished and self._finish is not None:
                module.eval()
                self._finish(self.method)
            notes = {**self._notes, "step": self._done, "seed": self.config.seed}
            save_weights(path, module.state_dict(), recipe=self.run.recipe, notes=notes)
