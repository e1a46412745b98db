"""DINOv3 as it is read for teachers and encoders, against a function written from the paper."""

from __future__ import annotations

import pytest
import torch

from scene3d.nn.vit import IMAGENET_MEAN, IMAGENET_STD, ViTEncoderConfig, ViTFeaturesConfig
from tests.nn import slow_dinov3

pytest.importorskip("transformers", reason="DINO networks are read by transformers, an extra")


def slow(network, image: torch.Tensor) -> torch.Tensor:
    """The tokens of an image [3, H, W] in [0, 1] as a map."""
    mean, std = torch.tensor(IMAGENET_MEAN)[:, None, None], torch.tensor(IMAGENET_STD)[:, None, None]
    config = network.config
    settings = {"depth": config.num_hidden_layers, "heads": config.num_attention_heads, "patch": config.patch_size}
    tokens = slow_dinov3.patch_tokens((image - mean) / std, dict(network.state_dict()), **settings)
    return tokens.mT.reshape(-1, image.shape[1] // config.patch_size, image.shape[2] // config.patch_size)


def publish(published_vit, folder):
    """A network that heeds where its patches are: random ones as they come attend to all alike."""
    network = published_vit(folder, "dinov3")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "attention" in name or "layer_scale1" in name:
                parameter.mul_(3)
    network.save_pretrained(folder)
    return network


def test_features_are_those_of_the_paper_on_an_oblong_image(published_vit, tmp_path, monkeypatch):
    network = publish(published_vit, tmp_path)
    image = torch.rand(3, 24, 40)
    extractor = ViTFeaturesConfig(kind="dinov3", weights=str(tmp_path)).build()
    torch.testing.assert_close(extractor(image[None])[0], slow(network, image), atol=1e-4, rtol=1e-4)
    # A check of the check: without the rotary positions it is another function by far.
    monkeypatch.setattr(slow_dinov3, "_turned", lambda vector, place: vector)
    assert (extractor(image[None])[0] - slow(network, image)).abs().max() > 0.02


def test_an_encoder_ends_in_the_same_tokens_at_unit_length(published_vit, tmp_path):
    network = publish(published_vit, tmp_path)
    encoder = ViTEncoderConfig(family="dinov3", weights=str(tmp_path), layers=(0, 0, 1)).build().eval()
    image = torch.rand(3, 16, 24)
    expected = torch.nn.functional.normalize(slow(network, image), dim=0)
    torch.testing.assert_close(encoder(image[None])[3][0], expected, atol=1e-4, rtol=1e-4)


def test_a_teacher_gives_a_feature_every_sixteen_pixels_whatever_the_patch(published_vit, tmp_path):
    published_vit(tmp_path, "dinov3")
    extractor = ViTFeaturesConfig(kind="dinov3", weights=str(tmp_path), stride=16).build()
    assert extractor.stride == 16 and extractor(torch.rand(1, 3, 32, 48)).shape == (1, 16, 2, 3)
