"""Scene semantics: classes of a completed scene without labels, from what its features have in common.

Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import ConfigError
from scene3d.fusion.inward import spread_inward
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame
from scene3d.losses import LossTerms
from scene3d.losses.correlation import feature_correspondence
from scene3d.methods.scene_completion import SceneCompletion, SceneCompletionConfig
from scene3d.nn.clusters import assign, spherical_kmeans
from scene3d.nn.feature_bank import FeatureBank
from scene3d.nn.segment_head import SegmentHead
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, CITYSCAPES_TO_SSC, IGNORE, remap
from scene3d.structures.prediction import CompletionPrediction
from scene3d.structures.rays import Rays
from scene3d.volume import ImageField
from scene3d.volume.pixel_aligned import PixelAlignedField
from scene3d.volume.renderer import render
from scene3d.volume.sampling import inverse_distances
from scene3d.volume.surface_balls import dense_ball_features, draw_surface_points

HEADS_AT_ONCE = 2**14
"""Points whose features, as wide as the teacher's, are held at a time when no gradient is needed."""


class PairConfig(Config):
    """One kind of pairs in the correspondence loss: its weight, and the cosine from which a pair is alike."""

    weight: float = Field(ge=0)
    shift: float


class BallConfig(Config):
    """Where the pairs come from: balls of dense points around surfaces.

    Attributes:
        rays: rendered a view, to find surfaces.
        count: balls a view, one from each quantile of distance.
        radius: metres.
        points: a ball.
        tries: points that are drawn for each that is kept.
        density: a point counts as dense above this, 1/m.
        farthest: surfaces from here on are left out, metres.
    """

    rays: PositiveInt = 1024
    count: PositiveInt = 5
    radius: PositiveFloat = 0.5
    points: PositiveInt = 576
    tries: PositiveInt = 4
    density: float = Field(0.5, ge=0)
    farthest: PositiveFloat = 50.0


class SceneSemanticsConfig(Config):
    """What scene semantics can be told; weights and shifts are those of SceneDINO with DINO features.

    Attributes:
        completion: the trained field that this stands on; it needs a teacher.
        codes: channels of the head's result.
        dropout: of the head's input channels.
        balls: samples.
        same, neighbour, random: pairs within a ball, with a ball alike, and with any ball.
        neighbours: how many of the most alike balls one is drawn from.
        bank: balls that are remembered.
        clusters: how many groups; the classes of images, or more.
        refit: steps after which the clusters are found anew.
        fit_points: at most so many codes are clustered.
    """

    kind: Literal["scene_semantics"] = "scene_semantics"
    completion: SceneCompletionConfig
    codes: PositiveInt = 64
    dropout: float = Field(0.1, ge=0, lt=1)
    balls: BallConfig = BallConfig()
    same: PairConfig = PairConfig(weight=0.08147, shift=0.43610)
    neighbour: PairConfig = PairConfig(weight=0.41564, shift=0.18458)
    random: PairConfig = PairConfig(weight=0.67024, shift=0.87093)
    neighbours: PositiveInt = 4
    bank: PositiveInt = 256
    clusters: PositiveInt = len(CITYSCAPES)
    refit: PositiveInt = 100
    fit_points: PositiveInt = 20000

    def build(self) -> SceneSemantics:
        """The method."""
        return SceneSemantics(self)


