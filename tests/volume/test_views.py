from __future__ import annotations

import pytest
import torch

from scene3d.errors import ConfigError
from scene3d.volume.views import split_pairs


def test_each_pair_gives_one_view_to_each_side_by_a_fair_coin():
    target, source = split_pairs(torch.ones(4000, 8, dtype=torch.bool))
    assert torch.equal(torch.cat([target, source], dim=1).sort(dim=1).values[0], torch.arange(8))
    assert torch.equal(target // 2, source // 2)
    # 16,000 fair coins have a standard deviation of 0.4 %.
    assert (target % 2).float().mean().item() == pytest.approx(0.5, abs=0.02)


def test_a_stereo_pair_without_neighbours_in_time_still_teaches():
    present = torch.tensor([[True, False, True, False]]).expand(50, -1)
    target, source = split_pairs(present)
    assert (torch.gather(present, 1, target).sum(dim=1) == 1).all()
    assert (torch.gather(present, 1, source).sum(dim=1) == 1).all()


def test_an_odd_view_is_refused():
    with pytest.raises(ConfigError, match="pairs"):
        split_pairs(torch.ones(1, 3, dtype=torch.bool))
