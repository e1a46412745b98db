from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scene3d.data.colmap import read_colmap
from scene3d.errors import DataError, MissingExtraError
from scene3d.geometry.camera import Camera, project
from scene3d.geometry.fisheye import Fisheye
from scene3d.geometry.se3 import invert, transform
from tests.data.photograph_trees import CENTRE, HEIGHT, WIDTH, K, orbit, photograph

POINTS = torch.stack([CENTRE, CENTRE + torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64)])


def write_colmap(folder: Path, camera: str = f"PINHOLE {WIDTH} {HEIGHT} 20 21 8.5 6.25", images: int = 3) -> Path:
    """A text model: every image sees both points, the last only the first; names come in reverse of their numbers."""
    from scipy.spatial.transform import Rotation

    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text(f"1 {camera}\n")
    lines, tracks = [], ["", ""]
    for i in range(images):
        name = f"{images - 1 - i}.png"
        photograph(folder / "images" / name)
        world_to_cam = invert(orbit(images - 1 - i))
        x, y, z, w = Rotation.from_matrix(world_to_cam[:3, :3].numpy()).as_quat()
        numbers = " ".join(f"{v:.17g}" for v in (w, x, y, z, *world_to_cam[:3, 3].tolist()))
        seen = 1 if i == images - 1 else 2
        pixels = project(transform(world_to_cam, POINTS), K)[0][:seen].tolist()
        lines += [
            f"{i + 1} {numbers} 1 {name}",
            " ".join(f"{u:.9f} {v:.9f} {p + 1}" for p, (u, v) in enumerate(pixels)),
        ]
        for p in range(seen):
            tracks[p] += f" {i + 1} {p}"
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    points = [
        f"{p + 1} {' '.join(map(repr, xyz))} {10 * p} 20 30 0.5{track}"
        for p, (xyz, track) in enumerate(zip(POINTS.tolist(), tracks, strict=True))
    ]
    (model / "points3D.txt").write_text("\n".join(points) + "\n")
    return folder


@pytest.fixture
def _needs_pycolmap() -> None:
    pytest.importorskip("pycolmap", reason="reading a COLMAP model needs pycolmap, which is not installed here")


@pytest.mark.usefixtures("_needs_pycolmap")
def test_convention_colmap_transforms_lead_to_the_camera_and_centres_lie_where_ours_do(tmp_path: Path):
    (scene,) = read_colmap(write_colmap(tmp_path / "toy"))
    assert scene.name == "toy" and [shot.image.name for shot in scene.shots] == ["0.png", "1.png", "2.png"]
    for i, shot in enumerate(scene.shots):
        assert isinstance(shot.camera, Camera) and shot.virtual is None
        torch.testing.assert_close(shot.camera.K, K)
        torch.testing.assert_close(shot.cam_to_world, orbit(i))


@pytest.mark.usefixtures("_needs_pycolmap")
def test_points_keep_who_saw_them_and_where(tmp_path: Path):
    (scene,) = read_colmap(write_colmap(tmp_path))
    sparse = scene.sparse
    assert sparse is not None
    torch.testing.assert_close(sparse.points, POINTS)
    assert sparse.colours.tolist() == [[0, 20, 30], [10, 20, 30]] and sparse.errors.tolist() == [0.5, 0.5]
    # COLMAP's image 1 is 2.png, our shot 2; its last image, 0.png, sees the first point alone.
    assert sparse.track_start.tolist() == [0, 3, 5] and sparse.track_shot.tolist() == [2, 1, 0, 2, 1]
    for n, (start, end) in enumerate(zip(sparse.track_start[:-1], sparse.track_start[1:], strict=True)):
        for shot, pixel in zip(sparse.track_shot[start:end], sparse.track_pixel[start:end], strict=True):
            world_to_cam = invert(scene.shots[shot].cam_to_world)
            expected = project(transform(world_to_cam, sparse.points[n][None]), K)[0][0]
            torch.testing.assert_close(pixel, expected, atol=1e-6, rtol=0)


@pytest.mark.usefixtures("_needs_pycolmap")
@pytest.mark.parametrize(
    ("camera", "bends"),
    [
        ("SIMPLE_RADIAL 16 12 20 8.5 6.25 0.1", (0.1, 0, 0, 0)),
        ("RADIAL 16 12 20 8.5 6.25 0.1 -0.2", (0.1, -0.2, 0, 0)),
        ("OPENCV 16 12 20 21 8.5 6.25 0.1 -0.2 0.01 0.02", (0.1, -0.2, 0.01, 0.02)),
    ],
)
def test_a_lens_is_undone_as_the_image_is_read(tmp_path: Path, camera: str, bends: tuple[float, ...]):
    (scene,) = read_colmap(write_colmap(tmp_path, camera))
    lens = scene.shots[0].camera
    assert isinstance(lens, Fisheye) and scene.shots[0].virtual is not None
    assert (lens.k1, lens.k2, lens.p1, lens.p2) == bends
    assert (lens.gamma1, lens.u0, lens.v0) == (20, 8.5, 6.25)


@pytest.mark.usefixtures("_needs_pycolmap")
def test_what_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"a lens of SIMPLE_PINHOLE.*got OPENCV_FISHEYE"):
        read_colmap(write_colmap(tmp_path / "a", "OPENCV_FISHEYE 16 12 20 21 8.5 6.25 0.1 0 0 0"))
    with pytest.raises(DataError, match=r"0\.png: expected 32 x 12 pixels, .* got 16 x 12"):
        read_colmap(write_colmap(tmp_path / "b", "PINHOLE 32 12 20 21 8.5 6.25"))
    folder = write_colmap(tmp_path / "c")
    (folder / "sparse" / "0" / "points3D.txt").unlink()
    with pytest.raises(DataError, match=r"points3D\.txt: expected the rest of a COLMAP model, got no such file"):
        read_colmap(folder)
    folder = write_colmap(tmp_path / "e")
    (folder / "sparse" / "0" / "images.txt").write_text("1 0.5 0.5\n")
    with pytest.raises(
        DataError, match="sparse/0: expected a COLMAP model, got lines or bytes that are none of its own$"
    ):
        read_colmap(folder)
    folder = write_colmap(tmp_path / "d")
    (folder / "images" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png: expected a PNG or JPEG image, got no such file"):
        read_colmap(folder)


def test_without_pycolmap_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match=r"scene3d\[sfm\]"):
        read_colmap(write_colmap(tmp_path))
