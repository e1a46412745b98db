from __future__ import annotations

import numpy as np
import torch

from scene3d.data.kitti_files import oxts_to_world, read_oxts, read_timestamps
from scene3d.data.street.oxts import FIELDS, oxts_lines, time_stamps

# x forward, y right, z down in a world with z up: forward is the world's x.
LEVEL = np.diag([1.0, -1.0, -1.0, 1.0])


def drive(places: list[tuple[float, float, float]]) -> np.ndarray:
    bodies = np.stack([LEVEL] * len(places))
    bodies[:, :3, 3] = places
    return bodies


def read_back(tmp_path, bodies: np.ndarray) -> dict[int, torch.Tensor]:
    records = {}
    for frame, line in enumerate(oxts_lines(bodies)):
        (tmp_path / f"{frame}.txt").write_text(line)
        records[frame] = read_oxts(tmp_path / f"{frame}.txt")
    return oxts_to_world(records)


def test_a_record_has_25_numbers_and_5_integers():
    words = oxts_lines(drive([(0, 0, 0)]))[0].split()
    assert len(words) == len(FIELDS) == 30 and words[25:] == ["4", "11", "6", "6", "6"]
    assert words[0] == "49.015003823272" and words[1].startswith("8.4342971")


def test_a_level_car_that_drives_east_has_no_angles_and_its_speed():
    values = [float(word) for word in oxts_lines(drive([(0, 0, 0), (1, 0, 0), (2, 0, 0)]))[1].split()]
    assert np.allclose(values[3:6], 0)
    # One metre a frame at ten frames a second, all of it east and forward.
    assert np.allclose(values[6:11], [0, 10, 10, 0, 0])


def test_the_published_formula_leads_back_to_the_poses(tmp_path):
    random = np.random.default_rng(0)
    bodies = []
    for place in random.uniform(-500, 500, (6, 3)):
        # A rotation near enough to upright that pitch stays within a quarter turn.
        q, _ = np.linalg.qr(np.eye(3) + 0.5 * random.standard_normal((3, 3)))
        body = np.eye(4)
        body[:3, :3] = q * np.sign(np.linalg.det(q))
        body[:3, 3] = place
        bodies.append(body)
    bodies = np.stack(bodies)
    for frame, imu_to_world in read_back(tmp_path, bodies).items():
        expected = bodies[frame] @ LEVEL
        expected[:3, 3] -= bodies[0][:3, 3]
        np.testing.assert_allclose(imu_to_world.numpy(), expected, atol=2e-6)


def test_time_stamps_are_a_tenth_of_a_second_apart(tmp_path):
    (tmp_path / "timestamps.txt").write_text(time_stamps(12))
    times = read_timestamps(tmp_path / "timestamps.txt")
    assert list(times) == list(range(12))
    assert all(times[i + 1] - times[i] == 100_000_000 for i in range(11))
    assert (tmp_path / "timestamps.txt").read_text().splitlines()[0] == "2011-09-26 13:02:25.000000000"
