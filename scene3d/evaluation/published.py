"""Depth figures of papers, to stand beside ours where protocol, data and number of images are theirs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedDepth:
    """A table of a paper, all of it median scaled.

    Attributes:
        protocol: name in `scene3d.evaluation.depth_protocol.PROTOCOLS`.
        data: kind of the data config.
        images: how many are scored.
        source: where the figures stand.
        rows: abs_rel, sq_rel, rmse, rmse_log, a1, a2, a3 of each method.
    """

    protocol: str
    data: str
    images: int
    source: str
    rows: dict[str, tuple[float, ...]]


TABLES = (
    PublishedDepth(
        protocol="eigen as published",
        data="kitti_raw",
        images=697,
        source="results table shipped with ManyDepth (Watson et al., CVPR 2021); M = one camera",
        rows={
            "Monodepth2 M R18, 640x192": (0.115, 0.903, 4.863, 0.193, 0.877, 0.959, 0.981),
            "Monodepth2 M R18, 1024x320": (0.115, 0.882, 4.701, 0.190, 0.879, 0.961, 0.982),
            "ManyDepth R18, 640x192, 2 frames": (0.098, 0.770, 4.459, 0.176, 0.900, 0.965, 0.983),
            "ManyDepth R18, 1024x320, 2 frames": (0.093, 0.715, 4.245, 0.172, 0.909, 0.966, 0.983),
            "ManyDepth R50, 1024x320, 2 frames": (0.091, 0.694, 4.245, 0.171, 0.911, 0.968, 0.983),
        },
    ),
    PublishedDepth(
        protocol="cityscapes",
        data="cityscapes",
        images=1525,
        source="ManyDepth's table 3 (Watson et al., CVPR 2021), as later papers quote it; M = one camera",
        rows={
            "Monodepth2 M R18, 512x192": (0.129, 1.569, 6.876, 0.187, 0.849, 0.957, 0.983),
            "ManyDepth R18, 512x192, 2 frames": (0.114, 1.193, 6.223, 0.170, 0.875, 0.967, 0.989),
        },
    ),
)


def published_depth(protocol: str, data: str | None, images: int) -> PublishedDepth | None:
    """The published table that figures of ours may stand in; None where any of the three is another.

    Args:
        protocol: name of ours.
        data: kind of data set; None where it is not the published list of images.
        images: how many we scored.
    """
    for table in TABLES:
        if (table.protocol, table.data, table.images) == (protocol, data, images):
            return table
    return None
