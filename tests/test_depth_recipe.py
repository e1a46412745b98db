"""Depth from several frames from a tree on disk to a report: the recipes' way, in a few steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from scene3d import recipe as recipes
from scene3d.config import parse
from scene3d.engine.checkpoint import newest_valid
from scene3d.recipe import Recipe
from scene3d.structures.prediction import DepthPrediction
from tests.data.small_trees import write_odometry

LEFT, BEFORE, AFTER = {"sensor": "left"}, {"sensor": "left", "offset": -1}, {"sensor": "left", "plus": 1}
SMALL = {
    "pyramid": {"kind": "small_resnet", "widths": [8, 8, 8, 8, 8], "blocks": 1},
    "widths": [8, 8, 8, 8, 8],
    "loss": {"scales": 1},
}
TITLE = "predicted deviation of the inverse depth"


def a_recipe(root: Path, kind: str, *, steps: int = 3, views: tuple[dict, ...] = (LEFT, BEFORE, AFTER)) -> Recipe:
    write_odometry(root / "tree", range(6))
    size = {"height": 64, "width": 96, "motion": "estimated"}
    tree = {
        "data": {
            "kind": "kitti_odometry",
            "root": str(root / "tree"),
            "train": ["00"],
            "val": ["00"],
            "fit": True,
            "snippets": {**size, "views": list(views)},
            "scoring": {**size, "views": [LEFT, BEFORE], "require": "reference", "need": ["depth"], "depth": "file"},
        },
        "method": {"kind": kind, **SMALL},
        "train": {"steps": steps, "optim": {"rate": 1e-3}},
        "evaluate": {"crop": False},
    }
    return parse(Recipe, tree, "test")


@pytest.mark.parametrize("kind", ["single_depth", "multiframe_depth", "fused_depth"])
def test_a_recipe_trains_scores_and_predicts(tmp_path: Path, kind: str):
    run = recipes.train(a_recipe(tmp_path, kind), tmp_path / "run", progress=False)
    report = recipes.evaluate(run, split="val")
    assert report.figure("depth", "ours, median scaled", "abs_rel") is not None
    if kind != "single_depth":
        assert report.figure("depth", "single frame, median scaled", "abs_rel") is not None
    if kind == "fused_depth":
        # The factor was chosen on these very frames, so that about as many errors lie within as a Gaussian's do.
        assert report.figure(TITLE, "ours", "inside one") == pytest.approx(0.68, abs=0.1)
    prediction = recipes.load(run).predict(tmp_path / "tree" / "sequences" / "00" / "image_2" / "000003.png")
    assert isinstance(prediction, DepthPrediction)
    assert not prediction.is_metric
    assert prediction.confidence is None or (prediction.confidence == 0).all()


def test_the_place_of_a_second_camera_makes_depth_metric(tmp_path: Path):
    views = (LEFT, {"sensor": "right"}, BEFORE)
    run = recipes.train(a_recipe(tmp_path, "multiframe_depth", views=views), tmp_path / "run", progress=False)
    found = recipes.load(run).predict(tmp_path / "tree" / "sequences" / "00" / "image_2" / "000003.png")
    assert found.is_metric


def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path):
    whole = recipes.train(a_recipe(tmp_path, "fused_depth", steps=4), tmp_path / "whole", progress=False)
    part = a_recipe(tmp_path, "fused_depth", steps=4)
    halted = part.model_copy(update={"train": part.train.model_copy(update={"max_cpu_minutes": 1e-6})})
    stopped = recipes.train(halted, tmp_path / "stopped", progress=False)
    _, state = newest_valid(stopped / "checkpoints")
    assert state["step"] < 4
    gone_on = recipes.train(part, tmp_path / "stopped", progress=False)
    one, other = (newest_valid(run / "checkpoints")[1]["learner"]["method"] for run in (whole, gone_on))
    assert all((one[name] == other[name]).all() for name in one)
