"""Figures of views that a field of another image was asked about, laid out as the tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from scene3d.evaluation.feature_consistency import DEPTH_TOLERANCE, Consistency
from scene3d.structures.tables import Table

NOVEL_TITLE = "novel views"
CONSISTENCY_TITLE = "consistency of features between views"


@dataclass(frozen=True)
class NovelView:
    """One view as another image's field shows it: PSNR (dB) and SSIM of all and of what that image saw; its share."""

    psnr: float
    ssim: float
    psnr_seen: float
    ssim_seen: float
    seen: float


def novel_views_table(rows: Mapping[str, Sequence[NovelView]]) -> Table:
    """The figures of each row, mean over its views."""
    return Table(
        title=NOVEL_TITLE,
        columns=("PSNR", "SSIM", "PSNR where seen", "SSIM where seen", "share seen"),
        rows={name: _means([astuple(view) for view in views]) for name, views in rows.items()},
        note="views rendered through the field of the reference image with its colours, at the network's size, without "
        "a crop; seen are pixels of whose rays less than half of the weight is hidden from the reference image; "
        "published figures, of other splits and crops, are not printed",
    )


def consistency_table(rows: Mapping[str, Sequence[Consistency]]) -> Table:
    """The figures of each row, mean over pairs of images."""
    return Table(
        title=CONSISTENCY_TITLE,
        columns=("cosine", "cosine at random", "share of pixels"),
        rows={name: _means([astuple(pair) for pair in pairs]) for name, pairs in rows.items()},
        note="features of the reference image and of the view, each by its own field, at pixels that show the same "
        f"place by our depth, about which the two agree to {DEPTH_TOLERANCE:.0%}; at random: the same, in other pairs",
    )


def _means(figures: Sequence[tuple[float, ...]]) -> tuple[float | None, ...]:
    return tuple(sum(column) / len(column) for column in zip(*figures, strict=True))
