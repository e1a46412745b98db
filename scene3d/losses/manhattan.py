"""The Manhattan prior without a known frame: most normals of a room cluster about three directions at right angles.

The normals of a batch are clustered, three clusters are taken as the axes of the room, and what belongs to them is
drawn together and at right angles. Source: Popovic et al., "Surface normal clustering for implicit representation of
Manhattan scenes", ICCV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.losses import LossTerms
from scene3d.nn.clusters import assign, spherical_kmeans


class ManhattanConfig(Config):
    """How axes are found, and what the terms weigh.

    Attributes:
        clusters: of the normals.
        rounds: of the clustering.
        tolerance: 1 - cos up to which a cluster lies along an axis, either way; 0.01 is 8 degrees.
        outliers: 1 - cos beyond which a normal that belongs to an axis does not count; None counts all. The published
            code means to leave them out at 0.01 but does not.
        orthogonality, cosine, l1: weights of the terms, once grown.
        start: step before which nothing is asked, while there is no surface yet.
        ramp: steps over which the weights grow.

    Numbers are those of the published code.
    """

    clusters: int = Field(default=20, ge=3)
    rounds: int = Field(default=20, ge=1)
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    outliers: float | None = Field(default=0.01, gt=0)
    orthogonality: float = Field(default=2e-3, ge=0)
    cosine: float = Field(default=2e-3, ge=0)
    l1: float = Field(default=2e-3, ge=0)
    start: int = Field(default=500, ge=0)
    ramp: int = Field(default=2500, ge=1)

    def growth(self, step: int) -> float:
        """What share of their weights the terms have at a step: 0 up to `start`, then linearly to 1."""
        return min(max(step - self.start, 0) / self.ramp, 1.0)


@dataclass(frozen=True)
class ManhattanAxes:
    """Which normals belong to which axis of a room; no gradient flows through the choice.

    Attributes:
        member: number of the axis of each normal, -1 for none.
        sign: -1 where a normal points the other way along its axis, else 1.
    """

    member: Int[Tensor, "N"]  # noqa: UP037
    sign: Float[Tensor, "N"]  # noqa: UP037


def manhattan_terms(
    normals: Float[Tensor, "N 3"],
    step: int,
    config: ManhattanConfig,
    generator: torch.Generator | None = None,
    *,
    known: Float[Tensor, "3 3"] | None = None,
) -> LossTerms:
    """The prior's terms for the normals of rendered patches, with the weights of a step.

    Before the start, and where there are too few normals to cluster, there is no term: join these to others.

    Args:
        normals: of unit length and any one frame; zero or not finite where there is no surface. Best of several views:
            a single one may show only two directions of a room, and its third axis is then anything.
        step: of training.
        config: see there.
        generator: draws the beginnings of the clusters, on the CPU.
        known: the axes in rows, where they were found otherwise (`Frames.room_axes`). No normals are clustered then:
            each belongs to the axis that it is nearest to, and is drawn to it; they are at right angles already.
    """
    growth = config.growth(step)
    usable = torch.isfinite(normals).all(dim=1) & (normals.detach().norm(dim=1) > 0.5)
    fewest = config.clusters if known is None else 1
    if growth == 0 or usable.sum() < fewest:
        return LossTerms({}, {})
    chosen = normals[usable]
    if known is None:
        axes = find_axes(chosen, config, generator)
        centres = axis_directions(chosen, axes)
        square = {"manhattan_orthogonality": orthogonality(centres)}
    else:
        centres = known.to(chosen)
        axes, square = nearest_axes(chosen, centres, config.outliers), {}
    terms = {
        **square,
        "manhattan_cosine": centroid_cosine(chosen, centres, axes),
        "manhattan_l1": centroid_l1(chosen, centres, axes),
    }
    weights = {
        "manhattan_orthogonality": config.orthogonality,
        "manhattan_cosine": config.cosine,
        "manhattan_l1": config.l1,
    }
    counted = (axes.member >= 0).float().mean()
    return LossTerms(terms, {name: growth * weights[name] for name in terms}, {"manhattan_share": counted})


@torch.no_grad()
def find_axes(
    normals: Float[Tensor, "N 3"], config: ManhattanConfig, generator: torch.Generator | None = None
) -> ManhattanAxes:
    """The three axes of a room among its normals, and the normals along each.

    The largest cluster is the first axis; of the others the two that are closest to right angles with it and each
    other are the second and third. Clusters along an axis, in or against its direction, belong to it.

    Args:
        normals: of unit length, at least `config.clusters`.
        config: see there.
        generator: draws the beginnings of the clusters.

    Source: Popovic et al. 2023, section 3.3.
    """
    centres = spherical_kmeans(normals, config.clusters, iterations=config.rounds, restarts=1, generator=generator)
    cluster = assign(normals, centres)
    cosines = (centres @ centres.mT).abs()
    first = torch.bincount(cluster, minlength=len(centres)).argmax()
    skew = cosines[first][:, None] + cosines[first][None, :] + cosines
    # Two axes are two clusters: one that is at right angles with the first is not its own partner.
    skew.fill_diagonal_(torch.inf)
    second, third = divmod(int(skew.argmin()), len(centres))
    directions = centres[torch.stack([first, first.new_tensor(second), first.new_tensor(third)])]
    along = centres @ directions.mT
    owner = torch.where(along.abs().amax(dim=1) > 1 - config.tolerance, along.abs().argmax(dim=1), -1)
    return _belonging(normals, directions, owner[cluster], config.outliers)


@torch.no_grad()
def nearest_axes(normals: Float[Tensor, "N 3"], frame: Float[Tensor, "3 3"], outliers: float | None) -> ManhattanAxes:
    """Each normal with the axis that it is nearest to.

    Args:
        normals: of unit length.
        frame: unit axes in rows.
        outliers: see `ManhattanConfig`.
    """
    return _belonging(normals, frame, (normals @ frame.mT).abs().argmax(dim=1), outliers)


def _belonging(
    normals: Tensor,
    directions: Float[Tensor, "3 3"],
    member: Int[Tensor, "N"],  # noqa: UP037
    outliers: float | None,
) -> ManhattanAxes:
    cosine = (normals @ directions.mT).gather(1, member.clamp(min=0)[:, None])[:, 0]
    if outliers is not None:
        member = torch.where(1 - cosine.abs() > outliers, -1, member)
    return ManhattanAxes(member, torch.where(cosine < 0, -1.0, 1.0).to(normals))


def axis_directions(normals: Float[Tensor, "N 3"], axes: ManhattanAxes) -> Float[Tensor, "3 3"]:
    """Unit mean direction of the normals along each axis, in rows; 0 for an axis that none belongs to."""
    belongs = axes.member[:, None] == torch.arange(3, device=normals.device)
    sums = (belongs * axes.sign[:, None]).to(normals).mT @ normals
    return torch.nn.functional.normalize(sums, dim=1)


def orthogonality(centres: Float[Tensor, "3 3"]) -> Float[Tensor, ""]:
    """Mean |cos| between two of three directions: 0 at right angles."""
    return (centres @ centres.roll(1, dims=0).mT).diagonal().abs().mean()


def centroid_cosine(
    normals: Float[Tensor, "N 3"], centres: Float[Tensor, "3 3"], axes: ManhattanAxes
) -> Float[Tensor, ""]:
    """Mean over the axes of the mean 1 - cos of their normals: 0 where all are parallel."""
    return _mean_by_axis(1 - _signed(normals, axes, centres)[0], axes)


def centroid_l1(normals: Float[Tensor, "N 3"], centres: Float[Tensor, "3 3"], axes: ManhattanAxes) -> Float[Tensor, ""]:
    """Mean over the axes of the mean L1 distance of their normals from the axis."""
    return _mean_by_axis(_signed(normals, axes, centres)[1], axes)


def _signed(normals: Tensor, axes: ManhattanAxes, centres: Tensor) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:  # noqa: UP037
    """Cosine and L1 distance of every normal, turned along its axis, and that axis."""
    own, turned = centres[axes.member.clamp(min=0)], axes.sign[:, None] * normals
    return (turned * own).sum(dim=1), (turned - own).abs().sum(dim=1)


def _mean_by_axis(values: Float[Tensor, "N"], axes: ManhattanAxes) -> Float[Tensor, ""]:  # noqa: UP037
    """Mean over three axes of the means of their members; an axis without any adds 0."""
    belongs = (axes.member[:, None] == torch.arange(3, device=values.device)).to(values)
    return ((belongs * values[:, None]).sum(dim=0) / belongs.sum(dim=0).clamp(min=1)).mean()
