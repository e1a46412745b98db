"""The evaluation of completion against figures that are worked out cell by cell: equal, not close."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scene3d.engine.evaluator import EvaluateConfig, evaluate
from scene3d.evaluation.protocols import PROTOCOLS
from scene3d.evaluation.report import Report
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from tests.evaluation import slow_completion as slow

# A fiftieth of SSCBench's cells, in boxes of the same 12.8, 25.6 and 51.2 m.
GRID = VoxelFrame(origin=(0.0, -25.6, -6.4), size=1.6, shape=(32, 32, 9))
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0.8], [0, 0, 0, 1]])
# No cell's centre lies on the border of the image: that would take a multiple of 373 among the sums of coordinates.
VIEW = slow.View(focal=37.3, cx=41.7, cy=13.1, width=80, height=24, back=0.8)
K = torch.tensor([[VIEW.focal, 0, VIEW.cx], [0, VIEW.focal, VIEW.cy], [0, 0, 1]])
THRESHOLD = 0.35
RANGES = (12.8, 25.6, 51.2)
REGIONS = ("solid", "shell", "solid without ground", "shell without ground")


def random_frames(protocol: str, seed: int, ignored: float, empty: float, absent: list[int]) -> Frames:
    """Random classes, of which some never occur, among empty and ignored cells."""
    space, generator = PROTOCOLS[protocol].space, torch.Generator().manual_seed(seed)
    truth = torch.randint(1, len(space), GRID.shape, generator=generator)
    truth[torch.isin(truth, torch.tensor(absent, dtype=torch.int64))] = 0
    truth[torch.rand(GRID.shape, generator=generator) < empty] = 0
    truth[torch.rand(GRID.shape, generator=generator) < ignored] = 255
    return Frames(
        image=torch.zeros(1, 1, 3, VIEW.height, VIEW.width),
        K=K[None, None],
        present=torch.ones(1, 1, dtype=torch.bool),
        names=(str(seed),),
        voxels=truth[None],
        voxel_space=space,
        grid_to_cam=GRID_TO_CAM[None],
    )


class Guess:
    """Says random densities, and classes where these reach its threshold; sometimes the right ones."""

    def predict(self, frames: Frames) -> CompletionPrediction:
        generator = torch.Generator().manual_seed(int(frames.names[0]) + 1)
        density = torch.rand(GRID.shape, generator=generator)
        classes = torch.randint(1, 16, GRID.shape, generator=generator)
        assert frames.voxels is not None
        truth = frames.voxels[0]
        known = (truth > 0) & (truth < 16) & (torch.rand(GRID.shape, generator=generator) < 0.3)
        classes = torch.where(known, truth, classes)
        return CompletionPrediction(
            depth=torch.ones(1, VIEW.height, VIEW.width),
            K=frames.K[:, 0],
            density=density[None],
            threshold=THRESHOLD,
            frame=GRID,
            grid_to_cam=frames.grid_to_cam,
            classes=torch.where(density >= THRESHOLD, classes, 0)[None],
        )


def as_scene(frames: Frames) -> slow.Scene:
    prediction = Guess().predict(frames)
    return slow.Scene(
        truth=frames.voxels[0].tolist(),
        density=prediction.density[0].double().tolist(),
        classes=prediction.classes[0].tolist(),
        origin=GRID.origin,
        size=GRID.size,
        view=VIEW,
    )


def check(protocol: str, some: list[Frames]) -> None:
    report = evaluate(Guess(), some, EvaluateConfig(protocol=protocol), frame=GRID)
    scenes = [as_scene(frames) for frames in some]
    # As the package holds it: single precision.
    thresholds = {"ours, threshold of the weights": torch.tensor(THRESHOLD).item()}
    if protocol == "S4C":
        thresholds["ours, cut-off of the protocol"] = torch.tensor(0.2).item()
    for row, threshold in thresholds.items():
        for metres in RANGES:
            for region in REGIONS:
                found = [
                    report.figure(f"completion, {region}", row, f"{what} {metres} m")
                    for what in ("IoU", "precision", "recall")
                ]
                assert tuple(found) == slow.figures(scenes, protocol, threshold, metres, region)
            check_classes(report, row, metres, slow.class_figures(scenes, protocol, threshold, metres))


def check_classes(report: Report, row: str, metres: float, wanted: dict[str, tuple[float, float, float]]) -> None:
    for name, figures in wanted.items():
        for what, figure in zip(("IoU", "precision", "recall"), figures, strict=True):
            assert report.figure("each class of voxels", f"{row}, {what}, {metres} m", name) == figure
    mean = slow.mean([figures[0] for figures in wanted.values()])
    assert report.figure("classes of voxels", row, f"mIoU {metres} m") == mean


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_figures_over_several_frames_are_those_of_a_loop_over_cells(protocol: str):
    check(protocol, [random_frames(protocol, seed, ignored=0.2, empty=0.6, absent=[2, 5]) for seed in (0, 10)])


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    seed=st.integers(0, 1000),
    ignored=st.sampled_from([0.0, 0.3, 0.95]),
    empty=st.sampled_from([0.0, 0.9, 1.0]),
    absent=st.lists(st.integers(1, 15), unique=True),
)
def test_whatever_is_ignored_empty_or_absent(protocol: str, seed: int, ignored: float, empty: float, absent: list[int]):
    check(protocol, [random_frames(protocol, seed, ignored, empty, absent)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_truth_that_nobody_knows_scores_nothing(protocol: str):
    frames = random_frames(protocol, 0, ignored=1.1, empty=0.0, absent=[])
    check(protocol, [frames])
    empty = replace(frames, voxels=torch.zeros_like(frames.voxels))
    check(protocol, [empty])
