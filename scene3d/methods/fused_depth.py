"""Single-frame depth refined by what other frames show, as a Bayesian update in several steps.

Source: the idea is that of Huang et al., "FusionDepth: complement self-supervised monocular depth estimation with cost
volume"; the update, its gate and its losses are our own design (see `scene3d.nn.belief`).
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.geometry.se3 import invert
from scene3d.losses import LossTerms
from scene3d.losses.depth import DepthLossConfig, median_ratio
from scene3d.losses.reprojection import Reconstruction, standing_error, terms_over_scales
from scene3d.nn.belief import REACH, Belief, Measurement, fuse, hypotheses, measure
from scene3d.nn.cost_volume import Lookups, sweep
from scene3d.nn.disparity_decoder import disparity_to_depth
from scene3d.nn.matching_encoder import Compared
from scene3d.nn.mono_depth import MonoDepth
from scene3d.nn.motion_network import MotionNetwork
from scene3d.nn.resnet import PyramidConfig, ResNetConfig
from scene3d.nn.upward_path import check_size
from scene3d.nn.windows import halved, window_features
from scene3d.stereo.alignment import align_views
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import DepthPrediction

Size = tuple[int, int] | torch.Size

QUARTER = 2
"""Scale of the decoder whose map is a quarter of the image, as the features' that are compared."""


FIRST_VARIANCE = -2.5
"""Logarithm of the relative variance that an untrained network believes in: 29 % to either side."""


class FusedDepthConfig(Config):
    """What fused depth can be told.

    Motion between frames is as the data say, and estimated by a network where they do not; then depth has a scale of
    its own.

    Attributes:
        pyramid: of the depth network; its map at 1/4 of the image is compared between frames, too.
        motion_pyramid: of the motion network; None is the same.
        widths: of the decoder at 1, 1/2, 1/4, ... of the image.
        near, far: range of depth, of the unit of the transforms.
        iterations: sweeps, each around what the one before believed.
        hypotheses: inverse depths a sweep.
        compare: what sweeps compare, learned "features" or plain "windows" of the images; see `window_features`.
        channels: of the features that are compared.
        least_sure: greatest relative deviation that the single frame may believe in; hypotheses reach three to either
            side, so that those of 1/3 reach from 0 to twice the mean.
        surest: least relative deviation that the single frame may believe in. Its variance is taught by how far the
            sweeps move its mean, so one that looks nowhere else would never learn that it is wrong.
        lookups: offsets of the frames that are compared; all that a snippet has of them are used.
        motion_scale: see `MotionNetwork`.
        alignment: rounds in which estimated motion is aligned with the images, by the single frame's depth first and
            then by the refined one. Training takes one. 0 believes the motion network.
        loss: weights.
        earlier: what the loss of an iteration counts of the next one's.
        likelihood: weight of the likelihood of the refined depth under the single-frame belief, which teaches its
            variance.
    """

    kind: Literal["fused_depth"] = "fused_depth"
    pyramid: PyramidConfig = ResNetConfig(depth=18, normalise="uniform")
    motion_pyramid: PyramidConfig | None = None
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    near: PositiveFloat = 0.1
    far: PositiveFloat = 100.0
    iterations: PositiveInt = 3
    hypotheses: int = Field(16, ge=3)
    compare: Compared = "features"
    channels: PositiveInt = 32
    least_sure: float = Field(1 / REACH, gt=0, le=1 / REACH)
    surest: PositiveFloat = 0.1
    lookups: tuple[int, ...] = (-1,)
    motion_scale: PositiveFloat = 0.01
    alignment: int = Field(0, ge=0)
    loss: DepthLossConfig = DepthLossConfig()
    earlier: float = Field(0.8, gt=0, le=1)
    likelihood: float = Field(0.01, ge=0)

    def build(self) -> FusedDepth:
        """The method."""
        return FusedDepth(self)


class Glance(NamedTuple):
    """What one image says.

    Attributes:
        depths: from the image's own size to 1/8 of it.
        told: what the depth at 1/4 is read from.
        own: what is compared with other frames.
    """

    depths: list[Tensor]
    told: Float[Tensor, "B C h w"]
    own: Float[Tensor, "B h w D"]


class Refined(NamedTuple):
    """What is believed before and after each sweep.

    Attributes:
        depths: of the single frame, from the image's own size to 1/8 of it.
        beliefs: at 1/4 of the image, the first that of the single frame at its own size.
    """

    depths: list[Tensor]
    beliefs: list[Belief]

    def depth(self, step: int) -> Float[Tensor, "B H W"]:
        """After so many sweeps, at the image's own size: the single frame's times how much it was changed."""
        changed = self.beliefs[0].mean / self.beliefs[step].mean
        if step == 0:
            return self.depths[0]
        size = (self.depths[0].shape[-2], self.depths[0].shape[-1])
        return self.depths[0].detach() * _enlarged(changed, size)


