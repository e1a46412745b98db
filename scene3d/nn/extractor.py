"""The contract of every frozen feature extractor: an image in, one vector a cell of a regular grid out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import DataError


class FeatureExtractor(nn.Module):
    """A frozen network that gives dense features of an image.

    The image is padded at its right and bottom edge, by repeating the border, to a multiple of
    `stride`; nothing is cropped and cell (i, j) always covers pixels ``stride * i`` up to
    ``stride * (i + 1)`` of the image that was given. Normalisation of colours happens inside.
    The features are raw: not of unit length, without class or register tokens.

    The network is rebuilt from its configuration, so it is kept out of `parameters()` and
    `state_dict()`: optimisers, checkpoints and distributed wrappers of the method that owns the
    extractor do not see it. It is loaded when it is first asked, so that a method whose teacher has
    done its work predicts without it, and it goes to the device of the image.

    Args:
        load: gives what computes the features; frozen here and kept in evaluation mode.
        channels: of the features.
        stride: pixels of the given image a cell, both ways.
        settings: what changes the features besides the weights; goes into the fingerprint.
    """

    def __init__(
        self, load: Callable[[], nn.Module], *, channels: int, stride: int, settings: Mapping[str, object]
    ) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride
        self._load = load
        self._settings = settings

    # A cached property writes past nn.Module's registration of children: that is what hides the network.
    @cached_property
    def network(self) -> nn.Module:
        """The frozen network."""
        return self._load().requires_grad_(False).eval()

    @cached_property
    def fingerprint(self) -> str:
        """Extractors that share it give the same features."""
        return fingerprint(self.network, self._settings)

    @torch.no_grad()
    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of RGB images in [0, 1]; h = ceil(H / stride), w = ceil(W / stride).

        Raises:
            DataError: the image is smaller than a cell.
        """
        self.network.to(image.device)
        # At full precision, whatever surrounds it: features are kept and compared across runs.
        with torch.autocast(image.device.type, enabled=False):
            return self.dense(pad_to_patches(image.float(), self.stride))

    def dense(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of an image whose sides are multiples of `stride`; what an extractor implements."""
        raise NotImplementedError


def pad_to_patches(image: Float[Tensor, "B C H W"], patch: int) -> Float[Tensor, "B C H_ W_"]:
    """The image grown to whole patches; see `pad_to_multiple`.

    Raises:
        DataError: the image is smaller than a patch, so that most of the patch would be made up.
    """
    height, width = image.shape[-2:]
    if min(height, width) < patch:
        raise DataError(f"image: expected at least {patch}x{patch} pixels, one patch, got {height}x{width}")
    return pad_to_multiple(image, patch)


def pad_to_multiple(image: Float[Tensor, "B C H W"], multiple: int) -> Float[Tensor, "B C H_ W_"]:
    """The image grown right and bottom, by repeating the border, to sides divisible by `multiple`."""
    height, width = image.shape[-2:]
    right, bottom = -width % multiple, -height % multiple
    if right == 0 and bottom == 0:
        return image
    return torch.nn.functional.pad(image, (0, right, 0, bottom), mode="replicate")


def normalise(
    image: Float[Tensor, "B 3 H W"], mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Float[Tensor, "B 3 H W"]:
    """Colours as a pretrained network was taught them: (image - mean) / std, channel by channel."""
    return (image - image.new_tensor(mean)[:, None, None]) / image.new_tensor(std)[:, None, None]


def fingerprint(network: nn.Module, settings: Mapping[str, object]) -> str:
    """Hex digest of settings and weights: two extractors with the same one give the same features."""
    digest = hashlib.sha256(repr(sorted(settings.items())).encode())
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
