"""Image features that other frames have had a say in.

Source: Watson et al., "The temporal opportunist: self-supervised multi-frame monocular depth", CVPR 2021, figure 2.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from scene3d.nn.cost_volume import CostVolume, Lookups, cost_volume
from scene3d.nn.resnet import PyramidConfig
from scene3d.nn.upward_path import check_size
from scene3d.nn.windows import halved, window_features

Compared = Literal["features", "windows"]

MEMORY = 0.99
"""How much of the range of depths is kept from step to step."""


class LookupImages(NamedTuple):
    """N other frames of each of B images, and where their cameras stand.

    Attributes:
        image: RGB in [0, 1].
        K: in pixels of the images.
        reference_to_cam: places the image's camera in each frame's camera.
        present: absent frames see nothing.
    """

    image: Float[Tensor, "B N 3 H W"]
    K: Float[Tensor, "B N 3 3"]
    reference_to_cam: Float[Tensor, "B N 4 4"]
    present: Bool[Tensor, "B N"]


class MatchingEncoder(nn.Module):
    """A pyramid whose map at 1/4 takes in a cost volume, so that all coarser maps know it.

    No gradient flows through the volume: the features learn to be compared by being looked at beside it.

    Args:
        pyramid: of the image and, up to 1/4 of its size, of the other frames.
        hypotheses: depths that are tried.
        spacing: of the hypotheses, even in depth or in inverse depth.
        first_range: nearest and farthest hypothesis until they follow what is predicted.
        beyond: nearest and farthest hypothesis, as shares of the nearest and farthest depth that is predicted.
        compare: what costs are differences of: "features" of the pyramid's map at 1/4, or "windows" of the image,
            which mean something before anything is learned (see `window_features`).
        compat: see `cost_volume`; besides, intrinsics are brought to 1/4 of the image as if the centre of its first
            pixel lay at the centre of the first pixel of the map.
    """

    range: Tensor

    def __init__(
        self,
        pyramid: PyramidConfig,
        hypotheses: int,
        spacing: Literal["linear", "inverse"] = "linear",
        first_range: tuple[float, float] = (0.1, 10.0),
        *,
        beyond: tuple[float, float] = (0.9, 1.1),
        compare: Compared = "features",
        compat: Literal["manydepth"] | None = None,
    ) -> None:
        super().__init__()
        self.pyramid = pyramid.build()
        self.hypotheses, self.spacing, self.beyond, self.compat = hypotheses, spacing, beyond, compat
        self.compare = compare
        self.channels = self.pyramid.channels
        width = self.channels[1]
        self.reduce = nn.Sequential(
            nn.Conv2d(width + hypotheses, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)
        )
        self.register_buffer("range", torch.tensor(first_range))

    def forward(
        self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"], lookups: LookupImages
    ) -> tuple[list[Tensor], CostVolume]:
        """Maps from fine to coarse, and the volume.

        Raises:
            UsageError: the size of the image is not a multiple of that of the coarsest map's cells.
        """
        check_size(image, len(self.channels))
        fine = self.pyramid.fine(image)
        volume = self._compare(image, fine[-1], K, lookups)
        known = volume.cost * volume.confident[:, None]
        joined = self.reduce(torch.cat([fine[-1], known], dim=1))
        return fine + self.pyramid.coarse(joined), volume

    def depths(self) -> Float[Tensor, "D"]:  # noqa: UP037
        """The hypotheses, ascending."""
        near, far = self.range
        steps = torch.linspace(0, 1, self.hypotheses, device=self.range.device)
        if self.spacing == "linear":
            return near + (far - near) * steps
        return (1 / (1 / far + (1 / near - 1 / far) * steps)).flip(0)

    @torch.no_grad()
    def follow(self, depth: Float[Tensor, "B H W"], nearest: float) -> None:
        """Let the range of hypotheses follow what is predicted, slowly, with something to spare at both ends."""
        flat, (less, more) = depth.flatten(1), self.beyond
        lowest = (less * flat.amin(dim=1).mean()).clamp(min=nearest)
        self.range.lerp_(torch.stack([lowest, more * flat.amax(dim=1).mean()]), 1 - MEMORY)

    @torch.no_grad()
    def _compare(
        self,
        image: Float[Tensor, "B 3 H W"],
        quarter: Float[Tensor, "B C h w"],
        K: Float[Tensor, "B 3 3"],
        lookups: LookupImages,
    ) -> CostVolume:
        batch, number = lookups.image.shape[:2]
        others = lookups.image.flatten(0, 1)
        if self.compare == "windows":
            own, features = halved(window_features(image)), window_features(others)
        else:
            own = quarter.permute(0, 2, 3, 1)
            features = (self.pyramid.fine(others)[-1] if number else quarter[:0]).permute(0, 2, 3, 1)
        seen = Lookups(
            features.unflatten(0, (batch, number)),
            self._resized(lookups.K, features, image),
            lookups.reference_to_cam,
            lookups.present,
        )
        depths = self.depths().expand(batch, -1)[..., None, None]
        return cost_volume(own, self._resized(K, own, image), seen, depths, self.compat)

    def _resized(
        self, K: Float[Tensor, "*batch 3 3"], features: Float[Tensor, "N h w C"], image: Float[Tensor, "B 3 H W"]
    ) -> Float[Tensor, "*batch 3 3"]:
        """K in pixels of maps of the image."""
        scale = K.new_tensor([features.shape[2] / image.shape[-1], features.shape[1] / image.shape[-2]])
        resized = K.clone()
        resized[..., :2, :] *= scale[:, None]
        if self.compat == "manydepth":
            resized[..., :2, 2] += 0.5 * (1 - scale)
        return resized
