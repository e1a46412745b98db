"""How long, how fast and how carefully to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from scene3d.config import Config
from scene3d.engine.learner import Precision
from scene3d.engine.optim import OptimConfig


class TrainConfig(Config):
    """How long, how fast and how carefully to learn.

    Attributes:
        steps: optimiser steps of the whole training; the schedule of the rate spans them.
        batch_size: snippets a batch, on each rank.
        accumulate: batches whose gradients make one step.
        optim: the optimiser.
        seed: of weights, order and variation.
        precision: of the forward pass.
        workers: processes that load data; 0 loads in this one.
        log_every: steps between lines of metrics.jsonl.
        save_every: steps between checkpoints.
        keep: checkpoints that are kept.
        check_every: steps between evaluations; 0 is never.
        best: figure of the evaluation by which the best weights are kept as best.safetensors.
        best_is: whether a low or a high figure is good.
        max_minutes: wall time after which to save and stop, over all resumed parts.
        max_cpu_minutes: the same for CPU time of a process and its workers.
        skip_nonfinite: steps in a row that may be lost to a loss that is not finite.
        stop_on_zero_gradient: steps in a row without any gradient after which to stop; 0 is never.
        start_from: weights to begin with: a run folder or a .safetensors file.
        into: prefix in the method of what `start_from` fills, such as "completion."; empty is all of it.
        part: prefix in those weights of what is taken, likewise; empty is all of them.
        compile: whether to run the training step through `torch.compile`.
    """

    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=1, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optim: OptimConfig = OptimConfig()
    seed: int = Field(default=0, ge=0)
    precision: Precision = "fp32"
    workers: int = Field(default=0, ge=0)
    log_every: int = Field(default=20, ge=1)
    save_every: int = Field(default=500, ge=1)
    keep: int = Field(default=2, ge=1)
    check_every: int = Field(default=0, ge=0)
    best: str | None = None
    best_is: Literal["lowest", "highest"] = "lowest"
    max_minutes: float | None = Field(default=None, gt=0)
    max_cpu_minutes: float | None = Field(default=None, gt=0)
    skip_nonfinite: int = Field(default=3, ge=0)
    stop_on_zero_gradient: int = Field(default=20, ge=0)
    start_from: Path | None = None
    into: str = ""
    part: str = ""
    compile: bool = False
