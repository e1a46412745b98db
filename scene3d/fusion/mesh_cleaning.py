"""What of a mesh is not the object: parts that float, and what masks or cameras do not show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.errors import DataError
from scene3d.fusion.visibility import Silhouette, cameras_that_see
from scene3d.structures.solids import Mesh


class CleaningConfig(Config):
    """What is taken away.

    Attributes:
        parts: "largest" keeps the connected part with the most triangles, "large" those with at least `share` of its
            triangles, "all" every one.
        share: see `parts`.
        dilation: pixels by which masks grow before what lies outside of one of them is cut off; None cuts nothing.
        seen: what fewer cameras than this see is cut off; None cuts nothing.
    """

    parts: str = Field("largest", pattern="^(largest|large|all)$")
    share: float = Field(0.01, gt=0, le=1)
    dilation: float | None = Field(None, ge=0)
    seen: int | None = Field(None, ge=1)


def clean(mesh: Mesh, config: CleaningConfig, silhouettes: Iterable[Silhouette] = ()) -> Mesh:
    """The mesh without what the configuration takes away: by the masks, then by the cameras, then by connection.

    Raises:
        DataError: nothing is left.
    """
    views = list(silhouettes)
    if config.dilation is not None:
        mesh = within_hull(mesh, views, config.dilation)
    if config.seen is not None:
        mesh = with_vertices(mesh, cameras_that_see(mesh, views) >= config.seen, "hidden from the cameras")
    return largest_parts(mesh, {"largest": 1.0, "large": config.share, "all": 0.0}[config.parts])


def within_hull(mesh: Mesh, silhouettes: Iterable[Silhouette], dilation: float) -> Mesh:
    """The part of a mesh that no view shows outside of its mask, grown by so many pixels.

    What a view does not show at all it does not judge.

    Raises:
        DataError: nothing is left.
    """
    from scipy.ndimage import distance_transform_edt

    kept = torch.ones(len(mesh.vertices), dtype=torch.bool)
    for view in silhouettes:
        grown = torch.from_numpy(distance_transform_edt(~view.mask.cpu().numpy()) <= dilation)
        shown, pixel, _ = view.pixels(mesh.vertices)
        kept &= ~shown | grown.flatten()[pixel]
    return with_vertices(mesh, kept, "outside of the masks")


def largest_parts(mesh: Mesh, share: float) -> Mesh:
    """Connected parts with at least this share of the triangles of the largest; of 1, one of them.

    Raises:
        DataError: the mesh is empty.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces, count = mesh.faces.numpy(), len(mesh.vertices)
    if len(faces) == 0:
        raise _nothing("it has no triangle")
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    joined = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (count, count))
    part = connected_components(joined, directed=False)[1]
    sizes = np.bincount(part[faces[:, 0]], minlength=part.max() + 1)
    chosen = np.arange(len(sizes)) == sizes.argmax() if share >= 1 else sizes >= max(share * sizes.max(), 1)
    return with_vertices(mesh, torch.from_numpy(chosen[part]), "of small parts")


def with_vertices(mesh: Mesh, kept: Bool[Tensor, "N"], otherwise: str = "left out") -> Mesh:  # noqa: UP037
    """The mesh of these vertices and of the faces between them.

    Raises:
        DataError: no face is left; the message says that all was `otherwise`.
    """
    faces = mesh.faces[kept[mesh.faces].all(dim=1)]
    if len(faces) == 0:
        raise _nothing(f"all of it is {otherwise}")
    used = torch.zeros(len(mesh.vertices), dtype=torch.bool)
    used[faces.flatten()] = True
    number = used.long().cumsum(0) - 1
    colours = None if mesh.colours is None else mesh.colours[used]
    return Mesh(vertices=mesh.vertices[used], faces=number[faces], colours=colours)


def _nothing(why: str) -> DataError:
    return DataError(f"mesh: expected a surface, got none: {why}", hint="a larger dilation, or another region")
