from __future__ import annotations

import pytest
import torch

from scene3d.errors import ConfigError
from scene3d.nn.image_encoder import FullSizeEncoderConfig, UNetEncoderConfig
from scene3d.nn.resnet import ResNetConfig, SmallResNetConfig


@pytest.mark.parametrize("size", [(64, 96), (72, 104)])
def test_the_map_has_half_the_size_of_the_image(size: tuple[int, int]):
    encoder = UNetEncoderConfig(
        pyramid=SmallResNetConfig(widths=(8, 8, 16), blocks=1), widths=(8, 8), channels=12, camera_rays=False
    ).build()
    assert encoder(torch.rand(2, 3, *size)).shape == (2, 12, size[0] // 2, size[1] // 2)


def test_a_torchvision_resnet_fits_the_same_decoder():
    encoder = UNetEncoderConfig(
        pyramid=ResNetConfig(depth=18), widths=(8, 8, 8, 8), channels=6, camera_rays=False
    ).build()
    assert encoder(torch.rand(1, 3, 64, 96)).shape == (1, 6, 32, 48)


def test_extra_channels_start_without_effect_in_a_torchvision_resnet():
    torch.manual_seed(0)
    plain = ResNetConfig(depth=18).build().eval()
    torch.manual_seed(0)
    more = ResNetConfig(depth=18, extra_channels=2).build().eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(more(torch.cat([image, torch.rand(1, 2, 64, 64)], dim=1))[0], plain(image)[0])


def test_a_decoder_that_does_not_fit_its_pyramid_says_so():
    with pytest.raises(ConfigError, match="widths: expected 2 for a pyramid of 3, got 1"):
        UNetEncoderConfig(pyramid=SmallResNetConfig(widths=(8, 8, 16)), widths=(8,)).build()


def test_a_decoder_may_go_on_to_the_full_size():
    small = SmallResNetConfig(widths=(8, 8, 16), blocks=1)
    encoder = FullSizeEncoderConfig(pyramid=small, widths=(8, 8, 8), channels=6).build()
    assert encoder(torch.rand(2, 3, 32, 48)).shape == (2, 6, 32, 48)
    with pytest.raises(ConfigError, match="expected one for each of the pyramid's maps, got 2 for 3"):
        FullSizeEncoderConfig(pyramid=small, widths=(8, 8)).build()
