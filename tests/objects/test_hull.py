from __future__ import annotations

import torch

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.se3 import rigid
from scene3d.objects.hull import agreed_hull, hull_silhouette
from scene3d.objects.projection import view_of
from tests.objects.table import CENTRE, RADIUS, Table

BOX = OrientedBox(
    box_to_world=rigid(torch.eye(3, dtype=torch.float64), CENTRE), half=torch.full((3,), 1.5, dtype=torch.float64)
)


def test_the_hull_of_true_silhouettes_holds_the_ball_and_little_more(table: Table):
    cameras = [view_of(shot) for shot in table.scene.shots]
    voxels, edge = agreed_hull(table.scene.shots, cameras, table.masks, BOX, 1.0)
    off = (voxels - CENTRE).norm(dim=1)
    inner = 4 / 3 * torch.pi * (RADIUS - 2 * edge) ** 3 / edge**3
    assert (off < RADIUS - 2 * edge).sum() > 0.98 * inner
    # From a ring of cameras above it a ball looks like one with points at top and bottom.
    assert off.amax() < 1.6 and (off > 1.15).double().mean() < 0.1


def test_one_wrong_view_is_outvoted(table: Table):
    cameras = [view_of(shot) for shot in table.scene.shots]
    wrong = [torch.zeros_like(table.masks[0]), *table.masks[1:]]
    assert len(agreed_hull(table.scene.shots, cameras, wrong, BOX, 1.0)[0]) == 0
    voxels, _ = agreed_hull(table.scene.shots, cameras, wrong, BOX, 0.9)
    assert ((voxels - CENTRE).norm(dim=1) < 0.9).sum() > 10_000


def test_the_hull_covers_the_silhouette_that_it_was_made_of(table: Table):
    cameras = [view_of(shot) for shot in table.scene.shots]
    voxels, edge = agreed_hull(table.scene.shots, cameras, table.masks, BOX, 1.0)
    for shot, camera, mask in zip(table.scene.shots[:3], cameras[:3], table.masks[:3], strict=True):
        made = hull_silhouette(shot, camera, voxels, edge)
        assert (made & mask).sum() / (made | mask).sum() > 0.93
    nothing = hull_silhouette(table.scene.shots[0], cameras[0], voxels[:0], edge)
    assert not nothing.any()
