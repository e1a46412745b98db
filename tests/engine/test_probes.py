"""Yardsticks on features whose classes are known: two directions a class, of which one is rare."""

from __future__ import annotations

import pytest
import torch

from scene3d.engine.evaluator import EvaluateConfig, evaluate
from scene3d.engine.probes import KMEANS, LINEAR, fit_probes
from scene3d.errors import DataError, UsageError
from scene3d.fusion.refinement import RefinementConfig
from scene3d.nn.labeller import Labeller
from scene3d.structures.labels import CITYSCAPES, IGNORE, SSC
from tests.engine.test_evaluator import GRID, SMALL, Oracle, Streets

ROAD, CAR, TREE = (CITYSCAPES.index(name) for name in ("road", "car", "vegetation"))
DIRECTIONS = torch.eye(3)


class Featured(Oracle):
    """Its features say the class of each pixel; its own clusters are told to be roads, cars and trees in this order."""

    def __init__(self, names=(ROAD, CAR, TREE)) -> None:
        self.labeller = Labeller(lambda features: features, torch.tensor(names))
        self.asked = []

    def expand(self, features):
        return 2 * features

    def draw_features(self, batches):
        return torch.cat([self.features_of_pixels(frames).flatten(0, -2) for frames in batches])

    def features_of_pixels(self, frames):
        truth = frames.labels[:, 0]
        rank = torch.where(truth == ROAD, 0, torch.where(truth == CAR, 1, 2))
        noise = 0.1 * torch.randn(*truth.shape, 3, generator=torch.Generator().manual_seed(0))
        return DIRECTIONS[rank] + noise

    def features_at(self, frames, points):
        # In velodyne axes a car stands above the road, which is the lowest layer: y of the camera is -z.
        return DIRECTIONS[(points[..., 1] < 0.6).long()]

    def encode(self, image, K):
        return image

    def complete(self, field, frames):
        assert field is not None
        return self.predict(frames)

    def relabel(self, prediction, field, frames, labeller=None, refine=None):
        assert torch.equal(field, frames.image[:, 0])
        self.asked.append((labeller, refine))
        labels = (labeller or self.labeller).classes(self.features_of_pixels(frames))
        classes = torch.where(prediction.classes > 0, SSC.index("vegetation"), 0)
        return type(prediction)(**{**vars(prediction), "labels": labels, "classes": classes})


class Labelled(Streets):
    def __getitem__(self, index):
        frames = super().__getitem__(index)
        labels = torch.full_like(frames.labels, ROAD)
        labels[..., :8] = CAR
        labels[..., 8:12] = TREE
        labels[..., 12] = IGNORE
        return type(frames)(**{**vars(frames), "labels": labels})


def test_both_find_what_the_features_hold():
    train, val = Labelled(range(6)), Labelled(range(10, 13))
    probes = fit_probes(Featured(), train, val, "cpu", GRID)
    frames = Labelled(range(20, 21))[0]
    truth, features = frames.labels[:, 0], Featured().features_of_pixels(frames)
    known = truth != IGNORE
    assert set(probes) == {KMEANS, LINEAR}
    for probe in probes.values():
        assert (probe.classes(features) == truth)[known].float().mean() > 0.99
    assert len(probes[KMEANS].names) == 3
    assert len(probes[LINEAR].names) == len(CITYSCAPES)


def test_the_linear_probe_learns_from_cells_too():
    class Cells(Labelled):
        def __getitem__(self, index):
            frames = super().__getitem__(index)
            return type(frames)(**{**vars(frames), "labels": torch.full_like(frames.labels, IGNORE)})

    probe = fit_probes(Featured(), Cells(range(6)), Labelled(range(10, 12)), "cpu", GRID)[LINEAR]
    # Of the street's two classes of voxels, road and car, and of no other, there were labels.
    assert probe.classes(torch.tensor([[1.0, 0, 0], [0, 1, 0]])).tolist() == [ROAD, CAR]
    assert set(probe.classes(torch.randn(100, 3)).tolist()) == {ROAD, CAR}


def test_they_are_the_same_each_time_and_leave_the_generator_alone():
    train, val = Labelled(range(4)), Labelled(range(10, 12))
    features = torch.rand(50, 3)
    torch.manual_seed(3)
    first = fit_probes(Featured(), train, val, "cpu", GRID)
    drawn = torch.rand(())
    second = fit_probes(Featured(), train, val, "cpu", GRID)
    torch.manual_seed(3)
    assert drawn == torch.rand(())
    for name, probe in first.items():
        torch.testing.assert_close(probe.score(features), second[name].score(features))


def test_without_labels_or_features_there_is_no_yardstick():
    class Bare(Streets):
        def __getitem__(self, index):
            frames = super().__getitem__(index)
            return type(frames)(**{**vars(frames), "labels": None, "voxels": None})

    class Unnamed(Labelled):
        def __getitem__(self, index):
            frames = super().__getitem__(index)
            return type(frames)(**{**vars(frames), "labels": torch.full_like(frames.labels, IGNORE)})

    class Drawn(Featured):
        def draw_features(self, batches):
            return torch.rand(20, 3)

    some = Labelled(range(2))
    with pytest.raises(DataError, match="labelled validation frames"):
        fit_probes(Drawn(), some, Unnamed(range(2)), "cpu", GRID)
    with pytest.raises(DataError, match="labelled training frames"):
        fit_probes(Drawn(), Bare(range(2)), some, "cpu", GRID)
    with pytest.raises(UsageError, match="evaluate.probes: expected a method with classes from features"):
        fit_probes(Oracle(), some, some, "cpu", GRID)


def test_the_evaluation_has_a_row_for_each_and_one_for_refined_classes():
    method = Featured()
    probe = Labeller(lambda features: -features, torch.tensor([ROAD, CAR, TREE]))
    rules = SMALL.model_copy(update={"refine": RefinementConfig(smoothing=2)})
    report = evaluate(method, Labelled(range(2)), rules, frame=GRID, probes={KMEANS: probe})
    assert method.asked == [(probe, None), (None, rules.refine)] * 2
    rows = next(table.rows for table in report.tables if table.title == "classes of voxels")
    assert {f"{KMEANS}, threshold of the weights", "ours, refined, threshold of the weights"} < set(rows)
    # Everything is called a tree, and there is none.
    assert report.figure("classes of voxels", f"{KMEANS}, threshold of the weights", "mIoU 3.2 m") == 0
    assert report.figure("classes of voxels", "ours, threshold of the weights", "mIoU 3.2 m") > 0
    # The method itself says of pixels what its oracle of depth says: the truth; the probe calls the least alike.
    assert report.figure("classes of pixels", "ours", "accuracy") == 1.0
    assert report.figure("classes of pixels", "ours, refined", "accuracy") > 0.99
    assert report.figure("classes of pixels", KMEANS, "accuracy") < 0.5


def test_other_classes_of_a_method_without_features_are_refused():
    rules = SMALL.model_copy(update={"refine": RefinementConfig(smoothing=2)})
    with pytest.raises(UsageError, match="evaluate.refine: expected a method with classes from features"):
        evaluate(Oracle(), Labelled(range(1)), rules, frame=GRID)
    with pytest.raises(ValueError, match="leave out earlier and votes"):
        EvaluateConfig(probes=True, votes=(-1,))
    with pytest.raises(ValueError, match="expected negative offsets"):
        EvaluateConfig(votes=(1,))
