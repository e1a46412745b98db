"""Feature correspondence: where the teacher finds two things alike, their codes shall be alike, else not.

Source: Hamilton et al., "Unsupervised semantic segmentation by distilling feature correspondences" (STEGO),
ICLR 2022, eq. 4; in 3D: Jevtic et al., "Feed-forward SceneDINO", ICCV 2025.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def feature_correspondence(
    teacher_a: Float[Tensor, "*sets N C"],
    teacher_b: Float[Tensor, "*sets M C"],
    codes_a: Float[Tensor, "*sets N D"],
    codes_b: Float[Tensor, "*sets M D"],
    shift: float,
    *,
    centred: bool = False,
) -> Float[Tensor, ""]:
    """Mean of -(S - shift) * max(Z, 0) over all pairs of points of two sets.

    S is the teacher's cosine of a pair and Z the codes' one. A pair with S above the shift draws its
    codes together, one below pushes them apart until they are orthogonal; there the push ends,
    because opposite codes would say no more.

    Args:
        teacher_a: the teacher's features of the first set of points; no gradient flows into them.
        teacher_b: of the second set.
        codes_a: what the head makes of the points of the first set.
        codes_b: of the second set.
        shift: the cosine from which two things count as alike.
        centred: takes off each point's mean similarity (and gives back the whole mean), so that a
            point that is like everything does not attract everything. STEGO does so, the 3D recipe does not.

    With no set at all the loss is 0.
    """
    likeness = cosines(teacher_a, teacher_b).detach()
    if centred:
        overall = likeness.mean(dim=(-2, -1), keepdim=True)
        likeness = likeness - likeness.mean(dim=-1, keepdim=True)
        likeness = likeness - likeness.mean(dim=(-2, -1), keepdim=True) + overall
    pairs = -(likeness - shift) * cosines(codes_a, codes_b).clamp(min=0)
    return pairs.sum() / max(pairs.numel(), 1)


def cosines(a: Float[Tensor, "*sets N C"], b: Float[Tensor, "*sets M C"]) -> Float[Tensor, "*sets N M"]:
    """Cosine of every vector of one set with every vector of the other."""
    normalise = torch.nn.functional.normalize
    return normalise(a, dim=-1) @ normalise(b, dim=-1).mT
