"""The cameras and the laser of the KITTI-360 car: where they sit and what they see.

The body is KITTI-360's "pose" frame: x forward, y right, z down, about 0.93 m above the ground.
The forward cameras look about 5.6 degrees down in it, as the real ones do.
"""

from __future__ import annotations

import numpy as np
import torch

from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye

PERSPECTIVE_SIZE = (376, 1408)
FISHEYE_SIZE = (1400, 1400)
BASELINE = 328.318735 / 552.554261  # metres

P_RECT_00 = np.array([[552.554261, 0, 682.049453, 0], [0, 552.554261, 238.769549, 0], [0, 0, 1, 0]])
P_RECT_01 = np.array([[552.554261, 0, 682.049453, -328.318735], [0, 552.554261, 238.769549, 0], [0, 0, 1, 0]])
"""Projections of the rectified cameras as the files have them: pixel centres at integers."""


def _rigid(rows: str) -> np.ndarray:
    """The (4, 4) matrix of 12 printed numbers; its rotation made orthonormal beyond the printed digits."""
    matrix = np.eye(4)
    matrix[:3] = np.array(rows.split(), dtype=np.float64).reshape(3, 4)
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    matrix[:3, :3] = u @ vt
    return matrix


R_RECT_00 = _rigid("0.999974 -0.007141 -0.000089 0 0.007141 0.999969 -0.003247 0 0.000112 0.003247 0.999995 0")
R_RECT_01 = _rigid("0.999778 -0.012115 0.017222 0 0.012092 0.999926 0.001478 0 -0.017239 -0.001269 0.999850 0")
"""Rotations (4, 4) from the camera as built to its rectified axes."""

CAM0_TO_VELO = _rigid(
    "0.04307104361 -0.08829286498 0.995162929 0.8043914418"
    " -0.999004371 0.007784614041 0.04392796942 0.2993489574"
    " -0.01162548558 -0.9960641394 -0.08786966659 -0.1770225824"
)

_CAM0_TO_BODY = _rigid(
    "0.0371783278 -0.0986182135 0.9944306009 1.5752681039"
    " 0.9992675562 -0.0053553387 -0.0378902567 0.0043914093"
    " 0.0090621821 0.9951109327 0.0983468786 -0.65"
)

left_rect_to_body = _CAM0_TO_BODY @ R_RECT_00.T
right_rect_to_body = left_rect_to_body.copy()
right_rect_to_body[:3, 3] += BASELINE * left_rect_to_body[:3, 0]
"""The rectified pair shares its axes, and the right camera sits one baseline along x: exactly, by definition."""

fisheye_left_to_body = _rigid(
    "0.9995185086 0.0041276589 -0.0307524527 0.7264036936"
    " -0.0307926666 0.0100608424 -0.9994751579 -0.1499658517"
    " -0.0038160970 0.9999408692 0.0101830998 -1.0686400091"
)
fisheye_right_to_body = _rigid(
    "-0.9996821702 0.0005703407 -0.0252038325 0.7016842127"
    " -0.0252033830 0.0007820814 0.9996820384 0.7463650950"
    " 0.0005898709 0.9999995315 -0.0007674583 -1.0751978255"
)

velo_to_body = _CAM0_TO_BODY @ np.linalg.inv(CAM0_TO_VELO)

cam_to_pose = {
    "image_00": _CAM0_TO_BODY,
    "image_01": right_rect_to_body @ R_RECT_01,
    "image_02": fisheye_left_to_body,
    "image_03": fisheye_right_to_body,
}
"""What ``calib_cam_to_pose.txt`` holds: cameras as built, before rectification."""

MEI = {
    "image_02": {
        "xi": 2.2134047507854890,
        "k1": 0.016798235660113681,
        "k2": 1.6548773243373522,
        "p1": 0.00042223943394772046,
        "p2": 0.00042462134260997584,
        "gamma1": 1336.3220825849971,
        "gamma2": 1335.7883350012958,
        "u0": 716.94323650735726,
        "v0": 705.76498308221585,
    },
    "image_03": {
        "xi": 2.5535139132482758,
        "k1": 0.049370396274089505,
        "k2": 4.5068455478645308,
        "p1": 0.0013477698472982495,
        "p2": -0.00070340482615055284,
        "gamma1": 1485.4124838204830,
        "gamma2": 1484.9384400405460,
        "u0": 698.88316784118820,
        "v0": 698.14541935937930,
    },
}
"""Fisheye parameters as the files have them (approximate): pixel centres at integers."""


def perspective(size: tuple[int, int] = PERSPECTIVE_SIZE) -> tuple[Camera, Camera]:
    """The rectified left and right camera (K with pixel centres at +0.5) of images of ``size`` (height, width)."""
    K = P_RECT_00[:, :3].copy()
    K[:2, 2] += 0.5
    camera = Camera(torch.from_numpy(K).float(), *PERSPECTIVE_SIZE).resize(*size)
    return camera, camera


def fisheye(size: tuple[int, int] | int = FISHEYE_SIZE) -> tuple[Fisheye, Fisheye]:
    """The left and right fisheye camera (pixel centres at +0.5) of images of ``size`` (height, width)."""
    height, width = (size, size) if isinstance(size, int) else size
    x, y = width / FISHEYE_SIZE[1], height / FISHEYE_SIZE[0]

    def scaled(name: str) -> Fisheye:
        v = dict(MEI[name])
        v |= {"gamma1": v["gamma1"] * x, "gamma2": v["gamma2"] * y}
        v |= {"u0": (v["u0"] + 0.5) * x, "v0": (v["v0"] + 0.5) * y}
        return Fisheye(**v, height=height, width=width)

    return scaled("image_02"), scaled("image_03")
