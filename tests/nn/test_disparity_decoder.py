from __future__ import annotations

import pytest
import torch

from scene3d.errors import ConfigError, UsageError
from scene3d.nn.disparity_decoder import DisparityDecoder, disparity_to_depth
from scene3d.nn.mono_depth import MonoDepth
from scene3d.nn.resnet import ResNetConfig, SmallResNetConfig


def test_disparity_runs_from_the_farthest_to_the_nearest():
    # At 0.5: inverse depth halfway between 0.1 and 2, which is 1.05.
    depth = disparity_to_depth(torch.tensor([0.0, 0.5, 1.0]), near=0.5, far=10.0)
    torch.testing.assert_close(depth, torch.tensor([10.0, 1 / 1.05, 0.5]))


@pytest.mark.parametrize("pyramid", [ResNetConfig(depth=18, normalise="uniform"), SmallResNetConfig(blocks=1)])
def test_maps_come_at_four_scales_and_stay_between_0_and_1(pyramid: ResNetConfig | SmallResNetConfig):
    found = MonoDepth(pyramid, (8, 8, 16, 16, 16))(torch.rand(2, 3, 64, 96))
    assert [tuple(each.shape) for each in found] == [(2, 1, 64 // 2**s, 96 // 2**s) for s in range(4)]
    assert all(((each > 0) & (each < 1)).all() for each in found)


def test_widths_that_do_not_go_with_the_pyramid_are_refused():
    with pytest.raises(ConfigError, match="expected one for each of the pyramid's maps, got 3 for 5"):
        DisparityDecoder([8, 8, 8, 8, 8], (8, 8, 8))
    with pytest.raises(ConfigError, match="expected at least 4 maps, got 3"):
        DisparityDecoder([8, 8, 8], (8, 8, 8))


def test_an_image_that_cannot_be_halved_so_often_is_refused():
    network = MonoDepth(SmallResNetConfig(widths=(8, 8, 8, 8, 8), blocks=1), (8, 8, 8, 8, 8))
    with pytest.raises(UsageError, match=r"multiples of 32 and at least 64, got 96 x 100"):
        network(torch.rand(1, 3, 96, 100))
    with pytest.raises(UsageError, match="got 32 x 96"):
        network(torch.rand(1, 3, 32, 96))
