"""What every test starts from: shapes are checked at run time, and real data is optional."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook

os.environ.setdefault("HF_HUB_OFFLINE", "1")
install_import_hook("scene3d", "beartype.beartype")

import torch  # noqa: E402  (the hook must be there before anything imports scene3d)

# Timings are never tests, and a busy machine is no failure.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def _shared(kind: str) -> Path:
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("SCENE3D_SHARED", default)) / kind
    if not folder.is_dir():
        pytest.skip(f"real data is not here: {folder} does not exist (set SCENE3D_SHARED to the folder that holds it)")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of small real data sets; tests that want it skip where it is absent."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Folder of outputs of published implementations; tests that want it skip where it is absent."""
    return _shared("golden")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
