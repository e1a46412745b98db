"""The recipes of SceneDINO as they ship, on streets in KITTI-360's layout, with networks and images made small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import scene3d
from scene3d import recipe as recipes
from scene3d.data.street.street import StreetConfig
from scene3d.data.street.write import write_streets
from scene3d.evaluation.tables import completion_title
from tests.tiny import CONFIGS
from tests.vits import publish_vit

pytest.importorskip("transformers", reason="DINO networks are read by transformers, an extra")

HEIGHT, WIDTH = 32, 112
OPTIONS = {"size": (HEIGHT, WIDTH), "fisheye": 48, "azimuth_step": 3.0, "voxels_every": 20, "workers": 1}


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence whose fisheyes reach ten frames ahead, and SSCBench's two to choose and to report on."""
    root = tmp_path_factory.mktemp("kitti_360")
    write_streets(root, [0], config=StreetConfig(frames=12), **OPTIONS)
    write_streets(root, [6, 9], config=StreetConfig(frames=1), **OPTIONS)
    return root


def smaller(streets: Path, folder: Path, patch: int) -> list[str]:
    """What makes the shipped recipe small and nothing else of it."""
    sizes = [f"data.{part}.{side}" for part in ("snippets", "scoring") for side in ("height", "width")]
    return [
        f"data.root={streets}",
        *(f"{key}={HEIGHT if key.endswith('height') else WIDTH}" for key in sizes),
        f"method.encoder.vit.weights={folder}",
        "method.encoder.vit.layers=[0, 0, 1]",
        "method.encoder.dpt={width: 8, projections: [4, 4, 4, 4]}",
        "method.encoder.channels=8",
        "method.hidden=8",
        "method.samples=8",
        "method.patches=4",
        "method.render_stride=8",
        f"method.teacher.extractor.weights={folder}",
        f"method.teacher.artefacts=[{HEIGHT // patch}, {WIDTH // patch}]",
        "method.teacher.channels=4",
        "train.steps=2",
        "train.batch_size=2",
        "train.workers=0",
        "train.log_every=1",
        "evaluate.ranges=[12.8]",
    ]


@pytest.mark.parametrize(
    ("name", "family", "patch"),
    [("scenedino_kitti_360", "dino", 8), ("scenedino_dinov2_kitti_360", "dinov2", 16)],
)
def test_the_published_setting_trains_and_is_evaluated(
    streets: Path, tmp_path: Path, name: str, family: str, patch: int
):
    publish_vit(tmp_path / "vit", family)
    recipe = recipes.load_recipe(CONFIGS / "completion" / f"{name}.yaml", smaller(streets, tmp_path / "vit", patch))
    sample = recipe.data.build("train")[0]
    assert sample.image.shape == (1, 8, 3, HEIGHT, WIDTH) and sample.present.all()
    # At the reference's instant, then ten frames on: both cameras of an instant share it.
    assert sample.offset.tolist() == [[0, 1, 0, 1, 10, 11, 10, 11]]

    run = recipes.train(recipe, tmp_path / "run", device="cpu", progress=False)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    terms = [line["terms"] for line in lines if "terms" in line]
    assert terms and set(terms[-1]) == {"photometric", "smoothness", "features", "feature_smoothness"}

    report = recipes.evaluate(run, split="test", device="cpu")
    assert report.frames == 1 and report.protocol.startswith("S4C 15-class")
    assert report.figure(completion_title("solid"), "ours", "IoU 12.8 m") is not None
    prediction = scene3d.load(run, device="cpu").predict(torch.rand(3, 48, 160))
    assert prediction.density.shape == (1, 256, 256, 32) and prediction.depth.shape == (1, HEIGHT, WIDTH)


def test_the_transformer_learns_at_a_tenth_of_the_rate(streets: Path, tmp_path: Path):
    publish_vit(tmp_path / "vit", "dino")
    path = CONFIGS / "completion" / "scenedino_kitti_360.yaml"
    method = recipes.load_recipe(path, smaller(streets, tmp_path / "vit", 8)).method.build()
    trunk, rest = method.parameter_groups()
    assert (trunk["scale"], rest["scale"]) == (0.1, 1.0)
    assert {id(p) for p in trunk["params"]} == {id(p) for p in method.encoder.trunk.parameters()}
    # The teacher, which is another copy of the same network, is nobody's parameter.
    assert not any("teacher" in name for name, _ in method.named_parameters())
