"""Spherical k-means: clusters of directions, where only the angle between vectors counts.

Source: Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", Machine
Learning 2001; seeding after Arthur and Vassilvitskii, "k-means++", SODA 2007, with 1 - cos as the distance.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_CHUNK = 65536
"""Vectors compared with all centres at a time; bounds the memory of large clouds and grids."""


def spherical_kmeans(
    features: Float[Tensor, "N C"],
    clusters: int,
    *,
    iterations: int = 100,
    restarts: int = 4,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "K C"]:
    """Unit vectors around which the features gather: each feature's cosine to its nearest is large.

    A centre that no feature is nearest to moves to the feature that is served worst.

    Args:
        features: of any length; zero vectors are not allowed.
        clusters: how many centres.
        iterations: at most this many rounds; ends early once no assignment changes.
        restarts: how many seedings are tried; the best is kept.
        generator: source of the seedings' randomness.

    Raises:
        ValueError: there are fewer features than clusters, or some are zero or not finite.
    """
    if len(features) < clusters:
        raise ValueError(f"spherical_kmeans: expected at least {clusters} features, got {len(features)}")
    lengths = features.norm(dim=-1)
    if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
        raise ValueError("spherical_kmeans: expected finite features with a direction, got some that have none")
    unit = torch.nn.functional.normalize(features.detach(), dim=-1)
    tries = [_refine(unit, _seed(unit, clusters, generator), iterations) for _ in range(restarts)]
    return max(tries, key=lambda result: result[1])[0]


def assign(features: Float[Tensor, "*batch C"], centres: Float[Tensor, "K C"]) -> Int[Tensor, "*batch"]:
    """Index of the centre with the largest cosine to each feature; the lowest index wins a tie."""
    unit = torch.nn.functional.normalize(centres, dim=-1)
    # The length of a feature does not change which centre is nearest.
    flat = features.reshape(-1, features.shape[-1])
    nearest = [(part @ unit.mT).argmax(dim=-1) for part in flat.split(_CHUNK)]
    joined = torch.cat(nearest) if nearest else flat.new_zeros(0, dtype=torch.int64)
    return joined.reshape(features.shape[:-1])


def _seed(unit: Float[Tensor, "N C"], clusters: int, generator: torch.Generator | None) -> Float[Tensor, "K C"]:
    """Features as first centres, each drawn with a chance in proportion to 1 - cos to the nearest before."""
    chosen = [int(torch.randint(len(unit), (1,), generator=generator))]
    far = 1 - unit @ unit[chosen[0]]
    for _ in range(1, clusters):
        chance = far.clamp(min=1e-12).double().cpu()
        # By the inverse of the cumulated chances: torch.multinomial stops at 2^24 features.
        cumulated = chance.cumsum(dim=0)
        drawn = torch.rand((), dtype=torch.float64, generator=generator) * cumulated[-1]
        index = int(torch.searchsorted(cumulated, drawn).clamp(max=len(unit) - 1))
        chosen.append(index)
        far = torch.minimum(far, 1 - unit @ unit[index])
    return unit[chosen].clone()


def _refine(
    unit: Float[Tensor, "N C"], centres: Float[Tensor, "K C"], iterations: int
) -> tuple[Float[Tensor, "K C"], float]:
    """Centres after alternating assignment and mean direction, and the mean cosine that they reach."""
    previous = None
    for _ in range(iterations):
        nearest = assign(unit, centres)
        if previous is not None and torch.equal(nearest, previous):
            break
        previous = nearest
        sums = torch.zeros_like(centres).index_add_(0, nearest, unit)
        empty = torch.bincount(nearest, minlength=len(centres)) == 0
        if bool(empty.any()):
            served = (unit * centres[nearest]).sum(dim=-1)
            sums[empty] = unit[served.argsort()[: int(empty.sum())]]
        centres = torch.nn.functional.normalize(sums, dim=-1)
    return centres, float((unit * centres[assign(unit, centres)]).sum(dim=-1).mean())
