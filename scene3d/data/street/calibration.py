"""The street's rig as the calibration files of KITTI-360 and KITTI raw, digit for digit in their formats.

The files put pixel centres at integers, we put them at +0.5; images of another size than the real cameras'
get calibration that is scaled with them, so that a small tree is an ordinary tree.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from scene3d.data.street import rig

Array = np.ndarray

COLOUR_SHIFT = 0.06
"""Metres from the gray left camera of the KITTI raw rig, cam 0, to the colour one on its left."""

BODY_TO_IMU = np.diag([1.0, -1.0, -1.0, 1.0])
"""KITTI-360's body has y right and z down, KITTI's IMU has y left and z up; both have x forward."""


def kitti_360_files(size: tuple[int, int], fisheye: int) -> dict[str, str]:
    """Text of every file of KITTI-360's `calibration` folder, by name.

    Args:
        size: height and width of the rectified images.
        fisheye: side of the square fisheye images.
    """
    poses = [f"{name}: {_floats(matrix[:3], '%.10f')}" for name, matrix in rig.cam_to_pose.items()]
    lines = ["calib_time: 2013-05-28 00:00:00"]
    for index, projection, rectify in (
        ("00", rig.P_RECT_00, rig.R_RECT_00),
        ("01", rig.P_RECT_01, rig.R_RECT_01),
    ):
        lines += [
            f"S_rect_{index}: {_floats((size[1], size[0]), '%.6f')}",
            f"R_rect_{index}: {_floats(rectify[:3, :3], '%.10f')}",
            f"P_rect_{index}: {_floats(scaled_projection(projection, size), '%.6f')}",
        ]
    return {
        "calib_cam_to_pose.txt": _text(poses),
        "calib_cam_to_velo.txt": _text([_floats(rig.CAM0_TO_VELO[:3], "%.11f")]),
        "perspective.txt": _text(lines),
        **{f"{name}.yaml": _mei(name, fisheye) for name in rig.MEI},
    }


def kitti_raw_files(size: tuple[int, int]) -> dict[str, str]:
    """Text of the calibration files of a KITTI raw day, by name; cameras 02 and 03 are the street's pair."""
    scaled = scaled_projection(rig.P_RECT_00, size)
    focal = scaled[0, 0]
    to_left = COLOUR_SHIFT * focal
    # P[0, 3] is -f times the place of a camera along cam 0's x axis; 01 stands where 03 does, as gray.
    shifts = {
        "00": 0.0,
        "01": to_left - rig.BASELINE * focal,
        "02": to_left,
        "03": to_left - rig.BASELINE * focal,
    }
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02"]
    for index, shift in shifts.items():
        P = scaled.copy()
        P[0, 3] = shift
        # The pictures are made rectified: raw and rectified intrinsics are one, and there is no distortion.
        lines += [
            f"S_{index}: {_floats((size[1], size[0]))}",
            f"K_{index}: {_floats(scaled[:, :3])}",
            f"D_{index}: {_floats(np.zeros(5))}",
            f"R_{index}: {_floats(np.eye(3))}",
            f"T_{index}: {_floats((shift / focal, 0, 0))}",
            f"S_rect_{index}: {_floats((size[1], size[0]))}",
            f"R_rect_{index}: {_floats(rig.R_RECT_00[:3, :3])}",
            f"P_rect_{index}: {_floats(P)}",
        ]
    rect0_to_body = raw_cam0_to_body()
    velo_to_cam = np.linalg.inv(rect0_to_body @ rig.R_RECT_00) @ rig.velo_to_body
    imu_to_velo = np.linalg.inv(rig.velo_to_body) @ np.linalg.inv(BODY_TO_IMU)
    nothing = [f"delta_f: {_floats(np.zeros(2))}", f"delta_c: {_floats(np.zeros(2))}"]
    return {
        "calib_cam_to_cam.txt": _text(lines),
        "calib_velo_to_cam.txt": _text(["calib_time: 15-Mar-2012 11:37:16", *_rigid_lines(velo_to_cam), *nothing]),
        "calib_imu_to_velo.txt": _text(["calib_time: 25-May-2012 16:47:16", *_rigid_lines(imu_to_velo)]),
    }


def raw_cam0_to_body() -> Float[Array, "4 4"]:
    """Of the rectified gray left camera of the raw tree, 6 cm beside the colour one."""
    shift = np.eye(4)
    shift[0, 3] = COLOUR_SHIFT
    return rig.left_rect_to_body @ shift


def scaled_projection(projection: Float[Array, "3 4"], size: tuple[int, int]) -> Float[Array, "3 4"]:
    """A file's projection, pixel centres at integers, for images of another height and width."""
    full = rig.PERSPECTIVE_SIZE
    y, x = size[0] / full[0], size[1] / full[1]
    scaled = projection * np.array([x, y, 1.0])[:, None]
    scaled[0, 2] = (projection[0, 2] + 0.5) * x - 0.5
    scaled[1, 2] = (projection[1, 2] + 0.5) * y - 0.5
    return scaled


def pose_rows(frames: Iterable[int], matrices: Iterable[Float[Array, "R 4"]]) -> str:
    """Lines of a frame number and a matrix: `poses.txt` has 3 rows of it, `cam0_to_world.txt` 4."""
    return _text(f"{frame} {_floats(matrix, '%.10f')}" for frame, matrix in zip(frames, matrices, strict=True))


def _mei(name: str, side: int) -> str:
    values = rig.MEI[name]
    scale = side / rig.FISHEYE_SIZE[0]
    return _text(
        [
            "%YAML:1.0",
            "---",
            "model_type: MEI",
            f"camera_name: {name}",
            f"image_width: {side}",
            f"image_height: {side}",
            "mirror_parameters:",
            f"   xi: {values['xi']:.16e}",
            "distortion_parameters:",
            *(f"   {key}: {values[key]:.16e}" for key in ("k1", "k2", "p1", "p2")),
            "projection_parameters:",
            *(f"   {key}: {values[key] * scale:.16e}" for key in ("gamma1", "gamma2")),
            *(f"   {key}: {(values[key] + 0.5) * scale - 0.5:.16e}" for key in ("u0", "v0")),
        ]
    )


def _rigid_lines(matrix: Float[Array, "4 4"]) -> list[str]:
    return [f"R: {_floats(matrix[:3, :3])}", f"T: {_floats(matrix[:3, 3])}"]


def _floats(values: object, form: str = "%.6e") -> str:
    return " ".join(form % value for value in np.asarray(values, dtype=np.float64).ravel())


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
