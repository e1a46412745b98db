"""The classes of a drive as files: elected by its frames, with how well they agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.evaluation.consistency import elected_votes
from scene3d.evaluation.vote_tables import votes_table
from scene3d.fusion.class_map import ClassMap, ClassMapConfig
from scene3d.structures.drive import DriveStep
from scene3d.structures.tables import Table
from scene3d.visualise.class_map import class_mesh, class_points, plan_picture, street_picture
from scene3d.visualise.drive_report import forward_mesh, forward_points
from scene3d.visualise.files import write_mesh, write_points
from scene3d.visualise.pictures import write_picture
from scene3d.visualise.report_html import Legend, class_legend


class DriveClasses:
    """Collects the votes of a drive's frames, and writes what was elected; nothing where the method has no classes.

    Args:
        unit: what is taken for a metre.
    """

    def __init__(self, unit: float) -> None:
        self.unit = unit
        usual = ClassMapConfig()
        self._map = ClassMap(ClassMapConfig(reach=usual.reach * unit, behind=usual.behind * unit))
        self.pictures: list[tuple[str, UInt8[Tensor, "_ _ 3"]]] = []
        self.legend: Legend = ()
        self.tables: list[Table] = []

    def add(self, step: DriveStep) -> None:
        """Let a frame vote."""
        self._map.add(step)

    def write(self, folder: Path, places: Float[Tensor, "P 4 4"]) -> Iterator[Path]:
        """Points, meshes and pictures of what was elected; after it there is what the report shows of it.

        Args:
            folder: to write into.
            places: `cam_to_world` of the frames that have one.
        """
        found = self._map.elected()
        if len(found.cells) == 0:
            return
        write_points(folder / "classes.ply", forward_points(class_points(found)))
        yield folder / "classes.ply"
        mesh = forward_mesh(class_mesh(found))
        for name in ("voxels.ply", "voxels.glb"):
            write_mesh(folder / name, mesh)
            yield folder / name
        street, plan = street_picture(found, places, self.unit), plan_picture(found, places)
        for name, picture in (("voxels.png", street), ("plan.png", plan)):
            write_picture(folder / name, picture)
            yield folder / name
        self.pictures = [("classes elected by the frames", street), ("classes from above, and the way", plan)]
        self.legend = class_legend(found.classes)
        self.tables = [votes_table(elected_votes(found.votes, found.classes))]
