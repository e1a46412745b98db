from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scene3d.data.rgbd import read_seven_scenes, read_tum_rgbd
from scene3d.data.shot_files import shot_depth
from scene3d.errors import DataError
from scene3d.geometry.camera import inside, pixel_centres, project, unproject
from scene3d.geometry.se3 import invert, transform
from tests.data.photograph_trees import K, orbit, photograph, write_seven_scenes, write_tum

OURS = (20.0, 21.0, 8.0, 5.75)  # K counted from pixel centres


def test_convention_tum_cameras_look_forward_and_centres_lie_at_integers(tmp_path: Path):
    (scene,) = read_tum_rgbd(write_tum(tmp_path / "desk"), intrinsics=OURS)
    assert scene.name == "desk"
    for i, shot in enumerate(scene.shots):
        torch.testing.assert_close(shot.camera.K, K)
        torch.testing.assert_close(shot.cam_to_world, orbit(i), atol=1e-9, rtol=0)


def test_a_sequence_without_transforms_is_told_what_finds_them(tmp_path: Path):
    folder = write_tum(tmp_path / "desk")
    (folder / "groundtruth.txt").unlink()
    with pytest.raises(DataError, match=r"groundtruth.txt: expected the transforms of .*from-images .*desk/rgb finds"):
        read_tum_rgbd(folder)


def test_images_take_the_depth_and_transform_nearest_in_time(tmp_path: Path):
    folder = write_tum(tmp_path)
    (scene,) = read_tum_rgbd(folder)
    # The fourth image has no transform within 0.02 s. Depth is in 1/5000 m: 1, 2, 3 m.
    assert [shot.frame for shot in scene.shots] == [0, 1, 2]
    assert [shot.time for shot in scene.shots] == pytest.approx([0, 0.1, 0.2])
    assert [float(shot_depth(shot)[0, 0]) for shot in scene.shots] == [1, 2, 3]
    (folder / "depth.txt").write_text("# none\n100.104 depth/1.png\n")
    assert [shot.depth is None for shot in read_tum_rgbd(folder)[0].shots] == [True, False, True]
    (folder / "depth.txt").unlink()
    assert all(shot.depth is None for shot in read_tum_rgbd(folder)[0].shots)
    with pytest.raises(DataError, match=r"transforms within 0\.001 s of the images of rgb\.txt, got none"):
        read_tum_rgbd(folder, within=0.001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "lines of seconds and a file, got none"),
        ("100.0\n", "seconds and a file on line 1, got 100.0"),
        ("soon rgb/0.png\n", "seconds and a file on line 1, got soon"),
        ("100.1 rgb/0.png\n100.0 rgb/1.png\n", r"a time above 100\.1 on line 2, got 100\.0"),
        ("100.0 rgb/7.png\n", r"7\.png: expected a PNG or JPEG image, got no such file"),
    ],
)
def test_a_wrong_list_of_images_is_named(tmp_path: Path, text: str, message: str):
    (write_tum(tmp_path) / "rgb.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_tum_rgbd(tmp_path)


def test_convention_seven_scenes_cameras_look_forward_and_centres_lie_at_integers(tmp_path: Path):
    (scene,) = read_seven_scenes(write_seven_scenes(tmp_path / "chess"))
    assert [shot.frame for shot in scene.shots] == [0, 10, 20]
    for i, shot in enumerate(scene.shots):
        torch.testing.assert_close(shot.camera.K, K)
        torch.testing.assert_close(shot.cam_to_world, orbit(i))


def test_depth_of_seven_scenes_is_in_millimetres_and_65535_is_none(tmp_path: Path):
    (scene,) = read_seven_scenes(write_seven_scenes(tmp_path))
    depth = shot_depth(scene.shots[0])
    assert (depth[:, 0] == 0).all() and (depth[:, 1:] == 1.5).all()


def test_intrinsics_may_lie_beside_the_sequences_or_be_given(tmp_path: Path):
    write_seven_scenes(tmp_path / "seq-01")
    (tmp_path / "seq-01" / "camera-intrinsics.txt").rename(tmp_path / "camera-intrinsics.txt")
    torch.testing.assert_close(read_seven_scenes(tmp_path)[0].shots[0].camera.K, K)
    (tmp_path / "camera-intrinsics.txt").unlink()
    assert read_seven_scenes(tmp_path, intrinsics=(1.0, 2.0, 3.0, 4.0))[0].shots[0].camera.K[0, 2] == 3.5
    (tmp_path / "camera-intrinsics.txt").write_text("1 0 0\n0 1 0\n")
    with pytest.raises(DataError, match="a camera matrix K of 3 x 3 numbers"):
        read_seven_scenes(tmp_path)


def test_a_frame_without_its_colour_or_with_a_wrong_transform_is_named(tmp_path: Path):
    write_seven_scenes(tmp_path)
    (tmp_path / "frame-000010.color.png").unlink()
    with pytest.raises(DataError, match=r"expected frame-000010\.color\.png or \.jpg beside it, got none"):
        read_seven_scenes(tmp_path)
    photograph(tmp_path / "frame-000010.color.png")
    (tmp_path / "frame-000010.pose.txt").write_text("1 0 0 0\n0 1 0 0\n")
    with pytest.raises(DataError, match="4 lines of 4 numbers, got 2 lines"):
        read_seven_scenes(tmp_path)
    (tmp_path / "frame-000010.pose.txt").write_text("-1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    with pytest.raises(DataError, match="an orthonormal rotation"):
        read_seven_scenes(tmp_path)


def test_depth_of_the_kitchen_agrees_with_the_depth_of_the_next_frame(shared_data: Path):
    (scene,) = read_seven_scenes(shared_data / "sevenscenes_redkitchen_rgbd")
    assert len(scene.shots) == 60 and scene.shots[1].frame == 10
    for one, other in ((0, 1), (30, 31)):
        a, b = scene.shots[one], scene.shots[other]
        depth, other_depth = shot_depth(a).double(), shot_depth(b).double()
        pixels = pixel_centres(*depth.shape).double()[depth > 0]
        points_b = transform(invert(b.cam_to_world) @ a.cam_to_world, unproject(pixels, depth[depth > 0], a.camera.K))
        pixels_b, depth_b = project(points_b, b.camera.K)
        seen = inside(pixels_b, depth_b, *other_depth.shape)
        column, row = pixels_b[seen].floor().long().clamp(min=0).unbind(dim=-1)
        there = other_depth[row.clamp(max=479), column.clamp(max=639)]
        gap = (there - depth_b[seen])[there > 0].abs()
        # An independent count over all kept frames found medians of 4 to 10 mm.
        assert seen.double().mean() > 0.7 and gap.median() < 0.015
