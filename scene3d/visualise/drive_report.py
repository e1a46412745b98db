"""The report of a drive: one HTML file with its points, its way and some of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.geometry.camera import CAM_TO_FORWARD, unproject
from scene3d.geometry.se3 import transform
from scene3d.structures.solids import Mesh, PointCloud
from scene3d.structures.tables import Table
from scene3d.visualise.painter import paint_points
from scene3d.visualise.report_html import Content, Legend, report_html


def forward_points(cloud: PointCloud, unit: float = 1.0) -> PointCloud:
    """A cloud in the axes of a first camera with x forward, y left, z up, as viewers stand; divided by a unit."""
    return replace(cloud, points=_forward(cloud.points) / unit)


def forward_mesh(mesh: Mesh) -> Mesh:
    """A mesh likewise."""
    return replace(mesh, vertices=_forward(mesh.vertices))


def drive_html(
    cloud: PointCloud,
    places: Float[Tensor, "P 4 4"],
    K: Float[Tensor, "3 3"],
    size: tuple[int, int],
    *,
    title: str,
    pictures: Sequence[tuple[str, UInt8[Tensor, "_ _ 3"]]],
    facts: Mapping[str, str],
    unit: float = 1.0,
    legend: Legend = (),
    tables: Sequence[Table] = (),
) -> str:
    """The text of the report.

    Args:
        cloud: in the world of the drive, which is its first camera.
        places: `cam_to_world` of the frames that have one, at least one.
        K: of the images, pixels.
        size: height and width of the images.
        title: heading.
        pictures: captions and pictures to show, in order.
        facts: names and values to list.
        unit: length that is drawn as a metre, where the scale is not known.
        legend: of classes, where pictures show some.
        tables: figures.
    """
    way = _forward(places[:, :3, 3]).float() / unit
    # What is drawn lies within 300 m of its origin; the middle of the way is the best one.
    middle = (way.amin(dim=0) + way.amax(dim=0)) / 2
    points = forward_points(cloud, unit)
    parts = [f"{len(places):,} frames", f"{len(cloud.points):,} points"]
    if unit != 1:
        parts.append("known up to scale: lengths are not metres")
    content = Content(
        title=title,
        subtitle=" · ".join(parts),
        pictures=pictures,
        poster=drive_picture(cloud, places, unit),
        points=replace(points, points=points.points - middle),
        camera=(_frustum(K, size) - middle).numpy(),
        way=(way - middle).numpy(),
        facts=facts,
        legend=legend,
        tables=tables,
    )
    return report_html(content)


def drive_picture(cloud: PointCloud, places: Float[Tensor, "P 4 4"], unit: float = 1.0) -> UInt8[Tensor, "H W 3"]:
    """The points of a drive from behind and above where they begin; arguments as for `drive_html`."""
    points, way = forward_points(cloud, unit), _forward(places[:, :3, 3]).double().numpy() / unit
    start = _where_points_begin(points.points.double(), torch.from_numpy(way))
    level = (way[min(len(way) - 1, start + 25)] - way[start]) * [1, 1, 0]
    length = float(np.linalg.norm(level))
    ahead = level / length if length > 0.5 else np.array([1.0, 0, 0])
    up = np.array([0.0, 0, 1])
    ex, ey, ez = (way[start] - 3 * ahead + 5.5 * up).tolist()
    tx, ty, tz = (way[start] + 16 * ahead - 1.5 * up).tolist()
    return paint_points(points, eye=(ex, ey, ez), target=(tx, ty, tz), size=0.12)


def _where_points_begin(points: Float[Tensor, "N 3"], way: Float[Tensor, "P 3"]) -> int:
    """Index of the first place with half as many points within 20 m as any place has, judged by a few of them."""
    few = points[:: max(1, len(points) // 2000)]
    near = (torch.cdist(way, few) < 20).sum(dim=1)
    return int((near >= near.max() / 2).nonzero()[0, 0])


def _forward(points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    return transform(torch.tensor(CAM_TO_FORWARD, dtype=points.dtype, device=points.device), points)


def _frustum(K: Float[Tensor, "3 3"], size: tuple[int, int], reach: float = 2.0) -> Float[Tensor, "5 3"]:
    """Centre and corners of the first camera's view at `reach` metres."""
    height, width = size
    corners = torch.tensor([[0.0, 0], [width, 0], [width, height], [0, height]])
    rays = unproject(corners, torch.full((4,), reach), K)
    return _forward(torch.cat([torch.zeros(1, 3), rays]))
