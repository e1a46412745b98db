"""Figures of papers, to stand beside ours where protocol, data and number of images are theirs."""

from __future__ import annotations

from collections.abc import Mapping
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


ByRange = Mapping[float, float]
"""A figure at each range, metres."""


@dataclass(frozen=True, kw_only=True)
class PublishedCompletion:
    """Tables of papers about completed scenes.

    Attributes:
        protocol: name of one of `scene3d.evaluation.protocols`.
        data: what is scored, as `scene3d evaluate` calls it.
        frames: how many are scored; what is known of it differs, so there may be several.
        source: where the figures stand.
        iou, miou: of each method.
    """

    protocol: str
    data: str
    frames: tuple[int, ...]
    source: str
    iou: Mapping[str, ByRange]
    miou: Mapping[str, ByRange]

    @property
    def note(self) -> str:
        """What is to be said wherever these figures stand."""
        return f"; published: {self.source}"


SSCBENCH_TEST = "SSCBench-KITTI-360 test"
"""All frames of KITTI-360's sequence 09 that SSCBench has labelled."""

SSCBENCH_TEST_SEQUENCE = "2013_05_28_drive_0009_sync"


def _ranges(*figures: float) -> ByRange:
    return dict(zip((12.8, 25.6, 51.2), (figure / 100 for figure in figures), strict=True))


COMPLETION_TABLES = (
    PublishedCompletion(
        protocol="S4C 15-class",
        data=SSCBENCH_TEST,
        # SSCBench issue 23: the files are 2,165, its README says 2,566.
        frames=(2165, 2566),
        source="SceneDINO (Jevtic et al., ICCV 2025), table 1 and README, which do not say whether clusters were "
        "matched directly or on the test data; S4C (Hayler et al., 3DV 2024) is supervised by labels of images",
        iou={
            "SceneDINO, DINO ViT-B/8": _ranges(49.54, 42.27, 37.60),
            "S4C": _ranges(54.64, 45.57, 39.35),
        },
        miou={
            "SceneDINO, DINO ViT-B/8": _ranges(10.76, 10.01, 8.00),
            "SceneDINO, DINOv2": _ranges(13.76, 11.78, 9.08),
            "SceneDINO, poses of ORB-SLAM3": _ranges(10.88, 9.86, 7.88),
            "S4C + STEGO": _ranges(10.53, 9.26, 6.60),
            "S4C": _ranges(16.94, 13.94, 10.19),
        },
    ),
)


def published_completion(protocol: str, data: str | None, frames: int) -> PublishedCompletion | None:
    """The published tables that figures of ours may stand in; None where any of the three is another.

    Args:
        protocol: name of ours, unchanged.
        data: what was scored; None where it is nothing that papers score.
        frames: how many we scored.
    """
    for table in COMPLETION_TABLES:
        if (table.protocol, table.data) == (protocol, data) and frames in table.frames:
            return table
    return None


def why_unpublished(protocol: str, data: str | None, frames: int) -> str | None:
    """Why published figures of the data that was scored are not printed beside ours; None where there are none."""
    tables = [table for table in COMPLETION_TABLES if table.data == data]
    if not tables or published_completion(protocol, data, frames) is not None:
        return None
    theirs = " or ".join(f"{t.protocol} over {' or '.join(map(str, t.frames))} frames" for t in tables)
    return f"Published figures of {data} are not printed: they are of {theirs}, ours of {protocol} over {frames}."
