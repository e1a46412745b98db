from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.engine.drive import walk
from scene3d.errors import UsageError
from scene3d.geometry.se3 import invert
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction
from tests.data.small_trees import HEIGHT, STEP, WIDTH, write_odometry
from tests.drives import StreetDrive, TellsTheTruth


def true_places(drive: StreetDrive) -> torch.Tensor:
    """Of the cameras, with the first one as the world."""
    world_to_first = invert(drive.cam_to_world(0))
    return torch.stack([world_to_first @ drive.cam_to_world(i * drive.step) for i in range(len(drive))])


@pytest.mark.parametrize("step", [1, 2])
def test_cameras_are_chained_from_what_the_method_says_of_the_frame_before(step: int):
    drive = StreetDrive(4, (8, 24), given=False, step=step)
    steps = list(walk(TellsTheTruth(drive).predict, drive))
    assert [s.number for s in steps] == [0, step, 2 * step, 3 * step]
    assert [s.time for s in steps] == pytest.approx([0.1 * s.number for s in steps])
    assert steps[1].name == f"street {step:010d} left" and steps[1].image.shape == (3, 8, 24)
    torch.testing.assert_close(torch.stack([s.cam_to_world for s in steps]), true_places(drive), atol=1e-5, rtol=0)


def test_metric_depth_stands_where_the_data_says():
    drive = StreetDrive(3, (8, 24))
    steps = list(walk(TellsTheTruth().predict, drive))
    torch.testing.assert_close(torch.stack([s.cam_to_world for s in steps]), true_places(drive))
    assert all(step.note == "" for step in steps)


def test_a_depth_of_unknown_scale_stands_where_its_own_method_says():
    drive = StreetDrive(3, (8, 24))
    method = TellsTheTruth(drive, scale=0.1)
    wanted = true_places(drive)
    wanted[:, :3, 3] *= 0.1
    found = torch.stack([step.cam_to_world for step in walk(method.predict, drive)])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    given = torch.stack([step.cam_to_world for step in walk(method.predict, drive, places="given")])
    torch.testing.assert_close(given, true_places(drive))


def test_the_method_is_taken_at_its_word_where_that_is_asked_for():
    drive = StreetDrive(3, (8, 24))

    def stands_still(frames):
        still = torch.eye(4).expand(1, 2, 4, 4)
        return replace(TellsTheTruth().predict(frames), cam_to_reference=still)

    assert all(
        torch.equal(s.cam_to_world, torch.eye(4).double()) for s in walk(stands_still, drive, places="estimated")
    )
    assert not any(torch.equal(s.cam_to_world, torch.eye(4).double()) for s in list(walk(stands_still, drive))[1:])


def test_a_method_that_is_to_estimate_is_not_shown_the_transforms_of_the_data():
    shown = []

    class Told(StreetDrive):
        def __getitem__(self, index):
            return replace(super().__getitem__(index), cam_to_world=torch.eye(4).expand(1, 2, 4, 4))

    def looks(frames):
        shown.append(frames.cam_to_world is not None)
        return TellsTheTruth().predict(frames)

    for places in ("auto", "given", "estimated"):
        list(walk(looks, Told(1, (8, 24)), places=places))
    assert shown == [True, True, False]


def test_snippets_that_come_one_by_one_are_walked_over_too():
    drive = StreetDrive(3, (8, 24))
    stream = ((drive[i], drive.reference(i)) for i in range(3))
    assert [step.number for step in walk(TellsTheTruth().predict, stream, every=2)] == [0, 2]


def test_frames_that_nobody_can_place_say_why():
    drive = StreetDrive(3, (8, 24), given=False)
    first, *others = walk(TellsTheTruth().predict, drive)
    assert torch.equal(first.cam_to_world, torch.eye(4).double()) and first.note == ""
    assert [step.cam_to_world for step in others] == [None, None]
    assert others[0].note == (
        "the data does not say where its camera was, and the method does not estimate where the camera was"
    )
    assert [step.cam_to_world for step in walk(TellsTheTruth(drive).predict, drive, places="given")] == [None] * 3


def test_after_a_gap_the_data_takes_up_the_chain_where_it_knows_more():
    class Gap(StreetDrive):
        def reference(self, index):
            shot = super().reference(index)
            return replace(shot, cam_to_world=None) if index in (1, 2) else shot

    drive = Gap(4, (8, 24))
    knows = TellsTheTruth(drive)

    def loses_frame_2(frames):
        said = knows.predict(frames)
        return replace(said, cam_to_reference=None) if " 0000000002 " in frames.names[0] else said

    steps = list(walk(loses_frame_2, drive))
    assert [step.cam_to_world is None for step in steps] == [False, False, True, False]
    torch.testing.assert_close(steps[3].cam_to_world, true_places(drive)[3])


def test_every_second_frame_of_neighbours_can_only_be_placed_by_the_data():
    drive = StreetDrive(4, (8, 24), given=False)
    steps = list(walk(TellsTheTruth(drive).predict, drive, every=2))
    assert [step.number for step in steps] == [0, 2]
    assert "the frame before is none of its views" in steps[1].note
    given = StreetDrive(4, (8, 24))
    assert list(walk(TellsTheTruth().predict, given, every=2))[1].cam_to_world is not None


def test_snippets_of_a_drive_on_disk_are_walked_over_and_those_of_two_are_refused(tmp_path: Path):
    write_odometry(tmp_path, name="00")
    write_odometry(tmp_path, name="01")
    scenes = read_kitti_odometry(tmp_path)
    views = (ViewSpec(sensor="left"), ViewSpec(sensor="left", offset=-1))
    config = SnippetConfig(views=views, height=HEIGHT, width=WIDTH, require="reference")

    def flat(frames):
        return DepthPrediction(depth=torch.ones(1, HEIGHT, WIDTH), K=frames.K[:, 0], is_metric=True)

    steps = list(walk(flat, Snippets(scenes[:1], config, training=False)))
    assert [step.cam_to_world[0, 3].item() for step in steps] == pytest.approx([i * STEP for i in range(5)])
    assert [step.time for step in steps] == pytest.approx([0.1 * i for i in range(5)])
    with pytest.raises(UsageError, match="expected a frame after 4, got 0"):
        list(walk(flat, Snippets(scenes, config, training=False)))


@pytest.mark.parametrize("classes", [None, torch.ones(1, 2, 2, 2, dtype=torch.int64)], ids=["nameless", "classes"])
def test_of_a_completed_scene_the_depth_is_taken_and_its_cells_where_they_have_classes(classes):
    drive = StreetDrive(1, (8, 24))

    def completes(frames):
        return CompletionPrediction(
            depth=frames.depth[:, 0],
            K=frames.K[:, 0],
            density=torch.zeros(1, 2, 2, 2),
            threshold=0.5,
            frame=VoxelFrame(origin=(0.0, 0.0, 0.0), size=1.0, shape=(2, 2, 2)),
            grid_to_cam=torch.eye(4)[None],
            features=torch.ones(1, 2, 8, 24),
            classes=classes,
        )

    (step,) = walk(completes, drive)
    assert isinstance(step.prediction, DepthPrediction) and torch.equal(step.prediction.depth, drive[0].depth[:, 0])
    if classes is None:
        assert step.scene is None
    else:
        assert step.scene is not None and step.scene.classes is not None and step.scene.features is None
