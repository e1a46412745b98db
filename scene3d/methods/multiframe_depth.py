"""Depth from the frames that a moving camera has anyway, learned from images alone.

Source: Watson et al., "The temporal opportunist: self-supervised multi-frame monocular depth" (ManyDepth), CVPR
2021. Its authors announce a pending patent on the method. Written from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.geometry.se3 import invert
from scene3d.losses import LossTerms
from scene3d.losses.depth import DepthLossConfig, median_ratio
from scene3d.losses.reprojection import Reconstruction, enlarge_depth, standing_error, terms_over_scales
from scene3d.nn.cost_volume import CostVolume
from scene3d.nn.disparity_decoder import SCALES, DisparityDecoder, conv3x3, disparity_to_depth
from scene3d.nn.matching_encoder import Compared, LookupImages, MatchingEncoder
from scene3d.nn.mono_depth import MonoDepth
from scene3d.nn.motion_network import MotionNetwork
from scene3d.nn.resnet import PyramidConfig, ResNetConfig
from scene3d.stereo.alignment import align_views
from scene3d.stereo.matching import off_centre
from scene3d.stereo.semi_global import semi_global
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import DepthPrediction

AGREEMENT = 2.0
"""Factor within which matching and the single image must agree for matching to be believed."""


SMALL_STEP, LARGE_STEP = 0.05, 0.3
"""Prices of a small and of any step of depth between neighbouring cells; windows that are unlike differ by about 1."""

CLEAR = 0.5
"""Share of the mean difference of a frame's costs by which a depth must be worse than the best to be told apart."""


class MultiframeLossConfig(DepthLossConfig):
    """Weights of the loss terms.

    Attributes:
        ssim, smoothness, static_mask, scales: see `DepthLossConfig`; the mask is for the teacher alone.
        consistency: with the single-frame teacher where matching is not to be believed.
    """

    consistency: float = Field(1.0, ge=0)


class MultiframeDepthConfig(Config):
    """What multi-frame depth can be told.

    Motion between frames is as the data say, and estimated by a network where they do not; then depth has a scale of
    its own.

    Attributes:
        pyramid: of the matching encoder.
        teacher_pyramid, motion_pyramid: of the single-frame teacher and of the motion network; None is the same.
        widths: of the decoders at 1, 1/2, 1/4, ... of the image.
        near, far: range of the decoders' depth, of the unit of the transforms.
        hypotheses: depths that matching tries.
        spacing: of the hypotheses, even in depth or in inverse depth.
        first_range: nearest and farthest hypothesis, until they follow what the teacher says.
        beyond: nearest and farthest hypothesis after that, as shares of the teacher's nearest and farthest depth.
        compare: what matching compares, learned "features" or plain "windows" of the images; see `MatchingEncoder`.
        blend: give every scale of the decoder a gate by which it takes over, pixel by pixel, the depth that
            semi-global matching finds in the volume; beyond the paper, whose decoder has to learn to read it.
        lookups: offsets of the frames that are matched; all that a snippet has of them are used.
        motion_scale: see `MotionNetwork`.
        alignment: rounds in which estimated motion is aligned with the images, by the single frame's depth first and
            then by that of several frames; beyond the paper. Training takes one. 0 believes the motion network.
        still: share of samples that are trained as if the camera stood still.
        blind: share of samples that are trained without any other frame.
        freeze_after: step after which teacher, motion and range of hypotheses stay as they are; None is never.
        loss: weights.
        compat: "manydepth" computes the published network's function, half a pixel and all; see `cost_volume` and
            `MatchingEncoder`, and measures consistency as a difference of depths, not of their logarithms.
    """

    kind: Literal["multiframe_depth"] = "multiframe_depth"
    pyramid: PyramidConfig = ResNetConfig(depth=18, normalise="uniform")
    teacher_pyramid: PyramidConfig | None = None
    motion_pyramid: PyramidConfig | None = None
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    near: PositiveFloat = 0.1
    far: PositiveFloat = 100.0
    hypotheses: PositiveInt = 96
    spacing: Literal["linear", "inverse"] = "linear"
    first_range: tuple[PositiveFloat, PositiveFloat] = (0.1, 10.0)
    beyond: tuple[PositiveFloat, PositiveFloat] = (0.9, 1.1)
    compare: Compared = "features"
    blend: bool = False
    lookups: tuple[int, ...] = (-1,)
    motion_scale: PositiveFloat = 0.01
    alignment: int = Field(0, ge=0)
    still: float = Field(0.25, ge=0, le=1)
    blind: float = Field(0.25, ge=0, le=1)
    freeze_after: int | None = Field(None, ge=0)
    loss: MultiframeLossConfig = MultiframeLossConfig()
    compat: Literal["manydepth"] | None = None

    def build(self) -> MultiframeDepth:
        """The method."""
        return MultiframeDepth(self)


@dataclass(frozen=True)
class _Matched:
    """What the multi-frame network says, and how far matching is to be believed."""

    depths: list[Tensor]
    volume: CostVolume


