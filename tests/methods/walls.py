"""Snippets of a camera that slides along a wall, for the methods that learn depth."""

from __future__ import annotations

import math

import torch

from scene3d.geometry.camera import pinhole
from scene3d.losses import LossTerms
from scene3d.nn.resnet import SmallResNetConfig
from scene3d.structures.frames import Frames

HEIGHT, WIDTH, FOCAL, DEPTH, STEP = 64, 96, 60.0, 4.0, 0.4
OPTIONS = {"near": 1.5, "far": 20.0, "loss": {"scales": 2}}
PYRAMID = SmallResNetConfig(widths=(8, 16, 16, 16, 16), blocks=1)
WIDTHS = (8, 8, 16, 16, 16)
UNTRAINED = [f"heads.{scale}.{what}" for scale in (2, 3) for what in ("weight", "bias")]
"""Of the decoders, whose two finest scales alone are trained."""


def wall(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Colour at metres right and below of the origin; different everywhere, at several scales."""
    waves = [(2.1, 0.7, 1.0), (-1.3, 3.1, 0.4), (5.7, 2.3, 2.0), (3.9, -6.1, 0.1), (9.0, 8.0, 1.5)]
    return torch.stack([sum(torch.sin(a * x + b * y + c + k) for a, b, c in waves) for k in range(3)]) / 10 + 0.5


def snippets(
    offsets: tuple[int, ...] = (0, -1, 1), *, batch: int = 2, start: float = 0.0, posed: bool = True
) -> Frames:
    """The camera moves STEP metres to the right a frame; snippets begin some metres apart."""
    camera = pinhole(FOCAL, HEIGHT, WIDTH)
    x = (torch.arange(WIDTH) + 0.5 - WIDTH / 2) / FOCAL * DEPTH
    y = (torch.arange(HEIGHT) + 0.5 - HEIGHT / 2) / FOCAL * DEPTH
    places = [[start + 1.7 * i + STEP * offset for offset in offsets] for i in range(batch)]
    images = [[wall(x[None, :] + place, y[:, None]) for place in row] for row in places]
    cam_to_world = torch.eye(4).repeat(batch, len(offsets), 1, 1)
    cam_to_world[:, :, 0, 3] = STEP * torch.tensor(offsets).float()
    return Frames(
        image=torch.stack([torch.stack(row) for row in images]).clamp(0, 1),
        K=camera.K.expand(batch, len(offsets), 3, 3),
        present=torch.ones(batch, len(offsets), dtype=torch.bool),
        offset=torch.tensor(offsets).expand(batch, -1),
        names=tuple(f"wall {i}" for i in range(batch)),
        cam_to_world=cam_to_world if posed else None,
        depth=torch.full((batch, len(offsets), HEIGHT, WIDTH), DEPTH),
    )


def learn(method: torch.nn.Module, steps: int) -> None:
    """Adam on snippets all along the wall."""
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(method.parameters(), lr=2e-3)
    for step in range(steps):
        method.train()
        optimiser.zero_grad()
        method.training_step(snippets(start=7.3 * math.sin(step)), step).total().backward()
        optimiser.step()
    method.eval()


def silent(method: torch.nn.Module, terms: LossTerms) -> list[str]:
    """Parameters that a loss teaches nothing, or not a number."""
    method.zero_grad(set_to_none=True)
    terms.total().backward()
    return [name for name, p in method.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
