from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.errors import ConfigError, DataError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.occupancy import DENSITY_STEPS, OccupancyCalibration
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import rigid
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.losses.photometric import minimum_reprojection
from scene3d.methods.distillation import TeacherConfig
from scene3d.methods.hints import HintConfig
from scene3d.methods.scene_completion import (
    RINGS,
    CompletionLossConfig,
    SceneCompletion,
    SceneCompletionConfig,
)
from scene3d.nn.dino_encoder import DinoFeaturesConfig
from scene3d.nn.dpt import DPTConfig
from scene3d.nn.efficientnet import EfficientNetLite0Config
from scene3d.nn.image_encoder import DPTEncoderConfig, UNetEncoderConfig
from scene3d.nn.resnet import SmallResNetConfig
from scene3d.nn.vit import ViTEncoderConfig
from scene3d.structures.frames import Frames
from scene3d.structures.rays import Rays
from scene3d.volume import FieldSample
from scene3d.volume.renderer import render
from scene3d.volume.sampling import inverse_distances
from scene3d.volume.source_views import SourceViews

HEIGHT, WIDTH, WALL = 32, 64, 7.0
TINY = SceneCompletionConfig(
    encoder=UNetEncoderConfig(pyramid=SmallResNetConfig(widths=(8, 16, 16), blocks=1), widths=(8, 16), channels=16),
    hidden=16,
    samples=24,
    patches=8,
    near=3.0,
    far=30.0,
    render_stride=1,
)


