"""`scene3d surface`: a mesh or point cloud against the true one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from scene3d.cli.outputs import refuse_existing
from scene3d.errors import UsageError


def surface(
    estimated: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MESH")],
    true: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TRUE")],
    *,
    protocol: Literal["sampled", "DTU", "vertices"] = "sampled",
    threshold: float | None = None,
    observed: Path | None = None,
    parts: Literal["all", "large", "largest"] = "all",
    cameras: Path | None = None,
    scene: str | None = None,
    dilation: float | None = None,
    seen: int | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Score a mesh or point cloud file against the true one: Chamfer distance, precision, recall, F-score.

    Examples:
      scene3d surface out/skull/mesh.ply bunny.ply
      scene3d surface scan65.ply stl065_total.ply --protocol DTU --observed ObsMask/ObsMask65_10.mat
      scene3d surface scan65.ply stl065_total.ply --protocol DTU --cameras dtu_scan65 --dilation 12 --seen 1

    Args:
        estimated: what to score (PLY, OBJ, GLB, STL).
        true: what to score it against, in the same world.
        protocol: points spread evenly over both; DTU's, in millimetres; or vertices as they are.
        threshold: of precision and recall; 1 % of the diagonal of the true surface's box if left out.
        observed: DTU's ObsMask{scan}_10.mat, beside which Plane{scan}.mat lies: what was measured at all.
        parts: keep "all", the "large" connected parts of 1 % of the largest's triangles, or the "largest" alone.
        cameras: folder of the posed photographs that the mesh was made of, for --dilation and --seen.
        scene: which of its scenes.
        dilation: pixels that their masks grow by before they cut the mesh.
        seen: cut off what fewer cameras than this see.
        out: JSON file of the figures; none is written if left out.
        overwrite: replace the JSON file if it exists.
    """
    if (cameras is None) != (dilation is None and seen is None):
        raise UsageError("--cameras: expected with --dilation or --seen, and they with it")
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    from scene3d import recipe
    from scene3d.evaluation.report import Report, table_markdown

    rules = {"file": true, "threshold": threshold, "protocol": protocol, "observed": observed}
    cleaning = {"parts": parts, "dilation": dilation, "seen": seen}
    table = recipe.score_mesh(estimated, recipe.TrueSurface.of(rules, cleaning), cameras=cameras, scene=scene)
    print(table_markdown(table))
    if out is not None:
        files = {"estimated": estimated.name, "true": true.name}
        Report(split=estimated.stem, frames=0, protocol="", tables=(table,), provenance=files).save(out)
        print(f"wrote {out}")
    return 0
