"""Depth from one image.

Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from scene3d.nn.disparity_decoder import DisparityDecoder
from scene3d.nn.resnet import PyramidConfig
from scene3d.nn.upward_path import check_size


class MonoDepth(nn.Module):
    """A pyramid and a decoder: one image to disparity in (0, 1) at four scales.

    Args:
        pyramid: looks at the image.
        widths: of the decoder, see `DisparityDecoder`.
    """

    def __init__(self, pyramid: PyramidConfig, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.pyramid = pyramid.build()
        self.decoder = DisparityDecoder(self.pyramid.channels, widths)

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """From the full image's size to 1/8 of it.

        Raises:
            UsageError: the size of the image is not a multiple of that of the coarsest map's cells.
        """
        check_size(image, len(self.pyramid.channels))
        return self.decoder(self.pyramid(image))
