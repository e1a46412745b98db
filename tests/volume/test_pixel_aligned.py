from __future__ import annotations

from dataclasses import replace

import torch

from scene3d.geometry.camera import pinhole, project
from scene3d.ops.frequencies import encode_frequencies
from scene3d.structures.rays import Rays
from scene3d.volume.pixel_aligned import PixelAlignedField, PointDecoder
from scene3d.volume.renderer import render

CAMERA = pinhole(20.0, 16, 24)


def _field(decoder: PointDecoder, feature_map: torch.Tensor) -> PixelAlignedField:
    K = CAMERA.K.to(feature_map.dtype)[None]
    return PixelAlignedField(decoder, decoder.fold(feature_map), K, CAMERA.height, CAMERA.width, 3.0, 80.0)


def test_folding_the_first_layer_into_the_map_changes_nothing():
    decoder = PointDecoder(5, 8, 4, octaves=3).double()
    feature_map = torch.randn(1, 5, 8, 12, dtype=torch.float64)
    points = torch.randn(1, 200, 3, dtype=torch.float64) * torch.tensor([3.0, 2.0, 1.0]) + torch.tensor([0, 0, 8.0])
    answer = _field(decoder, feature_map)(points)

    # The published order: sample the map, join the encoding, then the first layer.
    pixels, depth = project(points, CAMERA.K.double()[None])
    size = torch.tensor([24.0, 16.0], dtype=torch.float64)
    grid = 2 * pixels / size - 1
    sampled = torch.nn.functional.grid_sample(
        feature_map, grid[:, :, None], padding_mode="border", align_corners=False
    )[..., 0].mT
    inverse = (1 / depth - 1 / 80) / (1 / 3 - 1 / 80)
    position = torch.cat([grid.clamp(-2, 2), (2 * inverse - 1).clamp(-2, 2)[..., None]], dim=-1)
    hidden = torch.relu(decoder.from_map(sampled) + decoder.from_position(encode_frequencies(position, 3)))
    expected = torch.nn.functional.softplus(decoder.to_density(hidden)[..., 0])
    torch.testing.assert_close(answer.density, expected)
    assert answer.features is not None and decoder.to_features is not None
    torch.testing.assert_close(answer.features, decoder.to_features(hidden))


def test_only_points_in_front_of_the_camera_and_in_the_image_are_valid():
    field = _field(PointDecoder(5, 8, 0, octaves=3), torch.randn(1, 5, 8, 12))
    # At 10 m the half width is 10 * 12 / 20 = 6 m, the half height 4 m.
    points = torch.tensor([[[0, 0, 10.0], [5.9, 3.9, 10], [6.1, 0, 10], [0, 4.1, 10], [0, 0, -10]]])
    sample = field(points)
    assert sample.valid.tolist() == [[True, True, False, False, False]]
    assert sample.features is None


def test_a_batch_is_its_parts():
    decoder = PointDecoder(5, 8, 4, octaves=3)
    feature_map = torch.randn(2, 5, 8, 12)
    K = CAMERA.K[None].expand(2, 3, 3)
    both = PixelAlignedField(decoder, decoder.fold(feature_map), K, CAMERA.height, CAMERA.width, 3.0, 80.0)
    points = torch.rand(2, 30, 3) * 5 + 2
    second = both.select(1)(points[1:])
    torch.testing.assert_close(both(points).density[1:], second.density)


def test_the_published_encoding_of_depth_does_not_end_near_the_camera():
    decoder = PointDecoder(5, 8, 4, octaves=3).double()
    field = replace(_field(decoder, torch.randn(1, 5, 8, 12, dtype=torch.float64)), compat="scenedino")
    # On the axis at 1 m: (1 - 1/80) / (1/3 - 1/80) = 3.0779, encoded as 2 * 3.0779 - 1.
    point = torch.tensor([[[0.0, 0.0, 1.0]]], dtype=torch.float64)
    code = torch.tensor([0.0, 0.0, 2 * (1 - 1 / 80) / (1 / 3 - 1 / 80) - 1], dtype=torch.float64)
    # The axis goes through the corner of the four middle cells.
    middle = field.folded[0, 3:5, 5:7].mean(dim=(0, 1))
    hidden = torch.relu(middle + decoder.from_position(encode_frequencies(code, 3)))
    density = torch.nn.functional.softplus(decoder.to_density(hidden))
    for features in (True, False):
        torch.testing.assert_close(field(point, features=features).density[0], density)
    assert not torch.allclose(replace(field, compat=None)(point).density[0], density)


def test_a_published_field_says_the_same_along_rays_as_at_points():
    field = replace(_field(PointDecoder(5, 8, 4, octaves=3), torch.randn(1, 5, 8, 12)), compat="scenedino")
    rays = Rays(origins=torch.zeros(1, 1, 3), directions=torch.tensor([[[0.0, 0.0, 1.0]]]))
    distances = torch.tensor([[[0.5, 1.0, 4.0]]])
    found = render(field, rays, distances)
    points = rays.directions * distances[0, 0, :, None]
    torch.testing.assert_close(found.density[0, 0], field(points).density[0])
