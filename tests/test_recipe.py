from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import scene3d
from scene3d import recipe as recipes
from scene3d.config import dump, load_yaml
from scene3d.engine.weights import load_weights, save_weights
from scene3d.errors import CheckpointError, ConfigError, UsageError
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.recipe import trained
from scene3d.structures.prediction import CompletionPrediction

RECIPE = """
data:
  kind: posed_images
  root: images
  train: [walk]
  snippets: {height: 32, width: 64, views: [{sensor: cam}, {sensor: cam, plus: 1}]}
method:
  kind: scene_completion
  encoder:
    kind: unet
    pyramid: {kind: small_resnet, widths: [4, 4, 4, 4], blocks: 1}
    widths: [4, 4, 4]
    channels: 4
  hidden: 8
  octaves: 2
  samples: 8
  patches: 4
  render_stride: 4
train:
  steps: 3
  optim: {rate: 1e-3, average: 0.9}
  save_every: 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A recipe and its data: four noisy images, a metre apart."""
    folder = tmp_path_factory.mktemp("recipe")
    drive = folder / "images" / "walk"
    drive.mkdir(parents=True)
    shots = []
    for i in range(4):
        pixels = torch.randint(0, 255, (48, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(i))
        Image.fromarray(pixels.numpy()).save(drive / f"{i}.png")
        pose = torch.eye(4)
        pose[2, 3] = i
        camera = {"fx": 60, "fy": 60, "cx": 48, "cy": 24}
        shots.append({"file": f"{i}.png", "frame": i, "sensor": "cam", "cam_to_world": pose.tolist(), **camera})
    (drive / "scene.json").write_text(json.dumps({"images": shots}))
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run(folder) -> Path:
    recipe = recipes.load_recipe(folder / "recipe.yaml")
    return recipes.train(recipe, folder / "run", device="cpu", progress=False)


def test_a_recipe_reads_its_parts_and_paths(folder):
    recipe = scene3d.load_recipe(folder / "recipe.yaml", ["train.steps=7"])
    assert recipe.data.root == folder / "images"
    assert recipe.train.steps == 7
    assert recipe.method.kind == "scene_completion"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("method.kind=scene_completon", "did you mean 'scene_completion'?"),
        ("method.encoder.pyramid.widthes=[1]", "method.encoder.pyramid.widthes: unknown key; did you mean 'widths'?"),
        ("data.snippets.hieght=3", "data.snippets.hieght: unknown key; did you mean 'height'?"),
        ("train.optim.rate=fast", "train.optim.rate: expected a number, got 'fast'"),
        ("data.kind=kitti", "data.kind: expected one of kitti_raw, kitti_odometry, kitti_360, posed_images"),
        ("data.snippets.views=[{sensor: cam, offset: 2}]", "the first view is the reference"),
    ],
)
def test_a_mistake_deep_in_a_recipe_is_named(folder, change, said):
    with pytest.raises(ConfigError) as caught:
        recipes.load_recipe(folder / "recipe.yaml", [change])
    assert said in str(caught.value)
    assert str(folder / "recipe.yaml") in str(caught.value)


def test_a_rehearsal_shows_the_resolved_recipe(folder):
    text = recipes.rehearse(recipes.load_recipe(folder / "recipe.yaml"))
    assert "batch_size: 1" in text and "steps: 3" in text


def test_a_run_can_be_loaded_and_asked(run):
    predictor = scene3d.load(run, device="cpu")
    image = torch.zeros(3, 48, 96, dtype=torch.uint8)
    prediction = predictor.predict(image, K=(60, 60, 48, 24))
    assert isinstance(prediction, CompletionPrediction)
    assert prediction.depth.shape == (1, 32, 64)
    # In one call: voxels, their names, and the points that the image shows.
    assert len(prediction.points) == 1 and prediction.points[0].points.shape[1] == 3
    # The training camera: 60 pixels at 96 x 48 are 40 at 64 x 32.
    torch.testing.assert_close(prediction.K[0], torch.tensor([[40.0, 0, 32], [0, 40, 16], [0, 0, 1]]))
    again = scene3d.load(run / "weights.safetensors", device="cpu").predict(image, K=(60, 60, 48, 24))
    assert torch.equal(again.density, prediction.density)


def test_the_recipe_in_the_run_folder_is_the_one_that_was_asked_for(folder, run):
    assert load_yaml(run / "recipe.yaml") == dump(recipes.load_recipe(folder / "recipe.yaml"))
    assert load_weights(run / "weights.safetensors").recipe == load_yaml(run / "recipe.yaml")


def test_a_run_that_is_not_finished_can_be_loaded_too(folder, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").unlink()
    finished, unfinished = (scene3d.load(place, device="cpu").method for place in (run, tmp_path / "run"))
    for name, value in finished.state_dict().items():
        assert torch.equal(value, unfinished.state_dict()[name]), name


def test_another_recipe_does_not_go_into_the_same_folder(folder, run):
    changed = recipes.load_recipe(folder / "recipe.yaml", ["train.steps=4"])
    with pytest.raises(ConfigError, match="train.steps: 3 != 4"):
        recipes.train(changed, run, device="cpu", progress=False)


def test_exported_weights_are_small_and_tell_no_folders(folder, run, tmp_path):
    file = recipes.export(run, tmp_path / "out" / "w.safetensors")
    assert str(folder).encode() not in file.read_bytes()
    assert file.stat().st_size < (run / "weights.safetensors").stat().st_size
    assert scene3d.load(file, device="cpu").recipe.data.root == Path("images")
    with pytest.raises(UsageError, match="exists already"):
        recipes.export(run, file)


def test_packaged_weights_are_found_by_name(run, tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    recipes.export(run, tmp_path / "weights" / "street.safetensors")
    monkeypatch.setattr("scene3d.recipe.trained.resources.files", lambda package: tmp_path)
    assert scene3d.load("street", device="cpu").view.camera.width == 64
    with pytest.raises(UsageError, match="did you mean 'street'"):
        scene3d.load("stret")


def test_what_cannot_be_loaded_is_said_in_words(tmp_path):
    with pytest.raises(CheckpointError, match="no such run or weights file"):
        scene3d.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="expected a run"):
        scene3d.load(tmp_path)
    save_weights(tmp_path / "own.safetensors", {"w": torch.zeros(1)}, recipe={})
    with pytest.raises(CheckpointError, match="a method of your own"):
        scene3d.load(tmp_path / "own.safetensors")


def test_weights_that_were_made_before_get_a_calibration_and_stay_what_they_are(run, tmp_path, monkeypatch):
    given = OccupancyCalibration((12.8, 25.6, 51.2), torch.rand(3, 242), torch.rand(3))

    def found(method, data, config, device):
        method.calibrate(given)
        return given

    monkeypatch.setattr(trained, "find_calibration", found)
    file = tmp_path / "calibrated.safetensors"
    assert recipes.calibrate(run, file, device="cpu") is given
    before, after = load_weights(run / "weights.safetensors"), load_weights(file)
    assert after.recipe == before.recipe and after.notes == before.notes
    assert all(
        torch.equal(after.tensors[name], value) for name, value in before.tensors.items() if name != "calibration"
    )
    loaded = scene3d.load(file, device="cpu").method.occupancy
    assert torch.equal(loaded.probability, given.probability)
    with pytest.raises(UsageError, match="exists already"):
        recipes.calibrate(run, file)
    monkeypatch.setattr(trained, "find_calibration", lambda *_: None)
    with pytest.raises(UsageError, match="training data with voxels"):
        recipes.calibrate(run, tmp_path / "other.safetensors", device="cpu")
