"""One view of a street with everything that is true of it, as `Frames`: for demonstrations and figures."""

from __future__ import annotations

import numpy as np
import torch

from scene3d.data.sscbench import classes_of
from scene3d.data.street import rig
from scene3d.data.street.occupancy import occupancy
from scene3d.data.street.render import render
from scene3d.data.street.street import Street
from scene3d.geometry.camera import Camera
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.frames import Frames
from scene3d.structures.labels import IGNORE, KITTI_360_IDS, SSCBENCH_TO_SSC, remap


def true_view(street: Street, frame: int, camera: Camera) -> Frames:
    """What the left camera sees at a frame, with exact depth, classes of pixels and classes of voxels.

    Args:
        street: from `make_street`.
        frame: of the drive.
        camera: K and size to render at; it sits where KITTI-360's left camera does.

    Returns:
        B = 1, V = 1, in the coordinates of the camera.
    """
    body_to_world = street.body_to_world(frame)
    cam_to_world = body_to_world @ rig.left_rect_to_body
    grid_to_world = body_to_world @ rig.velo_to_body
    view = render(street, frame, camera, cam_to_world, noise_seed=frame)
    cells = occupancy(street, frame, SSCBENCH, grid_to_world)
    raw = torch.from_numpy(cells.labels.astype(np.int64))
    voxels = classes_of(raw, torch.zeros_like(raw, dtype=torch.bool))
    ids = torch.full((256,), IGNORE)
    ids[list(KITTI_360_IDS)] = torch.tensor(list(KITTI_360_IDS.values()))
    return Frames(
        image=torch.from_numpy(view.image).permute(2, 0, 1)[None, None].float() / 255,
        K=camera.K[None, None],
        present=torch.ones(1, 1, dtype=torch.bool),
        names=(f"street {street.seed} frame {frame} left",),
        cam_to_world=torch.eye(4)[None, None],
        depth=torch.from_numpy(view.depth)[None, None],
        labels=ids[torch.from_numpy(view.labels).long()][None, None],
        voxels=remap(voxels.long(), SSCBENCH_TO_SSC)[None],
        grid_to_cam=torch.from_numpy(np.linalg.inv(cam_to_world) @ grid_to_world).float()[None],
    )
