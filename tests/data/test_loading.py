from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from scene3d.data.loading import DataConfig, KittiOdometryData, ResumableSampler, loader
from scene3d.data.snippets import SnippetConfig, ViewSpec
from scene3d.errors import ConfigError, DataError
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry

SMALL = SnippetConfig(views=(ViewSpec(sensor="left"), ViewSpec(sensor="right")), height=HEIGHT, width=WIDTH, flip=0.5)


def taken(sampler: ResumableSampler, count: int) -> list[tuple[int, int]]:
    return list(islice(sampler, count))


def test_every_sample_comes_once_an_epoch_in_an_order_of_its_own():
    keys = taken(ResumableSampler(7, seed=1), 21)
    epochs = [[index for index, epoch in keys if epoch == e] for e in range(3)]
    assert all(sorted(order) == list(range(7)) for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert keys == taken(ResumableSampler(7, seed=1), 21)
    assert keys != taken(ResumableSampler(7, seed=2), 21)


def test_a_sampler_goes_on_where_its_state_was_saved():
    whole = taken(ResumableSampler(5, seed=3), 30)
    for used in (0, 1, 4, 5, 12):
        sampler = ResumableSampler(5, seed=3)
        # Workers have fetched more than was used.
        taken(sampler, used + 6)
        sampler.advance(used)
        resumed = ResumableSampler(5, seed=0)
        resumed.load_state_dict(sampler.state_dict())
        assert taken(resumed, 10) == whole[used : used + 10]


def test_ranks_share_an_epoch_and_all_get_as_much():
    ranks = [[i for i, _ in ResumableSampler(7, rank=r, world=3, endless=False)] for r in range(3)]
    assert [len(rank) for rank in ranks] == [3, 3, 3]
    together = [i for rank in ranks for i in rank]
    assert set(together) == set(range(7))
    # Nine keys of seven samples: two come twice.
    assert len(together) - len(set(together)) == 2


def test_more_ranks_than_samples_still_all_get_one():
    assert [len(list(ResumableSampler(2, rank=r, world=5, endless=False))) for r in range(5)] == [1] * 5


def test_a_run_of_two_ranks_can_be_resumed_by_one():
    two = ResumableSampler(8, seed=1, rank=0, world=2)
    two.advance(3)
    one = ResumableSampler(8)
    one.load_state_dict(two.state_dict())
    # Three keys each: six of the eight are used, and the other two are left for this epoch.
    whole = taken(ResumableSampler(8, seed=1), 8)
    assert taken(one, 2) == whole[6:]


def test_in_order_and_once():
    assert list(ResumableSampler(3, shuffle=False, endless=False)) == [(0, 0), (1, 0), (2, 0)]


def test_a_sampler_of_nothing_is_refused():
    with pytest.raises(ValueError, match="length > 0"):
        ResumableSampler(0)


@pytest.fixture
def data(tmp_path: Path) -> KittiOdometryData:
    for name in ("00", "01", "02"):
        write_odometry(tmp_path, range(3), name)
    return KittiOdometryData(root=tmp_path, val=("01",), test=("02",), snippets=SMALL)


def test_splits_are_lists_of_names_and_train_is_the_rest(data: KittiOdometryData):
    assert [scene.name for scene in data.scenes("train")] == ["00"]
    assert [scene.name for scene in data.scenes("val")] == ["01"]
    named = data.model_copy(update={"train": ("00", "02"), "test": ()})
    assert [scene.name for scene in named.scenes("train")] == ["00", "02"]
    with pytest.raises(ConfigError, match=r"data\.test: names no drive"):
        named.scenes("test")


def test_a_drive_in_two_splits_is_refused_unless_a_fit_is_meant(tmp_path: Path):
    with pytest.raises(ValidationError, match="07 is in train and in val"):
        KittiOdometryData(root=tmp_path, train=("07",), val=("07",))
    assert KittiOdometryData(root=tmp_path, train=("07",), val=("07",), fit=True).fit


def test_only_training_is_varied_and_scoring_may_differ(data: KittiOdometryData):
    assert data.build("train").training
    assert not data.build("val").training
    scoring = data.model_copy(update={"scoring": SMALL.model_copy(update={"depth": "file"})})
    assert scoring.build("train")[0].depth is None
    assert scoring.build("val")[0].depth is not None
    assert scoring.build("train", training=False)[0].depth is not None


def test_the_kind_tells_the_data_sets_apart():
    adapter = TypeAdapter(DataConfig)
    assert isinstance(adapter.validate_python({"kind": "kitti_odometry", "root": "."}), KittiOdometryData)
    with pytest.raises(ValidationError, match="kitti_360"):
        adapter.validate_python({"kind": "kitty", "root": "."})


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_any_number_of_workers(data: KittiOdometryData, workers: int):
    dataset = data.build("train")
    batches = list(islice(loader(dataset, 2, ResumableSampler(len(dataset), seed=1), workers), 4))
    keys = taken(ResumableSampler(len(dataset), seed=1), 8)
    for batch, pair in zip(batches, (keys[0:2], keys[2:4], keys[4:6], keys[6:8]), strict=True):
        assert torch.equal(batch.image, torch.cat([dataset[key].image for key in pair]))
        assert batch.names == tuple(dataset[key].names[0] for key in pair)


def test_loading_does_not_touch_the_random_state_of_the_run(data: KittiOdometryData):
    before = torch.get_rng_state()
    next(iter(loader(data.build("train"), 1)))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_sampler_every_sample_comes_once_and_in_order(data: KittiOdometryData):
    names = [name for batch in loader(data.build("val"), 2) for name in batch.names]
    assert names == [f"01 {frame:010d} left" for frame in range(3)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_is_one_line_with_its_name(data: KittiOdometryData, workers: int):
    path = data.root / "sequences" / "01" / "image_2" / "000002.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"000002\.png: expected an 8-bit PNG or JPEG image") as caught:
        list(loader(data.build("val"), 1, workers=workers))
    assert "\n" not in str(caught.value)
