"""Scene completion: density and features of the whole scene from one image, learned from images alone.

Sources: Wimbauer et al., "Behind the scenes", CVPR 2023 (density, colour from views);
Jevtic et al., "Feed-forward SceneDINO", ICCV 2025 (features).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import ConfigError
from scene3d.fusion.voxelise import voxelise
from scene3d.geometry.camera import pixel_centres, unproject
from scene3d.geometry.depth import ray_lengths
from scene3d.geometry.occupancy import DENSITY_STEPS, OccupancyCalibration
from scene3d.geometry.rays import viewing_slopes
from scene3d.geometry.se3 import invert
from scene3d.geometry.voxels import SSCBENCH, default_grid_to_cam
from scene3d.losses import LossTerms
from scene3d.losses.photometric import minimum_reprojection
from scene3d.losses.smoothness import edge_aware_smoothness
from scene3d.methods.distillation import TeacherConfig, distillation_terms
from scene3d.methods.hints import HintConfig, hint_terms
from scene3d.nn.feature_codec import FeatureExpansion, PatchDownsampler
from scene3d.nn.features import CachedFeatures
from scene3d.nn.image_encoder import ImageEncoderConfig, UNetEncoderConfig
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.structures.rays import Rays
from scene3d.volume import ImageField
from scene3d.volume.patches import Origin, Patches, draw_origin, draw_patches, seen_from
from scene3d.volume.pixel_aligned import PixelAlignedField, PointDecoder
from scene3d.volume.ray_trust import InvalidRays, trusted_views
from scene3d.volume.renderer import Rendering, joined, render
from scene3d.volume.sampling import inverse_distances
from scene3d.volume.source_views import SourceViews
from scene3d.volume.views import PlacedViews, place_views, split_pairs

RINGS = (12.8, 25.6, 51.2)
"""Boxes whose cells have a calibration of their own, metres: the ranges that completion is scored in."""


class CompletionLossConfig(Config):
    """Weights of the loss terms, as published by SceneDINO.

    Attributes:
        photometric: reconstruction of colours.
        ssim: share of the structural part in it.
        smoothness: of the depth.
        features: reconstruction of the teacher's features.
        feature_smoothness: of the rendered features.
        automask: leave out pixels that some source view matches better as if nothing had moved; for drives of one
            camera in traffic.
        invalid: when a source view does not count for a ray; see `scene3d.volume.ray_trust`.
        unseen_limit: a source view counts for a ray while less than this share of its weight lies where
            the view cannot see or the field has no evidence.
    """

    photometric: PositiveFloat = 1.0
    ssim: float = Field(0.85, ge=0, le=1)
    smoothness: float = Field(0.001, ge=0)
    features: float = Field(0.2, ge=0)
    feature_smoothness: float = Field(0.25, ge=0)
    automask: bool = False
    invalid: InvalidRays = "weight_guided"
    unseen_limit: float = Field(0.9, gt=0, le=1)


class SceneCompletionConfig(Config):
    """What scene completion can be told.

    Attributes:
        encoder: image to feature map.
        hidden: width of the point decoder.
        octaves: of the position encoding.
        teacher: None learns geometry alone.
        near, far: of the samples along a ray, metres.
        samples: along a ray.
        patches: rendered a snippet and step; without a teacher they lie anywhere, else on its grid.
        patch: edge of a patch, pixels; the teacher's stride where there is a teacher.
        loss: weights.
        hint: what is made of hints of depth, where the data have any.
        render_stride: whole views are rendered at every so many pixels and enlarged.
        threshold: density (1/m) from which a cell is occupied, until one is fitted on training data.
        chunk: points that are asked for at once when no gradient is needed.
        compat: "scenedino" and "bts" compute the published functions: see `PixelAlignedField`; besides, the distance of
            a pixel is the mean along its ray, and classes are those of each cell's own centre.
    """

    kind: Literal["scene_completion"] = "scene_completion"
    encoder: ImageEncoderConfig = UNetEncoderConfig()
    hidden: PositiveInt = 64
    octaves: int = Field(6, ge=1, le=10)
    teacher: TeacherConfig | None = None
    near: PositiveFloat = 3.0
    far: PositiveFloat = 80.0
    samples: PositiveInt = 32
    patches: PositiveInt = 32
    patch: PositiveInt = 8
    loss: CompletionLossConfig = CompletionLossConfig()
    hint: HintConfig = HintConfig()
    render_stride: PositiveInt = 2
    threshold: PositiveFloat = 0.2
    chunk: PositiveInt = 2**18
    compat: Literal["scenedino", "bts"] | None = None

    def build(self) -> SceneCompletion:
        """The method."""
        return SceneCompletion(self)


class SceneCompletion(nn.Module):
    """One image to a field of density and features, trained by rendering it into other views.

    Args:
        config: see `SceneCompletionConfig`.
    """

    threshold: Tensor
    calibration: Tensor

    def __init__(self, config: SceneCompletionConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = config.encoder.build()
        teacher = config.teacher
        self.decoder = PointDecoder(
            self.encoder.channels, config.hidden, teacher.channels if teacher else 0, config.octaves
        )
        self.teacher: CachedFeatures | None = None
        if teacher is not None:
            self.teacher = CachedFeatures(teacher.extractor.build(), teacher.cache)
            if self.teacher.stride != config.patch:
                raise ConfigError(
                    f"method.patch: expected the teacher's stride {self.teacher.stride}, got {config.patch}"
                )
            self.expansion = FeatureExpansion(teacher.channels, self.teacher.channels, teacher.hidden)
            self.downsampler = PatchDownsampler(self.teacher.channels, config.patch)
            if teacher.artefacts is not None:
                self.artefacts = nn.Parameter(0.001 * torch.randn(self.teacher.channels, *teacher.artefacts))
        self.register_buffer("threshold", torch.tensor(config.threshold))
        # No probability is below 0: nobody has found out yet.
        self.register_buffer("calibration", torch.full((len(RINGS), DENSITY_STEPS[2] + 2), -1.0))

    def encode(self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"]) -> PixelAlignedField:
        """The field of an image, in the coordinates of its camera (x right, y down, z forward, metres)."""
        height, width = image.shape[-2:]
        if self.encoder.takes_rays:
            image = torch.cat([image, viewing_slopes(K, height, width)], dim=1)
        folded = self.decoder.fold(self.encoder(image))
        near, far, compat = self.config.near, self.config.far, self.config.compat
        return PixelAlignedField(self.decoder, folded, K, height, width, near, far, compat)

    def expand(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """Unit vectors of the teacher's size from the field's features."""
        return self.expansion(features)

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """Reconstruct patches of half of the views with the colours of the other half."""
        views = place_views(frames)
        field = self.encode(frames.image[:, 0], frames.K[:, 0])
        target, source = (views.pick(part) for part in split_pairs(frames.present))
        height, width = frames.image.shape[-2:]
        patches = draw_patches(
            target.present,
            height,
            width,
            count=self.config.patches,
            size=self.config.patch,
            grid=self._draw_grid(height, width),
        )
        rays = patches.rays(target.K, target.cam_to_field)
        distances = self._distances(rays, jitter=True)
        sources = SourceViews(source.image, source.K, invert(source.cam_to_field), source.valid)
        rendering = render(field, rays, distances, sources=sources, features=self.teacher is not None)
        loss = self.config.loss
        seen = trusted_views(loss.invalid, rendering, field, rays, distances, sources, loss.unseen_limit)
        terms = self._terms(rendering, patches, target, source, seen)
        return terms if views.hint is None else terms.joined(hint_terms(self.config.hint, field, views))

    def predict(self, frames: Frames) -> CompletionPrediction:
        """Depth and features of the reference view, and the density of the SSCBench grid in front of it.

        Where the frames do not say where that grid lies, it lies as on KITTI-360's car.
        """
        with torch.no_grad():
            return self.complete(self.encode(frames.image[:, 0], frames.K[:, 0]), frames)

    @torch.no_grad()
    def complete(self, field: ImageField, frames: Frames) -> CompletionPrediction:
        """As `predict`, of a field that is there already."""
        grid_to_cam = frames.grid_to_cam
        if grid_to_cam is None:
            grid_to_cam = default_grid_to_cam().to(frames.K).expand(len(frames.image), 4, 4)
        K, (height, width) = frames.K[:, 0], frames.image.shape[-2:]
        distance, features = self.render_view(field, height, width)
        return CompletionPrediction(
            depth=distance / ray_lengths(K, height, width),
            K=K,
            density=voxelise(field, SSCBENCH, grid_to_cam, chunk=self.config.chunk),
            threshold=float(self.threshold),
            frame=SSCBENCH,
            grid_to_cam=grid_to_cam,
            features=features,
            calibration=self.occupancy,
        )

    @property
    def occupancy(self) -> OccupancyCalibration | None:
        """How probably a cell of each density is occupied; None until `calibrate` was told."""
        if bool((self.calibration < 0).any()):
            return None
        return OccupancyCalibration(RINGS, self.calibration[:, :-1], self.calibration[:, -1])

    def calibrate(self, calibration: OccupancyCalibration) -> None:
        """Keep with the weights how probably a cell of each density is occupied."""
        if calibration.rings != RINGS:
            raise ValueError(f"rings: expected {RINGS}, got {calibration.rings}")
        self.calibration.copy_(torch.cat([calibration.probability, calibration.base_rate[:, None]], dim=1))

    def render_view(
        self, field: ImageField, height: int, width: int
    ) -> tuple[Float[Tensor, "B H W"], Float[Tensor, "B C H W"] | None]:
        """Distance (metres) and, where there is a teacher, features of every pixel of the field's own image.

        The distance is the inverse of the expected inverse distance (see `Rendering.nearness`), the expected one
        itself where `compat` names a published function.
        """
        stride = self.config.render_stride
        rows, columns = max(height // stride, 1), max(width // stride, 1)
        batch = field.K.shape[0]
        pixels = pixel_centres(rows, columns, device=field.K.device).reshape(-1, 2)
        pixels = (pixels * pixels.new_tensor([width / columns, height / rows])).to(field.K).expand(batch, -1, 2)
        directions = nn.functional.normalize(unproject(pixels, torch.ones_like(pixels[..., 0]), field.K), dim=-1)
        seen = self.look(field, Rays(origins=torch.zeros_like(directions), directions=directions))
        near = 1 / seen.distance if self.config.compat else seen.nearness
        nearness = near.reshape(batch, 1, rows, columns)
        nearness = nn.functional.interpolate(nearness, (height, width), mode="bilinear", align_corners=False)
        distance = 1 / nearness[:, 0].clamp(min=1e-6)
        if seen.features is None:
            return distance, None
        features = rearrange(seen.features, "b (h w) c -> b c h w", h=rows)
        return distance, nn.functional.interpolate(features, (height, width), mode="bilinear", align_corners=False)

    def look(self, field: ImageField, rays: Rays, sources: SourceViews | None = None) -> Rendering:
        """What rays meet, sampled as in training but without chance; some rays at a time."""
        parts = []
        for some in rays.split(max(self.config.chunk // self.config.samples, 1)):
            distances = self._distances(some, jitter=False)
            parts.append(render(field, some, distances, sources=sources, features=self.teacher is not None))
        return joined(parts)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The encoder's trunk at its own rate, the rest at the full one."""
        trunk = list(self.encoder.trunk.parameters())
        known = {id(p) for p in trunk}
        rest = [p for p in self.parameters() if id(p) not in known]
        return [{"params": trunk, "scale": self.encoder.trunk_rate}, {"params": rest, "scale": 1.0}]

    def _draw_grid(self, height: int, width: int) -> Origin | None:
        """Where the teacher's patches lie in this step; None without a teacher."""
        teacher = self.config.teacher
        if teacher is None:
            return None
        return draw_origin(height, width, self.config.patch) if teacher.shift else (0, 0)

    def _distances(self, rays: Rays, *, jitter: bool) -> Float[Tensor, "B R S"]:
        shape = rays.directions.shape[:2]
        config = self.config
        return inverse_distances(config.near, config.far, config.samples, shape, jitter=jitter, like=rays.directions)

    def _terms(
        self,
        rendering: Rendering,
        patches: Patches,
        target: PlacedViews,
        source: PlacedViews,
        seen: Bool[Tensor, "B V R"],
    ) -> LossTerms:
        config, size = self.config.loss, patches.size
        assert rendering.colour is not None
        image = patches.take(target.image).flatten(0, 1)
        valid = patches.take(target.valid[:, :, None].float()).flatten(0, 1)[:, 0] > 0.5
        colour = rearrange(rendering.colour, "b v (p h w) c -> (b p) v c h w", h=size, w=size)
        seen = rearrange(seen & source.present[..., None], "b v (p h w) -> (b p) v h w", h=size, w=size)
        seen = seen & valid[:, None]
        nearness = rearrange(rendering.nearness, "b (p h w) -> (b p) h w", h=size, w=size)
        still = patches.take_everywhere(source.image).flatten(0, 1) if config.automask else None
        terms = {
            "photometric": minimum_reprojection(colour, image, seen, config.ssim, still),
            "smoothness": edge_aware_smoothness(nearness, image),
        }
        if self.teacher is not None and rendering.features is not None:
            terms |= self._feature_terms(rendering.features, patches, target, image)
        weights = {name: getattr(config, name) for name in terms}
        observed = {"density": rendering.density.detach().mean(), "seen": seen.any(dim=1).float().mean()}
        if target.depth is not None:
            observed["depth_ratio"] = _median_ratio(rendering, patches, target)
        return LossTerms(terms, weights, observed)

    def _feature_terms(
        self, features: Float[Tensor, "B R C"], patches: Patches, target: PlacedViews, image: Tensor
    ) -> dict[str, Tensor]:
        size = patches.size
        pixels = self.expand(rearrange(features, "b (p h w) c -> (b p) h w c", h=size, w=size))
        wanted = patches.take_cell(self.teacher_features(target.image, patches.origin)).flatten(0, 1)
        always = None
        if self.config.teacher is not None and self.config.teacher.artefacts is not None:
            always = patches.take_cell(self.artefacts.expand(*target.image.shape[:2], -1, -1, -1)).flatten(0, 1)
        return distillation_terms(pixels, self.downsampler(pixels), wanted, image, always)

    def teacher_features(
        self, image: Float[Tensor, "B V 3 H W"], origin: Origin = (0, 0)
    ) -> Float[Tensor, "B V C h w"]:
        """What the teacher says of every view, in cells of which the first begins at `origin`."""
        assert self.teacher is not None and self.config.teacher is not None
        ask = self.teacher.extractor if self.config.teacher.shift else self.teacher
        return ask(seen_from(image.flatten(0, 1), origin)).unflatten(0, image.shape[:2])


def _median_ratio(rendering: Rendering, patches: Patches, target: PlacedViews) -> Tensor:
    """Median of rendered over true distance where truth is known: 1 when the scale is right."""
    assert target.depth is not None
    lengths = torch.stack([ray_lengths(K, *target.depth.shape[-2:]) for K in target.K.flatten(0, 1)])
    truth = target.depth * lengths.reshape(target.depth.shape)
    truth = patches.take(truth[:, :, None]).reshape(rendering.distance.shape)
    known = truth > 0
    return (
        (1 / (rendering.nearness.detach()[known] * truth[known])).median()
        if known.any()
        else truth.new_tensor(torch.nan)
    )
