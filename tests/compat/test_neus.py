from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from scene3d.compat.neus import load_neus, load_neus_fields
from scene3d.errors import CheckpointError
from scene3d.fusion.meshing import MeshingConfig
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.volume.background import SphereBackground, SphereBackgroundConfig
from scene3d.volume.fourier_sdf import FourierSdfConfig
from scene3d.volume.surface_field import ColourConfig, SurfaceConfig, SurfaceField, SurfaceNetworks
from scene3d.volume.surface_renderer import SurfaceRendering, render_surface
from scene3d.volume.surface_sampling import RaySections, SurfaceSamplingConfig, place_sections, sphere_limits

Golden = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def golden(shared_golden: Path) -> Golden:
    """What the published code gave for the published layout of networks."""
    with np.load(shared_golden / "neus.npz", allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


class Rendered(NamedTuple):
    """The golden rays as we see them."""

    field: SurfaceField
    sections: RaySections
    seen: SurfaceRendering


def rendered(folder: Path, golden: Golden, kind: str) -> Rendered:
    """32 uniform samples and 32 in 4 rounds; annealed to 0.3 and with 16 outside where there is a background."""
    anneal, outside = {"foreground": (1.0, 0), "background": (0.3, 16)}[kind]
    surface, background = load_neus_fields(folder / "neus_checkpoint.pth")
    field = surface.field()
    config = SurfaceSamplingConfig(uniform=32, rounds=4, per_round=8, outside=outside)
    origins, directions = golden["rays_o"], golden["rays_d"]
    with torch.no_grad():
        sections = place_sections(field.surface.distance, origins, directions, config, jitter=False)
        around = background if outside else None
        seen = render_surface(
            field, origins, directions, sections.surface, anneal=anneal, background=around, whole=sections.whole
        )
    return Rendered(field, sections, seen)


@torch.no_grad()
def test_neus_golden_distances_features_and_gradients(shared_golden: Path, golden: Golden):
    field = load_neus_fields(shared_golden / "neus_checkpoint.pth").surface.field()
    sample = field(golden["points"])
    close(torch.cat([sample.sdf[:, None], sample.features], dim=1), golden["sdf_and_feature"])
    close(sample.gradient, golden["sdf_gradient"])


def test_neus_golden_limits_of_rays(golden: Golden):
    near, far = sphere_limits(golden["rays_o"], golden["rays_d"])
    close(near[:, None], golden["near"])
    close(far[:, None], golden["far"])


def test_neus_golden_opacity_of_sections(golden: Golden):
    length, sharpness, anneal = golden["alpha_params"]
    sdf, cosine = golden["alpha_sdf"], golden["alpha_true_cos"]
    close(neus_alpha(sdf, cosine, length.expand_as(sdf).contiguous(), sharpness, anneal.item()), golden["alpha"])


@pytest.mark.parametrize("kind", ["foreground", "background"])
def test_neus_golden_colours_weights_and_gradients(shared_golden: Path, golden: Golden, kind: str):
    seen = rendered(shared_golden, golden, kind).seen
    # Published colours run blue, green, red.
    close(seen.colour.flip(-1), golden[f"{kind}.color_fine"])
    close(seen.weights.unflatten(0, (24, -1)), golden[f"{kind}.weights"])
    close(seen.opacity[:, None], golden[f"{kind}.weight_sum"])
    close(seen.gradients.unflatten(0, (24, 64)), golden[f"{kind}.gradients"])
    close(seen.inside.float().unflatten(0, (24, 64)), golden[f"{kind}.inside_sphere"])


@pytest.mark.parametrize("kind", ["foreground", "background"])
def test_neus_golden_sharpness_and_what_is_left_before_a_section(shared_golden: Path, golden: Golden, kind: str):
    field, sections, seen = rendered(shared_golden, golden, kind)
    close((1 / field.sharpness).detach().expand(24, 1), golden[f"{kind}.s_val"])
    anneal = 1.0 if kind == "foreground" else 0.3
    cosine = (golden["rays_d"].repeat_interleave(64, dim=0) * seen.gradients).sum(dim=1)
    entering = -((0.5 - 0.5 * cosine).relu() * (1 - anneal) + (-cosine).relu() * anneal)
    begin = seen.sdf - entering * (sections.surface.end - sections.surface.begin) / 2
    close((begin * field.sharpness).sigmoid().detach().unflatten(0, (24, 64)), golden[f"{kind}.cdf_fine"])


@pytest.mark.parametrize("kind", ["foreground", "background"])
def test_neus_golden_eikonal_term(shared_golden: Path, golden: Golden, kind: str):
    seen = rendered(shared_golden, golden, kind).seen
    # As published: the mean over samples within 1.2 of the origin.
    counted = (seen.points.norm(dim=1) < 1.2).float()
    error = (seen.gradients.norm(dim=1) - 1).square()
    close((counted * error).sum() / (counted.sum() + 1e-5), golden[f"{kind}.gradient_error"])


def networks() -> tuple[SurfaceNetworks, SphereBackground]:
    """Of other sizes than the published ones, and no spheres."""
    surface = SurfaceConfig(
        sdf=FourierSdfConfig(width=40, layers=3, skip=2, features=6, octaves=4),
        colour=ColourConfig(width=12, layers=2, octaves=3),
        sharpness=0.4,
    ).build()
    background = SphereBackgroundConfig(width=14, layers=5, skip=2, octaves=3, view_octaves=1).build()
    with torch.no_grad():
        for parameter in surface.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return surface, background


def published(surface: SurfaceNetworks, background: SphereBackground) -> dict[str, Any]:
    """As the published code stores them."""

    def normalised(layers: Any) -> dict[str, torch.Tensor]:
        found = {}
        for i, layer in enumerate(layers):
            weight = layer.parametrizations.weight
            found[f"lin{i}.weight_g"], found[f"lin{i}.weight_v"] = weight.original0.data, weight.original1.data
            found[f"lin{i}.bias"] = layer.bias.data
        return found

    colour, nerf = normalised(surface.colour.mlp.layers), {}
    last = len(surface.colour.mlp.layers) - 1
    colour |= {name: value.flip(0) for name, value in colour.items() if name.startswith(f"lin{last}.")}
    parts = {f"pts_linears.{i}": layer for i, layer in enumerate(background.layers)}
    parts |= {"views_linears.0": background.view, "feature_linear": background.to_features}
    parts |= {"alpha_linear": background.to_density, "rgb_linear": background.to_colour}
    for name, layer in parts.items():
        turned = name == "rgb_linear"
        for what, value in layer.state_dict().items():
            nerf[f"{name}.{what}"] = value.flip(0) if turned else value
    return {
        "sdf_network_fine": normalised(surface.sdf.mlp.layers),
        "color_network_fine": colour,
        "variance_network_fine": {"variance": surface.sharpness.exponent.data},
        "nerf": nerf,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-4}]},
        "iter_step": 300000,
    }


