"""Between the field's few feature channels per pixel and the teacher's many per patch."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn


class PatchDownsampler(nn.Module):
    """One vector a patch: the mean of its pixels, weighted by a salience that is learned.

    The salience of a pixel is ``s * w + b``: s is linear in its feature, w and b belong to its
    place in the patch; a softmax over the patch makes weights of it. A teacher's patch feature is
    seldom the plain mean of what the patch shows.

    Args:
        channels: of the pixels' features.
        patch: edge of the square patch, pixels.

    Source: Fu et al., "FeatUp", ICLR 2024, attention downsampler; as used by SceneDINO, ICCV 2025.
    """

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.salience = nn.Linear(channels, 1)
        self.scale = nn.Parameter(1 + 0.01 * torch.randn(patch, patch))
        self.offset = nn.Parameter(0.01 * torch.randn(patch, patch))

    def forward(self, pixels: Float[Tensor, "*batch p p C"]) -> Float[Tensor, "*batch C"]:
        """Features of patches, from the features of their pixels."""
        return (pixels * self.weights(pixels)[..., None]).sum(dim=(-3, -2))

    def weights(self, pixels: Float[Tensor, "*batch p p C"]) -> Float[Tensor, "*batch p p"]:
        """How much every pixel counts; each patch sums to 1."""
        logits = self.salience(pixels)[..., 0] * self.scale + self.offset
        return logits.flatten(-2).softmax(dim=-1).unflatten(-1, (self.patch, self.patch))

    def image(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        """Every patch of an image whose sides are multiples of the patch."""
        patches = rearrange(features, "b c (h p) (w q) -> b h w p q c", p=self.patch, q=self.patch)
        return rearrange(self(patches), "b h w c -> b c h w")


class FeatureExpansion(nn.Module):
    """From the field's channels to the teacher's: linear, ReLU, linear, then unit length.

    The field carries few channels, because every sample along every ray carries them; the teacher's
    features lie near a small subspace, which this learns.

    Args:
        channels: of the field.
        expanded: of the teacher.
        hidden: between the two.

    Source: Jevtic et al., "Feed-forward SceneDINO", ICCV 2025 (64 -> 128 -> 768).
    """

    def __init__(self, channels: int, expanded: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, expanded))

    def forward(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """Unit vectors of the teacher's size."""
        return nn.functional.normalize(self.layers(features), dim=-1)
