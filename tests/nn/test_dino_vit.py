import re

import pytest
import torch

from scene3d.nn.dino_vit import DinoViT, ViTSizes
from scene3d.nn.vit_weights import random_vit

NAMES = (
    (r"(?:encoder\.)?layers?\.(\d+)\.", r"blocks.\1."),
    (r"layernorm_before|(?<=\.)norm1(?=\.)", "norm1"),
    (r"layernorm_after|(?<=\.)norm2(?=\.)", "norm2"),
    (r"attention\.(?:output\.dense|o_proj)", "attn.proj"),
    (r"attention\.(?:attention\.)?(q|k|v)(?:uery|ey|alue|_proj)\.", r"attn.\1."),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"(?<=\d\.)output\.dense", "mlp.fc2"),
    (r"layer_scale(\d)\.lambda1", r"ls\1.gamma"),
    (r"^layernorm\.", "norm."),
    (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.register_tokens", "reg_token"),
)
"""Of transformers, 4 and 5, to those of the released files."""


def _released(network) -> dict[str, torch.Tensor]:
    found = {}
    for name, value in network.state_dict().items():
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        found[name] = value
    found.pop("embeddings.mask_token", None)
    for name in [name for name in found if ".attn.q." in name]:
        parts = [found.pop(name.replace(".q.", f".{part}.")) for part in "qkv"]
        found[name.replace(".q.", ".qkv.")] = torch.cat(parts)
    if "reg_token" in found:
        # The released class token holds its position already.
        found["cls_token"] = found["cls_token"] + found["pos_embed"][:, :1]
        found["pos_embed"] = found["pos_embed"][:, 1:]
    return found


@pytest.mark.parametrize(
    ("family", "registers", "scaled"), [("dino", 0, False), ("dinov2", 0, True), ("dinov2_registers", 4, True)]
)
@torch.no_grad()
def test_it_is_the_network_of_transformers(family, registers, scaled):
    pytest.importorskip("transformers", reason="what is compared with is transformers' network")
    network = random_vit(family, width=16, depth=3, heads=2, patch=4).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    grid = round((network.embeddings.position_embeddings.shape[1] - 1) ** 0.5)
    ours = DinoViT(ViTSizes(16, 3, 2, 4, (grid, grid), registers, scaled))
    ours.load_state_dict(_released(network))
    pixels = torch.randn(1, 3, 4 * grid, 4 * grid)
    output = network(pixel_values=pixels, output_hidden_states=True)
    for found, tokens in zip(
        ours(pixels, (0, 2)), [*output.hidden_states[1::2], output.last_hidden_state], strict=True
    ):
        expected = tokens[:, 1 + registers :].mT.unflatten(2, (grid, grid))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_positions_are_resampled_to_the_grid_of_the_image():
    network = DinoViT(ViTSizes(8, 1, 2, 4, (3, 5)))
    # A position embedding that is the same everywhere stays so on every grid; the image is the same everywhere too.
    network.pos_embed[:, 1:] = torch.randn(8)
    (found,) = network(torch.ones(1, 3, 16, 40))
    assert found.shape == (1, 8, 4, 10)
    torch.testing.assert_close(found, found[..., :1, :1].expand_as(found))


@torch.no_grad()
def test_every_place_has_its_own_embedding_row_by_row():
    network = DinoViT(ViTSizes(8, 0, 2, 4, (2, 3)))
    network.pos_embed.zero_()
    network.pos_embed[0, 1 + 3 * 1 + 2] = 100 * torch.randn(8)
    torch.nn.init.zeros_(network.patch_embed["proj"].weight)
    (found,) = network(torch.rand(1, 3, 8, 12))
    change = (found - found[..., :1, :1]).norm(dim=1)[0]
    assert change.nonzero().tolist() == [[1, 2]]
