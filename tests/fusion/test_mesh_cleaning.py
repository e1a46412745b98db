from __future__ import annotations

import pytest
import torch

from scene3d.errors import DataError
from scene3d.fusion.mesh_cleaning import CleaningConfig, clean, largest_parts, with_vertices, within_hull
from scene3d.fusion.visibility import Silhouette
from scene3d.structures.solids import Mesh


def strip(triangles: int, x: float) -> Mesh:
    """A row of triangles in the plane z = 5, from x on, 1 wide each."""
    index = torch.arange(triangles + 2)
    vertices = torch.stack([x + index.float() / 2, (index % 2).float(), torch.full((len(index),), 5.0)], dim=1)
    faces = torch.stack([index[:-2], index[1:-1], index[2:]], dim=1)
    return Mesh(vertices=vertices, faces=faces, colours=index[:, None].expand(-1, 3).to(torch.uint8))


def joined(*meshes: Mesh) -> Mesh:
    starts = torch.tensor([0, *(len(mesh.vertices) for mesh in meshes)]).cumsum(0)
    return Mesh(
        vertices=torch.cat([mesh.vertices for mesh in meshes]),
        faces=torch.cat([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
        colours=torch.cat([mesh.colours for mesh in meshes]),
    )


THREE = (10, 3, 1)


def three() -> Mesh:
    return joined(*(strip(count, 20.0 * i) for i, count in enumerate(THREE)))


@pytest.mark.parametrize(("share", "left"), [(1.0, 10), (0.3, 13), (0.05, 14), (0.0, 14)])
def test_parts_are_kept_by_their_size(share: float, left: int):
    kept = largest_parts(three(), share)
    assert len(kept.faces) == left
    assert int(kept.faces.max()) == len(kept.vertices) - 1


def test_vertices_keep_their_colours():
    mesh = three()
    kept = with_vertices(mesh, mesh.vertices[:, 0] >= 20)
    assert len(kept.faces) == 4
    assert kept.colours[:, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


def camera(mask: torch.Tensor) -> Silhouette:
    """At the origin along z: a pixel is a metre wide at z = 5, and x = 0 is column 8."""
    K = torch.tensor([[5.0, 0, 8], [0, 5, 4], [0, 0, 1]])
    return Silhouette(mask, K, torch.eye(4))


def test_what_a_view_shows_outside_of_its_mask_is_cut_off():
    mask = torch.zeros(8, 16, dtype=torch.bool)
    mask[:, :10] = True  # x below 2
    cut = within_hull(strip(10, 0.0), [camera(mask)], 0.0)
    assert cut.vertices[:, 0].max() < 2
    # Grown by 2 pixels, which are 2 metres; what lies beyond the image is not judged.
    assert within_hull(strip(10, 0.0), [camera(mask)], 2.0).vertices[:, 0].max() == pytest.approx(3.5)
    assert len(within_hull(strip(10, 40.0), [camera(mask)], 0.0).faces) == 10


def test_masks_come_first_and_then_parts():
    mask = torch.ones(8, 16, dtype=torch.bool)
    mask[:, 10:12] = False  # cuts four vertices out of fourteen, and leaves four and six
    mesh = strip(12, 0.0)
    assert len(clean(mesh, CleaningConfig(dilation=0.0, parts="all"), [camera(mask)]).faces) == 2 + 4
    assert len(clean(mesh, CleaningConfig(dilation=0.0), [camera(mask)]).faces) == 4
    assert len(clean(mesh, CleaningConfig(), [camera(mask)]).faces) == 12


def test_what_no_camera_sees_is_cut_off():
    # The same strip three times as far, 10 behind itself, is hidden.
    front = strip(10, 0.0)
    behind = Mesh(vertices=3 * front.vertices, faces=front.faces, colours=front.colours)
    mesh = joined(front, behind)
    views = [camera(torch.ones(8, 16, dtype=torch.bool))]
    assert len(clean(mesh, CleaningConfig(seen=1, parts="all"), views).faces) == 10
    with pytest.raises(DataError, match="all of it is hidden from the cameras"):
        clean(mesh, CleaningConfig(seen=2), views)


def test_nothing_left_is_an_error():
    with pytest.raises(DataError, match="got none: all of it is outside of the masks"):
        within_hull(strip(3, 0.0), [camera(torch.zeros(8, 16, dtype=torch.bool))], 1.0)
