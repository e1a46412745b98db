from __future__ import annotations

import numpy as np
import torch

from scene3d.data.street import rig
from scene3d.geometry.se3 import is_rigid


def test_every_transform_is_rigid() -> None:
    matrices = [rig.left_rect_to_body, rig.right_rect_to_body, rig.velo_to_body, *rig.cam_to_pose.values()]
    assert is_rigid(torch.from_numpy(np.stack(matrices)), tolerance=1e-9).all()


def test_the_right_camera_sits_one_baseline_along_x() -> None:
    left_to_right = np.linalg.inv(rig.right_rect_to_body) @ rig.left_rect_to_body
    # P_rect_01[0, 3] = -f * baseline: a point of the left camera moves by -0.594 m along x.
    assert np.allclose(left_to_right[:3, 3], [-0.5941837, 0, 0], atol=1e-6)
    assert np.allclose(left_to_right[:3, :3], np.eye(3))


def test_the_printed_calibration_leads_to_the_rectified_cameras() -> None:
    # The rule of the data set: rectified camera to pose = camera to pose @ inverse of R_rect.
    for name, rectify, expected in (
        ("image_00", rig.R_RECT_00, rig.left_rect_to_body),
        ("image_01", rig.R_RECT_01, rig.right_rect_to_body),
    ):
        assert np.allclose(rig.cam_to_pose[name] @ np.linalg.inv(rectify), expected)


def test_the_velodyne_stands_upright_above_the_cameras() -> None:
    up_in_body = rig.velo_to_body[:3, 2]
    assert up_in_body[2] < -0.99  # the body's z points down
    assert rig.velo_to_body[2, 3] < rig.left_rect_to_body[2, 3]
    assert rig.velo_to_body[0, 0] > 0.99  # both look ahead along x


def test_cameras_scale_with_their_images() -> None:
    full, half = rig.perspective()[0], rig.perspective((188, 704))[0]
    assert np.allclose(half.K[:2].numpy() * 2, full.K[:2].numpy())
    # The file says 682.049453 with pixel centres at integers; ours lie at +0.5.
    assert np.isclose(float(full.K[0, 2]), 682.549453)
    assert np.isclose(rig.fisheye(700)[0].gamma1 * 2, rig.fisheye()[0].gamma1)
