"""Ground-truth depth of a shot at the size of its image: from its file, or from the scan of its frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import read_depth, write_depth
from scene3d.data.kitti_files import read_scan
from scene3d.data.shot_files import check_size, shot_depth
from scene3d.data.snippet_config import TruthKind, hint_file
from scene3d.errors import wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.depth import points_to_depth
from scene3d.geometry.se3 import transform
from scene3d.structures.scene import Scan, Shot


def truth_file(folder: Path, kind: TruthKind, scene: str, shot: Shot) -> Path:
    """Where the prepared truth of a shot lies: a 16-bit PNG of metres x 256, under a folder named after its kind."""
    return hint_file(folder / kind.replace(" ", "_"), scene, shot.sensor, shot.frame)


def has_truth(shot: Shot, scans: Mapping[int, Scan], kind: TruthKind) -> bool:
    """Whether the files of a drive say the depth of a shot."""
    if not isinstance(shot.camera, Camera):
        return False
    if kind == "file":
        return shot.depth is not None
    scan = scans.get(shot.frame)
    return scan is not None and scan.scan_to_world is not None and shot.cam_to_world is not None


def measure_truth(shot: Shot, scans: Mapping[int, Scan], kind: TruthKind) -> Float[Tensor, "H W"]:
    """Depth along z in metres of every pixel of a shot's image; 0 where nothing was measured.

    Args:
        shot: of a pinhole camera, for which `has_truth`.
        scans: of its drive, by frame.
        kind: "file" reads the shot's depth image; "scan" projects the scan of its frame, the nearest point of a
            pixel counting; for "scan as published" see `published_scan_depth`.

    Raises:
        DataError: a file is not what it should be, or is not there.
    """
    camera, scan = shot.camera, scans.get(shot.frame)
    if not isinstance(camera, Camera) or not has_truth(shot, scans, kind):
        raise wrong_file(shot.image, expected=f"true depth from its {kind.split()[0]}", got="none")
    if kind == "file":
        return shot_depth(shot)
    points = read_scan(scan.path)  # type: ignore[union-attr]
    # Inverted as it stands, so that the world between the two cancels; printed rotations transpose to 1e-6 only.
    scan_to_cam = torch.linalg.inv(shot.cam_to_world.double()) @ scan.scan_to_world.double()  # type: ignore[union-attr]
    if kind == "scan as published":
        return published_scan_depth(points[:, :3], scan_to_cam, camera)
    points_cam = transform(scan_to_cam, points[:, :3].double())
    return points_to_depth(points_cam, camera.K.double(), camera.height, camera.width).float()


def published_scan_depth(
    points: Float[Tensor, "N 3"], scan_to_cam: Float[Tensor, "4 4"], camera: Camera
) -> Float[Tensor, "H W"]:
    """The truth that published networks were scored against on the Eigen split, with its three oddities.

    1. The depth of a point is its x in the velodyne's axes, which start 0.27 m behind the camera and are tilted
       against it; not z of the camera.
    2. A point goes to pixel round(u) - 1, a leftover of counting from 1, and so one up and to the left.
    3. Of several points in a pixel the nearest counts. They are looked for under the number v (W - 1) + u - 1, which
       the last pixel of a row shares with the first one of the next: together they count as one pixel, whose place
       is that of the point which comes first in the scan; in the other one the last point stays.

    Args:
        points: of a scan, in its order; x forward.
        scan_to_cam: in float64.
        camera: of the image, pixel centres at + 0.5.

    Source: Eigen et al., NeurIPS 2014, for the split; Godard et al., CVPR 2017, and Zhou et al., CVPR 2017, whose
    evaluation code made this truth.
    """
    ahead = points[points[:, 0] >= 0]
    # Not `geometry.camera.project`, which keeps points behind the camera from falling into the image: here they may.
    projected = transform(scan_to_cam.double(), ahead.double()) @ camera.K.double().mT
    column, row = (projected[:, :2] / projected[:, 2:] - 0.5).round().sub(1).unbind(dim=-1)
    seen = ((column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)).numpy()
    u, v, x = column.numpy()[seen].astype(int), row.numpy()[seen].astype(int), ahead[:, 0].numpy()[seen]
    depth = np.zeros((camera.height, camera.width), np.float32)
    depth[v, u] = x  # of equal indices numpy keeps the last
    _, first, group, count = np.unique(
        v * (camera.width - 1) + u - 1, return_index=True, return_inverse=True, return_counts=True
    )
    nearest = np.full(len(count), np.inf, np.float32)
    np.minimum.at(nearest, group, x)
    several = count > 1
    depth[v[first[several]], u[first[several]]] = nearest[several]
    return torch.from_numpy(depth)


def read_truth(folder: Path, kind: TruthKind, scene: str, shot: Shot) -> Float[Tensor, "H W"]:
    """The prepared truth of a shot.

    Raises:
        DataError: it is not there, is damaged, or is of another size than the shot's image.
    """
    path = truth_file(folder, kind, scene, shot)
    depth = read_depth(path)
    check_size(path, depth, shot.camera)
    return depth


def write_truth(folder: Path, kind: TruthKind, scene: str, shot: Shot, scans: Mapping[int, Scan]) -> bool:
    """Prepare the truth of a shot, to half a step of 1/256 m; False where it is there already.

    Raises:
        DataError: a file of the drive is not what it should be, or the folder cannot be written to.
    """
    path = truth_file(folder, kind, scene, shot)
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_depth(path, measure_truth(shot, scans, kind))
    return True
