from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from scene3d.data.flip import flip
from scene3d.data.images import write_depth
from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.snippet_config import hint_file
from scene3d.data.snippets import KITTI_360_VIEWS, SnippetConfig, Snippets, ViewSpec
from scene3d.data.sscbench import write_classes
from scene3d.errors import DataError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.fisheye import Fisheye
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.frames import collate
from scene3d.structures.labels import SSC
from scene3d.structures.labels import SSCBENCH as SSCBENCH_CLASSES
from scene3d.structures.scene import Scene, Shot, Virtual, VoxelFile
from scene3d.volume.views import place_views
from tests.data.small_trees import BASELINE, DEPTH, HEIGHT, STEP, WIDTH, write_odometry

LEFT, RIGHT = ViewSpec(sensor="left"), ViewSpec(sensor="right")
SIZE = {"height": HEIGHT, "width": WIDTH}


def a_scene(root: Path, frames: range | list[int] = range(6)) -> Scene:
    write_odometry(root, frames)
    return read_kitti_odometry(root)[0]


def config(*views: ViewSpec, **options: object) -> SnippetConfig:
    return SnippetConfig.model_validate({"views": views, **SIZE, **options})


def identical(one: object, other: object) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def test_a_sample_holds_its_views_in_order_with_their_cameras(tmp_path: Path):
    views = (LEFT, RIGHT, ViewSpec(sensor="left", plus=1), ViewSpec(sensor="left", offset=-1))
    data = Snippets([a_scene(tmp_path)], config(*views), training=False)
    # Frames 1 to 4 have both a frame before and one after.
    assert [data.name(i) for i in range(len(data))] == [f"00 {frame:010d} left" for frame in (1, 2, 3, 4)]
    frames = data[0]
    assert frames.names == ("00 0000000001 left",)
    assert frames.image.shape == (1, 4, 3, HEIGHT, WIDTH)
    assert frames.present.all()
    assert frames.valid.all()
    assert frames.cam_to_world[0, 0].tolist() == torch.eye(4).tolist()
    assert frames.cam_to_world[0, 1:, 0, 3].tolist() == [BASELINE, STEP, -STEP]
    assert frames.depth is None
    assert frames.points is None
    # Pixels are those of the files, in [0, 1].
    stored = np.asarray(Image.open(tmp_path / "sequences" / "00" / "image_3" / "000001.png"))
    torch.testing.assert_close(frames.image[0, 1].permute(1, 2, 0), torch.from_numpy(stored / 255).float())


