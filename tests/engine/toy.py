"""A method of two weights and a dataset of coloured squares, for tests of the engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset

from scene3d.losses import LossTerms
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import DepthPrediction


class Toy(nn.Module):
    """Depth as a convolution of the image, with dropout and batch statistics so that randomness matters."""

    def __init__(self, spoil: tuple[int, ...] = (), still: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, 1, 1)
        self.spoil, self.still = spoil, still

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        image = frames.image[:, 0]
        depth = self._depth(image + 0.1 * torch.randn_like(image))
        error = (depth - image.sum(dim=1)).square().mean()
        if step in self.spoil:
            error = error * float("nan")
        if self.still:
            error = error * 0
        return LossTerms(
            {"error": error, "size": depth.abs().mean()},
            {"error": 1.0, "size": 0.0},
            {"mean_depth": depth.detach().mean()},
        )

    def predict(self, frames: Frames) -> DepthPrediction:
        return DepthPrediction(depth=self._depth(frames.image[:, 0]), K=frames.K[:, 0], is_metric=True)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            {"params": list(self.body.parameters()), "scale": 0.5},
            {"params": list(self.head.parameters())},
        ]

    def _depth(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image))[:, 0]


class Squares(Dataset[Frames]):
    """Item (i, epoch) is a square whose colours follow from both."""

    def __init__(self, length: int = 7) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: tuple[int, int]) -> Frames:
        i, epoch = key
        generator = torch.Generator().manual_seed(1000 * epoch + i)
        return Frames(
            image=torch.rand(1, 1, 3, 6, 8, generator=generator),
            K=torch.eye(3)[None, None],
            present=torch.ones(1, 1, dtype=torch.bool),
            names=(f"square {i} epoch {epoch}",),
        )
