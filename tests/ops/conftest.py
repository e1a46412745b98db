from __future__ import annotations

import pytest

from scene3d.ops._library import kernels


@pytest.fixture(scope="session")
def compiled() -> None:
    """For tests that compare compiled kernels with their references."""
    if kernels() != "compiled kernels":
        pytest.skip(f"operators run on {kernels()}")
