"""How far an estimated trajectory is from the true one: after alignment, and step by step.

Transforms are paired: number i of the estimate belongs to number i of the truth. Both are of the same body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.geometry.alignment import least_squares_scale, umeyama
from scene3d.geometry.se3 import invert

Alignment = Literal["none", "scale", "6dof", "7dof"]
"""What is fitted before positions are compared: see `align`."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures of a set of errors, in their unit.

    Attributes:
        rmse: root of the mean square.
        mean, median, min, max: as they are called; the median of an even number is the mean of the middle two.
        std: deviation from the mean, over N and not N - 1.
    """

    rmse: float
    mean: float
    median: float
    min: float
    max: float
    std: float


def summarise(errors: Float[Tensor, "N"]) -> Summary:  # noqa: UP037
    """The figures of at least one error."""
    errors = errors.double()
    return Summary(
        rmse=(errors**2).mean().sqrt().item(),
        mean=errors.mean().item(),
        median=errors.quantile(0.5).item(),
        min=errors.min().item(),
        max=errors.max().item(),
        std=errors.std(correction=0).item(),
    )


def from_first(body_to_world: Float[Tensor, "N 4 4"]) -> Float[Tensor, "N 4 4"]:
    """The same trajectory with its first transform as the world, so that it starts with the identity."""
    # kitti-odom-eval inverts the matrix as it stands, and not by transposing; see `relative_errors`.
    return torch.linalg.inv(body_to_world[0]) @ body_to_world


def align(estimated: Float[Tensor, "N 4 4"], true: Float[Tensor, "N 4 4"], how: Alignment) -> Float[Tensor, "N 4 4"]:
    """The estimate laid over the truth.

    - "none": as it is.
    - "scale": its positions times the factor that makes their squared distance from the true ones smallest, about
      the origin as it is; give it trajectories `from_first`.
    - "6dof": turned and moved as a whole, SE(3), by Umeyama's method on positions.
    - "7dof": scaled, turned and moved, Sim(3), likewise.

    `kitti-odom-eval` takes both trajectories `from_first`, then does the same under the same names.
    """
    if how == "none":
        return estimated
    if how == "scale":
        return scaled(estimated, least_squares_scale(estimated[:, :3, 3], true[:, :3, 3]))
    scale, estimated_to_true = umeyama(estimated[:, :3, 3], true[:, :3, 3], with_scale=how == "7dof")
    return estimated_to_true @ scaled(estimated, scale)


def scaled(body_to_world: Float[Tensor, "N 4 4"], factor: Float[Tensor, ""]) -> Float[Tensor, "N 4 4"]:
    """The same trajectory with all lengths times a factor."""
    position = factor * body_to_world[:, :3, 3:]
    return torch.cat([torch.cat([body_to_world[:, :3, :3], position], dim=2), body_to_world[:, 3:]], dim=1)


def absolute_errors(estimated: Float[Tensor, "N 4 4"], true: Float[Tensor, "N 4 4"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Distance of each position from the true one (ATE; evo's APE of the translation part), after `align`.

    The ATE of a paper is mostly the rmse of these.

    Source: Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, section V.B.
    """
    return (estimated[:, :3, 3] - true[:, :3, 3]).norm(dim=1)


def relative_errors(
    estimated: Float[Tensor, "N 4 4"], true: Float[Tensor, "N 4 4"], pairs: Int[Tensor, "P 2"]
) -> tuple[Float[Tensor, "P"], Float[Tensor, "P"]]:  # noqa: UP037
    """Errors of the motion over each pair (RPE): metres of translation, and radians of rotation.

    The error of a pair is E = inv(true motion) (estimated motion); its translation is |t|, its rotation the angle
    of R. `kitti-odom-eval` prints the means over `frame_pairs(N, 1)`, evo mostly the rmse.

    Source: Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012, section V.A.
    """
    # Files print rotations with few digits, so that transposing is not quite inverting. evo transposes, and prints
    # translations; kitti-odom-eval inverts, and the angle, read from a trace near 3, shows it in the second digit.
    moved = invert(_motion(true, pairs, invert)) @ _motion(estimated, pairs, invert)
    inverse = torch.linalg.inv
    turned = inverse(_motion(true, pairs, inverse)) @ _motion(estimated, pairs, inverse)
    return moved[:, :3, 3].norm(dim=1), rotation_angle(turned)


def rotation_angle(a_to_b: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch"]:
    """By how much a transform turns, radians in [0, pi]."""
    trace = a_to_b[..., :3, :3].diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return torch.acos(((trace - 1) / 2).clamp(-1, 1))


def frame_pairs(length: int, delta: int) -> Int[Tensor, "P 2"]:
    """All pairs (i, i + delta) of a trajectory of this length."""
    first = torch.arange(max(length - delta, 0))
    return torch.stack([first, first + delta], dim=1)


def path_pairs(body_to_world: Float[Tensor, "N 4 4"], delta: float) -> Int[Tensor, "P 2"]:
    """Consecutive pairs, each end the next one's start, at least `delta` metres of path apart.

    From its start a trajectory is walked until the path since the last mark reaches `delta`: there is the next
    mark, and the path starts anew at 0. The first mark ends a piece without a start, so that piece is no pair.
    evo's "consecutive pairs" are these of the estimate, not of the truth.
    """
    steps = path_lengths(body_to_world).diff()
    marks, walked = [], 0.0
    for i, step in enumerate(steps.tolist(), start=1):
        walked += step
        if walked >= delta:
            marks.append(i)
            walked = 0.0
    return torch.tensor(list(zip(marks, marks[1:], strict=False)), dtype=torch.int64).reshape(-1, 2)


def path_lengths(body_to_world: Float[Tensor, "N 4 4"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Metres travelled from the first position to each, along straight lines."""
    steps = body_to_world[:, :3, 3].diff(dim=0).norm(dim=1)
    return torch.cat([steps.new_zeros(1), steps.cumsum(dim=0)])


def _motion(
    body_to_world: Float[Tensor, "N 4 4"], pairs: Int[Tensor, "P 2"], inverse: Callable[[Tensor], Tensor]
) -> Float[Tensor, "P 4 4"]:
    return inverse(body_to_world[pairs[:, 0]]) @ body_to_world[pairs[:, 1]]
