"""Fields of several frames as one in the coordinates of the first, each stretched to the depth that they agree about.

A field of one image is right about what is there more often than about how far away it is: an error of depth moves all
that lies along a pixel's ray. Frames that see the same from elsewhere know the depth, so each ray is stretched until it
ends where they say; what the image alone knew of what lies behind moves along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from scene3d.geometry.camera import project, to_grid
from scene3d.geometry.se3 import transform
from scene3d.volume import FieldSample, ImageField

REACH = 1 / 50
"""How far a matched pixel speaks for its neighbours, as the deviation of a Gaussian, in widths of the image."""

DOUBT = 0.05
"""Share of matched pixels around one at which it is stretched half as much as they say."""

LARGEST_STRETCH = 1.0
"""Of the logarithm: depths that differ by more are taken for a wrong match."""

FAINTEST = 1e-4
"""Density (1/m) below which fields do not differ."""


@dataclass(frozen=True)
class StretchedField:
    """A field whose rays are longer or shorter by a factor each.

    Attributes:
        field: as its image says it.
        stretch: at each pixel, by what a depth is multiplied to be looked up in `field`; 1 leaves it.
    """

    field: ImageField
    stretch: Float[Tensor, "B H W"]

    @property
    def K(self) -> Float[Tensor, "B 3 3"]:  # noqa: N802
        """Of the images."""
        return self.field.K

    @property
    def height(self) -> int:
        """Of the images, pixels."""
        return self.field.height

    @property
    def width(self) -> int:
        """Of the images, pixels."""
        return self.field.width

    def __call__(self, points: Float[Tensor, "B N 3"], *, features: bool = True) -> FieldSample:
        """What the field says at the place of each point on its stretched ray."""
        pixels, _ = project(points, self.K)
        grid = to_grid(pixels, self.height, self.width)[:, None]
        factor = grid_sample(self.stretch[:, None], grid, padding_mode="border", align_corners=False)[:, 0, 0]
        return self.field(points * factor[..., None], features=features)

    def select(self, index: int) -> StretchedField:
        """The field of one image of the batch."""
        return StretchedField(self.field.select(index), self.stretch[index : index + 1])


@dataclass(frozen=True)
class FusedField:
    """Fields of V frames of each of B scenes, in the coordinates of the first.

    The density is the geometric mean of those frames that see a point: one that is sure of emptiness counts for more
    than one that suspects something. Features are the first frame's, whose pixels they are rendered into.

    Attributes:
        fields: one a frame; the first is the reference.
        reference_to_cam: places each frame's camera.
        counted: which frames have a say in which scene; the reference always has.
    """

    fields: tuple[ImageField, ...]
    reference_to_cam: Float[Tensor, "V B 4 4"]
    counted: Bool[Tensor, "V B"]

    @property
    def K(self) -> Float[Tensor, "B 3 3"]:  # noqa: N802
        """Of the reference's images."""
        return self.fields[0].K

    @property
    def height(self) -> int:
        """Of the reference's images, pixels."""
        return self.fields[0].height

    @property
    def width(self) -> int:
        """Of the reference's images, pixels."""
        return self.fields[0].width

    def __call__(self, points: Float[Tensor, "B N 3"], *, features: bool = True) -> FieldSample:
        """What the frames say together; where none of them sees a point, what the reference guesses."""
        own = self.fields[0](points, features=features)
        total, count = torch.zeros_like(own.density), torch.zeros_like(own.density)
        for index, (field, placed) in enumerate(zip(self.fields, self.reference_to_cam, strict=True)):
            sample = own if index == 0 else field(transform(placed, points), features=False)
            heard = (sample.valid & self.counted[index][:, None]).to(total)
            total = total + heard * sample.density.clamp(min=FAINTEST).log()
            count = count + heard
        fused = torch.where(count > 0, (total / count.clamp(min=1)).exp(), own.density)
        return FieldSample(fused, count > 0, own.features)

    def select(self, index: int) -> FusedField:
        """The fused field of one scene of the batch."""
        one = slice(index, index + 1)
        fields = tuple(field.select(index) for field in self.fields)
        return replace(
            self, fields=fields, reference_to_cam=self.reference_to_cam[:, one], counted=self.counted[:, one]
        )


def stretch_to(rendered: Float[Tensor, "B H W"], matched: Float[Tensor, "B H W"]) -> Float[Tensor, "B H W"]:
    """The stretch that moves what a field renders to where matching found it; 1 far from all that was matched.

    Args:
        rendered: depth of the field's pixels, metres.
        matched: the same by matching; 0 where it is not believed.
    """
    known = (matched > 0).to(rendered)
    ratio = (rendered.clamp(min=1e-3) / torch.where(matched > 0, matched, 1.0)).log() * known
    # Wrong matches are rare but far off.
    believed = known * (ratio.abs() <= LARGEST_STRETCH)
    deviation = REACH * rendered.shape[-1]
    weight, sums = _blur(believed, deviation), _blur(ratio * believed, deviation)
    return (sums / (weight + DOUBT)).exp()


def _blur(maps: Float[Tensor, "B H W"], deviation: float) -> Float[Tensor, "B H W"]:
    """Gaussian, repeating the border."""
    from kornia.filters import gaussian_blur2d

    size = 2 * max(int(3 * deviation), 1) + 1
    return gaussian_blur2d(maps[:, None], size, (deviation, deviation), border_type="replicate")[:, 0]
