"""The evaluator on streets of a few hundred cells: ours, the baselines, and what is said about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import pytest
import torch

from scene3d.engine.evaluator import EvaluateConfig, evaluate
from scene3d.errors import DataError, UsageError
from scene3d.evaluation import published
from scene3d.evaluation.report import load_report
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction

GRID = VoxelFrame(origin=(0.0, -1.6, -0.8), size=0.2, shape=(16, 16, 8))
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 1.0], [0, 0, 0, 1]])
K = torch.tensor([[12.0, 0, 12], [0, 12.0, 8], [0, 0, 1]])
SMALL = EvaluateConfig(protocol="street exact", ranges=(1.6, 3.2), crop=False, frames=4)


def street(seed: int) -> Frames:
    """A road (class 7) in the lowest layer, and a car (class 1) that stands somewhere on it."""
    voxels = torch.zeros(16, 16, 8, dtype=torch.int64)
    voxels[:, :, 0] = 7
    x, y = torch.randint(2, 12, (2,), generator=torch.Generator().manual_seed(seed)).tolist()
    voxels[x : x + 3, y : y + 3, 1:4] = 1
    depth = torch.full((1, 1, 16, 24), 1.0 + 0.2 * x)
    return Frames(
        image=torch.zeros(1, 1, 3, 16, 24),
        K=K[None, None],
        present=torch.ones(1, 1, dtype=torch.bool),
        names=(f"street {seed}",),
        depth=depth,
        labels=torch.full((1, 1, 16, 24), 13),
        voxels=voxels[None],
        grid_to_cam=GRID_TO_CAM[None],
    )


@dataclass
class Streets:
    seeds: range

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, index: int) -> Frames:
        return street(self.seeds[index])


class Oracle:
    """Knows the truth; its density is 5 where something is and 2 elsewhere, its depth 10 % too large."""

    def predict(self, frames: Frames) -> CompletionPrediction:
        return CompletionPrediction(
            depth=frames.depth[:, 0] * 1.1,
            K=frames.K[:, 0],
            density=torch.where(frames.voxels > 0, 5.0, 2.0),
            threshold=0.5,
            frame=GRID,
            grid_to_cam=frames.grid_to_cam,
            classes=frames.voxels.clone(),
            labels=frames.labels[:, 0],
        )


def test_only_the_camera_of_a_surface_is_corrected():
    with pytest.raises(UsageError, match=r"evaluate.correct_cameras: expected a surface of one scene, got Oracle"):
        evaluate(Oracle(), Streets(range(2)), EvaluateConfig(correct_cameras=1), frame=GRID)


@pytest.fixture(scope="module")
def report():
    told = []
    result = evaluate(
        Oracle(),
        Streets(range(100, 110)),
        SMALL,
        fit_data=Streets(range(12)),
        frame=GRID,
        provenance={"seed": "0"},
        progress=lambda *step: told.append(step),
    )
    assert told[-1] == ("scoring val", 4, 4)
    return result


def test_the_fitted_threshold_separates_what_the_stored_one_does_not(report):
    title = "completion, solid"
    assert report.figure(title, "ours", "IoU 3.2 m") == 1.0
    # Every density is above 0.5, so the stored threshold calls everything occupied.
    everything = report.figure(title, "everything occupied", "IoU 3.2 m")
    assert report.figure(title, "ours, threshold of the weights", "IoU 3.2 m") == everything
    assert 0 < everything < 0.5


def test_the_mean_grid_knows_the_road_and_not_the_car(report):
    assert report.figure("completion, solid", "mean grid", "IoU 3.2 m") > 0.6
    assert report.figure("completion, solid without ground", "mean grid", "IoU 3.2 m") < 0.5
    assert report.figure("completion, solid without ground", "ours", "IoU 3.2 m") == 1.0


def test_the_height_cut_finds_the_road(report):
    # The road alone (256 cells) against road and car (27 more), or fewer in view: the cut is at its layer.
    assert report.figure("completion, solid", "best height cut", "precision 3.2 m") == 1.0


def test_every_region_and_every_baseline_is_there(report):
    titles = [table.title for table in report.tables]
    for kind in ("solid", "shell", "occluded"):
        for suffix in ("", " without ground"):
            table = report.tables[titles.index(f"completion, {kind}{suffix}")]
            assert set(table.rows) == {
                "ours",
                "ours, threshold of the weights",
                "mean grid",
                "best height cut",
                "everything occupied",
                "predicted depth unprojected",
            }
            assert "street exact" in table.note


def test_depth_stands_beside_the_median_image_and_scaling_is_said_aloud(report):
    assert report.figure("depth", "ours", "abs_rel") == pytest.approx(0.1)
    assert report.figure("depth", "ours", "median_ratio") == pytest.approx(1 / 1.1)
    assert report.figure("depth", "ours", "ratio_spread") == pytest.approx(0.0, abs=1e-6)
    assert report.figure("depth", "ours, median scaled", "abs_rel") == pytest.approx(0.0, abs=1e-6)
    assert report.figure("depth", "median training depth image", "abs_rel") > 0


def test_classes_stand_beside_the_majority_of_the_mean_grid(report):
    # Two classes of fifteen are there, both right; one of the twelve that are not ground.
    assert report.figure("classes of voxels", "ours", "mIoU 3.2 m") == pytest.approx(2 / 15)
    assert report.figure("classes of voxels", "ours", "mIoU without ground classes 3.2 m") == pytest.approx(1 / 12)
    assert report.figure("classes of voxels", "mean grid", "mIoU 3.2 m") < 2 / 15
    assert report.figure("classes of pixels", "ours", "accuracy") == 1.0


def test_a_report_comes_back_from_its_file(report, tmp_path):
    report.save(tmp_path / "new" / "report.json")
    assert load_report(tmp_path / "new" / "report.json") == report
    assert "| mean grid |" in report.as_markdown()
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "report.json"]


def test_without_training_data_the_report_says_what_is_missing():
    report = evaluate(Oracle(), Streets(range(2)), SMALL, frame=GRID)
    assert "no baselines" in report.notes[0]
    assert set(report.tables[1].rows) == {"ours, threshold of the weights"}


def test_a_depth_method_is_scored_on_depth_alone():
    class Flat:
        def predict(self, frames: Frames) -> DepthPrediction:
            return DepthPrediction(depth=frames.depth[:, 0], K=frames.K[:, 0], is_metric=True)

    report = evaluate(Flat(), Streets(range(2)), SMALL, frame=GRID)
    assert [table.title for table in report.tables] == ["depth"]


def test_a_grid_that_lies_elsewhere_is_refused():
    class Shifted(Oracle):
        def predict(self, frames: Frames) -> CompletionPrediction:
            return replace(super().predict(frames), grid_to_cam=frames.grid_to_cam + 0.1)

    with pytest.raises(UsageError, match="elsewhere"):
        evaluate(Shifted(), Streets(range(1)), SMALL, frame=GRID)


def test_frames_without_truth_are_an_error():
    class Bare(Streets):
        def __getitem__(self, index: int) -> Frames:
            return replace(street(index), depth=None, voxels=None, labels=None)

    with pytest.raises(DataError, match="none of the 2 frames"):
        evaluate(Oracle2(), Bare(range(2)), SMALL, frame=GRID)


class Oracle2(Oracle):
    def predict(self, frames: Frames) -> DepthPrediction:
        return DepthPrediction(depth=torch.ones(1, 16, 24), K=frames.K[:, 0], is_metric=True)


class WithTruth(Streets):
    """The same streets, with their depth at three times the size as well."""

    def __getitem__(self, index: int) -> Frames:
        frames = street(self.seeds[index])
        truth = frames.depth[0].repeat_interleave(3, dim=1).repeat_interleave(3, dim=2)
        return replace(frames, truth=truth)


def test_depth_is_scored_at_the_size_of_its_truth_as_the_protocol_says():
    seen = []

    class Looks(Oracle2):
        def predict(self, frames: Frames) -> DepthPrediction:
            seen.append(frames.image.shape[-2:])
            return DepthPrediction(depth=frames.depth[:, 0] / 5.4, K=frames.K[:, 0], is_metric=False)

    config = EvaluateConfig(depth="eigen", depth_factor=5.4, frames=3)
    report = evaluate(Looks(), WithTruth(range(5)), config, frame=GRID)
    assert set(seen) == {(16, 24)}
    table = report.tables[0]
    assert table.note.startswith("eigen (3 images): Garg crop, 0.001 to 80 m")
    assert set(table.rows) == {"ours", "ours, median scaled", "ours, times 5.4"}
    assert report.figure("depth", "ours", "abs_rel") == pytest.approx(1 - 1 / 5.4)
    assert report.figure("depth", "ours, times 5.4", "abs_rel") == pytest.approx(0.0, abs=1e-6)
    assert report.figure("depth", "ours", "median_ratio") == pytest.approx(5.4)


def test_the_report_says_how_depth_was_scored_and_on_what():
    config = EvaluateConfig(depth="eigen improved", depth_factor=5.4, mirror=True)
    said = evaluate(Oracle2(), WithTruth(range(2)), config, frame=GRID, provenance={"seed": "7"}).provenance
    assert said["samples"] == "2, sha256 " + hashlib.sha256(b"street 0\nstreet 1\n").hexdigest()
    assert said | {"samples": ""} == {
        "seed": "7",
        "samples": "",
        "depth protocol": "eigen improved",
        "ground truth": "from its file, at the image's size",
        "crop": "none",
        "cap": "0.001 to 80 m, of the prediction alone",
        "scaling": "none, median of each image, 5.4; one row each",
        "mirrored mean": "yes",
    }


def test_depth_of_cityscapes_is_scored_in_its_crop_at_its_size():
    class Cities(Streets):
        """10 m in the crop that counts, rows 256 to 767 and columns 192 to 1855, and 20 m around it."""

        def __getitem__(self, index: int) -> Frames:
            truth = torch.full((1, 768, 2048), 20.0)
            truth[:, 256:, 192:1856] = 10.0
            return replace(street(index), truth=truth)

    class Ten(Oracle2):
        def predict(self, frames: Frames) -> DepthPrediction:
            return DepthPrediction(depth=torch.full((1, 16, 24), 10.0), K=frames.K[:, 0], is_metric=True)

    report = evaluate(Ten(), Cities(range(1)), EvaluateConfig(depth="cityscapes"), frame=GRID)
    assert report.figure("depth", "ours", "abs_rel") == pytest.approx(0.0, abs=1e-6)
    assert report.tables[0].note.startswith("cityscapes (1 images): Cityscapes' crop")


def test_frames_without_the_truth_of_the_protocol_are_not_scored_on_another():
    with pytest.raises(DataError, match="none of the 2 frames"):
        evaluate(Oracle2(), Streets(range(2)), EvaluateConfig(depth="eigen"), frame=GRID)


def test_the_mirrored_mean_asks_twice_and_averages():
    class Sided(Oracle2):
        """Sees 1 m in an image that is brighter on the left, else 3 m; disparities 1 and 1/3, whose mean is 2/3."""

        def predict(self, frames: Frames) -> DepthPrediction:
            left = frames.image[0, 0, 0, 0, 0] > frames.image[0, 0, 0, 0, -1]
            return DepthPrediction(
                depth=torch.full((1, 16, 24), 1.0 if left else 3.0), K=frames.K[:, 0], is_metric=True
            )

    class Bright(Streets):
        def __getitem__(self, index: int) -> Frames:
            ramp = torch.linspace(1, 0, 24).expand(1, 1, 3, 16, 24)
            return replace(street(index), image=ramp, depth=torch.full((1, 1, 16, 24), 1.5))

    plain = EvaluateConfig(crop=False)
    assert evaluate(Sided(), Bright(range(1)), plain, frame=GRID).figure("depth", "ours", "abs_rel") == pytest.approx(
        1 / 3
    )
    mirrored = EvaluateConfig(crop=False, mirror=True)
    # 1.5 m is right in the middle; the ramps reach over two columns of 24 at either side.
    error = evaluate(Sided(), Bright(range(1)), mirrored, frame=GRID).figure("depth", "ours", "abs_rel")
    assert 0 < error < 0.15


def test_published_figures_stand_below_ours_where_everything_fits(monkeypatch):
    table = replace(published.TABLES[0], images=2)
    monkeypatch.setattr(published, "TABLES", (table,))
    config = EvaluateConfig(depth="eigen as published")
    ours = evaluate(Oracle2(), WithTruth(range(2)), config, frame=GRID, published_as="kitti_raw").tables[0]
    assert ours.rows["published: Monodepth2 M R18, 640x192"] == (
        0.115,
        0.903,
        4.863,
        0.193,
        0.877,
        0.959,
        0.981,
        None,
        None,
    )
    assert "published figures are median scaled, from the results table shipped with ManyDepth" in ours.note
    alone = evaluate(Oracle2(), WithTruth(range(2)), config, frame=GRID).tables[0]
    assert set(alone.rows) == {"ours", "ours, median scaled"}


def test_a_named_depth_protocol_is_not_changed_by_the_way():
    with pytest.raises(ValueError, match='cap: depth "eigen" has its own; leave it out, or at 80'):
        EvaluateConfig(depth="eigen", cap=50.0)


def test_both_matchings_are_reported_and_named(report):
    class Swapped(Oracle):
        """Calls cars (1) roads (7), and roads cars."""

        def predict(self, frames: Frames) -> CompletionPrediction:
            found = super().predict(frames)
            swap = torch.arange(16)
            swap[1], swap[7] = 7, 1
            return replace(found, classes=swap[found.classes], threshold=4.0)

    swapped = evaluate(Swapped(), Streets(range(3)), SMALL, frame=GRID)
    direct = "ours, threshold of the weights"
    assert swapped.figure("classes of voxels", direct, "mIoU 3.2 m") == 0.0
    oracle = swapped.figure("classes of voxels", f"{direct}, Hungarian oracle", "mIoU 3.2 m")
    assert oracle == pytest.approx(2 / 15)
    note = next(table.note for table in swapped.tables if table.title == "classes of voxels")
    assert "direct matching, on validation data" in note and "no result" in note
    assert report.figure("classes of pixels", "ours, Hungarian oracle", "accuracy") == 1.0


def test_the_protocol_of_s4c_adds_a_row_with_its_own_cut_off():
    rules = SMALL.model_copy(update={"protocol": "S4C"})
    report = evaluate(Oracle(), Streets(range(2)), rules, frame=GRID)
    both = {"ours, threshold of the weights", "ours, cut-off of the protocol"}
    assert set(report.tables[1].rows) == both
    # Classes are known from the threshold of the weights on, 0.5; at 0.2 there would be cells without one.
    classes = next(table for table in report.tables if table.title == "classes of voxels")
    assert "ours, cut-off of the protocol" not in classes.rows


def test_truth_of_other_classes_than_the_protocol_s_is_refused():
    rules = SMALL.model_copy(update={"protocol": "SSCBench"})
    with pytest.raises(UsageError, match="expected classes of SSCBench, got those of S4C 15"):
        evaluate(Oracle(), Streets(range(1)), rules, frame=GRID)


def test_published_figures_are_refused_beside_other_frames():
    rules = SMALL.model_copy(update={"protocol": "S4C"})
    report = evaluate(Oracle(), Streets(range(2)), rules, frame=GRID, published_as=published.SSCBENCH_TEST)
    assert any("not printed" in note and "over 2." in note for note in report.notes)
    assert not any(row.startswith("published") for table in report.tables for row in table.rows)


def test_published_figures_stand_below_ours_where_all_is_theirs(monkeypatch: pytest.MonkeyPatch):
    table = replace(published.COMPLETION_TABLES[0], frames=(2,))
    monkeypatch.setattr(published, "COMPLETION_TABLES", (table,))
    rules = EvaluateConfig(protocol="S4C", crop=False, ranges=(1.6,))
    report = evaluate(Oracle(), Streets(range(2)), rules, frame=GRID, published_as=published.SSCBENCH_TEST)
    assert report.figure("completion, solid", "published: S4C", "IoU 1.6 m") is None  # a range of ours alone
    assert report.figure("classes of voxels", "published: SceneDINO, DINOv2", "mIoU 1.6 m") is None
    assert "published: S4C" not in report.tables[3].rows
    assert "table 1" in report.tables[1].note
