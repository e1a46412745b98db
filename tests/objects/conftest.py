"""The table with its ball, photographed once for all tests that look at it."""

from __future__ import annotations

import pytest

from tests.objects.table import Table, photograph_table


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Twelve photographs from a ring, without points and masks."""
    return photograph_table(tmp_path_factory.mktemp("table"))