def test_K_is_that_of_the_resized_image(tmp_path: Path):
    data = Snippets([a_scene(tmp_path)], config(LEFT, height=HEIGHT // 2, width=WIDTH * 2), training=False)
    expected = data[0].K[0, 0]
    assert expected[0].tolist() == [64.0, 0.0, WIDTH]
    assert expected[1].tolist() == [0.0, 16.0, HEIGHT / 4]


def test_a_missing_view_is_absent_or_its_frame_is_left_out(tmp_path: Path):
    scene = a_scene(tmp_path, [0, 1, 3])
    views = (LEFT, ViewSpec(sensor="left", offset=1))
    assert len(Snippets([scene], config(*views), training=False)) == 1
    data = Snippets([scene], config(*views, require="reference"), training=False)
    assert [data.name(i)[3:13] for i in range(3)] == ["0000000000", "0000000001", "0000000003"]
    frames = data[1]
    assert frames.present.tolist() == [[True, False]]
    assert frames.image[0, 1].abs().max() == 0
    assert not frames.valid[0, 1].any()
    assert frames.cam_to_world[0, 1].tolist() == torch.eye(4).tolist()
    # The camera of an absent view is known all the same.
    assert torch.equal(frames.K[0, 1], frames.K[0, 0])
    assert data[0].present.all()


def test_one_number_is_drawn_from_a_range_for_all_views_that_share_it(tmp_path: Path):
    views = (LEFT, *(ViewSpec(sensor=s, offset=(1, 3), plus=p) for s in ("left", "right") for p in (0, 1)))
    data = Snippets([a_scene(tmp_path, range(10))], config(*views), training=True)
    drawn = []
    for epoch in range(12):
        x = data[(0, epoch)].cam_to_world[0, 1:, 0, 3] - torch.tensor([0, 0, BASELINE, BASELINE])
        offset, after, right, right_after = (x / STEP).round().int().tolist()
        assert (after, right, right_after) == (offset + 1, offset, offset + 1)
        drawn.append(offset)
    assert set(drawn) == {1, 2, 3}
    # Near the end of the drive only what is there is drawn: frame 7 has 8 and 9 after it.
    assert len(data) == 8
    last = {(data[(7, epoch)].cam_to_world[0, 1, 0, 3] / STEP).round().int().item() for epoch in range(8)}
    assert last == {1}


def test_at_evaluation_nothing_is_drawn(tmp_path: Path):
    views = (LEFT, ViewSpec(sensor="left", offset=(2, 4)))
    options = {"flip": 1.0, "jitter": 1.0, "random_side": True}
    data = Snippets([a_scene(tmp_path)], config(*views, **options), training=False)
    frames = data[(0, 5)]
    assert identical(frames, data[(0, 6)])
    assert frames.cam_to_world[0, 1, 0, 3] == 2 * STEP
    plain = Snippets([a_scene(tmp_path)], config(*views), training=False)[0]
    assert identical(frames, plain)


def test_what_is_drawn_follows_from_seed_epoch_and_index_alone(tmp_path: Path):
    options = {"flip": 0.5, "jitter": 0.5, "random_side": True, "require": "reference"}
    views = (LEFT, ViewSpec(sensor="left", offset=(-2, 2), plus=1))
    scene = a_scene(tmp_path)
    one, other = (Snippets([scene], config(*views, **options), training=True, seed=4) for _ in range(2))
    torch.rand(7)
    forward = [one[(i, 2)] for i in range(len(one))]
    backward = [other[(i, 2)] for i in reversed(range(len(other)))][::-1]
    assert all(identical(a, b) for a, b in zip(forward, backward, strict=True))
    later = [one[(i, 3)] for i in range(len(one))]
    assert not all(identical(a, b) for a, b in zip(forward, later, strict=True))
    reseeded = Snippets([scene], config(*views, **options), training=True, seed=5)
    assert not all(identical(a, reseeded[(i, 2)]) for i, a in enumerate(forward))


def test_sides_are_swapped_half_of_the_time(tmp_path: Path):
    data = Snippets([a_scene(tmp_path)], config(LEFT, RIGHT, random_side=True), training=True)
    shifts = {}
    for epoch in range(40):
        frames = data[(0, epoch)]
        shifts.setdefault(frames.names[0].split()[-1], []).append(frames.cam_to_world[0, 1, 0, 3].item())
    assert set(shifts["left"]) == {BASELINE}
    assert set(shifts["right"]) == {-BASELINE}
    assert 10 <= len(shifts["left"]) <= 30


def test_a_side_that_is_not_there_is_not_swapped_to(tmp_path: Path):
    scene = a_scene(tmp_path)
    only_left = replace(scene, shots=tuple(shot for shot in scene.shots if shot.sensor == "left"))
    data = Snippets([only_left], config(LEFT, random_side=True), training=True)
    assert {data[(0, epoch)].names[0].split()[-1] for epoch in range(12)} == {"left"}


def test_world_coordinates_of_a_million_metres_lose_no_millimetre(tmp_path: Path):
    scene = a_scene(tmp_path)
    far = torch.eye(4, dtype=torch.float64)
    far[:3, 3] = torch.tensor([4.1e6, -2.3e6, 117.0])
    moved = replace(scene, shots=tuple(replace(s, cam_to_world=far @ s.cam_to_world) for s in scene.shots))
    views = (LEFT, RIGHT, ViewSpec(sensor="left", offset=1))
    frames = Snippets([moved], config(*views), training=False)[0]
    torch.testing.assert_close(frames.cam_to_world[0, :, 0, 3], torch.tensor([0.0, BASELINE, STEP]), atol=1e-6, rtol=0)


def test_depth_comes_from_files_or_from_the_scan(tmp_path: Path):
    scene = a_scene(tmp_path)
    from_file = Snippets([scene], config(LEFT, RIGHT, depth="file"), training=False)[0].depth
    assert (from_file[0, 0] == DEPTH).all()
    assert (from_file[0, 1] == 0).all()
    # Every other frame has a scan.
    data = Snippets([scene], config(LEFT, RIGHT, depth="scan", need=("depth",)), training=False)
    assert [data.name(i)[3:13] for i in range(len(data))] == ["0000000000", "0000000002", "0000000004"]
    from_scan = data[1].depth
    for view in (0, 1):
        measured = from_scan[0, view] > 0
        assert 50 < measured.sum() < HEIGHT * WIDTH / 2
        torch.testing.assert_close(from_scan[0, view][measured], torch.full_like(from_scan[0, view][measured], DEPTH))


def test_points_are_in_the_coordinates_of_the_reference(tmp_path: Path):
    data = Snippets([a_scene(tmp_path)], config(RIGHT, points=True, need=("points",)), training=False)
    points = data[1].points[0]
    torch.testing.assert_close(points[:, 2], torch.full_like(points[:, 2], DEPTH))
    # The scan spans 3 m to both sides of the left camera, which is a baseline to the left.
    torch.testing.assert_close(points[:, 0].aminmax().max, torch.tensor(3 - BASELINE))
    batch = collate([data[0], data[1]])
    assert batch.points.shape[0] == 2


def test_labels_are_mapped_by_the_scene_and_absent_ones_are_ignored(tmp_path: Path):
    scene = a_scene(tmp_path)
    ids = np.full((HEIGHT, WIDTH), 7, dtype=np.uint8)
    ids[:, :10], ids[0] = 26, 99
    Image.fromarray(ids).save(tmp_path / "labels.png")
    shots = tuple(
        replace(s, labels=tmp_path / "labels.png") if (s.frame, s.sensor) == (2, "left") else s for s in scene.shots
    )
    scene = replace(scene, shots=shots, label_ids={7: 0, 26: 13})
    data = Snippets([scene], config(LEFT, RIGHT, need=("labels",)), training=False)
    assert len(data) == 1
    labels = data[0].labels[0]
    assert labels.dtype == torch.int64
    assert (labels[1] == 255).all()
    assert (labels[0, 0] == 255).all()
    assert (labels[0, 1:, :10] == 13).all()
    assert (labels[0, 1:, 10:] == 0).all()


def test_voxels_are_placed_before_the_reference_camera_in_the_protocols_classes(tmp_path: Path):
    scene = a_scene(tmp_path)
    classes = torch.zeros(SSCBENCH.shape, dtype=torch.int64)
    classes[0, 0, 0] = SSCBENCH_CLASSES.index("terrain")
    classes[3, 4, 5] = SSCBENCH_CLASSES.index("parking")
    classes[6, 7, 8] = 255
    write_classes(tmp_path / "000002_1_1.npy", classes)
    grid_to_world = torch.eye(4, dtype=torch.float64)
    grid_to_world[0, 3] = 1.0
    grid = VoxelFile(labels=tmp_path / "000002_1_1.npy", frame=2, grid_to_world=grid_to_world)
    data = Snippets([replace(scene, voxels=(grid,))], config(LEFT, need=("voxels",)), training=False)
    assert len(data) == 1
    frames = data[0]
    # SSCBench's parking counts as sidewalk in the protocol of 15 classes.
    assert frames.voxels[0, 3, 4, 5] == SSC.index("sidewalk")
    assert frames.voxels[0, 6, 7, 8] == 255
    assert frames.grid_to_cam[0, :3, 3].tolist() == [1.0 - 2 * STEP, 0.0, 0.0]


def test_frames_are_chosen_by_number(tmp_path: Path):
    scene = a_scene(tmp_path, range(12))
    data = Snippets([scene], config(LEFT, frames=(2, 10), every=5), training=False)
    assert [data.name(i)[3:13] for i in range(len(data))] == ["0000000005", "0000000010"]


def test_frames_are_held_by_their_order_and_not_by_their_number(tmp_path: Path):
    scene = a_scene(tmp_path, [4, 8, 12, 16, 20])
    alone, without = (
        Snippets([scene], config(LEFT, held=(2, which)), training=False) for which in ("alone", "without")
    )
    assert [alone.reference(i).frame for i in range(len(alone))] == [4, 12, 20]
    assert [without.reference(i).frame for i in range(len(without))] == [8, 16]


def test_kept_images_are_the_same_images(tmp_path: Path):
    scene = a_scene(tmp_path)
    plain, kept = (Snippets([scene], config(LEFT, RIGHT, cache=c), training=False) for c in ("none", "memory"))
    assert identical(plain[1], kept[1])
    for side in (2, 3):
        (tmp_path / "sequences" / "00" / f"image_{side}" / "000001.png").unlink()
    assert identical(kept[1], kept[1])
    with pytest.raises(DataError, match=r"000001\.png: expected an 8-bit PNG or JPEG image, got no such file"):
        plain[1]


def test_an_image_of_another_size_than_its_K_is_refused(tmp_path: Path):
    scene = a_scene(tmp_path)
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(scene.shots[0].image)
    with pytest.raises(DataError, match=rf"000000\.png: expected {WIDTH} x {HEIGHT} pixels.* got {WIDTH + 1} x"):
        Snippets([scene], config(LEFT), training=False)[0]


def unplaced(scene: Scene) -> Scene:
    return replace(scene, shots=tuple(replace(shot, cam_to_world=None) for shot in scene.shots))


def test_without_transforms_they_are_left_to_be_estimated(tmp_path: Path):
    data = Snippets(
        [unplaced(a_scene(tmp_path))], config(LEFT, ViewSpec(sensor="left", plus=1), points=True), training=False
    )
    frames = data[0]
    assert frames.cam_to_world is None
    assert frames.posed is None
    assert frames.points is None


def test_cameras_of_one_instant_know_each_other_where_the_car_is_lost(tmp_path: Path):
    views = config(LEFT, RIGHT, ViewSpec(sensor="left", plus=1))
    lost = Snippets([unplaced(a_scene(tmp_path))], views, training=False)[0]
    assert lost.posed.tolist() == [[True, True, False]]
    assert lost.cam_to_world[0, 1, 0, 3].item() == pytest.approx(BASELINE)
    assert torch.equal(lost.cam_to_world[0, 2], torch.eye(4))
    placed = Snippets([a_scene(tmp_path)], views, training=False)[0]
    assert placed.posed is None
    assert collate([lost, placed]).posed.tolist() == [[True, True, False], [True, True, True]]
    with pytest.raises(DataError, match="cam_to_world of every view, got some"):
        place_views(lost)


def test_a_view_says_how_many_frames_later_it_was_taken(tmp_path: Path):
    views = config(
        LEFT, RIGHT, ViewSpec(sensor="left", offset=-9), ViewSpec(sensor="left", plus=1), require="reference"
    )
    frames = Snippets([a_scene(tmp_path)], views, training=False)[0]
    assert frames.offset.tolist() == [[0, 0, -9, 1]]
    assert frames.present.tolist() == [[True, True, False, True]]


def test_a_fisheye_becomes_a_virtual_view_with_its_rotation(tmp_path: Path):
    fisheye = Fisheye(1.5, 0.0, 0.0, 0.0, 0.0, 60.0, 60.0, 32.0, 32.0, 64, 64)
    Image.fromarray(np.full((64, 64, 3), 90, dtype=np.uint8)).save(tmp_path / "f.png")
    turned = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]], dtype=torch.float64)
    virtual = Virtual(camera=pinhole(16.0, HEIGHT, WIDTH), rotation=turned)
    where = torch.eye(4, dtype=torch.float64)
    where[0, 3] = 9.0
    scene = a_scene(tmp_path, [0])
    shot = Shot(
        image=tmp_path / "f.png", frame=0, sensor="fisheye_left", camera=fisheye, cam_to_world=where, virtual=virtual
    )
    views = (LEFT, ViewSpec(sensor="fisheye_left"))
    frames = Snippets([replace(scene, shots=(*scene.shots, shot))], config(*views), training=False)[0]
    torch.testing.assert_close(frames.cam_to_world[0, 1, :3, :3], turned.float())
    assert frames.cam_to_world[0, 1, 0, 3] == 9.0
    torch.testing.assert_close(frames.K[0, 1], virtual.camera.K)
    # It looks to the side, so a part of it is out of the fisheye's image: there it is black and not valid.
    assert frames.valid[0, 0].all()
    assert frames.valid[0, 1].any()
    assert not frames.valid[0, 1].all()
    assert (frames.image[0, 1][:, ~frames.valid[0, 1]] == 0).all()


