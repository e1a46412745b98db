"""Networks for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.vits import publish_vit


@pytest.fixture
def published_vit() -> Callable[..., Any]:
    """See `tests.vits.publish_vit`."""
    pytest.importorskip("transformers", reason="DINO networks are read by transformers, an extra")
    return publish_vit
