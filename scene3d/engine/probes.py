"""Yardsticks of unsupervised classes: other ways to read classes from the same frozen features.

k-means on the features says what a head is worth that was learned on top of them, and a linear layer that is told the
labels says how much of the classes the features hold. Neither is ever part of a method's prediction.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.engine.finishing import CLUSTER_FRAMES, name_groups
from scene3d.engine.fitting import Progress, SomeFrames, spread, tell
from scene3d.engine.random_state import seed_all, undisturbed
from scene3d.errors import DataError, UsageError
from scene3d.evaluation.completion import shell
from scene3d.fusion.refinement import RefinementConfig
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame, field_of_view
from scene3d.nn.clusters import spherical_kmeans
from scene3d.nn.labeller import AT_ONCE, Labeller
from scene3d.nn.linear_probe import fit_linear_probe
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, IGNORE, SSC, SSC_TO_CITYSCAPES, SSCBENCH_TO_SSC, remap
from scene3d.structures.prediction import CompletionPrediction
from scene3d.volume import ImageField

KMEANS = "k-means on the frozen features"
LINEAR = "linear probe, told the labels of training data"

KMEANS_POINTS = 20000
"""Features that are clustered."""

PROBE_FRAMES, PROBE_PLACES = 100, 500
"""Labelled training frames that the linear layer learns from, and pixels and cells of each."""

PROBE_RANGE = 25.6
"""Metres ahead and across in which its cells lie: the middle one of the ranges that are scored."""


@runtime_checkable
class ReadsFeatures(Protocol):
    """A method that reads its classes from the frozen features of a field."""

    @property
    def labeller(self) -> Labeller:
        """Who reads them."""
        ...

    def expand(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """The frozen features of the teacher's size from those of the field."""
        ...

    def draw_features(self, batches: Iterable[Frames]) -> Float[Tensor, "N C"]:
        """What the field says at points of the scenes that clusters are found in."""
        ...

    def features_of_pixels(self, frames: Frames) -> Float[Tensor, "B H W C"]:
        """What it says in the reference view."""
        ...

    def features_at(self, frames: Frames, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N C"]:
        """What it says at points in the coordinates of the reference camera."""
        ...

    def encode(self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"]) -> ImageField:
        """The field of images."""
        ...

    def complete(self, field: ImageField, frames: Frames) -> CompletionPrediction:
        """The prediction of frames whose field is there."""
        ...

    def relabel(
        self,
        prediction: CompletionPrediction,
        field: ImageField,
        frames: Frames,
        labeller: Labeller | None = None,
        refine: RefinementConfig | None = None,
    ) -> CompletionPrediction:
        """A prediction of these frames with classes by another reader, or smoothed in another way."""
        ...


def fit_probes(
    method: object,
    train: SomeFrames,
    val: SomeFrames,
    device: torch.device | str,
    frame: VoxelFrame = SSCBENCH,
    progress: Progress | None = None,
) -> dict[str, Labeller]:
    """The yardsticks of a method, by the name of their row in a report.

    The clusters are as many as the method's, are found in as many features of the same frames, and are named on the
    same ones in the same way. The linear layer learns from labels of pixels, as published, and where there are voxels,
    from those of cells on true surfaces too, which it is scored on. What is drawn for them is the same each time.

    Args:
        method: one that reads classes from frozen features.
        train: frames to find clusters in, and to learn labels from.
        val: frames to name clusters on.
        device: of the method.
        frame: grid of the voxels.
        progress: called with what is being done, how far, and of how much.

    Raises:
        UsageError: the method is another one.
        DataError: there are no labels.

    Source: Hamilton et al., "Unsupervised semantic segmentation by distilling feature correspondences", ICLR 2022
    (the protocol); Jevtic et al., "Feed-forward SceneDINO", ICCV 2025 (in 3D).
    """
    if not isinstance(method, ReadsFeatures):
        raise UsageError(
            f"evaluate.probes: expected a method with classes from features, such as scene_semantics, got "
            f"{type(method).__name__}"
        )
    with undisturbed(), torch.no_grad():
        seed_all(0)
        return {
            KMEANS: _kmeans(method, train, val, device),
            LINEAR: _linear(method, train, frame, device, progress),
        }


def _kmeans(method: ReadsFeatures, train: SomeFrames, val: SomeFrames, device: torch.device | str) -> Labeller:
    """Clusters of the frozen features by themselves, with names."""
    own = method.labeller
    features = method.draw_features(train[index].to(device) for index in spread(len(train), CLUSTER_FRAMES))
    some = features[torch.randperm(len(features), device=features.device)[:KMEANS_POINTS]]
    expanded = torch.cat([method.expand(part) for part in some.split(AT_ONCE)])
    centres = spherical_kmeans(expanded, len(own.names))

    def likeness(features: Float[Tensor, "N C"]) -> Float[Tensor, "N K"]:
        return torch.nn.functional.normalize(method.expand(features), dim=-1) @ centres.mT

    nameless = Labeller(likeness, torch.full_like(own.names, IGNORE), own.sharpness)
    names = name_groups(lambda frames: nameless.groups(method.features_of_pixels(frames)), len(centres), val, device)
    if names is None:
        raise DataError("evaluate.probes: expected labelled validation frames to name clusters on, got none")
    return nameless.called(names)


def _linear(
    method: ReadsFeatures,
    train: SomeFrames,
    frame: VoxelFrame,
    device: torch.device | str,
    progress: Progress | None,
) -> Labeller:
    """A linear layer that was told the labels of training pixels and cells."""
    told = []
    chosen = spread(len(train), PROBE_FRAMES)
    for done, index in enumerate(chosen):
        frames = train[index].to(device)
        told += [_labelled_pixels(method, frames), _labelled_cells(method, frames, frame)]
        tell(progress, "looking at labelled training frames", done + 1, len(chosen))
    labels = torch.cat([labels for _, labels in told])
    if len(labels) == 0:
        raise DataError("evaluate.probes: expected labelled training frames for the linear probe, got none")
    features = torch.cat([features for features, labels in told if len(labels)])
    weight, bias = fit_linear_probe(features, labels, len(CITYSCAPES))
    names = torch.arange(len(CITYSCAPES), device=weight.device)
    return Labeller(partial(_scores, method, weight, bias), names)


def _labelled_pixels(method: ReadsFeatures, frames: Frames) -> tuple[Tensor, Tensor]:
    """Frozen features and classes of some pixels of view 0."""
    if frames.labels is None:
        return _nothing(frames)
    labels = frames.labels[0, 0].flatten()
    some = _some(labels != IGNORE)
    return method.expand(method.features_of_pixels(frames)[0].flatten(0, 1)[some]), labels[some]


def _labelled_cells(method: ReadsFeatures, frames: Frames, frame: VoxelFrame) -> tuple[Tensor, Tensor]:
    """The same of some cells on the surfaces of the true grid that view 0 has in its image."""
    if frames.voxels is None or frames.grid_to_cam is None:
        return _nothing(frames)
    truth, placed = frames.voxels[0], frames.grid_to_cam[0]
    height, width = frames.image.shape[-2:]
    near = torch.zeros_like(truth, dtype=torch.bool)
    near[frame.cropped(PROBE_RANGE)] = True
    some = _some((near & shell(truth) & field_of_view(frame, placed, frames.K[0, 0], height, width)).flatten())
    points = transform(placed, frame.centres(device=truth.device).reshape(-1, 3)[some].to(placed))
    of_protocol = truth.flatten()[some]
    ours = of_protocol if frames.voxel_space == SSC else remap(of_protocol, SSCBENCH_TO_SSC)
    return method.expand(method.features_at(frames, points[None])[0]), remap(ours, SSC_TO_CITYSCAPES)


def _some(wanted: Bool[Tensor, "N"]) -> Int[Tensor, "M"]:  # noqa: UP037
    """At most `PROBE_PLACES` of the places that are wanted."""
    places = wanted.nonzero()[:, 0]
    return places[torch.randperm(len(places), device=places.device)[:PROBE_PLACES]]


def _nothing(frames: Frames) -> tuple[Tensor, Tensor]:
    return frames.image.new_zeros(0, 0), torch.zeros(0, dtype=torch.int64, device=frames.image.device)


def _scores(
    method: ReadsFeatures,
    weight: Float[Tensor, "K E"],
    bias: Float[Tensor, "K"],  # noqa: UP037
    features: Float[Tensor, "N C"],
) -> Float[Tensor, "N K"]:
    return method.expand(features) @ weight.mT + bias
