"""The rules under which papers score depth: which truth, which of its pixels, up to what distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.data.snippet_config import TruthKind
from scene3d.errors import UsageError
from scene3d.evaluation.depth import counted_pixels, garg_crop

CITYSCAPES_SIZE = (768, 2048)
"""Height and width of a Cityscapes image without its lowest quarter."""

CITYSCAPES_CROP = (slice(256, 768), slice(192, 1856))
"""Rows and columns of it that count.

Source: Watson et al., "The temporal opportunist", CVPR 2021 (their evaluation code)."""

Crop = Literal["none", "Garg", "Cityscapes"]


@dataclass(frozen=True, kw_only=True)
class DepthProtocol:
    """What counts when depth is scored.

    Attributes:
        name: printed with every figure.
        truth: which ground truth, at the size of the image, to which predicted disparity is enlarged bilinearly;
            None scores against the depth of the frames, at the size that the network sees.
        crop: the part of the image that counts.
        nearest, cap: metres; predictions are clamped to them after scaling.
        capped_truth: whether pixels whose truth lies beyond them are left out.
    """

    name: str
    truth: TruthKind | None
    crop: Crop
    nearest: float = 1e-3
    cap: float = 80.0
    capped_truth: bool = True

    def counted(self, true: Float[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
        """The measured pixels that count."""
        nearest, cap = (self.nearest, self.cap) if self.capped_truth else (0.0, torch.inf)
        return counted_pixels(true, nearest=nearest, cap=cap, crop=False) & self._region(*true.shape).to(true.device)

    def describe(self) -> dict[str, str]:
        """What a report says of the protocol."""
        truth = "at the size of the network" if self.truth is None else f"from its {self.truth}, at the image's size"
        return {
            "ground truth": truth,
            "crop": self.crop,
            "cap": f"{self.nearest:g} to {self.cap:g} m" + ("" if self.capped_truth else ", of the prediction alone"),
        }

    def _region(self, height: int, width: int) -> Bool[Tensor, "H W"]:
        if self.crop == "Garg":
            return garg_crop(height, width)
        mask = torch.ones(height, width, dtype=torch.bool)
        if self.crop == "none":
            return mask
        if (height, width) != CITYSCAPES_SIZE:
            expected = f"{CITYSCAPES_SIZE[1]} x {CITYSCAPES_SIZE[0]} pixels"
            raise UsageError(f"{self.name}: expected true depth of {expected}, got {width} x {height}")
        mask = torch.zeros_like(mask)
        mask[CITYSCAPES_CROP] = True
        return mask


PROTOCOLS: Mapping[str, DepthProtocol] = {
    protocol.name: protocol
    for protocol in (
        DepthProtocol(name="eigen", truth="scan", crop="Garg"),
        DepthProtocol(name="eigen as published", truth="scan as published", crop="Garg"),
        DepthProtocol(name="eigen improved", truth="file", crop="none", capped_truth=False),
        DepthProtocol(name="cityscapes", truth="file", crop="Cityscapes"),
    )
}
"""Protocols by name.

"eigen" is KITTI's raw scan, rightly projected; "eigen as published" has the oddities of what papers print
(`scene3d.data.depth_truth.published_scan_depth`). "eigen improved" is KITTI's annotated depth (Uhrig et al., 3DV 2017)
without a crop, as published for `eigen_benchmark`. "cityscapes" is depth from the disparity that comes with it.
"""
