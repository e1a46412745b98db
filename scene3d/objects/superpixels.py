"""An image as a few thousand patches of one colour, and which of them touch.

Source: Achanta et al., "SLIC superpixels", TPAMI 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

COMPACTNESS = 1.0
"""How round patches are against how evenly coloured; low, since a silhouette follows their edges."""


@dataclass(frozen=True)
class Superpixels:
    """P patches of an image.

    Attributes:
        patch: which one each pixel is in.
        area: pixels of each.
        colour: mean colour of each in CIELAB.
        edges: pairs of patches that touch, the smaller number first.
        border: pixels along which each pair touches.
    """

    patch: Int[Tensor, "H W"]
    area: Float[Tensor, "P"]  # noqa: UP037
    colour: Float[Tensor, "P 3"]
    edges: Int[Tensor, "E 2"]
    border: Float[Tensor, "E"]  # noqa: UP037

    def counted(self, pixels: Int[Tensor, "N 2"]) -> Float[Tensor, "P"]:  # noqa: UP037
        """How many of some pixels (column, row) lie in each patch."""
        return torch.bincount(self.patch[pixels[:, 1], pixels[:, 0]], minlength=len(self.area)).double()

    def share(self, mask: Bool[Tensor, "H W"]) -> Float[Tensor, "P"]:  # noqa: UP037
        """What share of each patch a mask covers."""
        return torch.bincount(self.patch[mask], minlength=len(self.area)) / self.area


def superpixels(image: UInt8[Tensor, "3 H W"], size: float) -> Superpixels:
    """Patches of about so many pixels each."""
    from skimage.segmentation import slic

    height, width = image.shape[-2:]
    lab = lab_colours(image.permute(1, 2, 0))
    number = max(2, round(height * width / size))
    options = {"compactness": COMPACTNESS, "max_num_iter": 5, "convert2lab": False, "start_label": 0}
    found = slic(lab.float().numpy(), n_segments=number, **options)
    patch = torch.from_numpy(np.unique(found, return_inverse=True)[1].reshape(height, width))
    area = torch.bincount(patch.flatten()).double()
    colour = torch.zeros(len(area), 3, dtype=torch.float64).index_add_(0, patch.flatten(), lab.flatten(0, 1))
    right = torch.stack([patch[:, :-1], patch[:, 1:]], dim=-1).flatten(0, 1)
    down = torch.stack([patch[:-1], patch[1:]], dim=-1).flatten(0, 1)
    touching = torch.cat([right, down]).sort(dim=1).values
    edges, border = torch.unique(touching[touching[:, 0] != touching[:, 1]], dim=0, return_counts=True)
    return Superpixels(patch, area, colour / area[:, None], edges, border.double())


def lab_colours(colours: UInt8[Tensor, "*shape 3"]) -> Float[Tensor, "*shape 3"]:
    """CIELAB of RGB bytes: equal distances look about equally different, 2.3 is just seen."""
    from skimage.color import rgb2lab

    return torch.from_numpy(rgb2lab(colours.numpy())).double()
