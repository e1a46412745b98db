from __future__ import annotations

import itertools

import torch

from scene3d.objects.graph_cut import min_cut


def energy(side: torch.Tensor, cost: torch.Tensor, edges: torch.Tensor, weights: torch.Tensor) -> float:
    return float(cost[side].sum() + weights[side[edges[:, 0]] != side[edges[:, 1]]].sum())


def test_a_chain_is_cut_where_it_is_weak():
    # Node 0 wants in, node 3 out; between 2 and 3 the edge is cheap.
    cost, edges = torch.tensor([-1.0, 0.2, 0.2, 5]), torch.tensor([[0, 1], [1, 2], [2, 3]])
    assert min_cut(cost, edges, torch.tensor([1.0, 1, 0.1])).tolist() == [True, True, True, False]
    assert min_cut(cost, edges, torch.tensor([0.1, 1, 1])).tolist() == [True, False, False, False]


def test_nodes_that_nothing_holds_together_go_where_it_is_cheaper():
    none = torch.zeros(0, 2, dtype=torch.int64)
    assert min_cut(torch.tensor([-1e-6, 3.0, -7]), none, torch.zeros(0)).tolist() == [True, False, True]
    assert min_cut(torch.zeros(0), none, torch.zeros(0)).shape == (0,)


def test_no_labelling_of_a_small_graph_costs_less():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        cost = torch.randn(7, generator=generator, dtype=torch.float64)
        edges = torch.tensor(list(itertools.combinations(range(7), 2)))
        weights = torch.rand(len(edges), generator=generator, dtype=torch.float64) * 0.5
        best = min(
            energy(torch.tensor(side), cost, edges, weights) for side in itertools.product([False, True], repeat=7)
        )
        found = energy(min_cut(cost, edges, weights), cost, edges, weights)
        assert abs(found - best) < 1e-6


def test_certainty_does_not_drown_the_rest():
    # A cost of 10^9 is as good as any that is larger than what pulls.
    cost, edges = torch.tensor([1e9, -0.5, -0.1]), torch.tensor([[0, 1], [1, 2]])
    assert min_cut(cost, edges, torch.tensor([0.2, 0.3])).tolist() == [False, True, True]
