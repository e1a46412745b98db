"""`scene3d show`: point clouds, meshes, voxels and cameras in a window, or off-screen into a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scene3d.cli.outputs import refuse_existing
from scene3d.errors import UsageError


def show(
    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE...")],
    *,
    screenshot: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Look at 3D files together in an Open3D window, or draw them into a PNG where there is no display.

    Examples:
      scene3d show out/demo/street/points.ply
      scene3d show voxels.ply points.ply --screenshot picture.png

    Args:
        files: point clouds and meshes (PLY, GLB, OBJ), voxels (.label, .npy), cameras (scene.json).
        screenshot: draw into this PNG rather than into a window.
        overwrite: replace the PNG if it exists.
    """
    if not files:
        raise UsageError("expected at least one file to show", hint="scene3d show --help")
    if screenshot is not None:
        refuse_existing(screenshot, overwrite=overwrite)
    from scene3d.visualise import viewer

    picture = viewer.show(files, screenshot=screenshot)
    if picture is not None:
        print(picture)
    return 0
