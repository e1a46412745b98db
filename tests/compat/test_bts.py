from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import scene3d
from scene3d.errors import CheckpointError
from scene3d.geometry.camera import Camera
from scene3d.geometry.voxels import VoxelFrame
from scene3d.methods.scene_completion import SceneCompletion
from scene3d.structures.frames import Frames
from tests.compat import bts_files as files
from tests.compat.bts_files import HEIGHT, WIDTH

WRAPPER = "renderer.net."
# KITTI-360's camera over an image from -1 to 1, the published code's figures.
K = torch.tensor([[0.7849, 0.0, -0.0312], [0.0, 2.9391, 0.2701], [0.0, 0.0, 1.0]])


@pytest.fixture(autouse=True)
def _small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions hold a grid of 4 x 6 x 2 cells of 2 m, 4 m ahead."""
    frame = VoxelFrame(origin=(4.0, -6.0, -2.0), size=2.0, shape=(4, 6, 2))
    monkeypatch.setattr("scene3d.methods.scene_completion.SSCBENCH", frame)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def loaded(folder: Path) -> SceneCompletion:
    method = scene3d.load(f"bts:{folder}", device="cpu").method
    assert isinstance(method, SceneCompletion)
    return method


def in_pixels(normalised: Tensor) -> Tensor:
    return torch.tensor([[WIDTH / 2, 0, WIDTH / 2], [0, HEIGHT / 2, HEIGHT / 2], [0, 0, 1]]) @ normalised


def frames() -> Frames:
    image = torch.rand(1, 1, 3, HEIGHT, WIDTH)
    return Frames(image=image, K=in_pixels(K)[None, None], present=torch.ones(1, 1, dtype=torch.bool))


@pytest.mark.parametrize("depth", [18, 50])
def test_a_released_folder_computes_the_published_function(tmp_path: Path, depth: int):
    net, tensors = files.random_network(depth)
    files.write(tmp_path, {"model": {WRAPPER + name: value for name, value in tensors.items()}})
    method, given = loaded(tmp_path).double(), frames()
    image, given_K = given.image[:, 0].double(), K.double()
    tensors = {name: value.double() for name, value in tensors.items() if value.is_floating_point()}
    features = files.feature_map(net.double(), tensors, image)
    torch.testing.assert_close(method.encoder(image)[0], features, rtol=1e-4, atol=1e-4)
    # Points near and far, and beyond the border of the image, where the published position goes on.
    points = torch.tensor([[0, 0, 5.0], [2, 0.3, 9], [-3, 1, 2.5], [9, 0, 6], [-4, 4, 7], [1, -1, 60], [0, 0.2, 1.1]])
    field = method.encode(image, in_pixels(K)[None].double())
    found = field(points[None].double(), features=False)
    expected = torch.tensor([files.density(tensors, features, given_K, point) for point in points.double()])
    torch.testing.assert_close(found.density[0], expected.double(), rtol=1e-4, atol=1e-4)
    assert found.valid[0].tolist() == [True, True, False, False, False, True, True]
    rendered, none = method.render_view(field, HEIGHT, WIDTH)
    assert none is None
    for row, column in ((0, 0), (HEIGHT // 2, 7), (HEIGHT - 1, WIDTH - 1), (20, 50)):
        wanted = files.distance(tensors, features, given_K, row, column, HEIGHT, WIDTH)
        assert float(rendered[0, row, column]) == pytest.approx(wanted, rel=1e-4)


def test_predictions_are_of_the_published_camera_and_threshold(tmp_path: Path):
    files.write(tmp_path, files.random_network(18)[1])
    predictor = scene3d.load(f"bts:{tmp_path}", device="cpu")
    camera = predictor.view.camera
    assert (camera.height, camera.width) == (HEIGHT, WIDTH)
    assert 2 * float(camera.K[0, 0]) / WIDTH == pytest.approx(0.78488, abs=1e-5)
    found = predictor.predict(frames())
    assert found.features is None and found.threshold == 0.5
    assert found.depth.shape == (1, HEIGHT, WIDTH) and bool((found.density >= 0).all())


def test_the_camera_of_kitti_raw_goes_with_its_name(tmp_path: Path):
    files.write(tmp_path, files.random_network(18)[1], config={**files.CONFIG, "name": "kitti_raw"})
    camera: Camera = scene3d.load(f"bts:{tmp_path}", device="cpu").view.camera
    assert float(camera.K[0, 0]) / WIDTH == pytest.approx(721.5377 / 1242)


def test_the_same_weights_lie_at_every_level_of_a_file(tmp_path: Path):
    plain = files.random_network(18)[1]
    wrapped = {WRAPPER + name: value for name, value in plain.items()}
    wrapped["renderer.renderer.iter_idx"] = torch.tensor(3)
    contents = {"plain": plain, "wrapped": wrapped, "training": {"model": wrapped, "trainer": {"epoch": 3}}}
    image, found = torch.rand(1, 3, HEIGHT, WIDTH), []
    for name, content in contents.items():
        files.write(tmp_path / name, content, name="net.pth" if name == "plain" else "checkpoint.pt")
        found.append(loaded(tmp_path / name).encoder(image))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_without_settings_they_are_as_published(tmp_path: Path):
    files.write(tmp_path, files.random_network(18)[1], config=None)
    predictor = scene3d.load(f"bts:{tmp_path}", device="cpu")
    assert (predictor.view.camera.height, predictor.view.camera.width) == (192, 640)
    config = loaded(tmp_path).config
    assert (config.near, config.far, config.samples) == (3.0, 80.0, 64)


def test_another_network_is_refused_with_the_keys_that_differ(tmp_path: Path):
    whole = files.random_network(18)[1]

    def refused(content: dict, complaint: str) -> None:
        files.write(tmp_path, content)
        with pytest.raises(CheckpointError, match=complaint) as caught:
            scene3d.load(f"bts:{tmp_path}")
        assert "\n" not in str(caught.value)

    refused({n: v for n, v in whole.items() if ".layer2.1.bn2" not in n}, r"lacks encoder\.trunk\.levels\.1\.1\.bn2")
    refused(whole | {"empty_feature": torch.zeros(8)}, "has besides empty_feature")
    refused(whole | {"mlp_coarse.blocks.0.fc_0.weight": torch.zeros(10, 10)}, r"has besides mlp_coarse\.blocks\.0")
    refused({"layer1.0.conv1.weight": torch.zeros(1)}, r"lacks encoder.*has besides layer1\.0\.conv1\.weight")
    wider = whole | {"mlp_coarse.lin_out.weight": torch.zeros(4, files.HIDDEN)}
    refused(wider, r"in another shape decoder\.to_density\.weight")


@pytest.mark.parametrize(
    ("section", "key", "value", "complaint"),
    [
        ("model_conf", "learn_empty", True, "model_conf.learn_empty: expected False, got True"),
        ("model_conf", "code_mode", "distance", "model_conf.code_mode: expected 'z', got 'distance'"),
        ("model_conf", "z_near", 90, "expected 0 < near < far, got 90 and 80"),
        ("renderer", "lindisp", False, "renderer.lindisp: expected True, got False"),
        ("data", "image_size", [64], "expected 2 whole numbers"),
    ],
)
def test_settings_that_are_not_known_here_are_refused(
    tmp_path: Path, section: str, key: str, value: object, complaint: str
):
    config = copy.deepcopy(files.CONFIG)
    config[section][key] = value
    files.write(tmp_path, files.random_network(18)[1], config=config)
    with pytest.raises(CheckpointError, match=complaint):
        scene3d.load(f"bts:{tmp_path}")


def test_nothing_in_a_file_is_executed(tmp_path: Path):
    files.write(tmp_path, {"model": Path("x")})
    with pytest.raises(CheckpointError, match="expected tensors and plain values"):
        scene3d.load(f"bts:{tmp_path}")
