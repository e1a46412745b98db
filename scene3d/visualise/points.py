"""What an image shows as coloured points, by its depth."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.structures.solids import PointCloud
from scene3d.visualise.pictures import image_picture

FARTHEST = 80.0
"""Points farther away than this are sky, not surface; metres."""


def point_cloud(
    depth: Float[Tensor, "H W"],
    K: Float[Tensor, "3 3"],
    image: Float[Tensor, "3 h w"],
    cam_to_grid: Float[Tensor, "4 4"],
    labels: Int[Tensor, "H W"] | None = None,
) -> PointCloud:
    """The points of a depth image, up to `FARTHEST`, with the colours of the image, and classes where they are given.

    Args:
        depth: along z, metres; 0 = not measured.
        K: in pixels of the depth image.
        image: RGB in [0, 1], of any size.
        cam_to_grid: places them in the axes that they are wanted in.
        labels: classes of the pixels.
    """
    points = transform(cam_to_grid, depth_to_points(depth, K).reshape(-1, 3))
    size = (depth.shape[0], depth.shape[1])
    small = torch.nn.functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    colours = image_picture(small).reshape(-1, 3)
    kept = ((depth > 0) & (depth < FARTHEST)).reshape(-1).cpu()
    classes = None if labels is None else labels.reshape(-1).cpu()[kept]
    return PointCloud(points=points.cpu()[kept], colours=colours[kept], labels=classes)


def with_points(prediction: CompletionPrediction, frames: Frames) -> CompletionPrediction:
    """The prediction with the points of each image, in the axes of the voxel grid."""
    labels = prediction.labels
    clouds = tuple(
        point_cloud(
            prediction.depth[i],
            prediction.K[i],
            frames.image[i, 0].cpu(),
            invert(prediction.grid_to_cam[i]),
            None if labels is None else labels[i],
        )
        for i in range(len(prediction.depth))
    )
    return replace(prediction, points=clouds)
