from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import torch

from scene3d.structures.solids import Mesh, PointCloud
from scene3d.visualise.drive_report import drive_html, drive_picture, forward_mesh, forward_points

K = torch.tensor([[16.0, 0, 16], [0, 16, 12], [0, 0, 1]])
CLOUD = PointCloud(points=torch.tensor([[1.0, 2.0, 10.0]]), colours=torch.tensor([[200, 0, 0]], dtype=torch.uint8))
PIXELS = torch.zeros(4, 6, 3, dtype=torch.uint8)


def straight(metres: float, frames: int = 5) -> torch.Tensor:
    places = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    places[:, 2, 3] = torch.linspace(0, metres, frames).double()
    return places


def test_right_down_and_ahead_become_ahead_left_and_up():
    assert forward_points(CLOUD).points.tolist() == [[10.0, -1.0, -2.0]]
    assert forward_points(CLOUD, unit=2.0).points.tolist() == [[5.0, -0.5, -1.0]]
    mesh = Mesh(vertices=CLOUD.points.expand(3, 3), faces=torch.tensor([[0, 1, 2]]))
    assert forward_mesh(mesh).vertices[0].tolist() == [10.0, -1.0, -2.0]


@pytest.mark.parametrize("unit", [1.0, 0.5])
def test_the_report_holds_the_points_and_the_way_around_the_middle_of_the_way(unit: float):
    shown = [("frame <0>", PIXELS)]
    page = drive_html(CLOUD, straight(8.0), K, (24, 32), title="A & B", pictures=shown, facts={"w": "x"}, unit=unit)
    scene = json.loads(re.search(r'id="scene">(.*?)</script>', page, re.S)[1])
    assert scene["way"][0] == [-4.0 / unit, 0, 0] and scene["way"][-1] == [4.0 / unit, 0, 0]
    points = np.frombuffer(base64.b64decode(scene["points"]), "<i2")
    assert points.tolist() == [round(100 * value) for value in (10 / unit - 4 / unit, -1 / unit, -2 / unit)]
    # The first camera's corners at 2 m: as far to the left and up as the image is wide and high.
    assert scene["camera"][0] == [-4 / unit, 0, 0] and scene["camera"][1] == [2 - 4 / unit, 2, 1.5]
    assert "A &amp; B" in page and "frame &lt;0&gt;" in page and "Points of the drive" in page
    assert ("known up to scale" in page) == (unit != 1)


def test_a_long_way_is_thinned_and_seen_from_far():
    page = drive_html(CLOUD, straight(250.0, 5000), K, (24, 32), title="long", pictures=[], facts={})
    scene = json.loads(re.search(r'id="scene">(.*?)</script>', page, re.S)[1])
    assert len(scene["way"]) == 1000 and scene["home"]["distance"] == pytest.approx(24 + 0.7 * 250)


def test_the_picture_looks_along_the_way():
    red = (drive_picture(CLOUD, straight(8.0)) == torch.tensor([200, 0, 0], dtype=torch.uint8)).all(dim=-1)
    row, column = red.nonzero().double().mean(dim=0)
    # A metre to the right of the middle of 960 pixels.
    assert red.any() and column > 500 and 0 < row < 600
    turned = straight(8.0)
    turned[:, 0, 3], turned[:, 2, 3] = turned[:, 2, 3].clone(), 0.0  # to the right
    other = (drive_picture(CLOUD, turned) == torch.tensor([200, 0, 0], dtype=torch.uint8)).all(dim=-1)
    assert not torch.equal(red, other)
    assert drive_picture(CLOUD, straight(0.0, 1)).shape == (600, 960, 3)


def test_a_lone_first_place_far_from_all_points_is_not_looked_from():
    lone = torch.cat([straight(0.0, 1), straight(8.0)])
    lone[0, 0, 3] = 200.0
    assert torch.equal(drive_picture(CLOUD, lone), drive_picture(CLOUD, straight(8.0)))
    empty = PointCloud(points=torch.zeros(0, 3), colours=torch.zeros(0, 3, dtype=torch.uint8))
    assert drive_picture(empty, lone).shape == (600, 960, 3)
