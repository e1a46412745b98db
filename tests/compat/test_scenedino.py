from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import scene3d
from scene3d.compat.scenedino import pixels_of_normalised
from scene3d.errors import CheckpointError, DataError
from scene3d.geometry.voxels import VoxelFrame
from scene3d.methods.scene_completion import SceneCompletion
from scene3d.methods.scene_semantics import SceneSemantics
from scene3d.structures.frames import Frames
from scene3d.structures.rays import Rays
from scene3d.volume.opacity import density_to_opacity
from scene3d.volume.pixel_aligned import PixelAlignedField, PointDecoder
from scene3d.volume.renderer import render
from scene3d.volume.source_views import SourceViews
from tests.compat import scenedino_files as files

WRAPPER = "renderer.net."


class Golden:
    """The published outputs, and our method filled as theirs was.

    In double precision: what is compared then is the function, and the only rounding is that of the stored values.
    """

    def __init__(self, folder: Path, released: Path) -> None:
        stored = json.loads((folder / "scenedino.json").read_text())
        place = importlib.util.spec_from_file_location("recipe", folder / "recipe.py")
        assert place is not None and place.loader is not None
        recipe = importlib.util.module_from_spec(place)
        place.loader.exec_module(recipe)
        state = recipe.fill_state({name: tuple(shape) for name, shape in stored["entries"].items()}, "scenedino:")
        files.write(released, state, config={"model": stored["config"]})
        method = scene3d.load(f"scenedino:{released}", device="cpu").method
        assert isinstance(method, SceneCompletion)
        self.method = method.double()
        with np.load(folder / "scenedino.npz") as arrays:
            self.arrays = {name: torch.from_numpy(arrays[name]).double() for name in arrays}
        self.image = self["images"] / 2 + 0.5
        self.height, self.width = self.image.shape[-2:]
        self.K = pixels_of_normalised(self["K_normalised"], self.height, self.width)
        with torch.inference_mode():
            self.map = self.method.encoder(self.image[:1])

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    def fields(self) -> dict[str, PixelAlignedField]:
        """With the first layer within the map, and after it is sampled."""
        decoder, size = self.method.decoder, (self.height, self.width, 3.0, 80.0, "scenedino")
        after = SampledFirst(256, 128, 64, decoder.octaves).double()
        after.load_state_dict(decoder.state_dict())
        return {
            "folded": PixelAlignedField(decoder, decoder.fold(self.map), self.K[:1], *size),
            "sampled first": PixelAlignedField(after, self.map.permute(0, 2, 3, 1), self.K[:1], *size),
        }

    def in_field(self, points: Tensor) -> Tensor:
        world_to_field = torch.linalg.inv(self["cam_to_world"][0])
        return (points @ world_to_field[:3, :3].mT + world_to_field[:3, 3])[None]

    def sources(self) -> SourceViews:
        field_to_cam = torch.linalg.inv(self["cam_to_world"]) @ self["cam_to_world"][:1]
        shown = torch.ones(1, 2, self.height, self.width, dtype=torch.bool)
        return SourceViews(self.image[None], self.K[None], field_to_cam[None], shown)

    def rays(self) -> Rays:
        turn = torch.linalg.inv(self["cam_to_world"][0])[:3, :3]
        return Rays(origins=self.in_field(self["rays_o"]), directions=(self["rays_d"] @ turn.mT)[None])

    def unseen(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Colours of points in each view; 1 where the view or the field's camera does not see them."""
        colour, hidden = self.sources().along_rays(points[:, :, None], torch.ones_like(points[..., :1]))
        unknown = ~self.fields()["folded"](points, features=False).valid[..., None]
        return colour[0].transpose(0, 1), torch.maximum(hidden[0].mT, unknown[0].double())


class SampledFirst(PointDecoder):
    """The published order: sample the map, then the first layer."""

    def forward(self, sampled: Tensor, position: Tensor, features: bool) -> tuple[Tensor, Tensor | None]:
        return super().forward(self.from_map(sampled), position, features)


@pytest.fixture(scope="module")
def golden(shared_golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Golden:
    return Golden(shared_golden, tmp_path_factory.mktemp("released"))


@pytest.fixture(autouse=True)
def _small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions hold a grid of 4 x 6 x 2 cells of 2 m, 4 m ahead."""
    frame = VoxelFrame(origin=(4.0, -6.0, -2.0), size=2.0, shape=(4, 6, 2))
    monkeypatch.setattr("scene3d.methods.scene_completion.SSCBENCH", frame)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def check(found: Tensor | None, expected: Tensor, atol: float = 1e-5) -> None:
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=atol)


SAMPLED = 1e-4
"""Features are up to 5. Moving a point by half a unit in the last place of single precision, in which the stored values
were computed, moves them by up to 8e-5: at random weights the map's neighbouring cells have nothing in common."""


def test_scenedino_golden_feature_map(golden: Golden):
    check(golden.map[0, ::16], golden["feature_map"])


def test_scenedino_golden_target_features(golden: Golden):
    assert golden.method.teacher is not None
    # Features are computed in single precision, whatever the image.
    golden.method.teacher.extractor.network.float()
    found = golden.method.teacher.extractor(golden.image[:1])[0]
    check(nn.functional.normalize(found, dim=0), golden["target_features"].float())


@pytest.mark.parametrize("order", ["folded", "sampled first"])
def test_scenedino_golden_field_at_points(golden: Golden, order: str):
    found = golden.fields()[order](golden.in_field(golden["points"]))
    assert found.features is not None
    check(found.density[0], golden["density"])
    check(found.features[0], golden["reduced_features"], SAMPLED)
    check(golden.method.expand(found.features[0, ::10]), golden["expanded_features"])


def test_scenedino_golden_colours_of_points(golden: Golden):
    colour, unseen = golden.unseen(golden.in_field(golden["points"]))
    check(colour, golden["sampled_rgb"])
    assert torch.equal(unseen, golden["invalid"])


@pytest.mark.parametrize("order", ["folded", "sampled first"])
def test_scenedino_golden_rendering(golden: Golden, order: str):
    distances = golden["sample_z"]
    found = render(golden.fields()[order], golden.rays(), distances[None], sources=golden.sources())
    check(density_to_opacity(found.density[0], distances, capped=True), golden["alphas"])
    check(found.weights[0], golden["weights"])
    check(found.distance[0], golden["rendered_depth"])
    assert found.features is not None and found.colour is not None
    check(found.features[0], golden["rendered_features"], SAMPLED)
    check(found.colour[0].transpose(0, 1), golden["rendered_rgb"])


def test_scenedino_golden_samples_that_views_do_not_see(golden: Golden):
    rays, distances = golden.rays(), golden["sample_z"]
    points = rays.origins[:, :, None] + rays.directions[:, :, None] * distances[..., None]
    _, unseen = golden.unseen(points.flatten(1, 2))
    assert torch.equal(unseen.reshape(*distances.shape, 2), golden["sample_invalid"])


def frames(height: int = files.HEIGHT, width: int = files.WIDTH) -> Frames:
    K = torch.tensor([[0.4 * width, 0, 0.5 * width], [0, 0.6 * height, 0.5 * height], [0, 0, 1]])
    present = torch.ones(1, 1, dtype=torch.bool)
    return Frames(image=torch.rand(1, 1, 3, height, width), K=K[None, None], present=present)


def test_a_released_folder_predicts(tmp_path: Path):
    files.write(tmp_path, files.fill(files.network_shapes()))
    predictor = scene3d.load(f"scenedino:{tmp_path}", device="cpu")
    camera = predictor.view.camera
    assert (camera.height, camera.width) == (files.HEIGHT, files.WIDTH)
    # KITTI-360's camera over an image from -1 to 1 (the published code's figures): 0.78488, -0.03118.
    assert 2 * float(camera.K[0, 0]) / files.WIDTH == pytest.approx(0.78488, abs=1e-5)
    assert 2 * float(camera.K[0, 2]) / files.WIDTH - 1 == pytest.approx(-0.03118, abs=1e-5)
    found = predictor.predict(frames())
    assert found.features is not None
    assert found.features.shape == (1, files.DIMENSIONS, files.HEIGHT, files.WIDTH)
    assert found.classes is None
    # Rays are sampled from 3 to 80 m, and the mean distance lies between; depth is at most that.
    assert float(found.depth.min()) > 0 and float(found.depth.max()) <= 80
    assert bool((found.density >= 0).all())


def test_the_same_weights_lie_at_every_level_of_a_file(tmp_path: Path):
    plain = files.fill(files.network_shapes())
    wrapped = {WRAPPER + name: value for name, value in plain.items()}
    wrapped |= {"renderer.renderer.iter_idx": torch.tensor(3), f"{WRAPPER}code_xyz._freqs": torch.rand(1, 2, 1)}
    contents = {"plain": plain, "wrapped": wrapped, "training": {"model": wrapped, "trainer": {"epoch": 3}}}
    image = torch.rand(1, 3, files.HEIGHT, files.WIDTH)
    found = []
    for name, content in contents.items():
        folder = tmp_path / name
        folder.mkdir()
        files.write(folder, content, name="best_5.pth" if name == "plain" else "checkpoint.pt")
        method = scene3d.load(f"scenedino:{folder}", device="cpu").method
        assert isinstance(method, SceneCompletion)
        found.append(method.encoder(image))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("registers", [0, 4])
def test_dinov2_stands_for_patches_of_sixteen_pixels(tmp_path: Path, registers: int):
    shapes = files.network_shapes(patch=14, registers=registers, scaled=True)
    files.write(tmp_path, files.fill(shapes))
    method = scene3d.load(f"scenedino:{tmp_path}", device="cpu").method
    assert isinstance(method, SceneCompletion) and method.teacher is not None
    image = torch.rand(1, 3, files.HEIGHT, files.WIDTH)
    # 2 x 3 tokens, and a decoder of 16 pixels a token.
    assert [each.shape[-2:] for each in method.encoder.trunk(image)] == [(2, 3)] * 4
    assert method.encoder(image).shape[-2:] == (files.HEIGHT, files.WIDTH)
    assert method.teacher.extractor(image).shape[-2:] == (2, 3)


def test_an_encoder_that_is_the_teacher_has_the_teachers_weights(tmp_path: Path):
    config = copy.deepcopy(files.CONFIG)
    del config["model"]["encoder"]["separate_gt_version"]
    tensors = files.fill(files.network_shapes())
    files.write(tmp_path, tensors, config=config)
    method = scene3d.load(f"scenedino:{tmp_path}", device="cpu").method
    expected = tensors["encoder.gt_encoder.model.vit.norm.weight"]
    assert torch.equal(method.state_dict()["encoder.trunk.network.norm.weight"], expected)


def test_the_head_of_the_second_stage_gives_classes(tmp_path: Path):
    tensors = files.fill(files.network_shapes() | files.head_shapes())
    # Road, building, car and so on; in voxels these are 7, 9, 1: see `CITYSCAPES_TO_SSC`.
    names = torch.tensor([0, 2, 13, 0, 2, 13, 0])
    tensors["downstream_head.stego_cluster_head.pseudo_assignment"] = names
    files.write(tmp_path, {WRAPPER + name: value for name, value in tensors.items()})
    predictor = scene3d.load(f"scenedino:{tmp_path}", device="cpu")
    method = predictor.method
    assert isinstance(method, SceneSemantics)
    found = predictor.predict(frames())
    assert found.labels is not None and found.classes is not None and found.features is not None
    assert set(found.classes.unique().tolist()) <= {0, 1, 7, 9}
    assert torch.equal(found.classes > 0, found.density >= found.threshold)
    # Written out: expand, unit length, linear + two layers, unit length, the nearest centre's name.
    teacher = method.completion.expand(found.features[0].flatten(1).mT)

    def layer(x: Tensor, name: str) -> Tensor:
        weight = tensors[f"downstream_head.stego_head.{name}.weight"][..., 0, 0]
        return x @ weight.mT + tensors[f"downstream_head.stego_head.{name}.bias"]

    codes = layer(teacher, "linear_path.0")
    codes = codes + layer(torch.relu(layer(teacher, "nonlinear_path.0")), "nonlinear_path.2")
    centres = tensors["downstream_head.stego_cluster_head.cluster_centers"]
    alike = nn.functional.cosine_similarity(codes[:, None], centres[None], dim=-1)
    assert torch.equal(found.labels[0].flatten(), names[alike.argmax(dim=1)])


def test_what_the_teacher_always_says_is_read_for_training_on(tmp_path: Path):
    tensors = {WRAPPER + name: value for name, value in files.fill(files.network_shapes()).items()}
    tensors["artifact_field"] = torch.randn(64, files.HEIGHT // 8, files.WIDTH // 8)
    files.write(tmp_path, tensors)
    method = scene3d.load(f"scenedino:{tmp_path}", device="cpu").method
    assert torch.equal(method.state_dict()["artefacts"], tensors["artifact_field"])


def test_another_network_is_refused_with_the_keys_that_differ(tmp_path: Path):
    whole = files.fill(files.network_shapes())
    files.write(tmp_path, {name: value for name, value in whole.items() if ".convs.2" not in name} | {"x": whole})
    with pytest.raises(CheckpointError, match=r"another network: lacks encoder\.decoder\.adapt\.2\.weight$"):
        scene3d.load(f"scenedino:{tmp_path}")
    files.write(tmp_path, whole | {"heads.normal_head.blocks.0.fc_0.weight": torch.zeros(10, 10)})
    with pytest.raises(CheckpointError, match=r"has besides heads\.normal_head\.blocks\.0\.fc_0\.weight"):
        scene3d.load(f"scenedino:{tmp_path}")
    files.write(tmp_path, {"layer1.0.conv1.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"lacks encoder\.encoder.*has besides layer1\.0\.conv1\.weight"):
        scene3d.load(f"scenedino:{tmp_path}")
    files.write(tmp_path, {name: value for name, value in whole.items() if not name.startswith("heads.")})
    with pytest.raises(CheckpointError, match=r"lacks heads\.normal_head\.lin_in\.weight"):
        scene3d.load(f"scenedino:{tmp_path}")


def test_positions_of_another_image_size_are_refused(tmp_path: Path):
    config = copy.deepcopy(files.CONFIG)
    config["model"]["encoder"]["image_size"] = [files.HEIGHT, 2 * files.WIDTH]
    files.write(tmp_path, files.fill(files.network_shapes()), config=config)
    with pytest.raises(CheckpointError, match=r"has in another shape encoder\.trunk\.network\.pos_embed"):
        scene3d.load(f"scenedino:{tmp_path}")


def test_without_settings_they_are_as_published(tmp_path: Path):
    files.write(tmp_path, files.fill(files.network_shapes()))
    (tmp_path / "training_config.yaml").unlink()
    # The decoder takes the output of blocks 3, 6 and 9, counted from 0; the file has two blocks.
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt: expected at least 10 blocks, got 2"):
        scene3d.load(f"scenedino:{tmp_path}")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("decoder_arch", "spf", r"model\.encoder\.decoder_arch: expected 'dpt', got 'spf'"),
        ("image_size", [32], r"encoder\.image_size: expected 2 whole numbers, got \[32\]"),
        ("intermediate_features", [0, 1, 5], r"expected at least 6 blocks, got 2"),
    ],
)
def test_settings_that_are_not_known_here_are_refused(tmp_path: Path, key: str, value: object, complaint: str):
    config = copy.deepcopy(files.CONFIG)
    config["model"]["encoder"][key] = value
    files.write(tmp_path, files.fill(files.network_shapes()), config=config)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        scene3d.load(f"scenedino:{tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["model: [", "!!python/object:os.system {}", "- 1", "\tmodel: 3"])
def test_settings_that_are_no_plain_yaml_are_refused(tmp_path: Path, text: str):
    files.write(tmp_path, {})
    (tmp_path / "training_config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match=r"training_config\.yaml: expected") as caught:
        scene3d.load(f"scenedino:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_an_image_smaller_than_a_patch_is_refused(tmp_path: Path):
    files.write(tmp_path, files.fill(files.network_shapes()))
    predictor = scene3d.load(f"scenedino:{tmp_path}", device="cpu")
    with pytest.raises(DataError, match="expected at least 8x8 pixels, one patch, got 7x48"):
        predictor.predict(frames(height=7))


def test_a_folder_with_no_checkpoint_or_several_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="or one other .pt or .pth file, got none"):
        scene3d.load(f"scenedino:{tmp_path}")
    for name in ("a.pt", "b.pth"):
        torch.save({}, tmp_path / name)
    with pytest.raises(CheckpointError, match="got a.pt, b.pth"):
        scene3d.load(f"scenedino:{tmp_path}")
