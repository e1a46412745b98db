"""`scene3d reconstruct`: photographs of one thing in, its mesh out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scene3d.errors import UsageError


def reconstruct(
    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH")],
    *,
    out: Path,
    scene: str | None = None,
    bounds: tuple[float, float, float, float, float, float] | None = None,
    no_masks: bool = False,
    object: bool = False,
    square: bool = False,
    longest: int = 400,
    steps: int = 6000,
    cells: int = 256,
    dilation: float | None = None,
    turn: int = 36,
    max_minutes: float | None = None,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Reconstruct a surface from photographs: mesh (PLY, GLB), rendered views, a turning video and a report.

    Examples:
      scene3d reconstruct data/dtu_scan65 --out out/skull
      scene3d reconstruct photographs --out out/found --object
      scene3d reconstruct kitchen --out out/kitchen --square

    Args:
        folder: of photographs with cameras, as NeuS, nerfstudio, COLMAP or RGB-D have; pycolmap finds those of others.
        out: folder for the results; the run lies in OUT/run, and the same command resumes it.
        scene: which, where the folder holds several.
        bounds: lowest and highest corner of what is wanted, x y z x y z, in the world; found if left out.
        no_masks: leave masks unread.
        object: find what the photographs are of and reconstruct that; masks are written, not read.
        square: a room whose walls are at right angles: told so, what has no texture becomes plane.
        longest: edge that photographs are shrunk to, pixels.
        steps: of the training; 6000 took 6 CPU minutes on a scan of DTU.
        cells: of the mesh along an edge, a multiple of 32.
        dilation: pixels that masks grow by before they cut the mesh; 2 % of --longest if left out.
        turn: pictures of the video; 0 makes none.
        max_minutes: stop the training after that long.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace the run that is there.
    """
    from scene3d import recipe

    _check(longest, steps, cells, turn)
    made = recipe.reconstruct(
        folder,
        out,
        scene=scene,
        bounds=None if bounds is None else (bounds[:3], bounds[3:]),
        masks=False if no_masks else None,
        find=object,
        square=square,
        longest=longest,
        steps=steps,
        meshing=recipe.MeshingConfig(cells=cells),
        cleaning=None if dilation is None else recipe.CleaningConfig(dilation=dilation),
        max_minutes=max_minutes,
        device=device,
        turn=turn,
        overwrite=overwrite,
        told=print,
    )
    print(made.report.as_markdown() if made.report else f"next: scene3d show {out / 'mesh.ply'}")
    return 0


def _check(longest: int, steps: int, cells: int, turn: int) -> None:
    if longest < 32 or steps < 1 or turn < 0 or cells < 32 or cells % 32:
        raise UsageError(
            "expected --longest of 32 or more, --steps of 1 or more, --cells a multiple of 32, --turn >= 0"
        )
