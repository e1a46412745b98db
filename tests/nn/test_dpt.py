import pytest
import torch

from scene3d.nn.dpt import DPTConfig, DPTDecoder

SMALL = DPTConfig(width=8, projections=(4, 4, 6, 8))


def _maps(height, width, channels=5):
    return [torch.randn(2, channels, height, width) for _ in range(4)]


@pytest.mark.parametrize(("detail", "scale"), [(0, 8), (1, 16)])
@pytest.mark.parametrize("size", [(4, 6), (3, 5), (1, 1)])
def test_the_map_has_scale_times_the_size_of_the_tokens(size, detail, scale):
    decoder = SMALL.model_copy(update={"detail": detail}).build(5, 7)
    assert decoder.scale == scale
    assert decoder(_maps(*size)).shape == (2, 7, scale * size[0], scale * size[1])


def test_the_published_sizes_have_the_published_number_of_parameters():
    # 12.8 million, counted in the published decoder of a ViT-B with 256 channels.
    count = sum(parameter.numel() for parameter in DPTDecoder(768, 256).parameters())
    assert count == pytest.approx(12.8e6, rel=2e-3)


def test_every_map_reaches_the_result_and_every_parameter_learns():
    decoder = SMALL.build(5, 3)
    maps = [each.requires_grad_() for each in _maps(2, 3)]
    decoder(maps).square().sum().backward()
    assert all(each.grad.abs().sum() > 0 for each in maps)
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_maps_are_not_changed_on_the_way():
    maps = _maps(2, 3)
    before = [each.clone() for each in maps]
    SMALL.build(5, 3)(maps)
    assert all(torch.equal(a, b) for a, b in zip(maps, before, strict=True))


def test_aligned_corners_are_an_option_for_published_weights():
    decoder = SMALL.build(5, 3)
    published = SMALL.model_copy(update={"align_corners": True}).build(5, 3)
    published.load_state_dict(decoder.state_dict())
    maps = _maps(2, 3)
    assert not torch.allclose(decoder(maps), published(maps))
