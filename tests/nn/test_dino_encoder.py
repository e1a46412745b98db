import pytest
import torch
from pydantic import ValidationError

from scene3d.errors import ConfigError, DataError
from scene3d.nn.dino_encoder import DinoEncoderConfig, DinoFeaturesConfig

SMALL = {"weights": "random", "width": 16, "depth": 3, "heads": 2, "patch": 8, "grid": (2, 4)}


@torch.no_grad()
def test_three_maps_are_raw_and_the_last_is_the_features_at_unit_length():
    encoder = DinoEncoderConfig(**SMALL, layers=(0, 1, 2)).build()
    features = DinoFeaturesConfig(**SMALL).build()
    features.network.load_state_dict(encoder.network.state_dict())
    image = torch.rand(2, 3, 16, 32)
    maps = encoder(image)
    assert [each.shape for each in maps] == [(2, 16, 2, 4)] * 4
    torch.testing.assert_close(maps[3], torch.nn.functional.normalize(features(image), dim=1))
    assert (maps[2].norm(dim=1) - 1).abs().max() > 0.01


@torch.no_grad()
def test_an_image_is_padded_to_whole_patches():
    encoder = DinoEncoderConfig(**SMALL, layers=(0, 1, 2)).build()
    image = torch.rand(1, 3, 13, 30)
    grown = torch.nn.functional.pad(image, (0, 2, 0, 3), mode="replicate")
    assert torch.equal(encoder(image)[3], encoder(grown)[3])


@torch.no_grad()
def test_a_patch_of_fourteen_pixels_may_stand_for_sixteen():
    settings = {**SMALL, "patch": 14, "stride": 16}
    assert DinoFeaturesConfig(**settings).build()(torch.rand(1, 3, 32, 64)).shape == (1, 16, 2, 4)


def test_an_image_smaller_than_a_patch_is_refused():
    encoder = DinoEncoderConfig(**SMALL, layers=(0, 1, 2)).build()
    with pytest.raises(DataError, match="expected at least 8x8 pixels, one patch, got 16x7"):
        encoder(torch.rand(1, 3, 16, 7))


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="from 0 to 2, got"):
        DinoEncoderConfig(**SMALL, layers=(0, 1, 3)).build()


def test_that_it_starts_from_scratch_has_to_be_said():
    with pytest.raises(ValidationError, match="weights"):
        DinoFeaturesConfig()
