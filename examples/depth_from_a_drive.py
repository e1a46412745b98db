"""The point cloud and the way of a whole drive, in a few lines.

    python examples/depth_from_a_drive.py [WEIGHTS] [OUT] [ROOT] [DRIVE]

ROOT is a KITTI raw, KITTI odometry or KITTI-360 tree, or a folder of posed images; without it a short procedural street
is driven along. Any method that predicts depth will do.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import scene3d
from scene3d.data.snippets import Snippets
from scene3d.data.street.layout import StreetConfig
from scene3d.data.street.write import write_streets
from scene3d.data.trajectory_files import write_kitti_trajectory
from scene3d.data.trees import along, read_drive
from scene3d.engine.drive import walk
from scene3d.fusion.agreement import TrustConfig, trusted
from scene3d.fusion.cloud import CloudConfig, CloudFusion
from scene3d.structures.trajectory import Trajectory
from scene3d.visualise.drive_report import drive_picture, forward_points
from scene3d.visualise.files import write_points
from scene3d.visualise.pictures import write_picture


def main(weights: str = "street", out: str = "out/drive", root: str = "", drive: str | None = None) -> None:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if not root:
        root = str(folder / "street")
        options = {"size": (64, 208), "fisheye": None, "voxels_every": 0, "scans": False, "overwrite": True}
        write_streets(Path(root), [9001], config=StreetConfig(frames=4), workers=1, **options)

    predictor = scene3d.load(weights)
    scene = read_drive(root, drive)
    data = Snippets([scene], along(scene, predictor.snippet_config), training=False)

    # Frames pass by one after another: believed where the frame before says the same, and fused.
    fusion, places = CloudFusion(CloudConfig(cell=0.1)), {}
    for step in trusted(walk(predictor.predict_frames, data), TrustConfig(farthest=30.0)):
        fusion.add(step)
        places[step.number] = step.cam_to_world
        print(f"{step.name}: {(step.prediction.depth > 0).float().mean():.0%} of its pixels are believed")

    cloud, way = fusion.cloud(), torch.stack(list(places.values()))
    write_points(folder / "cloud.ply", forward_points(cloud))
    write_picture(folder / "cloud.png", drive_picture(cloud, way))
    frames = torch.tensor(list(places), dtype=torch.float64)
    write_kitti_trajectory(folder / "poses_kitti.txt", Trajectory(stamps=frames, body_to_world=way))
    print(f"{len(cloud.points)} points along {way[-1, :3, 3].norm():.1f} m in {folder / 'cloud.ply'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
