"""Weights and photographs that the verbs are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tiny import write_tiny_weights


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of an untrained network."""
    return write_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A readable image of 120 x 400 pixels."""
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (120, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
