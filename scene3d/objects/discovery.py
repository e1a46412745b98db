"""Posed photographs -> the object in their midst: points, box and plane, without any mask.

The coarse stage of Wang et al., "AutoRecon: Automated 3D object discovery and reconstruction", CVPR 2023. The labels
that train the paper's transformer come from a normalised cut; here the cut is the segmentation itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.config import Config
from scene3d.data.triangulation import TriangulationConfig, triangulate
from scene3d.errors import DataError
from scene3d.nn.efficientnet import EfficientNetLite0Config
from scene3d.nn.features import CachedFeatures, FeatureExtractor, FeatureExtractorConfig
from scene3d.objects.foreground import choose_foreground
from scene3d.objects.lifting import lift_features
from scene3d.objects.normalised_cut import CutConfig, cut_points
from scene3d.objects.projection import shares_in_view
from scene3d.objects.region import object_box, supporting_plane
from scene3d.objects.trusted import TrustConfig, largest_cluster, sociable, trusted_points
from scene3d.structures.object_region import ObjectRegion
from scene3d.structures.scene import Scene

log = logging.getLogger(__name__)

FEWEST = 50
"""Points to be believed that a scene needs, and an object a fifth of them."""

FLATNESS = 0.02
"""A point lies on a plane within this share of the median distance of all points to their middle."""


class DiscoveryConfig(Config):
    """How an object is found.

    Attributes:
        features: whose likeness binds points together. The paper takes DINO's; the default installs offline, was taught
            with the labels of ImageNet, and is not DINO.
        triangulation: how points are found where the scene has none.
        trust: which of them are believed.
        cut: how they fall apart.
        seed: of all that is drawn.
    """

    features: FeatureExtractorConfig = EfficientNetLite0Config()
    triangulation: TriangulationConfig = TriangulationConfig()
    trust: TrustConfig = TrustConfig()
    cut: CutConfig = CutConfig()
    seed: int = 0


def find_object(
    scene: Scene,
    config: DiscoveryConfig = DiscoveryConfig(),  # noqa: B008 (a frozen value)
    *,
    extractor: FeatureExtractor | CachedFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ObjectRegion:
    """The object that the cameras of a scene look at. Masks of the scene are not read.

    Args:
        scene: every shot with its transform; its sparse points are taken where it has some.
        config: how.
        extractor: instead of the config's, such as one that remembers.
        progress: told (shots whose features are taken, shots).

    Raises:
        DataError: a shot has no transform, an image is damaged, too few points are found, or too few of them are an
            object.
        MissingExtraError: the scene has no points and pycolmap is not installed, or the extractor is not.
    """
    generator = torch.Generator().manual_seed(config.seed)
    sparse = scene.sparse if scene.sparse is not None else triangulate(scene, config.triangulation)
    kept = trusted_points(sparse, config.trust)
    if kept.sum() < FEWEST:
        expected = f"{FEWEST} points that {config.trust.views} shots see and that are not alone"
        hint = "take more photographs, sharper ones, or closer together"
        raise DataError(f"{scene.name}: expected {expected}, got {int(kept.sum())} of {len(kept)}", hint=hint)
    build = config.features.build() if extractor is None else extractor
    features = lift_features(scene, sparse, build, progress=progress)[kept]
    points = sparse.points[kept].double()
    tolerance = FLATNESS * float((points - points.median(dim=0).values).norm(dim=1).median())
    cut = cut_points(points, features, config.cut, generator)
    in_view = shares_in_view(scene, points)
    foreground = _whole(points, choose_foreground(points, cut.side, in_view, tolerance, generator))
    log.info("%s: cut of value %.3f, %d of %d points", scene.name, cut.value, int(foreground.sum()), len(points))
    if foreground.sum() < FEWEST // 5:
        got = f"{int(foreground.sum())} of {len(points)}"
        raise DataError(f"{scene.name}: expected an object of {FEWEST // 5} points or more, got {got}")
    plane = supporting_plane(points[foreground], points[~foreground], tolerance, generator)
    try:
        box = object_box(points[foreground], plane)
    except ValueError:
        raise DataError(f"{scene.name}: expected an object with a volume, got points on a line") from None
    colours = sparse.colours[kept]
    return ObjectRegion(points=points, colours=colours, foreground=foreground, box=box, plane=plane)


def _whole(points: Float[Tensor, "N 3"], foreground: Bool[Tensor, "N"]) -> Bool[Tensor, "N"]:  # noqa: UP037
    """The object without crumbs: the largest cluster of its points, then without lonely ones.

    Numbers of neighbours and deviations are AutoRecon's.
    """
    number = foreground.nonzero()[:, 0]
    number = number[largest_cluster(points[number], 20, 2.0)]
    number = number[sociable(points[number], 10, 2.0)]
    whole = torch.zeros_like(foreground)
    whole[number] = True
    return whole
