"""The vision transformer of DINO and DINOv2 written out, under the names of its released files.

`scene3d.nn.vit` reads the same networks through transformers, whose names change between versions and whose position
embeddings are square. Checkpoints that hold such a network among others, for images of one oblong size, are read here.

Sources: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; Caron et al., "Emerging properties in
self-supervised vision transformers", ICCV 2021; Oquab et al., "DINOv2", TMLR 2024; Darcet et al., "Vision transformers
need registers", ICLR 2024.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-6
"""Of the layer norms."""


class ViTSizes(NamedTuple):
    """Sizes of the network.

    Attributes:
        width: of a token.
        depth: blocks.
        heads: of the attention.
        patch: edge of a patch, pixels.
        grid: rows and columns of the position embedding.
        registers: tokens besides, which have no position.
        scaled: whether each branch of a block is scaled channel by channel, as in DINOv2.
    """

    width: int
    depth: int
    heads: int
    patch: int
    grid: tuple[int, int]
    registers: int = 0
    scaled: bool = False


class DinoViT(nn.Module):
    """Image to tokens.

    Args:
        sizes: see `ViTSizes`.
    """

    def __init__(self, sizes: ViTSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width, places = sizes.width, sizes.grid[0] * sizes.grid[1]
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        # With registers, the released class token holds its position already.
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, places + (sizes.registers == 0), width))
        if sizes.registers:
            self.reg_token = nn.Parameter(0.02 * torch.randn(1, sizes.registers, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, sizes.patch, sizes.patch)})
        self.blocks = nn.ModuleList(_Block(width, sizes.heads, sizes.scaled) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, pixels: Float[Tensor, "B 3 H W"], layers: tuple[int, ...] = ()) -> list[Float[Tensor, "B C h w"]]:
        """Patch tokens as maps: after each of the blocks in `layers`, counted from 0, and after the last norm.

        Args:
            pixels: normalised; sides are multiples of the patch.
            layers: ascending.
        """
        patches = self.patch_embed["proj"](pixels)
        height, width = patches.shape[-2:]
        tokens = self._placed(rearrange(patches, "b c h w -> b (h w) c"), height, width)
        found = {}
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            found[number] = tokens
        wanted = [found[layer] for layer in layers] + [self.norm(tokens)]
        return [rearrange(each[:, -height * width :], "b (h w) c -> b c h w", h=height) for each in wanted]

    def _placed(self, patches: Float[Tensor, "B N C"], height: int, width: int) -> Float[Tensor, "B T C"]:
        """Class token, registers and patches with their positions."""
        first, places = self.pos_embed.split([self.pos_embed.shape[1] - self._places, self._places], dim=1)
        if (height, width) != self.sizes.grid:
            places = rearrange(places, "b (h w) c -> b c h w", h=self.sizes.grid[0])
            places = nn.functional.interpolate(places, (height, width), mode="bicubic", align_corners=False)
            places = rearrange(places, "b c h w -> b (h w) c")
        extra = [self.cls_token + first if first.shape[1] else self.cls_token]
        if self.sizes.registers:
            extra.append(self.reg_token)
        return torch.cat([*(each.expand(len(patches), -1, -1) for each in extra), patches + places], dim=1)

    @property
    def _places(self) -> int:
        return self.sizes.grid[0] * self.sizes.grid[1]


class _Block(nn.Module):
    """Attention, then two layers on each token, both beside the identity and after a norm."""

    def __init__(self, width: int, heads: int, scaled: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPSILON)
        self.attn = _Attention(width, heads)
        self.ls1 = _Scale(width) if scaled else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=EPSILON)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls2 = _Scale(width) if scaled else nn.Identity()

    def forward(self, tokens: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        hidden = nn.functional.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.ls2(self.mlp["fc2"](hidden))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        query, key, value = rearrange(self.qkv(tokens), "b t (k n c) -> k b n t c", k=3, n=self.heads)
        found = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.proj(rearrange(found, "b n t c -> b t (n c)"))


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, tokens: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        return tokens * self.gamma
