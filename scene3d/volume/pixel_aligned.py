"""The pixel-aligned field: a point is projected into the image, and the features there say what it is.

Source: Wimbauer et al., "Behind the scenes: density fields for single view reconstruction", CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.geometry.camera import inside, project
from scene3d.ops.field_density import field_density
from scene3d.ops.frequencies import encode_frequencies, encoded_size
from scene3d.ops.march_field import MarchRays, MarchViews, march_field
from scene3d.ops.pixel_field import FieldArrays
from scene3d.ops.sample_views import sample_views
from scene3d.structures.rays import Rays
from scene3d.volume import FieldSample
from scene3d.volume.along_rays import AlongRays, sample_along_rays
from scene3d.volume.source_views import SourceViews


class PointDecoder(nn.Module):
    """Two linear layers from image feature and encoded position to density and features.

    The first layer is linear in the image feature, and so is bilinear sampling, whose weights sum to
    one. So the first layer's image part is applied to the whole map before it is sampled (`fold`):
    exactly the same function, with a map of `hidden` channels to fetch from instead of `map_channels`.
    """

    def __init__(self, map_channels: int, hidden: int, feature_channels: int, octaves: int) -> None:
        super().__init__()
        self.octaves = octaves
        self.from_map = nn.Linear(map_channels, hidden)
        self.from_position = nn.Linear(encoded_size(3, octaves), hidden, bias=False)
        self.to_density = nn.Linear(hidden, 1)
        self.to_features = nn.Linear(hidden, feature_channels) if feature_channels else None

    def fold(self, feature_map: Float[Tensor, "B C H W"]) -> Float[Tensor, "B H W D"]:
        """The map after the image part of the first layer, channels last."""
        return self.from_map(feature_map.permute(0, 2, 3, 1))

    def forward(
        self, sampled: Float[Tensor, "B N D"], position: Float[Tensor, "B N 3"], features: bool
    ) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N C"] | None]:
        """Density (1/m) and, if asked for, features of points.

        Args:
            sampled: the folded map at the points.
            position: of the points, each coordinate about [-1, 1] (see `PixelAlignedField`).
            features: whether to compute them.
        """
        encoded = encode_frequencies(position, self.octaves)
        hidden = torch.relu(sampled + self.from_position(encoded))
        density = nn.functional.softplus(self.to_density(hidden)[..., 0])
        return density, self.to_features(hidden) if features and self.to_features is not None else None


@dataclass(frozen=True)
class PixelAlignedField:
    """One image of each of B scenes, ready to be asked at points in its camera's coordinates.

    A point is known by its pixel (x and y over the image as [-1, 1]) and by its inverse depth, which
    runs from -1 at `far` to 1 at `near`. Points outside of the image take the features of its border and are not valid.

    Attributes:
        folded: feature map after `PointDecoder.fold`.
        K: of the image, in pixels of an image of `height` x `width` (not of the map).
        near, far: depths that the encoding spans, metres.
        compat: "scenedino" lets the encoded inverse depth of points nearer than `near` grow without end, as published;
            "bts" the encoded pixel of points outside of the image as well. Otherwise both end at 2, as operators have
            it; so a published field is asked sample by sample.
    """

    decoder: PointDecoder
    folded: Float[Tensor, "B h w D"]
    K: Float[Tensor, "B 3 3"]
    height: int
    width: int
    near: float
    far: float
    compat: Literal["scenedino", "bts"] | None = None

    def __call__(self, points: Float[Tensor, "B N 3"], *, features: bool = True) -> FieldSample:
        """Density and features at points in metres, in the coordinates of the image's camera."""
        if not features and not points.requires_grad and self.compat is None:
            return FieldSample(*field_density(self.arrays(), points))
        pixels, depth = project(points, self.K)
        valid = inside(pixels, depth, self.height, self.width)
        size = pixels.new_tensor([self.width, self.height])
        in_image = 2 * pixels / size - 1
        if self.compat != "bts":
            in_image = in_image.clamp(-2, 2)
        inverse = (1 / depth.clamp(min=1e-3) - 1 / self.far) / (1 / self.near - 1 / self.far)
        in_depth = 2 * inverse - 1 if self.compat else (2 * inverse - 1).clamp(-2, 2)
        position = torch.cat([in_image, in_depth[..., None]], dim=-1)
        map_size = pixels.new_tensor([self.folded.shape[2], self.folded.shape[1]])
        sampled = sample_views(self.folded, pixels.detach() * (map_size / size))
        density, vectors = self.decoder(sampled, position, features)
        return FieldSample(density, valid, vectors)

    def along_rays(
        self,
        rays: Rays,
        distances: Float[Tensor, "B R S"],
        *,
        capped: bool,
        features: bool,
        sources: SourceViews | None,
    ) -> AlongRays:
        """What rays meet, without anything of a sample being kept for the gradient; see `march_field`."""
        if self.compat is not None:
            return sample_along_rays(self, rays, distances, capped=capped, features=features, sources=sources)
        batch = self.K.shape[0]
        none = MarchViews(self.K.new_empty(batch, 0, 1, 1, 3), self.K.new_empty(batch, 0, 3, 4), None)
        views = none if sources is None else sources.arrays()
        seen = march_field(self.arrays(), MarchRays(rays.origins, rays.directions, distances, capped), views)
        opacity = seen.weights.sum(dim=-1)
        vectors = None
        if features and self.decoder.to_features is not None:
            # The last layer is linear, so it may come after the sum along the ray: a ray at a time, not a sample.
            layer = self.decoder.to_features
            vectors = seen.hidden @ layer.weight.mT + opacity[..., None] * layer.bias
        return AlongRays(
            seen.density,
            seen.weights,
            seen.unknown.detach(),
            vectors,
            None if sources is None else seen.colour,
            None if sources is None else (opacity[:, None] - seen.share).detach(),
        )

    def arrays(self) -> FieldArrays:
        """As operators take it."""
        last = self.decoder.to_density
        return FieldArrays(
            self.folded,
            self.K,
            self.decoder.from_position.weight,
            last.weight[0],
            last.bias[0],
            self.height,
            self.width,
            self.near,
            self.far,
        )

    def select(self, index: int) -> PixelAlignedField:
        """The field of one scene of the batch."""
        return replace(self, folded=self.folded[index : index + 1], K=self.K[index : index + 1])