class MultiframeDepth(nn.Module):
    """A few frames to the depth of the newest, with a single-frame teacher and a motion network beside it.

    Args:
        config: see `MultiframeDepthConfig`.

    Attributes:
        teacher: None where published weights come without theirs; such a method predicts, but does not learn.
    """

    def __init__(self, config: MultiframeDepthConfig) -> None:
        super().__init__()
        self.config = config
        self.teacher: MonoDepth | None = MonoDepth(config.teacher_pyramid or config.pyramid, config.widths)
        self.motion = MotionNetwork(config.motion_pyramid or config.pyramid, config.motion_scale)
        self.encoder = MatchingEncoder(
            config.pyramid,
            config.hypotheses,
            config.spacing,
            config.first_range,
            beyond=config.beyond,
            compare=config.compare,
            compat=config.compat,
        )
        self.decoder = DisparityDecoder(self.encoder.channels, config.widths)
        self.gates = nn.ModuleList(conv3x3(width, 1) for width in config.widths[:SCALES] if config.blend)

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """Reconstruct view 0 from the others, once by the teacher's depth and once by that of several frames."""
        learning = self.config.freeze_after is None or step < self.config.freeze_after
        image, K = frames.image[:, 0], frames.K[:, 0]
        assert self.teacher is not None
        self.teacher.train(learning)
        self.motion.train(learning)
        with torch.set_grad_enabled(learning):
            to_views = self.motion.reference_to_views(frames)
            single = self._depths(self.teacher(image))
        if learning:
            self.encoder.follow(single[0], self.config.near)
        taught = single[0].detach()
        aligned = align_views(frames, taught, to_views) if self.config.alignment else to_views.detach()
        lookups, unlike = self._varied(self._lookups(frames, aligned), image)
        matched = self._match(image, K, lookups)
        believed = self._believed(matched.volume, taught) & ~unlike[:, None, None]
        terms = self._student_terms(matched.depths, taught, Reconstruction.of(frames, aligned), believed)
        if learning:
            terms = terms.joined(self._teacher_terms(single, Reconstruction.of(frames, to_views)))
        return terms.joined(LossTerms({}, {}, self._observed(frames, matched, single, believed)))

    @torch.no_grad()
    def predict(self, frames: Frames) -> DepthPrediction:
        """Depth of view 0 from it and the frames at the offsets of `lookups`; without any, that of one image."""
        image, K = frames.image[:, 0], frames.K[:, 0]
        to_views = self.motion.reference_to_views(frames)
        single = None if self.teacher is None else self._depths(self.teacher(image))[0]
        if self.config.alignment and single is not None:
            to_views = align_views(frames, single, to_views)
        matched = self._match(image, K, self._lookups(frames, to_views))
        for _ in range(1, self.config.alignment):
            to_views = align_views(frames, matched.depths[0], to_views, halvings=(1, 0))
            matched = self._match(image, K, self._lookups(frames, to_views))
        confident = _enlarged(matched.volume.confident, image)
        return DepthPrediction(
            depth=matched.depths[0],
            K=K,
            is_metric=self.motion.is_metric,
            confidence=confident.to(image.dtype),
            moving=_enlarged(self._moves(matched.volume, matched.depths[0]), image),
            single=single,
            cam_to_reference=invert(to_views),
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """All at one rate."""
        return [{"params": list(self.parameters()), "scale": 1.0}]

    def _depths(self, disparities: list[Tensor]) -> list[Tensor]:
        return [disparity_to_depth(d[:, 0], self.config.near, self.config.far) for d in disparities]

    def _lookups(self, frames: Frames, to_views: Float[Tensor, "B V 4 4"]) -> LookupImages:
        """The views at the offsets that are matched; one that is such a view in no sample is left out."""
        wanted = frames.lookups(self.config.lookups)
        chosen = wanted.any(dim=0)
        return LookupImages(frames.image[:, chosen], frames.K[:, chosen], to_views[:, chosen], wanted[:, chosen])

    def _varied(self, lookups: LookupImages, image: Float[Tensor, "B 3 H W"]) -> tuple[LookupImages, Bool[Tensor, "B"]]:  # noqa: UP037
        """Samples in which the camera seems to stand still, or nothing is matched; they learn from the teacher."""
        draw = torch.rand(len(image), device=image.device)
        still, blind = draw < self.config.still, draw > 1 - self.config.blind
        images = torch.where(still[:, None, None, None, None], image[:, None], lookups.image)
        varied = lookups._replace(image=images, present=lookups.present & ~blind[:, None])
        return varied, still | blind

    def _match(self, image: Tensor, K: Tensor, lookups: LookupImages) -> _Matched:
        maps, volume = self.encoder(image, K, lookups)
        features = self.decoder.features(maps)
        depths = self._depths(self.decoder.disparities(features))
        if self.config.blend:
            volume = volume._replace(depth=self._smoothed(volume.cost))
            gates = [torch.sigmoid(gate(x))[:, 0] for gate, x in zip(self.gates, features, strict=True)]
            depths = [_blended(depth, gate, volume) for depth, gate in zip(depths, gates, strict=True)]
        return _Matched(depths, volume)

    @torch.no_grad()
    def _smoothed(self, cost: Float[Tensor, "B D h w"]) -> Float[Tensor, "B h w"]:
        """Depth of least cost where neighbours have a say, between hypotheses."""
        smooth = semi_global(cost, SMALL_STEP, LARGE_STEP)
        best = smooth.argmin(dim=1, keepdim=True)
        place = (best[:, 0] + off_centre(smooth, best)).clamp(0, cost.shape[1] - 1)
        below = place.floor().long()
        tried = self.encoder.depths().reciprocal()
        above = (below + 1).clamp(max=len(tried) - 1)
        return 1 / torch.lerp(tried[below], tried[above], place - below)

    def _believed(self, volume: CostVolume, single: Float[Tensor, "B H W"]) -> Bool[Tensor, "B H W"]:
        return _enlarged(volume.confident, single) & self._agree(volume.depth, single)

    def _moves(self, volume: CostVolume, depth: Float[Tensor, "B H W"]) -> Bool[Tensor, "B h w"]:
        """Where another depth than the predicted one would explain the other frames much better, and not by chance."""
        size = (volume.depth.shape[-2], volume.depth.shape[-1])
        small = 1 / nn.functional.adaptive_avg_pool2d(1 / depth[:, None], size)
        tried = self.encoder.depths()
        nearest = (small.log() - tried.log()[:, None, None]).abs().argmin(dim=1, keepdim=True)
        lowest, highest = volume.cost.amin(dim=1), volume.cost.amax(dim=1)
        worse = volume.cost.gather(1, nearest)[:, 0] - lowest
        clear = worse > CLEAR * (highest - lowest).mean(dim=(1, 2), keepdim=True)
        found = volume.confident & clear & ~self._agree(volume.depth, small[:, 0])
        # A lone cell among its neighbours is chance.
        return nn.functional.avg_pool2d(found[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0.5

    def _agree(self, matched: Float[Tensor, "B h w"], depth: Float[Tensor, "B H W"]) -> Bool[Tensor, "B H W"]:
        ratio = _enlarged(matched, depth) / depth
        return (ratio < AGREEMENT) & (ratio > 1 / AGREEMENT)

    def _teacher_terms(self, depths: list[Tensor], others: Reconstruction) -> LossTerms:
        config = self.config.loss
        with torch.no_grad():
            standing = standing_error(others, config.ssim) if config.static_mask else None
        found = terms_over_scales(depths[: config.scales], others, ssim_weight=config.ssim, standing=standing)
        return LossTerms(
            {"teacher_photometric": found.photometric, "teacher_smoothness": found.smoothness},
            {"teacher_photometric": 1.0, "teacher_smoothness": config.smoothness},
        )

    def _student_terms(
        self, depths: list[Tensor], single: Tensor, others: Reconstruction, believed: Bool[Tensor, "B H W"]
    ) -> LossTerms:
        config = self.config.loss
        trained = depths[: config.scales]
        found = terms_over_scales(trained, others, ssim_weight=config.ssim, counted=believed)
        apart = []
        for depth in trained:
            full = enlarge_depth(depth, (single.shape[-2], single.shape[-1]))
            difference = (full - single) if self.config.compat else (full.log() - single.log())
            apart.append((difference.abs() * ~believed).mean())
        return LossTerms(
            {
                "photometric": found.photometric,
                "smoothness": found.smoothness,
                "consistency": torch.stack(apart).mean(),
            },
            {"photometric": 1.0, "smoothness": config.smoothness, "consistency": config.consistency},
        )

    def _observed(self, frames: Frames, matched: _Matched, single: list[Tensor], believed: Tensor) -> dict[str, Tensor]:
        near, far = self.encoder.range.clone()
        observed = {"believed": believed.float().mean(), "range_near": near, "range_far": far}
        if frames.depth is not None:
            observed["depth_ratio"] = median_ratio(matched.depths[0], frames.depth[:, 0])
            observed["teacher_ratio"] = median_ratio(single[0], frames.depth[:, 0])
        return observed


def _blended(depth: Float[Tensor, "B h w"], gate: Float[Tensor, "B h w"], volume: CostVolume) -> Float[Tensor, "B h w"]:
    """Inverse depth towards that of matching, as far as the gate is open and matching knows anything."""
    size = depth.shape[-2:]
    sure = volume.confident[:, None].to(depth.dtype)
    matched = nn.functional.interpolate(1 / volume.depth[:, None], size, mode="bilinear", align_corners=False)
    open_by = gate * nn.functional.interpolate(sure, size, mode="bilinear", align_corners=False)[:, 0]
    return 1 / torch.lerp(1 / depth, matched[:, 0], open_by)


def _enlarged(values: Tensor, like: Tensor) -> Tensor:
    """Each cell becomes a block of pixels."""
    size = like.shape[-2:]
    return nn.functional.interpolate(values[:, None].float(), size, mode="nearest")[:, 0].to(values.dtype)
