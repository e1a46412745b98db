"""Scene semantics: classes of a completed scene without labels, from what its features have in common.

Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import ConfigError
from scene3d.fusion.classify import classify_cells
from scene3d.fusion.refinement import RefinementConfig, label_pixels
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.geometry.voxels import VoxelFrame
from scene3d.losses import LossTerms
from scene3d.losses.correlation import feature_correspondence
from scene3d.methods.pair_config import PairConfig
from scene3d.methods.scene_completion import SceneCompletion, SceneCompletionConfig
from scene3d.nn.cluster_probe import ClusteringConfig, KMeansConfig
from scene3d.nn.clusters import spherical_kmeans
from scene3d.nn.feature_bank import FeatureBank
from scene3d.nn.labeller import AT_ONCE, Labeller, check_names
from scene3d.nn.segment_head import SegmentHead
from scene3d.nn.whitening import Whitening
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, IGNORE
from scene3d.structures.prediction import CompletionPrediction
from scene3d.volume import ImageField
from scene3d.volume.pixel_aligned import PixelAlignedField
from scene3d.volume.surface_balls import BallConfig, draw_features
from scene3d.volume.views import covered, draw_view


class SceneSemanticsConfig(Config):
    """What scene semantics can be told; weights and shifts are those of SceneDINO with DINO features.

    Attributes:
        completion: the trained field that this stands on; it needs a teacher.
        whiten: principal directions of the teacher's features that the head is given instead, each brought to one
            deviation, with which it starts; None gives it the features. They are measured before the first step.
        codes: channels of the head's result.
        dropout: of the head's input channels.
        balls: samples.
        same, neighbour, random: pairs within a ball, with a ball alike, and with any ball.
        neighbours: how many of the most alike balls one is drawn from.
        bank: balls that are remembered.
        clusters: how many groups; the classes of images, or more.
        clustering: how they are found: by k-means, or by gradient beside the head.
        refit: steps after which the clusters are found anew.
        fit_points: at most so many codes are clustered by k-means.
        sharpness: a cluster is e times as probable as one whose cosine is less by one over this.
        refine: how classes are smoothed.
    """

    kind: Literal["scene_semantics"] = "scene_semantics"
    completion: SceneCompletionConfig
    whiten: PositiveInt | None = None
    codes: PositiveInt = 64
    dropout: float = Field(0.1, ge=0, lt=1)
    balls: BallConfig = BallConfig()
    same: PairConfig = PairConfig(weight=0.08147, shift=0.43610)
    neighbour: PairConfig = PairConfig(weight=0.41564, shift=0.18458)
    random: PairConfig = PairConfig(weight=0.67024, shift=0.87093)
    neighbours: PositiveInt = 4
    bank: PositiveInt = 256
    clusters: PositiveInt = len(CITYSCAPES)
    clustering: ClusteringConfig = KMeansConfig()
    refit: PositiveInt = 100
    fit_points: PositiveInt = 20000
    sharpness: PositiveFloat = 30.0
    refine: RefinementConfig = RefinementConfig()

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
        given = config.whiten or expanded
        self.whitening = Whitening(expanded, given) if config.whiten else nn.Identity()
        self.head = SegmentHead(given, config.codes, config.dropout)
        self.probe = config.clustering.build(config.clusters, config.codes)
        points = config.balls.points
        self.bank = FeatureBank(config.bank, points, channels, given)
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
        balls, pixels = self._sample(*draw_view(frames))
        teacher = self._given(balls)
        keys = teacher.mean(dim=1)
        codes = self.head(teacher)
        terms = {"same": feature_correspondence(teacher, teacher, codes, codes, config.same.shift)}
        if self.bank.filled:
            others = self.bank.draw_alike(keys, config.neighbours), self.bank.draw_any(len(balls))
        else:
            others = balls[:0], balls[:0]
        for name, other in zip(("neighbour", "random"), others, strict=True):
            expanded = self._given(other)
            mine = slice(0, len(other))
            terms[name] = feature_correspondence(
                teacher[mine], expanded, codes[mine], self.head(expanded), getattr(config, name).shift
            )
        weights = {name: getattr(config, name).weight for name in terms}
        if self.probe is not None:
            with torch.no_grad():
                told = self._codes(torch.cat([balls.flatten(0, 1), pixels.flatten(0, 1)]))
            terms["clusters"], weights["clusters"] = self.probe(told), 1.0
        # Pushed after looking up, so that no ball finds itself.
        self.bank.push(balls, keys)
        self.pixels.push(pixels, pixels.mean(dim=1))
        if (step + 1) % config.refit == 0:
            self._fit(lambda: torch.cat([self.bank.held(), self.pixels.held()]).flatten(0, 1), restarts=1)
        full = balls.new_tensor(len(balls) / (len(frames.image) * config.balls.count))
        return LossTerms(terms, weights, {"full_balls": full})

    def prepare(self, batches: Iterable[Frames]) -> None:
        """Measure what the head starts from in these frames; their labels are not looked at."""
        if isinstance(self.whitening, Whitening):
            self.whitening.fit(self.expand(self.draw_features(batches)))
            self.head.pass_through()

    @property
    def labeller(self) -> Labeller:
        """The clusters, and what they are called."""
        return Labeller(self._likeness, self.cluster_to_class, self.config.sharpness)

    def fit_clusters(self, batches: Iterable[Frames]) -> None:
        """Find the clusters anew in what the field says of these frames; their labels are not looked at.

        Those that were learned beside the head are taken as they are.
        """
        self._fit(lambda: self.draw_features(batches), restarts=4)

    @torch.no_grad()
    def draw_features(self, batches: Iterable[Frames]) -> Float[Tensor, "N C"]:
        """What the field says in balls around surfaces and at pixels of the reference views, drawn at random."""
        features = []
        for frames in batches:
            balls, pixels = self._sample(frames.image[:, 0], frames.K[:, 0], covered(frames)[:, 0])
            features += [balls.flatten(0, 1), pixels.flatten(0, 1)]
        return torch.cat(features)

    def name_clusters(self, classes: Int[Tensor, "K"]) -> None:  # noqa: UP037
        """Say which class of `CITYSCAPES` each cluster is; 255 leaves a cluster without one.

        Several clusters may be one class, as where there are more clusters than classes. In voxels a
        class of images becomes its `SSC` class, in which sky and riders are empty.
        """
        check_names(classes, len(self.centres))
        self.cluster_to_class.copy_(classes)

    def clusters_of_pixels(self, frames: Frames) -> Int[Tensor, "B H W"]:
        """Cluster of every pixel of the reference view; what the names are matched on."""
        return self.labeller.groups(self.features_of_pixels(frames))

    @torch.no_grad()
    def features_of_pixels(self, frames: Frames) -> Float[Tensor, "B H W C"]:
        """The field's features, rendered into the reference view."""
        field = self.completion.encode(frames.image[:, 0], frames.K[:, 0])
        _, features = self.completion.render_view(field, *frames.image.shape[-2:])
        assert features is not None
        return features.movedim(1, -1)

    @torch.no_grad()
    def features_at(self, frames: Frames, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N C"]:
        """The field's features at points in the coordinates of the reference camera."""
        features = self.completion.encode(frames.image[:, 0], frames.K[:, 0])(points).features
        assert features is not None
        return features

    @torch.no_grad()
    def expand(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """As `SceneCompletion.expand`: the frozen features that the head starts from."""
        return self.completion.expand(features)

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
        return self._classified(prediction, field, frames, self.labeller, self.config.refine)

    @torch.no_grad()
    def relabel(
        self,
        prediction: CompletionPrediction,
        field: ImageField,
        frames: Frames,
        labeller: Labeller | None = None,
        refine: RefinementConfig | None = None,
    ) -> CompletionPrediction:
        """The same scene with other classes.

        Args:
            prediction: what `complete` made of this field.
            field: what `encode` made of these frames.
            frames: of the prediction.
            labeller: who reads classes from the field's features instead; None is the clusters.
            refine: how they are smoothed instead; None as the config says.
        """
        return self._classified(prediction, field, frames, labeller or self.labeller, refine or self.config.refine)

    def _classified(
        self,
        prediction: CompletionPrediction,
        field: ImageField,
        frames: Frames,
        labeller: Labeller,
        refine: RefinementConfig,
    ) -> CompletionPrediction:
        """The prediction with classes, if the groups have names."""
        if not labeller.named:
            return prediction
        assert prediction.features is not None
        labels = label_pixels(prediction.features, frames.image[:, 0], labeller, refine.crf)
        classes = [
            self.voxel_classes(field.select(i), prediction.density[i], prediction.frame, placed, labeller, refine)
            for i, placed in enumerate(prediction.grid_to_cam)
        ]
        return replace(prediction, labels=labels, classes=torch.stack(classes))

    @torch.no_grad()
    def voxel_classes(
        self,
        field: ImageField,
        density: Float[Tensor, "X Y Z"],
        frame: VoxelFrame,
        grid_to_cam: Float[Tensor, "4 4"],
        labeller: Labeller | None = None,
        refine: RefinementConfig | None = None,
    ) -> Int[Tensor, "X Y Z"]:
        """`SSC` class of each occupied cell of one scene, inside of solids that of their surface; all others are empty.

        With the completion's `compat` "scenedino", cells inside have the class of their own centre. Who says the
        classes, and how they are smoothed, are as for `relabel`.
        """
        return classify_cells(
            field,
            labeller or self.labeller,
            density >= self.threshold,
            frame,
            grid_to_cam,
            inside=self.config.completion.compat is not None,
            rounds=(refine or self.config.refine).smoothing,
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head, and clusters that are learned beside it; everything else is frozen."""
        head = {"params": list(self.head.parameters()), "scale": 1.0}
        return [head] if self.probe is None else [head, {"params": [self.probe.raw], "scale": self.probe.rate}]

    @torch.no_grad()
    def _sample(
        self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"], mask: Tensor
    ) -> tuple[Float[Tensor, "M P C"], Float[Tensor, "B P C"]]:
        """The field's features in the balls that are full, whatever their number, and at some pixels."""
        completion = self.config.completion
        field = self.completion.encode(image, K)
        return draw_features(field, mask, self.config.balls, completion.near, completion.far, completion.samples)

    def _likeness(self, features: Float[Tensor, "N C"]) -> Float[Tensor, "N K"]:
        """Cosine of what the head makes of the field's features with each centre."""
        return self._codes(features) @ nn.functional.normalize(self.centres, dim=-1).mT

    def _given(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """What the head and its loss are given of the field's features."""
        return self.whitening(self.completion.expand(features))

    def _codes(self, features: Float[Tensor, "N C"]) -> Float[Tensor, "N D"]:
        learning = self.head.training
        codes = self.head.eval()(self._given(features))
        self.head.train(learning)
        return codes

    @torch.no_grad()
    def _fit(self, draw: Callable[[], Float[Tensor, "N C"]], restarts: int) -> None:
        """Take clusters that have no names yet: those of the probe, or of features that are drawn for k-means."""
        if self.probe is None:
            features = draw()
            if len(features) < self.config.clusters:
                return
            some = torch.randperm(len(features), device=features.device)[: self.config.fit_points]
            codes = torch.cat([self._codes(part) for part in features[some].split(AT_ONCE)])
            self.centres.copy_(spherical_kmeans(codes, self.config.clusters, restarts=restarts))
        else:
            self.centres.copy_(self.probe.centres)
        self.cluster_to_class.fill_(IGNORE)
