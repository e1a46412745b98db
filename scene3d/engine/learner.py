"""One optimiser step: loss, backward, guards, update; and everything of it that a checkpoint must hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scene3d.engine.distributed import Ranks, largest_over_ranks
from scene3d.engine.optim import Average, OptimConfig, gradient_norm, make_optimiser, set_rate
from scene3d.methods import Method, as_module
from scene3d.structures.frames import Frames

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Step:
    """What one optimiser step did.

    Attributes:
        loss: weighted sum, mean over the parts of an accumulated batch, of this rank.
        terms: its terms, unweighted.
        observed: what the method wants logged besides.
        gradient: norm before clipping, the same on all ranks.
        names: of the snippets.
        finite: whether loss and gradient were finite on all ranks; if not, the weights did not move.
    """

    loss: float
    terms: dict[str, Tensor]
    observed: dict[str, Tensor]
    gradient: float
    names: tuple[str, ...]
    finite: bool


class Learner:
    """A method with its optimiser, loss scaler and average of weights.

    Args:
        method: already on its device.
        config: of the optimiser.
        device: of the method.
        precision: of the forward pass; weights stay float32.
        compiled: whether `torch.compile` sees the training step.
        ranks: of the process.
    """

    def __init__(
        self,
        method: Method,
        config: OptimConfig,
        *,
        device: torch.device,
        precision: Precision = "fp32",
        compiled: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        self.module = as_module(method)
        self.config, self._device, self._precision = config, device, precision
        self.optimiser = make_optimiser(config, method.parameter_groups())
        self.average = Average(self.module, config.average) if config.average else None
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._learnt = [p for group in self.optimiser.param_groups for p in group["params"]]
        step: nn.Module = _TrainingStep(self.module)
        if ranks is not None and ranks.world > 1:
            # A method may leave a head out in some steps, so unused parameters are looked for.
            step = DistributedDataParallel(step, find_unused_parameters=True)
        self._step = torch.compile(step) if compiled else step

    def step(self, batches: Iterator[Frames], number: int, rate: float, parts: int = 1) -> Step:
        """Take one step on the next `parts` batches; a step of infinite or undefined loss leaves no trace.

        Args:
            batches: on any device.
            number: of the step, from 0.
            rate: learning rate, before the scale of each group.
            parts: batches whose gradients are averaged.
        """
        self.module.train()
        set_rate(self.optimiser, rate)
        self.optimiser.zero_grad(set_to_none=True)
        statistics = [buffer.clone() for buffer in self.module.buffers()]
        done = [self._backward(next(batches), number, parts, last=i == parts - 1) for i in range(parts)]
        loss = sum(float(total) for total, _, _, _ in done) / parts
        self._scaler.unscale_(self.optimiser)
        norm = float(gradient_norm(self._learnt, self.config.clip_norm))
        bad = not (math.isfinite(loss) and math.isfinite(norm))
        finite = largest_over_ranks([float(bad)], self._device) == [0.0]
        self._update(finite, statistics)
        return Step(
            loss=loss,
            terms=_mean([terms for _, terms, _, _ in done]),
            observed=_mean([observed for _, _, observed, _ in done]),
            gradient=norm,
            names=tuple(name for _, _, _, names in done for name in names),
            finite=finite,
        )

    def averaged(self) -> AbstractContextManager[None]:
        """Within the block, the method has the average of its weights, where one is kept."""
        return self.average.swapped_into(self.module) if self.average else nullcontext()

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            "method": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": self.average.state() if self.average else None,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.module.load_state_dict(state["method"])
        self.optimiser.load_state_dict(state["optimiser"])
        for group in self.optimiser.param_groups:
            group["betas"] = tuple(group["betas"])  # a checkpoint has lists only
        self._scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.set_state(state["average"])

    def _backward(
        self, frames: Frames, number: int, parts: int, *, last: bool
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], tuple[str, ...]]:
        frames = frames.to(self._device)
        wait = nullcontext() if last or not hasattr(self._step, "no_sync") else self._step.no_sync()
        lower = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._precision)
        with wait:
            with torch.autocast(self._device.type, dtype=lower, enabled=lower is not None):
                total, terms, observed = self._step(frames, number)
            if total.requires_grad:
                self._scaler.scale(total / parts).backward()
        return total.detach(), terms, observed, frames.names

    def _update(self, finite: bool, statistics: list[Tensor]) -> None:
        if finite:
            self._scaler.step(self.optimiser)
        else:
            self.optimiser.zero_grad(set_to_none=True)
            with torch.no_grad():
                for buffer, before in zip(self.module.buffers(), statistics, strict=True):
                    buffer.copy_(before)
        self._scaler.update()
        if finite and self.average:
            self.average.update(self.module)


class _TrainingStep(nn.Module):
    """`training_step` as the forward pass of a module, which is what DDP hooks into."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.method = module

    def forward(self, frames: Frames, number: int) -> tuple[Float[Tensor, ""], dict[str, Tensor], dict[str, Tensor]]:
        """Total on the graph; terms and observations off it."""
        loss = self.method.training_step(frames, number)  # type: ignore[operator]
        detached = [{k: v.detach() for k, v in part.items()} for part in (loss.terms, loss.observed)]
        return loss.total(), detached[0], detached[1]


def _mean(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([part[name].float() for part in parts if name in part]).mean() for name in names}
