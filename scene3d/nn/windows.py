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
    even = normalise(avg_pool2d(image, 2), WINDOW, NOISE)
    half = WINDOW // 2
    windows = unfold(pad(even, (half, half, half, half), mode="replicate"), WINDOW)
    return windows.unflatten(-1, (even.shape[-2], even.shape[-1])).permute(0, 2, 3, 1)


def halved(features: Float[Tensor, "N h w C"]) -> Float[Tensor, "N h2 w2 C"]:
    """Features in the middles of squares of four pixels: what a bilinear look there finds."""
    return avg_pool2d(features.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def normalise(images: Float[Tensor, "N 3 H W"], window: int, noise: float = 0.003) -> Float[Tensor, "N 1 H W"]:
    """Gray images less their local mean, over their local deviation (at least about `noise`)."""
    gray = images.mean(dim=1, keepdim=True)
    mean = box_mean(gray, window)
    spread = (box_mean(gray**2, window) - mean**2).clamp(min=0)
    return (gray - mean) / (spread + noise**2).sqrt()


def box_mean(values: Float[Tensor, "*batch H W"], window: int) -> Float[Tensor, "*batch H W"]:
    """Mean over windows, whose outside repeats the border; sums of shifts, much faster than a pooling layer."""
    half, (height, width) = window // 2, values.shape[-2:]
    flat = values.reshape(-1, 1, height, width)
    rows = pad(flat, (0, 0, half, half), mode="replicate")
    total = rows[..., :height, :].clone()
    for i in range(1, window):
        total += rows[..., i : i + height, :]
    columns = pad(total, (half, half, 0, 0), mode="replicate")
    out = columns[..., :width].clone()
    for i in range(1, window):
        out += columns[..., i : i + width]
    return (out / window**2).reshape(values.shape)