@torch.no_grad()
def test_a_checkpoint_of_any_size_computes_what_was_stored(tmp_path: Path):
    surface, background = networks()
    torch.save(published(surface, background), tmp_path / "ckpt.pth")
    found = load_neus_fields(tmp_path / "ckpt.pth")
    points, views = torch.randn(20, 3), torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
    one, other = surface.field(), found.surface.field()
    assert torch.equal(one.sharpness, other.sharpness)
    torch.testing.assert_close(one(points), other(points))
    torch.testing.assert_close(one.colour(points, views, one(points)), other.colour(points, views, other(points)))
    torch.testing.assert_close(background(points, views), found.background(points, views))
    assert found.surface.config == surface.config.model_copy(update={"sharpness": 0.3})


@torch.no_grad()
def test_the_scale_that_a_file_does_not_tell_is_an_argument(tmp_path: Path):
    surface, background = networks()
    torch.save(published(surface, background), tmp_path / "ckpt.pth")
    scaled = load_neus_fields(tmp_path / "ckpt.pth", scale=3.0).surface.field()
    points = torch.randn(20, 3)
    torch.testing.assert_close(scaled.surface.distance(points), surface.sdf.distance(3 * points) / 3)


def test_a_file_without_background_gives_none(tmp_path: Path):
    stored = published(*networks())
    del stored["nerf"]
    torch.save(stored, tmp_path / "ckpt.pth")
    assert load_neus_fields(tmp_path / "ckpt.pth").background is None


def _without(stored: dict[str, Any], part: str, name: str) -> None:
    del stored[part][name]


MISTAKES = {
    "lacks color_network_fine": (
        lambda s: s.pop("color_network_fine"),
        "expected a checkpoint of NeuS, got one without color_network_fine",
    ),
    "lacks a bias": (
        lambda s: _without(s, "sdf_network_fine", "lin1.bias"),
        r"is of another network: lacks surface\.sdf\.mlp\.layers\.1\.bias",
    ),
    "has a layer besides": (
        lambda s: s["nerf"].update({"views_linears.1.weight": torch.zeros(3, 3)}),
        r"has besides nerf\.views_linears\.1\.weight",
    ),
    "has another shape": (
        lambda s: s["color_network_fine"].update({"lin1.weight_v": torch.zeros(5, 5)}),
        r"has in another shape surface\.colour\.mlp\.layers\.1",
    ),
    "is not weight-normalised": (
        lambda s: _without(s, "sdf_network_fine", "lin0.weight_v"),
        r"expected a matrix called sdf_network_fine\.lin\d\.weight_v, got none",
    ),
    "was not told the view": (
        lambda s: s["color_network_fine"].update({"lin0.weight_v": torch.zeros(12, 6 + 6)}),
        r"is of another network: octaves: .* got -1",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, mistake: str):
    change, complaint = MISTAKES[mistake]
    stored = published(*networks())
    change(stored)
    path = tmp_path / "ckpt.pth"
    torch.save(stored, path)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        load_neus_fields(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_file_that_is_none_of_tensors_is_refused(tmp_path: Path):
    path = tmp_path / "ckpt.pth"
    with pytest.raises(CheckpointError, match="no such file"):
        load_neus_fields(path)
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(CheckpointError, match="expected tensors and plain values"):
        load_neus_fields(path)


def test_a_published_checkpoint_is_a_method_that_predicts_and_meshes(shared_golden: Path, golden: Golden):
    method = load_neus(shared_golden / "neus_checkpoint.pth").method
    fields = load_neus_fields(shared_golden / "neus_checkpoint.pth")
    field = method.surface.field()
    close(field.surface.distance(golden["points"]), fields.surface.field().surface.distance(golden["points"]))
    assert torch.equal(method.unit_to_world, torch.eye(4, dtype=torch.float64))
    mesh = method.mesh(MeshingConfig(cells=32))
    assert (mesh.vertices.norm(dim=1) <= 1).all() and len(mesh.faces) > 100
