"""What a training says while it runs: metrics.jsonl, TensorBoard where it is installed, a progress bar."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scene3d.engine.distributed import Ranks, gather
from scene3d.engine.learner import Step
from scene3d.engine.run import Run
from scene3d.engine.stopping import Clock

SHOWN = 4  # terms in the progress bar


class Journal:
    """Gathers steps and writes their means; only rank 0 writes, but all ranks take part in the means.

    Args:
        run: where to write.
        clock: of the training.
        step: how many steps are done.
        steps: how many there are to be.
        ranks: of this process.
        device: whose memory is looked at.
        progress: whether to show a bar on standard error.
    """

    def __init__(
        self,
        run: Run,
        clock: Clock,
        *,
        step: int,
        steps: int,
        ranks: Ranks,
        device: torch.device,
        progress: bool,
    ) -> None:
        self._run, self._clock, self._ranks, self._device = run, clock, ranks, device
        self._sums: dict[str, _Mean] = {}
        self._last = (step, clock.seconds)
        self._bar = tqdm(
            total=steps,
            initial=step,
            disable=not (progress and ranks.leads and sys.stderr.isatty()),
            unit="step",
            dynamic_ncols=True,
            file=sys.stderr,
        )
        self._board = _board(run, step) if ranks.leads else None

    def add(self, step: Step) -> None:
        """Take in one step; nothing is written yet, and no tensor is waited for."""
        self._bar.update()
        if not step.finite:
            return
        for group, values in (("terms", step.terms), ("observed", step.observed)):
            for name, value in values.items():
                self._sums.setdefault(f"{group}/{name}", _Mean()).add(value)
        self._sums.setdefault("loss", _Mean()).add(torch.tensor(step.loss))
        self._sums.setdefault("gradient_norm", _Mean()).add(torch.tensor(step.gradient))

    def write(self, step: int, rate: float) -> None:
        """Write one line with the means since the last one; all ranks call it at the same step."""
        means = _over_ranks({name: mean.value() for name, mean in self._sums.items()})
        self._sums = {}
        if not self._ranks.leads:
            return
        before, then = self._last
        now = self._clock.seconds
        self._last = (step, now)
        line = {
            "step": step,
            "loss": means.get("loss"),
            "terms": _under("terms/", means),
            "observed": _under("observed/", means),
            "rate": rate,
            "gradient_norm": means.get("gradient_norm"),
            "seconds": round(now, 3),
            "cpu_seconds": round(self._clock.cpu_seconds, 3),
            "steps_per_second": round((step - before) / max(now - then, 1e-9), 4),
            "peak_memory_mb": round(peak_memory(self._device) / 2**20),
        }
        self._run.log(line)
        self._show(line)
        self._draw(step, means | {"rate": rate})

    def write_check(self, step: int, figures: Mapping[str, float]) -> None:
        """Write what an evaluation during training found."""
        if self._ranks.leads:
            self._run.log({"step": step, "check": dict(figures)})
            self._draw(step, {f"check/{name}": value for name, value in figures.items()})

    def close(self) -> None:
        """End the bar and hand everything to the disk."""
        self._bar.close()
        if self._board is not None:
            self._board.close()

    def _show(self, line: Mapping[str, Any]) -> None:
        terms = list(line["terms"].items())[:SHOWN]
        shown = {"loss": line["loss"], **dict(terms)}
        self._bar.set_postfix({n: f"{v:.3g}" for n, v in shown.items() if v is not None}, refresh=False)

    def _draw(self, step: int, values: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


class _Mean:
    """Mean of what was finite, on the device it came from."""

    def __init__(self) -> None:
        self._sum: Tensor | float = 0.0
        self._count: Tensor | float = 0.0

    def add(self, value: Tensor) -> None:
        """Take in a scalar; one that is not finite (no lidar in this batch) does not count."""
        value = value.detach().float()
        known = torch.isfinite(value)
        self._sum = self._sum + torch.where(known, value, torch.zeros_like(value))
        self._count = self._count + known.float()

    def value(self) -> tuple[float, float]:
        """Sum and count."""
        return float(self._sum), float(self._count)


def _under(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix(prefix): v for name, v in values.items() if name.startswith(prefix)}


def peak_memory(device: torch.device) -> int:
    """Most bytes in use so far: of the GPU where it is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Kilobytes on Linux, bytes on macOS: getrusage(2) of either.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _over_ranks(sums: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Means over all that any rank saw; a term may be absent from some."""
    ranks = gather(sums)
    names = dict.fromkeys(name for rank in ranks for name in rank)
    means = {}
    for name in names:
        pairs = [rank[name] for rank in ranks if name in rank]
        total, count = (sum(values) for values in zip(*pairs, strict=True))
        means[name] = total / count if count else float("nan")
    return means


def _board(run: Run, step: int) -> Any:
    """TensorBoard's writer; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run.tensorboard), purge_step=step + 1 if step else None)
