from __future__ import annotations

import pytest
import torch

from scene3d.nn.cluster_probe import ClusterProbe


def test_minus_the_mean_of_the_best_cosine_by_hand():
    probe = ClusterProbe(2, 2)
    with torch.no_grad():
        probe.raw.copy_(torch.tensor([[2.0, 0.0], [0.0, 5.0]]))
    # (3, 4) has cosines 0.6 and 0.8, (1, 0) has 1 and 0; lengths do not count.
    assert probe(torch.tensor([[3.0, 4.0], [10.0, 0.0]])).item() == pytest.approx(-0.9)
    assert probe(torch.zeros(0, 2)).item() == 0


def test_each_code_pulls_its_nearest_centre_alone_and_is_not_pulled_itself():
    probe = ClusterProbe(2, 2)
    with torch.no_grad():
        probe.raw.copy_(torch.eye(2))
    codes = torch.tensor([[3.0, 4.0]], requires_grad=True)
    probe(codes).backward()
    assert codes.grad is None
    assert probe.raw.grad is not None
    # The nearest is (0, 1); moving it along x by e changes the cosine by 0.6 e, along its own length by nothing.
    torch.testing.assert_close(probe.raw.grad, torch.tensor([[0.0, 0.0], [-0.6, 0.0]]))


def test_it_finds_planted_clusters():
    torch.manual_seed(0)
    planted = torch.nn.functional.normalize(torch.randn(4, 16), dim=1)
    own = torch.arange(400) % 4
    codes = (planted[own] + 0.1 * torch.randn(400, 16)) * torch.rand(400, 1).add(0.5)
    probe = ClusterProbe(4, 16)
    with torch.no_grad():
        probe.raw.copy_(planted + 0.35 * torch.randn(4, 16))
    assert (probe.centres * planted).sum(dim=1).max() < 0.8
    optimiser = torch.optim.Adam(probe.parameters(), lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        probe(codes[torch.randperm(400)[:64]]).backward()
        optimiser.step()
    nearest = (planted @ probe.centres.detach().mT).max(dim=1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2, 3]
    assert nearest.values.min() > 0.98
    torch.testing.assert_close(probe.centres.norm(dim=1), torch.ones(4))
