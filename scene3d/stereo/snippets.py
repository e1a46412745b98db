"""The depth that the frames of one snippet find in each other, where they agree about it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import invert
from scene3d.stereo.matching import MatchingConfig, agree, match

SHORTEST_BASELINE = 0.1
"""Metres; a view that stands nearer to another shows it nothing new."""


def match_snippet(
    image: Float[Tensor, "V 3 H W"],
    K: Float[Tensor, "V 3 3"],
    cam_to_world: Float[Tensor, "V 4 4"],
    config: MatchingConfig = MatchingConfig(),  # noqa: B008 (a frozen value)
) -> Float[Tensor, "V H W"]:
    """Depth along z of every view by matching it with the others; 0 where it is not believed.

    A pixel is believed where its windows match and another view, by its own matches, says the same. What moves by
    itself is thereby left out, unless it moves along with the camera.

    Args:
        image: views of one place, RGB in [0, 1].
        K: in pixels of the images.
        cam_to_world: of the cameras; the unit of length is metres.
        config: see there.
    """
    views = range(len(image))
    to = {(a, b): invert(cam_to_world[b]) @ cam_to_world[a] for a in views for b in views if a != b}
    apart = {a: [b for b in views if a != b and float(to[a, b][:3, 3].norm()) >= SHORTEST_BASELINE] for a in views}
    found = {
        a: match(image[a], K[a], image[others], K[others], torch.stack([to[a, b] for b in others]), config)
        for a, others in apart.items()
        if others
    }
    depth = image.new_zeros(image[:, 0].shape)
    for a, (nearness, alike) in found.items():
        known = torch.zeros_like(alike)
        for b in apart[a]:
            if b in found:
                known |= agree(nearness, K[a], found[b][0], K[b], to[a, b], config.tolerance * config.step)
        # Half a hypothesis from infinity there is no depth to speak of.
        depth[a] = torch.where(known & alike & (nearness > config.step / 2), 1 / nearness.clamp(min=1e-4), 0.0)
    return depth
