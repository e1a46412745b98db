"""The labelling of a graph in two that costs least, exactly, by a minimum cut.

Source: Boykov and Jolly, "Interactive graph cuts for optimal boundary and region segmentation", ICCV 2001.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_LARGEST = 2**24
"""Integer that the largest capacity becomes; flows of a graph's total must stay below 2^31."""


def min_cut(
    cost: Float[Tensor, "N"],  # noqa: UP037
    edges: Int[Tensor, "E 2"],
    weights: Float[Tensor, "E"],  # noqa: UP037
) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Which nodes are foreground where the sum of costs is least.

    Args:
        cost: what it costs more to be foreground than background; negative where foreground is cheaper.
        edges: pairs of different nodes.
        weights: what it costs, at least 0, that the nodes of an edge differ.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    nodes = len(cost)
    if nodes == 0:
        return torch.zeros(0, dtype=torch.bool)
    source, sink = nodes, nodes + 1
    number = np.arange(nodes)
    a, b = edges.numpy().T
    tails = np.concatenate([a, b, np.full(nodes, source), number])
    heads = np.concatenate([b, a, number, np.full(nodes, sink)])
    terminal, between = cost.double().numpy(), weights.double().numpy()
    capacity = np.concatenate([between, between, np.maximum(-terminal, 0), np.maximum(terminal, 0)])
    # scipy cuts integers: a node that is held harder than any is pulled stays where it is, and may be held less.
    pull = np.bincount(np.concatenate([a, b]), np.concatenate([between, between]), nodes).max(initial=0.0)
    capacity = np.minimum(capacity, 1.01 * pull + 1e-12)
    steps = np.round(capacity * (min(_LARGEST, 2**30 / nodes) / capacity.max(initial=1e-12))).astype(np.int32)
    graph = coo_matrix((steps, (tails, heads)), shape=(nodes + 2, nodes + 2)).tocsr()
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    # Whatever the source can still reach is on its side of the cut.
    reached = np.zeros(nodes + 2, dtype=bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    return torch.from_numpy(reached[:nodes])
