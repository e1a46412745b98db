import pytest
import torch

from scene3d.errors import ConfigError, DataError
from scene3d.nn.vit import ViTEncoderConfig, ViTFeaturesConfig

pytest.importorskip("transformers", reason="DINO networks are read by transformers, an extra")

FAMILIES = ("dino", "dinov2", "dinov2_registers", "dinov3")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_network_gives_the_patch_tokens_bit_for_bit(published_vit, family, tmp_path):
    network = published_vit(tmp_path, family)
    assert {"config.json", "model.safetensors"} <= {file.name for file in tmp_path.iterdir()}
    extractor = ViTFeaturesConfig(kind=family, weights=str(tmp_path)).build()
    image = torch.rand(2, 3, 24, 40)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (image - mean[:, None, None]) / std[:, None, None]
    extra = {"interpolate_pos_encoding": True} if family == "dino" else {}
    with torch.no_grad():
        tokens = network(pixel_values=pixels, **extra).last_hidden_state
    before = 1 + getattr(network.config, "num_register_tokens", 0)
    assert before == {"dino": 1, "dinov2": 1, "dinov2_registers": 5, "dinov3": 5}[family]
    assert tokens.shape[1] == before + 15
    expected = tokens[:, before:].mT.reshape(2, 16, 3, 5)
    assert torch.equal(extractor(image), expected)
    assert (extractor.channels, extractor.stride) == (16, 8)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_of_any_size_is_padded_to_whole_patches(published_vit, family, tmp_path):
    published_vit(tmp_path, family)
    extractor = ViTFeaturesConfig(kind=family, weights=str(tmp_path)).build()
    image = torch.rand(1, 3, 19, 33)
    grown = torch.nn.functional.pad(image, (0, 7, 0, 5), mode="replicate")
    assert extractor(image).shape == (1, 16, 3, 5)
    assert torch.equal(extractor(image), extractor(grown))


def test_a_stride_besides_the_patch_gives_the_grid_of_that_stride(published_vit, tmp_path):
    published_vit(tmp_path, "dinov2")
    extractor = ViTFeaturesConfig(kind="dinov2", weights=str(tmp_path), stride=16).build()
    assert extractor.stride == 16
    assert extractor(torch.rand(1, 3, 32, 60)).shape == (1, 16, 2, 4)


def test_an_image_smaller_than_a_patch_is_refused(published_vit, tmp_path):
    published_vit(tmp_path, "dino")
    extractor = ViTFeaturesConfig(kind="dino", weights=str(tmp_path)).build()
    encoder = ViTEncoderConfig(weights=str(tmp_path), layers=(0, 0, 1)).build()
    for network in (extractor, encoder):
        with pytest.raises(DataError, match="at least 8x8 pixels, one patch, got 7x40"):
            network(torch.rand(1, 3, 7, 40))


def test_what_stands_at_a_patch_moves_with_it(published_vit, tmp_path):
    published_vit(tmp_path, "dino")
    extractor = ViTFeaturesConfig(kind="dino", weights=str(tmp_path)).build()
    plain = torch.full((1, 3, 32, 32), 0.5)
    marked = plain.clone()
    marked[..., 8:16, 24:32] = 1
    change = (extractor(marked) - extractor(plain)).norm(dim=1)[0]
    assert divmod(int(change.argmax()), 4) == (1, 3)


def test_the_fingerprint_tells_networks_and_strides_apart(published_vit, tmp_path):
    for seed in (0, 1):
        published_vit(tmp_path / str(seed), "dino", seed)
    prints = {
        ViTFeaturesConfig(kind="dino", weights=str(tmp_path / str(seed)), stride=stride).build().fingerprint
        for seed in (0, 1)
        for stride in (8, 16)
    }
    assert len(prints) == 4
    again = ViTFeaturesConfig(kind="dino", weights=str(tmp_path / "0"), stride=8).build().fingerprint
    assert again in prints


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_gives_three_raw_maps_and_the_last_at_unit_length(family):
    config = ViTEncoderConfig(family=family, weights="random", width=16, depth=4, heads=2, patch=8, layers=(0, 1, 2))
    encoder = config.build()
    maps = encoder(torch.rand(2, 3, 20, 32))
    assert [each.shape for each in maps] == [(2, 16, 3, 4)] * 4
    torch.testing.assert_close(maps[3].norm(dim=1), torch.ones(2, 3, 4))
    assert not torch.allclose(maps[2].norm(dim=1), torch.ones(2, 3, 4), atol=1e-3)
    maps[3][:, 0].sum().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in encoder.parameters())


def test_maps_are_the_outputs_of_the_blocks_that_were_named(published_vit, tmp_path):
    network = published_vit(tmp_path, "dinov2")
    encoder = ViTEncoderConfig(family="dinov2", weights=str(tmp_path), layers=(0, 0, 1)).build().eval()
    image = torch.full((1, 3, 16, 16), 0.485)
    first, again, last, _ = encoder(image)
    assert torch.equal(first, again)
    # Block 1 is the last; the final norm of its output, at unit length, is the fourth map.
    normed = network.layernorm(last.flatten(2).mT)
    expected = torch.nn.functional.normalize(normed, dim=-1).mT.reshape(1, 16, 2, 2)
    torch.testing.assert_close(encoder(image)[3], expected)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="from 0 to 1"):
        ViTEncoderConfig(weights="random", width=16, depth=2, heads=2, layers=(0, 1, 2)).build()
