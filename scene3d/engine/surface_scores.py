"""The surface of a trained method against a true one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from scene3d.engine.surface_files import Surfaced
from scene3d.errors import UsageError
from scene3d.evaluation.surface import DTU, SurfaceProtocol, score_surface
from scene3d.evaluation.surface_tables import surface_table
from scene3d.fusion.mesh_cleaning import CleaningConfig, clean
from scene3d.fusion.meshing import MeshingConfig
from scene3d.structures.solids import Mesh
from scene3d.structures.tables import Table
from scene3d.visualise.files import read_surface

NEAR = 0.01
"""Share of the true surface's diagonal within which a point counts as right."""


def surface_scores(
    method: object,
    true: Path | str,
    *,
    threshold: float | None = None,
    protocol: Literal["sampled", "DTU"] = "sampled",
    meshing: MeshingConfig = MeshingConfig(),  # noqa: B008  (frozen)
    cleaning: CleaningConfig = CleaningConfig(),  # noqa: B008  (frozen)
) -> Table:
    """Chamfer distance, precision, recall and F-score of a method's mesh.

    Args:
        method: that has a surface.
        true: file of the true mesh or point cloud, in the same world.
        threshold: of precision and recall; None is 1 % of the diagonal of the true surface's box.
        protocol: "sampled" compares points a quarter of the threshold apart, on both; "DTU" thins to 0.2 mm and leaves
            out what is off by 20 mm, without DTU's observed volumes.
        meshing, cleaning: of the method's surface.

    Raises:
        UsageError: the method has no surface.
        DataError: the file cannot be read, or the region of interest holds no surface.
    """
    if not isinstance(method, Surfaced):
        raise UsageError(f"{true}: expected a method with a surface to compare, got {type(method).__name__}")
    surface = read_surface(true)
    points = surface.vertices if isinstance(surface, Mesh) else surface.points
    diagonal = float((points.amax(dim=0) - points.amin(dim=0)).norm())
    near = NEAR * diagonal if threshold is None else threshold
    rules = DTU if protocol == "DTU" else SurfaceProtocol(name="sampled", spacing=near / 4)
    found = score_surface(clean(method.mesh(meshing), cleaning), surface, threshold=near, protocol=rules)
    note = (
        f"{rules.name}, points {rules.spacing:g} apart; right within {near:g}; unit of the world; diagonal {diagonal:g}"
    )
    return surface_table({"ours": found}, note)
