"""What stops a training that learns nothing: losses that are not finite, gradients that are zero."""

from __future__ import annotations

import json
import logging
from typing import Any

from scene3d.engine.distributed import Ranks, gather
from scene3d.engine.files import write_text
from scene3d.engine.learner import Step
from scene3d.engine.run import Run
from scene3d.errors import Scene3dError

log = logging.getLogger(__name__)

FP16_SEARCH = 24
"""Steps more that float16 may lose in a row: the loss scale starts at 2^16 and is halved at each."""


class Guard:
    """Looks at every step and stops the training when too many in a row were lost.

    Args:
        run: where the dump goes.
        ranks: of this process.
        skips: steps in a row that may be lost to a loss or gradient that is not finite.
        zeros: steps in a row whose gradient may be zero, less one; 0 allows any number.
    """

    def __init__(self, run: Run, ranks: Ranks, *, skips: int, zeros: int) -> None:
        self._run, self._ranks, self._skips, self._zeros = run, ranks, skips, zeros
        self._lost: list[dict[str, Any]] = []
        self._zero = 0

    def look(self, number: int, step: Step) -> None:
        """Judge one step; all ranks call it.

        Raises:
            Scene3dError: enough is enough; ``nonfinite.json`` in the run folder then names the batches.
        """
        if step.finite:
            self._lost = []
            self._zero = self._zero + 1 if step.gradient == 0 else 0
            if self._zeros and self._zero >= self._zeros:
                raise Scene3dError(
                    f"step {number}: the gradient has been zero for {self._zero} steps: nothing is learnt",
                    hint="a saturated density, an empty mask? See the observed values in metrics.jsonl",
                )
            return
        self._lost += gather(_account(number, step, self._ranks))
        steps_lost = len({entry["step"] for entry in self._lost})
        if steps_lost > self._skips:
            raise Scene3dError(self._dump(number, steps_lost), hint="a lower rate or fp32; look at the samples")
        if self._ranks.leads:
            log.warning("step %d: loss %s, gradient %s: left out", number, step.loss, step.gradient)

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"lost": self._lost, "zero": self._zero}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._lost, self._zero = state["lost"], state["zero"]

    def _dump(self, number: int, steps_lost: int) -> str:
        file = self._run.dump_file
        if self._ranks.leads:
            write_text(file, json.dumps(self._lost, indent=2) + "\n")
        names = ", ".join(dict.fromkeys(name for entry in self._lost[-4:] for name in entry["names"]))
        return f"step {number}: loss not finite for {steps_lost} steps in a row, last on {names}; see {file}"


def _account(number: int, step: Step, ranks: Ranks) -> dict[str, Any]:
    # As text: JSON has no word for nan.
    return {
        "step": number,
        "rank": ranks.rank,
        "names": list(step.names),
        "loss": str(step.loss),
        "gradient_norm": str(step.gradient),
        "terms": {name: str(float(value)) for name, value in step.terms.items()},
        "observed": {name: str(float(value)) for name, value in step.observed.items()},
    }