def test_the_published_views_are_stereo_now_and_both_fisheyes_later():
    assert [(v.sensor, v.offset, v.plus) for v in KITTI_360_VIEWS] == [
        ("left", 0, 0),
        ("left", 0, 1),
        ("right", 0, 0),
        ("right", 0, 1),
        ("fisheye_left", (10, 40), 0),
        ("fisheye_left", (10, 40), 1),
        ("fisheye_right", (10, 40), 0),
        ("fisheye_right", (10, 40), 1),
    ]


def test_no_sample_at_all_says_what_was_asked_and_what_is_there(tmp_path: Path):
    scene = a_scene(tmp_path)
    with pytest.raises(DataError, match=r"views left, fisheye_left; there are 1 scenes \(00: 6 frames of left, right"):
        Snippets([scene], config(LEFT, ViewSpec(sensor="fisheye_left")), training=False)
    with pytest.raises(DataError, match="left with voxels"):
        Snippets([scene], config(LEFT, need=("voxels",)), training=False)


@pytest.mark.parametrize(
    "views", [(), (ViewSpec(sensor="left", offset=1),), (LEFT, ViewSpec(sensor="left", offset=(4, 2)))]
)
def test_a_config_without_a_reference_or_with_a_range_backwards_is_refused(views: tuple[ViewSpec, ...]):
    with pytest.raises(ValidationError):
        SnippetConfig(views=views)


