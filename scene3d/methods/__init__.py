"""What the engine asks of a method, whatever paper it comes from."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import nn

from scene3d.losses import LossTerms
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import Prediction


@runtime_checkable
class Method(Protocol):
    """An `nn.Module` that learns from `Frames` and predicts from them."""

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """The loss of one batch; `step` counts from 0 and may drive a schedule inside the method."""
        ...

    def predict(self, frames: Frames) -> Prediction:
        """What the method says of view 0 of each snippet; deterministic, without gradient."""
        ...

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser: `{"params": [...], "scale": factor on the learning rate}` each."""
        ...

    def parameters(self) -> Any:  # noqa: D102  (from nn.Module)
        ...

    def state_dict(self) -> dict[str, Any]:  # noqa: D102  (from nn.Module)
        ...


def as_module(method: Method) -> nn.Module:
    """The method as the `nn.Module` it is, or a TypeError that says what it is instead."""
    if not isinstance(method, nn.Module):
        raise TypeError(f"method: expected an nn.Module with training_step and predict, got {type(method).__name__}")
    return method
