from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from scene3d.data.loading import KittiOdometryData
from scene3d.errors import ConfigError, DataError
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry

SNIPPETS = {"height": HEIGHT, "width": WIDTH, "views": [{"sensor": "left"}, {"sensor": "left", "offset": 1}]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("00", "01"):
        write_odometry(tmp_path / "tree", name=name)
    return tmp_path


def a_list(folder: Path, name: str, *lines: str) -> str:
    (folder / name).write_text("\n".join(lines))
    return str(folder / name)


def data(tree: Path, **keys: object) -> KittiOdometryData:
    return KittiOdometryData.model_validate({"root": tree / "tree", "snippets": SNIPPETS, **keys})


def names(snippets) -> list[str]:
    return [snippets.name(i) for i in range(len(snippets))]


def test_frames_that_are_held_out_are_scored_and_not_learned_from(tree: Path):
    held = {"hold_out": 2, "train": ["00"], "snippets": {**SNIPPETS, "require": "reference"}}
    learned, scored = data(tree, **held).build("train"), data(tree, **held).build("val")
    frames = [{samples.reference(i).frame for i in range(len(samples))} for samples in (learned, scored)]
    assert frames[0] and all(frame % 2 for frame in frames[0])
    assert frames[1] and all(frame % 2 == 0 for frame in frames[1])
    assert names(data(tree, **held).build("test")) == names(scored)
    # Looked at without being varied, the training's frames are still its own.
    assert len(data(tree, **held).build("train", training=False)) == len(learned)
    assert data(tree, **held).has("val")
    with pytest.raises(ValidationError, match="hold_out: val, test and lists name drives"):
        data(tree, hold_out=2, val=["01"])


def test_only_the_listed_frames_and_sides_are_references(tree: Path):
    lists = {"test": a_list(tree, "test.txt", "1 3 r", "0 2 l")}
    samples = data(tree, lists=lists).build("test")
    assert names(samples) == ["01 0000000003 right", "00 0000000002 left"]
    assert samples[0].names == ("01 0000000003 right",)
    # The neighbour is seen from the listed side too: both views of the right camera have its transforms.
    assert samples[0].cam_to_world[0, 1, 0, 3].item() == samples[1].cam_to_world[0, 1, 0, 3].item() == 0.125


def test_a_listed_sample_keeps_its_side_in_training(tree: Path):
    lists = {"train": a_list(tree, "train.txt", "0 1 l", "0 1 r")}
    samples = data(tree, lists=lists).build("train")
    for epoch in range(4):
        assert [samples[i, epoch].names[0][-5:] for i in range(2)] == [" left", "right"]
    with pytest.raises(ValidationError, match="random_side"):
        data(tree, lists=lists, snippets={**SNIPPETS, "random_side": True})


def test_a_listed_sample_that_cannot_be_made_is_named(tree: Path):
    lists = {"test": a_list(tree, "test.txt", "0 2 l", "0 4 l", "0 9 l")}
    # Frame 4 is the last, so it has no frame after it; frame 9 is not there at all.
    with pytest.raises(DataError, match="2 of 3 listed samples lack a view or what is needed: 00 0000000004 left, ..."):
        data(tree, lists=lists).build("test")
    lists = {"test": a_list(tree, "test.txt", "7 2 l")}
    with pytest.raises(DataError, match="expected a drive named 07"):
        data(tree, lists=lists).build("test")


def test_training_takes_the_drives_that_no_list_names(tree: Path):
    lists = {"test": a_list(tree, "test.txt", "1 3 r")}
    assert [scene.name for scene in data(tree, lists=lists).scenes("train")] == ["00"]


@pytest.mark.parametrize(
    ("split", "lines", "said"),
    [
        # Frame 3 of 00 is tested from the left; from the right it shows the same.
        ("val", ["0 1 l", "0 3 r"], "val and test share 1 frames, the first of them 00 0000000003"),
        ("train", ["0 3 l", "0 2 l"], "train and test share 2 frames, the first of them 00 0000000002"),
    ],
)
def test_nothing_is_chosen_on_frames_that_are_reported(tree: Path, split: str, lines: list[str], said: str):
    lists = {"test": a_list(tree, "test.txt", "0 3 l", "0 2 l"), split: a_list(tree, f"{split}.txt", *lines)}
    for each in (split, "test"):
        with pytest.raises(ConfigError, match=said):
            data(tree, lists=lists).build(each)
    assert len(data(tree, lists=lists, fit=True).build(split)) == 2


def test_a_validation_drive_that_holds_tested_frames_is_refused_too(tree: Path):
    lists = {"test": a_list(tree, "test.txt", "0 3 l")}
    with pytest.raises(ConfigError, match="val and test share 1 frames, the first of them 00 0000000003 left"):
        data(tree, lists=lists, val=("00",)).build("val")


def test_training_and_validation_may_share_frames_but_no_sample(tree: Path):
    train = a_list(tree, "train.txt", "0 1 l", "0 2 l")
    apart = {"train": train, "val": a_list(tree, "val.txt", "0 1 r")}
    assert names(data(tree, lists=apart).build("val")) == ["00 0000000001 right"]
    mixed = {"train": train, "val": a_list(tree, "mixed.txt", "0 2 l")}
    with pytest.raises(ConfigError, match="train and val share 1 samples, the first of them 00 0000000002 left"):
        data(tree, lists=mixed).build("train")


def test_a_split_is_drives_or_a_list_and_not_both(tree: Path):
    with pytest.raises(ValidationError, match=r"test: names drives, and lists.test names frames"):
        data(tree, test=("00",), lists={"test": a_list(tree, "test.txt", "0 3 l")})
    assert data(tree, lists={"val": "x.txt"}).has("val") and not data(tree).has("val")


def test_true_depth_is_asked_of_what_is_scored_alone(tree: Path):
    config = data(tree, train=("00",), val=("01",))
    # Frames 0 and 2 have a scan and a frame after them; frame 4 has no frame after it.
    assert names(config.build("val", truth="scan")) == ["01 0000000000 left", "01 0000000002 left"]
    assert config.build("val", truth="scan")[0].truth.shape == (1, HEIGHT, WIDTH)
    assert config.build("val")[0].truth is None
    assert config.build("train", truth="scan")[0].truth is None


def test_samples_may_look_back_and_ahead_at_evaluation(tree: Path):
    config = data(tree, test=("00",), snippets={**SNIPPETS, "views": [{"sensor": "left"}]})
    back = config.looking_back((-1, -2)).build("test")
    # The first frame has none before it; it stays, as its own frame does.
    assert len(back) == len(config.build("test")) == 5
    assert back[0].present.tolist() == [[True, False, False]] and back[2].offset.tolist() == [[0, -1, -2]]
    assert back[2].cam_to_world[0, :, 0, 3].tolist() == [0.0, -0.125, -0.25]


def test_samples_may_have_the_scans_of_the_next_instants(tree: Path):
    # The tree has scans of frames 0, 2 and 4.
    samples = data(tree, test=("00",), snippets={**SNIPPETS, "views": [{"sensor": "left"}]}).with_scans(2).build("test")
    assert [samples[i].scans is not None for i in range(5)] == [True, False, True, False, False]
    frames = samples[0]
    assert frames.scans.shape == (1, 2, 451, 3)
    # The car goes to the right; the second scan was taken 2 frames later, and its y axis points left.
    assert frames.scan_to_cam[0, 1, 0, 3].item() == 0.25 and frames.scan_to_cam[0, 0, 0].tolist() == [0, -1, 0, 0]
    assert samples[2].scans is not None and data(tree, test=("00",)).build("test")[0].scans is None