def _paint(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A colour for each place on the wall, smooth but nowhere flat."""
    waves = [torch.sin(1.9 * x + 0.4 * y), torch.sin(1.3 * y - 0.7 * x + 1), torch.sin(2.3 * x - 1.1 * y + 2)]
    return torch.stack([0.5 + 0.45 * wave for wave in waves])


def _wall_frames() -> Frames:
    """A painted wall 7 m ahead, seen by a stereo pair of 0.5 m baseline before and after a step of 0.6 m."""
    camera = pinhole(40.0, HEIGHT, WIDTH)
    places = [(0.0, 0.0), (0.0, 0.6), (0.5, 0.0), (0.5, 0.6)]
    cam_to_world = torch.stack([rigid(torch.eye(3), torch.tensor([x, 0.0, z])) for x, z in places])
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    pixels = torch.stack([columns, rows], dim=-1).reshape(-1, 2)
    images, depths = [], []
    for matrix in cam_to_world:
        origins, directions = pixel_rays(pixels, camera.K, matrix)
        depth = WALL - matrix[2, 3]
        points = origins + directions * (depth / directions[:, 2:])
        images.append(_paint(points[:, 0], points[:, 1]).reshape(3, HEIGHT, WIDTH))
        depths.append(depth.expand(HEIGHT, WIDTH))
    return Frames(
        image=torch.stack(images)[None],
        K=camera.K.expand(1, 4, 3, 3),
        present=torch.ones(1, 4, dtype=torch.bool),
        names=("wall",),
        cam_to_world=cam_to_world[None],
        depth=torch.stack(depths)[None],
        grid_to_cam=torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])[None],
    )


def test_it_learns_where_a_wall_is_from_images_alone():
    frames, method = _wall_frames(), SceneCompletion(TINY)
    optimiser = torch.optim.Adam(method.parameters(), 5e-3)
    for step in range(120):
        optimiser.zero_grad()
        method.training_step(frames, step).total().backward()
        optimiser.step()
    depth = method.eval().predict(frames).depth
    assert (depth / WALL).median().item() == pytest.approx(1.0, abs=0.12)


def test_hints_show_the_way_where_images_say_nothing():
    frames = _wall_frames()
    blank = replace(frames, image=torch.full_like(frames.image, 0.5), hint=frames.depth)
    method = SceneCompletion(TINY.model_copy(update={"hint": HintConfig(weight=0.1, rays=256)}))
    optimiser = torch.optim.Adam(method.parameters(), 5e-3)
    for step in range(120):
        optimiser.zero_grad()
        method.training_step(blank, step).total().backward()
        optimiser.step()
    prediction = method.eval().predict(blank)
    assert (prediction.depth / WALL).median().item() == pytest.approx(1.0, abs=0.1)
    # What lies behind the wall, along x of the grid, is taken to be solid.
    ahead = prediction.density[0, :, 128, 10]
    assert ahead[int(WALL / 0.2) + 10 :][:80].median() > 10 * ahead[20 : int(WALL / 0.2) - 5].median()


def test_views_without_any_hint_add_nothing():
    frames = _wall_frames()
    terms = SceneCompletion(TINY).training_step(replace(frames, hint=torch.zeros_like(frames.depth)), 0)
    assert terms.terms["hint"].item() == 0
    assert "hint" not in SceneCompletion(TINY).training_step(frames, 0).terms


def test_true_geometry_has_a_smaller_loss_than_a_wrong_scale():
    """The check that any data set's transforms should pass: see `test_convention_*` of the geometry."""
    frames = _wall_frames()

    def error(scale: float) -> float:
        def wall(points: torch.Tensor, *, features: bool = True) -> FieldSample:
            z = points[..., 2]
            return FieldSample((z > WALL * scale).float() * 1e4, z > 0)

        assert frames.cam_to_world is not None
        camera = pinhole(40.0, HEIGHT, WIDTH)
        rows, columns = torch.meshgrid(torch.arange(8.0, 16) + 0.5, torch.arange(24.0, 32) + 0.5, indexing="ij")
        origins, directions = pixel_rays(torch.stack([columns, rows], -1).reshape(-1, 2), camera.K, torch.eye(4))
        rays = Rays(origins=origins[None], directions=directions[None])
        distances = inverse_distances(3.0, 30.0, 400, (1, 64), jitter=False, like=origins)
        sources = SourceViews(
            frames.image[:, 1:],
            frames.K[:, 1:],
            torch.linalg.inv(frames.cam_to_world[:, 1:]),
            torch.ones(1, 3, HEIGHT, WIDTH, dtype=torch.bool),
        )
        rendering = render(wall, rays, distances, sources=sources)
        assert rendering.colour is not None
        colour = rendering.colour[0].transpose(1, 2).reshape(1, 3, 3, 8, 8)
        seen = torch.ones(1, 3, 8, 8, dtype=torch.bool)
        return minimum_reprojection(colour, frames.image[:, 0, :, 8:16, 24:32], seen, ssim_weight=0.0).item()

    assert error(1.0) < 0.5 * min(error(0.9), error(1.1))


def test_a_prediction_is_deterministic_and_says_its_grid():
    frames, method = _wall_frames(), SceneCompletion(TINY).eval()
    first, second = method.predict(frames), method.predict(frames)
    assert torch.equal(first.depth, second.depth) and torch.equal(first.density, second.density)
    assert first.density.shape == (1, 256, 256, 32)
    # Nothing is said of what the camera does not look at: the grid starts at the camera and is 51.2 m wide.
    assert (first.density[0, 0] == 0).all() and (first.density[0, 200, 128] > 0).any()


def test_without_a_place_for_the_grid_it_lies_as_on_kitti_360s_car():
    frames, method = _wall_frames(), SceneCompletion(TINY).eval()
    prediction = method.predict(replace(frames, grid_to_cam=None))
    torch.testing.assert_close(prediction.grid_to_cam[0], default_grid_to_cam())
    assert (prediction.density > 0).any()


def test_weights_of_the_loss_are_the_ones_configured():
    config = TINY.model_copy(update={"loss": CompletionLossConfig(photometric=2.0, smoothness=0.5)})
    terms = SceneCompletion(config).training_step(_wall_frames(), 0)
    expected = 2.0 * terms.terms["photometric"] + 0.5 * terms.terms["smoothness"]
    torch.testing.assert_close(terms.total(), expected)


def test_frames_without_transforms_are_refused_in_words():
    frames = _wall_frames()
    blind = Frames(image=frames.image, K=frames.K, present=frames.present)
    with pytest.raises(DataError, match="cam_to_world"):
        SceneCompletion(TINY).training_step(blind, 0)


def test_a_batch_of_two_is_each_alone():
    frames = _wall_frames()
    method = SceneCompletion(TINY).eval()
    with torch.no_grad():
        one = method.encode(frames.image[:, 0], frames.K[:, 0])
        two = method.encode(frames.image[0, :2], frames.K[0, :2])
        points = torch.rand(1, 20, 3) + torch.tensor([0.0, 0, 6])
        torch.testing.assert_close(two(points.expand(2, -1, -1)).density[:1], one(points).density)


def test_a_transformer_with_a_dpt_decoder_trains_too():
    vit = ViTEncoderConfig(weights="random", width=24, depth=4, heads=3, layers=(0, 1, 2), patch=8)
    dpt = DPTConfig(width=16, projections=(8, 8, 8, 8), detail=0)
    config = TINY.model_copy(update={"encoder": DPTEncoderConfig(vit=vit, dpt=dpt, channels=16)})
    terms = SceneCompletion(config).training_step(_wall_frames(), 0)
    terms.total().backward()
    assert torch.isfinite(terms.total())


def test_a_patch_that_is_not_the_teachers_is_refused():
    teacher = TeacherConfig(extractor=EfficientNetLite0Config(stride=16), channels=8)
    with pytest.raises(ConfigError, match="method.patch: expected the teacher's stride 16, got 8"):
        SceneCompletion(TINY.model_copy(update={"teacher": teacher}))


def test_what_the_teacher_always_says_need_not_be_in_the_field():
    extractor = DinoFeaturesConfig(weights="random", width=16, depth=1, heads=2, grid=(2, 2))
    teacher = TeacherConfig(extractor=extractor, channels=4, hidden=4, artefacts=(4, 8))
    method = SceneCompletion(TINY.model_copy(update={"teacher": teacher}))
    frames = _wall_frames()
    height, width = frames.image.shape[-2:]
    frames = replace(frames, image=frames.image[:, :1].expand_as(frames.image))
    with torch.no_grad():
        always = method.teacher_features(frames.image[:1])[0, 0]
        assert always.shape[-2:] == (height // 8, width // 8)
        method.artefacts = torch.nn.Parameter(1e6 * always)
    # Against a million, the field's share of unit length turns nothing.
    assert float(method.training_step(frames, 0).terms["features"].detach()) < 1e-4
    method.artefacts.data.neg_()
    assert float(method.training_step(frames, 0).terms["features"].detach()) > 1.99


def test_a_calibration_is_kept_with_the_weights_and_comes_with_predictions():
    torch.manual_seed(0)
    method = TINY.build()
    assert method.predict(_wall_frames()).calibration is None
    given = OccupancyCalibration(RINGS, torch.rand(3, DENSITY_STEPS[2] + 1), torch.rand(3))
    method.calibrate(given)
    again = TINY.build()
    again.load_state_dict(method.state_dict())
    found = again.predict(_wall_frames()).calibration
    assert found is not None and found.rings == RINGS
    assert torch.equal(found.probability, given.probability) and torch.equal(found.base_rate, given.base_rate)
    with pytest.raises(ValueError, match="rings: expected"):
        method.calibrate(replace(given, rings=(1.0,)))


def test_a_shifted_teacher_speaks_of_shifted_patches_and_keeps_nothing():
    extractor = DinoFeaturesConfig(weights="random", width=16, depth=1, heads=2, grid=(2, 2))
    teacher = TeacherConfig(extractor=extractor, channels=4, hidden=4, artefacts=(4, 8), shift=True)
    method = SceneCompletion(TINY.model_copy(update={"teacher": teacher}))
    image = _wall_frames().image
    rolled = torch.nn.functional.pad(image[0, :1, :, 3:, :-2], (2, 0, 0, 3), mode="replicate")[None]
    torch.testing.assert_close(method.teacher_features(image[:, :1], (3, -2)), method.teacher_features(rolled))
    terms = method.training_step(_wall_frames(), 0).terms
    assert torch.isfinite(terms["features"]) and not method.teacher._held
    with pytest.raises(ValueError, match="leave out cache, or shift"):
        TeacherConfig(extractor=extractor, shift=True, cache=Path("cache"))
