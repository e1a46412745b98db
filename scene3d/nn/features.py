"""Dense image features: the extractors one may choose from, and a cache so that each image is seen once."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from scene3d.nn.dino_encoder import DinoFeaturesConfig
from scene3d.nn.efficientnet import EfficientNetLite0Config
from scene3d.nn.extractor import FeatureExtractor
from scene3d.nn.vit import ViTFeaturesConfig

__all__ = ["CachedFeatures", "FeatureExtractor", "FeatureExtractorConfig"]

FeatureExtractorConfig = Annotated[
    ViTFeaturesConfig | DinoFeaturesConfig | EfficientNetLite0Config, Field(discriminator="kind")
]
"""Every extractor that a recipe may name, told apart by `kind`; each has `build()`."""


class CachedFeatures(nn.Module):
    """An extractor that remembers: the same image is computed once, across runs and processes.

    An entry is found by the sha256 of the image's values and the extractor's fingerprint, and kept
    at half precision. What is computed now is rounded too, so that a hit and a miss agree exactly.
    A damaged file is computed again, with a warning.

    Args:
        extractor: what computes the features.
        folder: where entries are kept, ``<2 digits>/<digest>.safetensors``; None keeps them in memory only. After
            `eval()` entries are read from there, and none is written.
        memory: bytes of features to hold in memory; the least recently used go first.
    """

    def __init__(self, extractor: FeatureExtractor, folder: Path | None, *, memory: int = 256 * 2**20) -> None:
        super().__init__()
        self.extractor = extractor
        self.channels, self.stride = extractor.channels, extractor.stride
        self._folder = folder
        self._memory = memory
        self._held: OrderedDict[str, Tensor] = OrderedDict()
        self._held_bytes = 0

    @property
    def fingerprint(self) -> str:
        """Of the extractor."""
        return self.extractor.fingerprint

    @torch.no_grad()
    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of RGB images in [0, 1], as the extractor gives them, rounded to half precision."""
        keys = [self._key(each) for each in image]
        found = [self._find(key) for key in keys]
        missing = [i for i, features in enumerate(found) if features is None]
        if missing:
            computed = self.extractor(image[missing]).half().cpu()
            for i, features in zip(missing, computed, strict=True):
                found[i] = features.clone()
                self._keep(keys[i], features.clone())
        return torch.stack([features for features in found if features is not None]).to(image)

    def _key(self, image: Float[Tensor, "3 H W"]) -> str:
        values = image.detach().cpu().contiguous()
        digest = hashlib.sha256(f"{self.fingerprint} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.numpy().tobytes())
        return digest.hexdigest()

    def _path(self, key: str) -> Path | None:
        return None if self._folder is None else self._folder / key[:2] / f"{key}.safetensors"

    def _find(self, key: str) -> Tensor | None:
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            features = load(path.read_bytes())["features"]
            if features.dtype != torch.float16 or features.ndim != 3 or features.shape[0] != self.channels:
                raise ValueError(f"a {features.dtype} tensor of shape {tuple(features.shape)}")
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            warnings.warn(f"{path}: damaged entry of the feature cache ({error}); computed again", stacklevel=2)
            return None
        self._hold(key, features)
        return features

    def _keep(self, key: str, features: Tensor) -> None:
        self._hold(key, features)
        path = self._path(key)
        # What is evaluated elsewhere does not bring its maker's folder along.
        if path is None or not self.training:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed, so that another process never reads half an entry.
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(save({"features": features.contiguous()}))
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def _hold(self, key: str, features: Tensor) -> None:
        size = features.numel() * features.element_size()
        if key in self._held or size > self._memory:
            return
        self._held[key] = features
        self._held_bytes += size
        while self._held_bytes > self._memory:
            _, dropped = self._held.popitem(last=False)
            self._held_bytes -= dropped.numel() * dropped.element_size()
