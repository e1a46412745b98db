"""Depth from one image, learned from images alone.

Source: Godard et al., "Digging into self-supervised monocular depth" (Monodepth2), ICCV 2019. Written from the paper.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.geometry.se3 import invert
from scene3d.losses import LossTerms
from scene3d.losses.depth import DepthLossConfig, median_ratio
from scene3d.losses.reprojection import Reconstruction, standing_error, terms_over_scales
from scene3d.nn.disparity_decoder import disparity_to_depth
from scene3d.nn.mono_depth import MonoDepth
from scene3d.nn.motion_network import MotionNetwork
from scene3d.nn.resnet import PyramidConfig, ResNetConfig
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import DepthPrediction


class SingleDepthConfig(Config):
    """What single-frame depth can be told.

    Motion between frames is as the data say, and estimated by a network where they do not; then depth has a scale of
    its own.

    Attributes:
        pyramid: of the depth network.
        motion_pyramid: of the motion network; None is the same.
        widths: of the decoder at 1, 1/2, 1/4, ... of the image.
        near, far: range of the decoder's depth, of the unit of the transforms.
        motion_scale: see `MotionNetwork`.
        loss: weights.
    """

    kind: Literal["single_depth"] = "single_depth"
    pyramid: PyramidConfig = ResNetConfig(depth=18, normalise="uniform")
    motion_pyramid: PyramidConfig | None = None
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    near: PositiveFloat = 0.1
    far: PositiveFloat = 100.0
    motion_scale: PositiveFloat = 0.01
    loss: DepthLossConfig = DepthLossConfig()

    def build(self) -> SingleDepth:
        """The method."""
        return SingleDepth(self)


class SingleDepth(nn.Module):
    """One image to depth, trained by reconstructing it from other views.

    Args:
        config: see `SingleDepthConfig`.
    """

    def __init__(self, config: SingleDepthConfig) -> None:
        super().__init__()
        self.config = config
        self.network = MonoDepth(config.pyramid, config.widths)
        self.motion = MotionNetwork(config.motion_pyramid or config.pyramid, config.motion_scale)

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """Reconstruct view 0 from the others by its depth.

        Raises:
            DataError: there is no other view.
        """
        config, to_views = self.config.loss, self.motion.reference_to_views(frames)
        depths = self._depths(frames)
        others = Reconstruction.of(frames, to_views)
        with torch.no_grad():
            standing = standing_error(others, config.ssim) if config.static_mask else None
        found = terms_over_scales(depths[: config.scales], others, ssim_weight=config.ssim, standing=standing)
        observed = {} if frames.depth is None else {"depth_ratio": median_ratio(depths[0], frames.depth[:, 0])}
        return LossTerms(found._asdict(), {"photometric": 1.0, "smoothness": config.smoothness}, observed)

    @torch.no_grad()
    def predict(self, frames: Frames) -> DepthPrediction:
        """Depth of view 0; the motion to the other views, if there are any, comes along."""
        alone = frames.image.shape[1] == 1
        return DepthPrediction(
            depth=self._depths(frames)[0],
            K=frames.K[:, 0],
            is_metric=self.motion.is_metric,
            cam_to_reference=None if alone else invert(self.motion.reference_to_views(frames)),
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All at one rate."""
        return [{"params": list(self.parameters()), "scale": 1.0}]

    def _depths(self, frames: Frames) -> list[Tensor]:
        found = self.network(frames.image[:, 0])
        return [disparity_to_depth(each[:, 0], self.config.near, self.config.far) for each in found]
