"""`scene3d data from-images`: photographs without cameras become a folder of posed images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro


def from_images(
    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")],
    *,
    out: Path,
    matching: Literal["exhaustive", "sequential"] = "exhaustive",
    several_cameras: bool = False,
    threads: int = -1,
    seed: int = 0,
) -> int:
    """Find the cameras of photographs by structure from motion; needs pycolmap, pip install "scene3d[sfm]".

    Examples:
      scene3d data from-images photographs --out data/statue
      scene3d data from-images video_frames --out data/room --matching sequential

    Args:
        folder: of PNG or JPEG files that show one place from many sides.
        out: a new folder, for a scene.json, the images whose camera was found, and the points that they share.
        matching: compare all pairs, or those near each other by name: quicker, for frames of a video.
        several_cameras: the photographs were not all taken with one camera and zoom.
        threads: -1 takes one a core.
        seed: of the random trials.
    """
    from scene3d.data.from_images import register_photographs

    found = register_photographs(
        folder, out, matching=matching, one_camera=not several_cameras, threads=threads, seed=seed
    )
    print(f"{out}: {found.registered} of {found.photographs} photographs registered, ", end="")
    print(f"{found.points} points, {found.error:.2f} pixels of reprojection error")
    print(f"next: scene3d data check {out}")
    return 0
