from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.cues import CuesConfig, read_cue
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.data.transforms_json import read_transforms_json
from scene3d.data.views import ViewReader
from scene3d.errors import DataError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.fisheye import Fisheye
from scene3d.structures.scene import Scene, Shot, Virtual
from tests.data.photograph_trees import HEIGHT, WIDTH, write_transforms

FACING = np.array([0.5, 0.5, 0.0], dtype=np.float32)[:, None, None]
"""The file of a wall that faces the camera."""


def write_cues(folder: Path, stems: list[str], height: int = HEIGHT, width: int = WIDTH) -> Path:
    """Depth that grows by 1 a pixel, along the rows; normals of a wall that faces the camera."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        depth = np.arange(height * width, dtype=np.float32).reshape(height, width)
        np.save(folder / f"{stem}_depth.npy", depth)
        np.save(folder / f"{stem}_normal.npy", np.broadcast_to(FACING, (3, height, width)))
    return folder


def a_scene(root: Path) -> Scene:
    return read_transforms_json(write_transforms(root / "toy"))[0]


def sampled(scene: Scene, cues: object, *, training: bool = True, **options: object) -> Snippets:
    own = {
        "views": (ViewSpec(sensor=scene.shots[0].sensor),),
        "height": HEIGHT,
        "width": WIDTH,
        "cues": cues,
        **options,
    }
    return Snippets([scene], SnippetConfig.model_validate(own), training=training)


STEMS = [f"{i:04d}" for i in range(3)]


def test_guesses_are_read_beside_the_images_and_not_as_measured_depth(tmp_path: Path):
    scene, folder = a_scene(tmp_path), write_cues(tmp_path / "cues", STEMS)
    data = sampled(scene, {"folder": folder}, cache="memory")
    for _ in range(2):  # the second time from memory
        frames = data[1]
        assert torch.equal(frames.cue_depth[0, 0], torch.arange(HEIGHT * WIDTH).float().reshape(HEIGHT, WIDTH))
        assert frames.cue_normals.shape == (1, 1, 3, HEIGHT, WIDTH)
        assert frames.cue_normals[0, 0, :, 4, 7].tolist() == [0, 0, -1]
        assert frames.depth is None
    only = sampled(scene, {"folder": folder, "kinds": ["depth"]})[0]
    assert only.cue_normals is None and only.cue_depth is not None


def test_evaluation_asks_for_none(tmp_path: Path):
    assert sampled(a_scene(tmp_path), {"folder": tmp_path / "none"}, training=False)[0].cue_depth is None


def test_each_pixel_takes_the_guess_nearest_to_its_centre(tmp_path: Path):
    # Twice as large: pixel (row 1, column 2) has its centre at (3, 5) there, on a corner, and takes what is beyond.
    scene, folder = a_scene(tmp_path), write_cues(tmp_path / "cues", STEMS, 2 * HEIGHT, 2 * WIDTH)
    found = sampled(scene, {"folder": folder})[0].cue_depth[0, 0]
    assert found[1, 2] == 3 * 2 * WIDTH + 5
    # Three times as small as the view: nine pixels share one.
    found = sampled(scene, {"folder": folder}, height=6 * HEIGHT, width=6 * WIDTH)[0].cue_depth[0, 0]
    assert found[3:6, 6:9].unique().tolist() == [2 * WIDTH + 2]


def test_a_guess_of_a_bent_image_is_read_through_its_lens(tmp_path: Path):
    camera = pinhole(20.0, HEIGHT, WIDTH)
    bent = Fisheye(
        xi=0.0, k1=-0.3, k2=0.0, p1=0.0, p2=0.0, gamma1=20.0, gamma2=20.0, u0=8.0, v0=6.0, height=HEIGHT, width=WIDTH
    )
    straight = Virtual(camera=camera, rotation=torch.eye(3))
    shot = Shot(image=tmp_path / "a.png", frame=0, sensor="left", camera=bent, virtual=straight)
    write_cues(tmp_path, ["a"])
    found = ViewReader(HEIGHT, WIDTH).cue(shot, tmp_path, "depth")[0]
    # Pixel (0, 0) looks along x = -7.5 / 20, y = -5.5 / 20; r2 = 0.21625, so the lens has it nearer to the middle by
    # 1 - 0.3 r2 = 0.935: at (8 - 7.5 * 0.935, 6 - 5.5 * 0.935) = (0.99, 0.86), in pixel (0, 0) still. Its neighbour
    # (0, 1) looks along x = -6.5 / 20: factor 0.9456, at (1.85, 0.80). The corner of a stronger lens is further in.
    assert found[0, 0] == 0 and found[0, 1] == 1
    stronger = Shot(
        image=tmp_path / "a.png",
        frame=0,
        sensor="left",
        camera=Fisheye(**{**vars(bent), "k1": -1.0}),
        virtual=straight,
    )
    # Factor 1 - 0.21625 = 0.78375: (8 - 5.88, 6 - 4.31) = (2.12, 1.69), row 1 and column 2.
    assert ViewReader(HEIGHT, WIDTH).cue(stronger, tmp_path, "depth")[0, 0, 0] == WIDTH + 2
    turned = Virtual(camera=camera, rotation=torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]))
    with pytest.raises(DataError, match="a.png: expected an image that looks where its view does"):
        ViewReader(HEIGHT, WIDTH).cue(
            Shot(image=tmp_path / "a.png", frame=0, sensor="left", camera=bent, virtual=turned), tmp_path, "depth"
        )


def test_convention_normals_are_stored_as_half_n_and_half_and_have_length_1(tmp_path: Path):
    # (0.8, 0.5, 0.1) is n = (0.6, 0, -0.8); half as long it is the same normal; (0.5, 0.5, 0.5) says nothing.
    stored = np.array([[0.8, 0.5, 0.1], [0.65, 0.5, 0.3], [0.5, 0.5, 0.5]], dtype=np.float16).T[:, None]
    np.save(tmp_path / "a_normal.npy", stored)
    found = read_cue(tmp_path / "a_normal.npy", "normals", 10, 30)[:, 0].T
    torch.testing.assert_close(found[:2], torch.tensor([[0.6, 0, -0.8]] * 2), atol=2e-3, rtol=0)
    assert found[2].tolist() == [0, 0, 0]


def test_a_folder_that_lacks_a_guess_is_refused_before_the_first_step(tmp_path: Path):
    scene, folder = a_scene(tmp_path), tmp_path / "cues"
    with pytest.raises(DataError, match="cues: expected a folder of cues, got no such folder"):
        sampled(scene, {"folder": folder})
    write_cues(folder, STEMS[:2])
    (folder / "0001_normal.npy").unlink()
    with pytest.raises(
        DataError, match=r"0001_normal.npy: expected normals of 0001.png, got no such file.*kinds: \[depth\]"
    ):
        sampled(scene, {"folder": folder})
    with pytest.raises(DataError, match=r"0002_depth.npy: expected depth of 0002.png"):
        sampled(scene, {"folder": folder, "kinds": ["depth"]})


def test_two_images_of_one_stem_are_refused(tmp_path: Path):
    one, other = (a_scene(tmp_path / name) for name in ("one", "other"))
    config = SnippetConfig(
        views=(ViewSpec(sensor=one.shots[0].sensor),), cues=CuesConfig(folder=write_cues(tmp_path / "cues", STEMS))
    )
    with pytest.raises(DataError, match="0000.png: expected an image with a stem of its own"):
        Snippets([one, other], config, training=True)


@pytest.mark.parametrize(
    ("kind", "array", "said"),
    [
        ("depth", np.zeros((3, 12, 16), np.float32), r"an array of floats \[H, W\], got float32 \[3, 12, 16\]"),
        ("depth", np.zeros((12, 16), np.uint8), r"an array of floats \[H, W\], got uint8 \[12, 16\]"),
        ("depth", np.zeros((12, 12), np.float32), "the shape of its image, 16 x 12, at any size, got 12 x 12"),
        ("depth", np.full((12, 16), np.nan, np.float32), "finite numbers, got some that are not"),
        ("depth", np.zeros((0, 16), np.float32), r"\[H, W\], got float32 \[0, 16\]"),
        ("normals", np.zeros((12, 16, 3), np.float32), r"\[3, H, W\], got float32 \[12, 16, 3\]"),
        ("normals", np.full((3, 12, 16), -1, np.float32), r"in \[0, 1\], got -1 to -1"),
        ("normals", np.broadcast_to(1 - FACING, (3, 12, 16)), "towards the camera.*got most away from it.*1 - n"),
        ("depth", np.array({"a": 1}), "got no array of numbers"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, kind: str, array: np.ndarray, said: str):
    path = tmp_path / "a.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=rf"a.npy: expected .*{said}") as raised:
        read_cue(path, kind, 12, 16)
    assert "\n" not in str(raised.value)


def test_what_is_no_array_at_all_is_one_line(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.savez(tmp_path / "b.npz", a=np.zeros(3))
    for content in (b"", b"depth", np.lib.format.MAGIC_PREFIX + b"\x01\x00", (tmp_path / "b.npz").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a.npy: expected an array of floats \[H, W\], got"):
            read_cue(path, "depth", 12, 16)
    with pytest.raises(DataError, match="got No such file"):
        read_cue(tmp_path / "none.npy", "depth", 12, 16)