class SceneSemantics(nn.Module):
    """A head on a frozen field, clusters of what it says, and the classes those clusters are called.

    Labels are used for nothing but the names: `name_clusters` takes what was matched on validation
    data. Until then predictions have no classes. Finding the clusters anew forgets the names.

    Args:
        config: see `SceneSemanticsConfig`.
    """

    centres: Tensor
    cluster_to_class: Tensor

    def __init__(self, config: SceneSemanticsConfig) -> None:
        super().__init__()
        self.config = config
        self.completion: SceneCompletion = config.completion.build()
        if config.completion.teacher is None or self.completion.teacher is None:
            raise ConfigError("completion.teacher: expected a feature extractor, which semantics are made of, got none")
        self.completion.requires_grad_(False).eval()
        channels, expanded = config.completion.teacher.channels, self.completion.teacher.channels
        self.head = SegmentHead(expanded, config.codes, config.dropout)
        points = config.balls.points
        self.bank = FeatureBank(config.bank, points, channels, expanded)
        # What pixels show, sky included, which no ball ever holds; as many views as the balls come from.
        self.pixels = FeatureBank(-(-config.bank // config.balls.count), points, channels, channels)
        self.register_buffer("centres", torch.zeros(config.clusters, config.codes))
        self.register_buffer("cluster_to_class", torch.full((config.clusters,), IGNORE))

    @property
    def threshold(self) -> Tensor:
        """Density (1/m) from which a cell is occupied: that of the field, to be chosen in place."""
        return self.completion.threshold

    def calibrate(self, calibration: OccupancyCalibration) -> None:
        """As `SceneCompletion.calibrate`."""
        self.completion.calibrate(calibration)

    def train(self, mode: bool = True) -> SceneSemantics:
        """Only the head ever learns; the field stays as it was loaded."""
        super().train(mode)
        self.completion.eval()
        return self

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """The correspondence loss of balls in one view of each snippet, with themselves and others."""
        config = self.config
        balls, pixels = self._sample(*_input_view(frames))
        teacher = self.completion.expand(balls)
        keys = teacher.mean(dim=1)
        codes = self.head(teacher)
        terms = {"same": feature_correspondence(teacher, teacher, codes, codes, config.same.shift)}
        if self.bank.filled:
            others = self.bank.draw_alike(keys, config.neighbours), self.bank.draw_any(len(balls))
        else:
            others = balls[:0], balls[:0]
        for name, other in zip(("neighbour", "random"), others, strict=True):
            expanded = self.completion.expand(other)
            mine = slice(0, len(other))
            terms[name] = feature_correspondence(
                teacher[mine], expanded, codes[mine], self.head(expanded), getattr(config, name).shift
            )
        # Pushed after looking up, so that no ball finds itself.
        self.bank.push(balls, keys)
        self.pixels.push(pixels, pixels.mean(dim=1))
        if (step + 1) % config.refit == 0:
            remembered = torch.cat([self.bank.held(), self.pixels.held()])
            self._fit(remembered.flatten(0, 1), restarts=1)
        weights = {name: getattr(config, name).weight for name in terms}
        full = balls.new_tensor(len(balls) / (len(frames.image) * config.balls.count))
        return LossTerms(terms, weights, {"full_balls": full})

    @torch.no_grad()
    def fit_clusters(self, batches: Iterable[Frames]) -> None:
        """Find the clusters anew in what the field says of these frames; their labels are not looked at."""
        features = []
        for frames in batches:
            balls, pixels = self._sample(frames.image[:, 0], frames.K[:, 0], _mask(frames)[:, 0])
            features += [balls.flatten(0, 1), pixels.flatten(0, 1)]
        self._fit(torch.cat(features), restarts=4)

    def name_clusters(self, classes: Int[Tensor, "K"]) -> None:  # noqa: UP037
        """Say which class of `CITYSCAPES` each cluster is; 255 leaves a cluster without one.

        Several clusters may be one class, as where there are more clusters than classes. In voxels a
        class of images becomes its `SSC` class, in which sky and riders are empty.
        """
        if classes.shape != self.cluster_to_class.shape:
            raise ValueError(f"classes: expected one for each of {len(self.centres)} clusters, got {len(classes)}")
        if not bool(((classes >= 0) & (classes < len(CITYSCAPES)) | (classes == IGNORE)).all()):
            raise ValueError(f"classes: expected 0 to {len(CITYSCAPES) - 1} or {IGNORE}, got {classes.tolist()}")
        self.cluster_to_class.copy_(classes)

    @torch.no_grad()
    def clusters_of_pixels(self, frames: Frames) -> Int[Tensor, "B H W"]:
        """Cluster of every pixel of the reference view; what the names are matched on."""
        field = self.completion.encode(frames.image[:, 0], frames.K[:, 0])
        _, features = self.completion.render_view(field, *frames.image.shape[-2:])
        assert features is not None
        return self._clusters(features.movedim(1, -1))

    @torch.no_grad()
    def predict(self, frames: Frames) -> CompletionPrediction:
        """The completed scene of the reference view; with classes, once the clusters have names."""
        return self.complete(self.encode(frames.image[:, 0], frames.K[:, 0]), frames)

    def encode(self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"]) -> PixelAlignedField:
        """As `SceneCompletion.encode`."""
        return self.completion.encode(image, K)

    def render_view(
        self, field: ImageField, height: int, width: int
    ) -> tuple[Float[Tensor, "B H W"], Float[Tensor, "B C H W"] | None]:
        """As `SceneCompletion.render_view`."""
        return self.completion.render_view(field, height, width)

    @torch.no_grad()
    def complete(self, field: ImageField, frames: Frames) -> CompletionPrediction:
        """As `predict`, of a field that is there already."""
        prediction = self.completion.complete(field, frames)
        if bool((self.cluster_to_class == IGNORE).all()):
            return prediction
        assert prediction.features is not None
        labels = self.cluster_to_class[self._clusters(prediction.features.movedim(1, -1))]
        classes = [
            self.voxel_classes(field.select(i), prediction.density[i], prediction.frame, prediction.grid_to_cam[i])
            for i in range(len(labels))
        ]
        return replace(prediction, labels=labels, classes=torch.stack(classes))

    @torch.no_grad()
    def voxel_classes(
        self,
        field: ImageField,
        density: Float[Tensor, "X Y Z"],
        frame: VoxelFrame,
        grid_to_cam: Float[Tensor, "4 4"],
    ) -> Int[Tensor, "X Y Z"]:
        """`SSC` class of each occupied cell of one scene, inside of solids that of their surface; all others are empty.

        Features and clusters are asked for in occupied cells only. With the completion's `compat` "scenedino", cells
        inside have the class of their own centre.
        """
        occupied = density >= self.threshold
        classes = torch.zeros_like(occupied, dtype=torch.int64)
        found = []
        for cells in occupied.nonzero().split(HEADS_AT_ONCE):
            features = field(transform(grid_to_cam, frame.centres_of(cells).to(grid_to_cam))[None]).features
            assert features is not None
            found.append(remap(self.cluster_to_class[self._clusters(features[0])], CITYSCAPES_TO_SSC))
        if found:
            classes[occupied] = torch.cat(found)
        return classes if self.config.completion.compat else spread_inward(classes, occupied)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head; everything else is frozen."""
        return [{"params": list(self.head.parameters()), "scale": 1.0}]

    @torch.no_grad()
    def _sample(
        self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"], mask: Tensor
    ) -> tuple[Float[Tensor, "M P C"], Float[Tensor, "B P C"]]:
        """The field's features in the balls that are full, whatever their number, and at some pixels."""
        balls, completion = self.config.balls, self.config.completion
        (height, width), batch = image.shape[-2:], len(image)
        field = self.completion.encode(image, K)
        count = max(balls.rays, balls.points)
        place = torch.rand(batch, count, 2, device=image.device) * K.new_tensor([width, height])
        origins, directions = pixel_rays(place, K, torch.eye(4, device=K.device, dtype=K.dtype).expand(batch, 4, 4))
        rays = Rays(origins=origins, directions=directions)
        distances = inverse_distances(
            completion.near, completion.far, completion.samples, (batch, count), jitter=False, like=directions
        )
        seen = render(field, rays, distances)
        assert seen.features is not None
        column, row = place.long().unbind(dim=-1)
        covered = mask[torch.arange(batch, device=mask.device)[:, None], row, column]
        distance = torch.where(covered, seen.distance, torch.inf)
        surface = rays.directions * seen.distance[..., None]
        centres, some = draw_surface_points(surface, distance, balls.farthest, balls.count)
        features, full = dense_ball_features(
            field, centres, radius=balls.radius, count=balls.points, tries=balls.tries, density=balls.density
        )
        return features[full & some[:, None]], seen.features[:, : balls.points]

    def _clusters(self, features: Float[Tensor, "*batch C"]) -> Int[Tensor, "*batch"]:
        """Nearest cluster of the field's features."""
        flat = features.reshape(-1, features.shape[-1])
        parts = [assign(self._codes(part), self.centres) for part in flat.split(HEADS_AT_ONCE)]
        return torch.cat(parts).reshape(features.shape[:-1])

    def _codes(self, features: Float[Tensor, "N C"]) -> Float[Tensor, "N D"]:
        learning = self.head.training
        codes = self.head.eval()(self.completion.expand(features))
        self.head.train(learning)
        return codes

    @torch.no_grad()
    def _fit(self, features: Float[Tensor, "N C"], restarts: int) -> None:
        if len(features) < self.config.clusters:
            return
        some = torch.randperm(len(features), device=features.device)[: self.config.fit_points]
        self.centres.copy_(spherical_kmeans(self._codes(features[some]), self.config.clusters, restarts=restarts))
        self.cluster_to_class.fill_(IGNORE)


def _mask(frames: Frames) -> Tensor:
    """True on pixels that a view really shows."""
    return (
        frames.image.new_ones(frames.image[:, :, 0].shape, dtype=torch.bool) if frames.valid is None else frames.valid
    )


def _input_view(frames: Frames) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 3 3"], Tensor]:
    """Image, K and mask of one view of each snippet: half of the time the reference, else another."""
    others = frames.present[:, 1:].float()
    reference = others.sum(dim=1, keepdim=True)
    chances = torch.cat([torch.where(reference > 0, reference, 1.0), others], dim=1)
    view = torch.multinomial(chances, 1)[:, 0]
    each = torch.arange(len(view), device=view.device)
    return frames.image[each, view], frames.K[each, view], _mask(frames)[each, view]