def test_hints_are_read_for_every_view_and_are_0_where_there_are_none(tmp_path: Path):
    scene, folder = a_scene(tmp_path / "tree"), tmp_path / "hints"
    file = hint_file(folder, scene.name, "right", 2)
    file.parent.mkdir(parents=True)
    hint = torch.zeros(HEIGHT, WIDTH)
    hint[3, 5] = 7.5
    write_depth(file, hint)
    data = Snippets([scene], config(LEFT, RIGHT, hints=folder, cache="memory"), training=False)
    for _ in range(2):  # the second time from memory
        found = data[2].hint
        assert found is not None
        assert (found[0, 0] == 0).all()
        assert torch.equal(found[0, 1], hint)
    mirrored = flip(data[2])
    assert mirrored.hint is not None
    assert mirrored.hint[0, 1, 3, WIDTH - 6] == 7.5


def test_hints_of_another_size_or_none_at_all_are_refused(tmp_path: Path):
    scene, folder = a_scene(tmp_path / "tree"), tmp_path / "hints"
    with pytest.raises(DataError, match="no such folder.*scene3d data match"):
        Snippets([scene], config(LEFT, hints=folder), training=False)
    file = hint_file(folder, scene.name, "left", 0)
    file.parent.mkdir(parents=True)
    write_depth(file, torch.ones(HEIGHT, 2 * WIDTH))
    with pytest.raises(DataError, match=f"expected {WIDTH} x {HEIGHT} pixels, the size of the views, got {2 * WIDTH}"):
        Snippets([scene], config(LEFT, hints=folder), training=False)[0]
