from __future__ import annotations

import pytest
import torch
from torch import nn

from scene3d.engine import finishing
from scene3d.engine.fitting import Fitted
from scene3d.engine.rules import OURS, EvaluateConfig
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.structures.frames import Frames


class Kept(nn.Module):
    """A method that keeps a threshold; nothing else of it may be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.tensor(0.2))

    def training_step(self, frames, step):
        raise NotImplementedError

    def predict(self, frames):
        raise NotImplementedError

    def parameter_groups(self):
        raise NotImplementedError


def _frames(voxels: torch.Tensor | None) -> Frames:
    return Frames(
        image=torch.zeros(1, 1, 3, 2, 2),
        K=torch.eye(3)[None, None],
        present=torch.ones(1, 1, dtype=torch.bool),
        voxels=voxels,
    )


def test_the_threshold_is_the_one_of_the_middle_range(monkeypatch: pytest.MonkeyPatch):
    fitted = Fitted(thresholds={OURS: {("solid", 12.8): 0.5, ("solid", 25.6): 0.25, ("solid", 51.2): 0.125}}, grids={})
    monkeypatch.setattr(finishing, "fit", lambda *_: fitted)
    method, data = Kept(), [_frames(torch.zeros(1, 2, 2, 2, dtype=torch.int64))]
    assert finishing.choose_threshold(method, data, EvaluateConfig(), "cpu") == 0.25
    assert method.threshold.item() == 0.25


def test_data_without_voxels_leaves_the_threshold_alone():
    method = Kept()
    assert finishing.choose_threshold(method, [_frames(None)], EvaluateConfig(), "cpu") is None
    assert method.threshold.item() == pytest.approx(0.2)


class Calibrating(Kept):
    """Keeps a calibration besides."""

    def __init__(self) -> None:
        super().__init__()
        self.calibration = None

    def calibrate(self, calibration):
        self.calibration = calibration


def test_the_calibration_is_chosen_along_with_the_threshold(monkeypatch: pytest.MonkeyPatch):
    rings = (12.8, 25.6, 51.2)
    calibration = OccupancyCalibration(rings, torch.rand(3, 242), torch.rand(3))
    thresholds = {OURS: {("solid", extent): 0.5 for extent in rings}}
    monkeypatch.setattr(finishing, "fit", lambda *_: Fitted(thresholds=thresholds, grids={}, calibration=calibration))
    data = [_frames(torch.zeros(1, 2, 2, 2, dtype=torch.int64))]
    method = Calibrating()
    finishing.choose_threshold(method, data, EvaluateConfig(), "cpu")
    assert method.calibration is calibration
    other = Calibrating()
    assert finishing.find_calibration(other, data, EvaluateConfig(), "cpu") is calibration
    assert other.calibration is calibration and other.threshold.item() == pytest.approx(0.2)
    # Curves of other boxes are not kept, nor any by a method without a place for them.
    assert finishing.find_calibration(other, data, EvaluateConfig(ranges=(12.8,)), "cpu") is None
    assert finishing.find_calibration(Kept(), data, EvaluateConfig(), "cpu") is None
    assert finishing.find_calibration(other, [_frames(None)], EvaluateConfig(), "cpu") is None


def test_only_a_method_that_wants_to_measures_before_it_learns():
    class Measuring(Kept):
        def prepare(self, batches):
            self.seen = list(batches)

    frames = [_frames(None) for _ in range(3)]
    method = Measuring()
    finishing.prepare(method, frames, "cpu")
    assert len(method.seen) == 3
    finishing.prepare(Kept(), frames, "cpu")


def test_groups_take_the_names_of_what_they_cover_and_none_without_labels():
    labels = torch.tensor([[[[2, 2], [8, 8]]]])
    frames = Frames(**{**vars(_frames(None)), "labels": labels})
    groups = torch.tensor([[[1, 1], [0, 0]]])
    assert finishing.name_groups(lambda _: groups, 2, [frames], "cpu").tolist() == [8, 2]
    assert finishing.name_groups(lambda _: groups, 2, [_frames(None)], "cpu") is None
