"""Matching of local features between images whose cameras are known: only along epipolar lines.

With the cameras given a feature has few rivals, so many more survive the ratio test than by looks alone, on smooth
things above all.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.geometry.epipolar import epipolar_distance

_APART = 2.0
"""Stands for the distance to what is off the line; unit vectors are at most this far from each other."""


class GuidedMatchingConfig(Config):
    """What counts as a match.

    Attributes:
        band: how far from its epipolar line a match may lie, pixels.
        ratio: the best must be this much nearer than the second best along the line (Lowe, IJCV 2004, section 7.1).
        distance: between two unit descriptors that match, at most.
        neighbours: each image is compared with so many whose cameras stand nearest, and look about the same way.
        angle: between the axes of two cameras that are compared, at most, degrees.
    """

    band: float = Field(default=2.0, gt=0)
    ratio: float = Field(default=0.8, gt=0, le=1)
    distance: float = Field(default=0.7, gt=0, le=2)
    neighbours: int = Field(default=20, ge=1)
    angle: float = Field(default=60.0, gt=0, le=180)


def guided_matches(
    pixels_a: Float[Tensor, "N 2"],
    descriptors_a: Float[Tensor, "N C"],
    pixels_b: Float[Tensor, "M 2"],
    descriptors_b: Float[Tensor, "M C"],
    a_to_lines_b: Float[Tensor, "3 3"],
    config: GuidedMatchingConfig,
) -> Int[Tensor, "matches 2"]:
    """Pairs of features, by their number in either image, that are each other's best along the epipolar lines.

    Args:
        pixels_a, pixels_b: of the features, in the same unit as `config.band`.
        descriptors_a, descriptors_b: of unit length.
        a_to_lines_b: the fundamental matrix.
        config: what counts.
    """
    if len(pixels_a) == 0 or len(pixels_b) == 0:
        return torch.zeros(0, 2, dtype=torch.int64)
    apart = (2 - 2 * descriptors_a @ descriptors_b.mT).clamp(min=0).sqrt()
    on_line = epipolar_distance(pixels_a, pixels_b, a_to_lines_b) < config.band
    apart = torch.where(on_line, apart, _APART)
    # A single rival is a pair of the same: where b has one feature the second best is as far as can be.
    nearest, number = torch.nn.functional.pad(apart, (0, 1), value=_APART).topk(2, dim=1, largest=False)
    best = number[:, 0].clamp(max=len(pixels_b) - 1)
    first = torch.arange(len(pixels_a))
    mutual = apart.argmin(dim=0)[best] == first
    clear = (nearest[:, 0] < config.ratio * nearest[:, 1]) & (nearest[:, 0] < config.distance)
    kept = mutual & clear
    return torch.stack([first[kept], best[kept]], dim=1)


def pairs_to_match(cam_to_world: Float[Tensor, "V 4 4"], config: GuidedMatchingConfig) -> list[tuple[int, int]]:
    """Images worth comparing, each pair once with the smaller number first.

    Cameras in one place see no depth together and are left out.
    """
    centres, axes = cam_to_world[:, :3, 3], cam_to_world[:, :3, 2]
    between = torch.cdist(centres, centres)
    alike = axes @ axes.mT >= torch.cos(torch.deg2rad(torch.tensor(config.angle)))
    between = torch.where(alike & (between > 1e-9 * between.amax()), between, torch.inf)
    near, number = between.sort(dim=1, stable=True)
    pairs = set()
    for i, (distances, others) in enumerate(zip(near.tolist(), number.tolist(), strict=True)):
        for distance, j in list(zip(distances, others, strict=True))[: config.neighbours]:
            if distance < torch.inf:
                pairs.add((min(i, j), max(i, j)))
    return sorted(pairs)
