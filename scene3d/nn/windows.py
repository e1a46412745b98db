"""What is compared between frames without having to be learned: small windows of the image, less their brightness.

Cost volumes of networks that were trained on ImageNet compare their features from the first step on; a network that
starts from nothing first has to find out what to compare, and pixels already are worth comparing.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad, unfold

WINDOW = 5
"""Edge of a window, and of the neighbourhood whose mean and deviation are taken out, pixels of the halved image."""

NOISE = 0.01
"""Deviation of gray values of a neighbourhood, of 1, from which it is believed to show something."""


def window_features(image: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N h w C"]:
    """The window around each pixel of the halved image, channels last; L1 between two is how unlike they are.

    Every gray value is less the mean and over the deviation of its own neighbourhood, so brightness and contrast, which
    change from frame to frame, do not count, and where there is no texture all windows are nearly 0.
    """
    gray = avg_pool2d(image.mean(dim=1, keepdim=True), 2)
    mean = _local_mean(gray)
    spread = (_local_mean(gray**2) - mean**2).clamp(min=0)
    even = (gray - mean) / (spread + NOISE**2).sqrt()
    half = WINDOW // 2
    windows = unfold(pad(even, (half, half, half, half), mode="replicate"), WINDOW)
    return windows.unflatten(-1, (even.shape[-2], even.shape[-1])).permute(0, 2, 3, 1)


def halved(features: Float[Tensor, "N h w C"]) -> Float[Tensor, "N h2 w2 C"]:
    """Features in the middles of squares of four pixels: what a bilinear look there finds."""
    return avg_pool2d(features.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def _local_mean(gray: Float[Tensor, "N 1 h w"]) -> Float[Tensor, "N 1 h w"]:
    half = WINDOW // 2
    return avg_pool2d(pad(gray, (half, half, half, half), mode="replicate"), WINDOW, stride=1)
