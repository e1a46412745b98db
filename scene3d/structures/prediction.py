"""What methods answer with."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import SSC, LabelSpace
from scene3d.structures.solids import PointCloud

SOLID = 0.5
"""Rays of at least this opacity meet a surface."""


@dataclass(frozen=True, kw_only=True)
class DepthPrediction:
    """Depth of B images.

    Attributes:
        depth: along z, metres where `is_metric`, else up to one scale an image.
        K: of the images, pixels.
        is_metric: whether the training gave the scale (stereo or true poses did, a pose network did not).
        confidence: in [0, 1], how far other frames had a say; 0 where a single image answered alone. None where the
            method has none.
        deviation: one standard deviation of the inverse depth, 1/m; None where the method has none.
        moving: pixels that do not move as the camera's motion would have it; None where nobody looked.
        cam_to_reference: places the cameras of the snippet's views in that of view 0, as given or as estimated;
            lengths are of the scale of `depth`. None where a single image was asked.
        single: depth by view 0 alone, of a method that has such an opinion besides.
    """

    depth: Float[Tensor, "B H W"]
    K: Float[Tensor, "B 3 3"]
    is_metric: bool
    confidence: Float[Tensor, "B H W"] | None = None
    deviation: Float[Tensor, "B H W"] | None = None
    moving: Bool[Tensor, "B H W"] | None = None
    cam_to_reference: Float[Tensor, "B V 4 4"] | None = None
    single: Float[Tensor, "B H W"] | None = None


@dataclass(frozen=True, kw_only=True)
class CompletionPrediction:
    """B scenes completed from one image each.

    Attributes:
        depth: along z in the reference view, metres.
        K: of the reference view, pixels.
        density: 1/m at the centres of the cells of `frame`.
        threshold: density from which a cell counts as occupied; chosen on training data, never on the test's.
        frame: the grid, in velodyne axes.
        grid_to_cam: places the grid in the reference camera.
        features: of the reference view, rendered; None where the method has none.
        classes: class of each cell (0 = empty) by the names of `space`; None without semantics.
        labels: class of each pixel (`scene3d.structures.labels.CITYSCAPES`); None without semantics.
        votes: how many frames of a drive say each class of each cell, 0 = empty; None where one frame answers.
        is_metric: as in `DepthPrediction`.
        calibration: how probably a cell of each density is occupied (see `scene3d.volume.opinion`); None where nobody
            has found out.
        points: what each image shows, in the axes of the grid (x forward, y left, z up), with its colours and `labels`;
            None where nobody asked, as in training and evaluation.
        space: what the classes of cells are called: class i is `space.classes[i]`.
    """

    depth: Float[Tensor, "B H W"]
    K: Float[Tensor, "B 3 3"]
    density: Float[Tensor, "B X Y Z"]
    threshold: float
    frame: VoxelFrame
    grid_to_cam: Float[Tensor, "B 4 4"]
    features: Float[Tensor, "B C H W"] | None = None
    classes: Int[Tensor, "B X Y Z"] | None = None
    labels: Int[Tensor, "B H W"] | None = None
    votes: Int[Tensor, "B classes X Y Z"] | None = None
    is_metric: bool = True
    calibration: OccupancyCalibration | None = None
    points: tuple[PointCloud, ...] | None = None
    space: LabelSpace = SSC


@dataclass(frozen=True, kw_only=True)
class SurfacePrediction:
    """B views of a reconstructed surface.

    Attributes:
        colour: RGB in [0, 1].
        depth: along z, of the unit of the world; 0 where the ray meets no surface.
        normals: of the surface, outward unit vectors in the world; 0 where the ray meets none.
        opacity: how much of the ray the surface stops, in [0, 1].
        K: of the views, pixels.
        behind: gray in [0, 1] that the object stands before, where it is shown alone; None where what the images show
            behind it is shown, too.
        is_metric: as in `DepthPrediction`; a surface has the scale of the transforms.
    """

    colour: Float[Tensor, "B 3 H W"]
    depth: Float[Tensor, "B H W"]
    normals: Float[Tensor, "B 3 H W"]
    opacity: Float[Tensor, "B H W"]
    K: Float[Tensor, "B 3 3"]
    behind: float | None
    is_metric: bool = True

    @property
    def silhouette(self) -> Bool[Tensor, "B H W"]:
        """Pixels that meet the surface: those that it stops at least half of."""
        return self.opacity >= SOLID


Prediction = DepthPrediction | CompletionPrediction | SurfacePrediction
