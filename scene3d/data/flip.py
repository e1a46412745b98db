"""Mirror a whole snippet so that it stays the view of a (mirrored) world."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import flip_transform
from scene3d.structures.frames import Frames


def flip(frames: Frames) -> Frames:
    """Every image, camera, transform, grid and point mirrored left to right.

    The mirrored cameras stand in a world mirrored in their x, so warping between mirrored views works as it
    did before. The voxel grid is mirrored in its own y, about the middle of the grid, and stays right-handed.
    """
    return replace(
        frames,
        image=frames.image.flip(-1),
        K=_flip_K(frames.K, frames.image.shape[-1]),
        valid=None if frames.valid is None else frames.valid.flip(-1),
        cam_to_world=None if frames.cam_to_world is None else flip_transform(frames.cam_to_world),
        unit_to_world=None if frames.unit_to_world is None else flip_transform(frames.unit_to_world),
        bounds=None if frames.bounds is None else _flip_bounds(frames.bounds),
        room_axes=None
        if frames.room_axes is None
        else frames.room_axes * frames.room_axes.new_tensor([-1.0, 1.0, 1.0]),
        mask=None if frames.mask is None else frames.mask.flip(-1),
        depth=None if frames.depth is None else frames.depth.flip(-1),
        truth=None if frames.truth is None else frames.truth.flip(-1),
        hint=None if frames.hint is None else frames.hint.flip(-1),
        cue_depth=None if frames.cue_depth is None else frames.cue_depth.flip(-1),
        cue_normals=None if frames.cue_normals is None else _flip_normals(frames.cue_normals),
        labels=None if frames.labels is None else frames.labels.flip(-1),
        voxels=None if frames.voxels is None else frames.voxels.flip(2),
        grid_to_cam=None if frames.grid_to_cam is None else _flip_grid(frames.grid_to_cam),
        points=None if frames.points is None else frames.points * frames.points.new_tensor([-1.0, 1.0, 1.0]),
    )


def _flip_K(K: Float[Tensor, "*batch 3 3"], width: int) -> Float[Tensor, "*batch 3 3"]:
    mirrored = K.clone()
    mirrored[..., 0, 2] = width - K[..., 0, 2]
    mirrored[..., 0, 1] = -K[..., 0, 1]
    return mirrored


def _flip_bounds(bounds: Float[Tensor, "*batch 2 3"]) -> Float[Tensor, "*batch 2 3"]:
    """The lower end along x becomes the upper one."""
    mirrored = bounds.clone()
    mirrored[..., 0] = -bounds[..., 0].flip(-1)
    return mirrored


def _flip_normals(normals: Float[Tensor, "*batch 3 H W"]) -> Float[Tensor, "*batch 3 H W"]:
    return normals.flip(-1) * normals.new_tensor([-1.0, 1.0, 1.0])[:, None, None]


def _flip_grid(grid_to_cam: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The grid is mirrored in y (left), the camera in x (right): S_x T S_y."""
    camera = grid_to_cam.new_tensor([-1.0, 1.0, 1.0, 1.0])
    grid = grid_to_cam.new_tensor([1.0, -1.0, 1.0, 1.0])
    return grid_to_cam * camera[:, None] * grid[None, :]