class FusedDepth(nn.Module):
    """One image to a belief of its depth, and other frames to a better one.

    Args:
        config: see `FusedDepthConfig`.

    Attributes:
        spread: factor on the predicted deviation, chosen after training on validation data where there is any with
            depth; 1 until then.
    """

    spread: Tensor

    def __init__(self, config: FusedDepthConfig) -> None:
        super().__init__()
        self.config = config
        self.network = MonoDepth(config.pyramid, config.widths)
        self.motion = MotionNetwork(config.motion_pyramid or config.pyramid, config.motion_scale)
        self.variance = nn.Conv2d(config.widths[QUARTER], 1, kernel_size=3, padding=1)
        nn.init.constant_(self.variance.bias, FIRST_VARIANCE)  # type: ignore[arg-type]
        if config.compare == "features":
            self.compared = nn.Conv2d(self.network.pyramid.channels[1], config.channels, kernel_size=1)
        self.temperatures = nn.Parameter(torch.full((config.iterations,), 0.05).log())
        self.gates = nn.ModuleList(_gate() for _ in range(config.iterations))
        self.register_buffer("spread", torch.tensor(1.0))

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """Reconstruct view 0 from the others by the depth of the single frame and of every sweep.

        Raises:
            DataError: there is no other view.
        """
        config, to_views = self.config, self.motion.reference_to_views(frames)
        seen = self._look_once(frames.image[:, 0])
        aligned = align_views(frames, seen.depths[0].detach(), to_views) if config.alignment else to_views.detach()
        refined = self._refine(frames, seen, aligned)
        others = Reconstruction.of(frames, to_views)
        with torch.no_grad():
            standing = standing_error(others, config.loss.ssim) if config.loss.static_mask else None
        single = terms_over_scales(
            refined.depths[: config.loss.scales], others, ssim_weight=config.loss.ssim, standing=standing
        )
        fixed = Reconstruction.of(frames, aligned)
        found, shares = [], []
        for k in range(1, config.iterations + 1):
            found.append(terms_over_scales([refined.depth(k)], fixed, ssim_weight=config.loss.ssim, standing=standing))
            shares.append(config.earlier ** (config.iterations - k))
        terms = {
            "single_photometric": single.photometric,
            "single_smoothness": single.smoothness,
            "photometric": _weighted([each.photometric for each in found], shares),
            "smoothness": _weighted([each.smoothness for each in found], shares),
            "likelihood": _surprise(refined.beliefs[0], refined.beliefs[-1]),
        }
        weights = {
            "single_photometric": 1.0,
            "single_smoothness": config.loss.smoothness,
            "photometric": 1.0,
            "smoothness": config.loss.smoothness,
            "likelihood": config.likelihood,
        }
        return LossTerms(terms, weights, self._observed(frames, refined))

    @torch.no_grad()
    def predict(self, frames: Frames) -> DepthPrediction:
        """Depth of view 0 from it and the frames at the offsets of `lookups`; without any, that of one image."""
        to_views, seen = self.motion.reference_to_views(frames), self._look_once(frames.image[:, 0])
        if self.config.alignment:
            to_views = align_views(frames, seen.depths[0], to_views)
        refined = self._refine(frames, seen, to_views)
        for _ in range(1, self.config.alignment):
            to_views = align_views(frames, refined.depth(self.config.iterations), to_views, halvings=(1, 0))
            refined = self._refine(frames, seen, to_views)
        first, last = refined.beliefs[0], refined.beliefs[-1]
        depth, size = refined.depth(self.config.iterations), frames.image.shape[-2:]
        relative = _enlarged(last.variance.sqrt() / last.mean, (size[0], size[1]))
        return DepthPrediction(
            depth=depth,
            K=frames.K[:, 0],
            is_metric=self.motion.is_metric,
            confidence=_enlarged(1 - last.variance / first.variance, (size[0], size[1])).clamp(0, 1),
            deviation=self.spread * relative / depth,
            cam_to_reference=invert(to_views),
            single=refined.depths[0],
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All at one rate."""
        return [{"params": list(self.parameters()), "scale": 1.0}]

    def _look_once(self, image: Float[Tensor, "B 3 H W"]) -> Glance:
        check_size(image, len(self.network.pyramid.channels))
        maps = self.network.pyramid(image)
        features = self.network.decoder.features(maps)
        near, far = self.config.near, self.config.far
        depths = [disparity_to_depth(d[:, 0], near, far) for d in self.network.decoder.disparities(features)]
        return Glance(depths, features[QUARTER], self._own(image, maps[1]))

    def _refine(self, frames: Frames, seen: Glance, to_views: Float[Tensor, "B V 4 4"]) -> Refined:
        near, far = self.config.near, self.config.far
        size = (seen.told.shape[-2], seen.told.shape[-1])
        # The single frame learns from its own reconstruction alone; what refines it takes it as it comes.
        mean = nn.functional.adaptive_avg_pool2d(1 / seen.depths[0].detach()[:, None], size)[:, 0]
        # Of the logarithm, so that it means the same at any depth and in any unit.
        limits = 2 * math.log(self.config.surest), 2 * math.log(self.config.least_sure)
        variance = self.variance(seen.told)[:, 0].clamp(*limits).exp() * mean**2
        belief = Belief(mean, variance)
        lookups, K = self._lookups(frames, to_views, mean.shape[-2:])
        beliefs = [belief]
        for k in range(self.config.iterations):
            measured = self._look(belief, seen.own, K, lookups, self.temperatures[k].exp())
            told = fuse(belief, measured, self._gate(k, belief, measured))
            # Where hypotheses beyond the range are left out, the rest may point beyond it.
            belief = Belief(told.mean.clamp(1 / far, 1 / near), told.variance)
            beliefs.append(belief)
        return Refined(seen.depths, beliefs)

    def _look(self, belief: Belief, own: Tensor, K: Tensor, lookups: Lookups, temperature: Tensor) -> Measurement:
        """Sweep around the mean. Where the hypotheses lie is not learnt by what they cost."""
        fixed = Belief(belief.mean.detach(), belief.variance.detach())
        nearness = hypotheses(fixed, self.config.hypotheses)
        low, high = 1 / self.config.far, 1 / self.config.near
        swept = sweep(own, K, lookups, 1 / nearness.clamp(low, high))
        seen = (swept.seen_by > 0) & (nearness >= low) & (nearness <= high)
        return measure(fixed, nearness, swept.cost, seen, temperature)

    def _gate(self, k: int, belief: Belief, measured: Measurement) -> Float[Tensor, "B h w"]:
        moved = (measured.mean - belief.mean).abs() / belief.variance.sqrt()
        told = torch.stack([measured.entropy, measured.lowest, moved.clamp(max=10), measured.seen], dim=1)
        return torch.sigmoid(self.gates[k](told.detach()))[:, 0]

    def _features(self, quarter: Float[Tensor, "B C h w"]) -> Float[Tensor, "B h w D"]:
        """Of unit root mean square, so that a difference of cost means the same everywhere."""
        found = self.compared(quarter).permute(0, 2, 3, 1)
        return found * torch.rsqrt(found.square().mean(dim=-1, keepdim=True) + 1e-6)

    def _own(self, image: Float[Tensor, "B 3 H W"], quarter: Float[Tensor, "B C h w"]) -> Float[Tensor, "B h w D"]:
        """What is compared with other frames."""
        return halved(window_features(image)) if self.config.compare == "windows" else self._features(quarter)

    def _lookups(
        self, frames: Frames, to_views: Float[Tensor, "B V 4 4"], size: Size
    ) -> tuple[Lookups, Float[Tensor, "B 3 3"]]:
        """The views at the offsets that are compared, and the K of the reference's map."""
        wanted = frames.lookups(self.config.lookups)
        chosen = wanted.any(dim=0)
        batch, number = len(frames.image), int(chosen.sum())
        image, whole = frames.image[:, chosen].flatten(0, 1), frames.image.shape[-2:]
        if self.config.compare == "windows":
            features = window_features(image)
        else:
            quarter = self.network.pyramid.fine(image)[-1] if number else image.new_zeros(0, self._inputs, *size)
            features = self._features(quarter)
        seen_K = _resized(frames.K[:, chosen], whole, features.shape[1:3])
        lookups = Lookups(features.unflatten(0, (batch, number)), seen_K, to_views[:, chosen], wanted[:, chosen])
        return lookups, _resized(frames.K[:, 0], whole, size)

    @property
    def _inputs(self) -> int:
        return self.network.pyramid.channels[1]

    def _observed(self, frames: Frames, refined: Refined) -> dict[str, Tensor]:
        first, last = refined.beliefs[0], refined.beliefs[-1]
        observed = {
            "told": (1 - last.variance / first.variance).detach().mean(),
            "deviation": (first.variance.sqrt() / first.mean).detach().mean(),
            "temperature": self.temperatures.detach().exp().mean(),
        }
        if frames.depth is not None:
            observed["depth_ratio"] = median_ratio(refined.depth(self.config.iterations), frames.depth[:, 0])
        return observed


def _resized(K: Float[Tensor, "*batch 3 3"], old: Size, new: Size) -> Float[Tensor, "*batch 3 3"]:
    return K * K.new_tensor([new[1] / old[1], new[0] / old[0], 1.0])[:, None]


def _gate() -> nn.Sequential:
    """Entropy, lowest cost, how far the mean would move, and what was seen -> how far to believe it."""
    gate = nn.Sequential(
        nn.Conv2d(4, 16, kernel_size=3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(16, 1, kernel_size=3, padding=1)
    )
    last = gate[-1]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    nn.init.ones_(last.bias)
    return gate


def _surprise(first: Belief, last: Belief) -> Float[Tensor, ""]:
    """Negative logarithm of the likelihood of the last mean under the first belief, per pixel, but for a constant."""
    relative = first.variance / first.mean**2
    apart = (last.mean.detach() / first.mean).log() ** 2
    return 0.5 * (apart / relative + relative.log()).mean()


def _weighted(terms: list[Tensor], shares: list[float]) -> Float[Tensor, ""]:
    return torch.stack([term * share for term, share in zip(terms, shares, strict=True)]).sum() / sum(shares)


def _enlarged(values: Float[Tensor, "B h w"], size: tuple[int, int]) -> Float[Tensor, "B H W"]:
    return nn.functional.interpolate(values[:, None], size, mode="bilinear", align_corners=False)[:, 0]
