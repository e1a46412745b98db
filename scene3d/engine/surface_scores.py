"""A surface against a true one, by a protocol that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scene3d.config import parse
from scene3d.data.observed_files import read_observed
from scene3d.data.trees import read_drive
from scene3d.engine.silhouettes import silhouettes_on_disk
from scene3d.engine.surface_files import Surfaced
from scene3d.errors import UsageError
from scene3d.evaluation.surface import DTU, PLAIN, SurfaceProtocol, score_surface
from scene3d.evaluation.surface_tables import surface_table
from scene3d.fusion.mesh_cleaning import CleaningConfig, clean
from scene3d.fusion.meshing import MeshingConfig
from scene3d.fusion.visibility import Silhouette
from scene3d.structures.solids import Mesh, PointCloud
from scene3d.structures.tables import Table
from scene3d.visualise.files import read_surface

NEAR = 0.01
"""Share of the true surface's diagonal within which a point counts as right."""

ProtocolName = Literal["sampled", "DTU", "vertices"]


@dataclass(frozen=True, kw_only=True)
class TrueSurface:
    """What a surface is compared with, and how.

    Attributes:
        file: the true mesh or point cloud, in the same world.
        threshold: of precision and recall; None is 1 % of the diagonal of the true surface's box.
        protocol: "sampled" compares points a quarter of the threshold apart, on both; "DTU" thins to 0.2 mm and leaves
            out what is off by 20 mm; "vertices" takes vertices and points as they are.
        observed: DTU's `ObsMask{scan}_10.mat`, see `scene3d.data.observed_files`; None judges everything.
        cleaning: what is cut off the surface first. Its masks and cameras are those that the surface was made of.
    """

    file: Path | str
    threshold: float | None = None
    protocol: ProtocolName = "sampled"
    observed: Path | str | None = None
    cleaning: CleaningConfig = CleaningConfig()

    @classmethod
    def of(cls, rules: Mapping[str, Any], cleaning: Mapping[str, Any]) -> TrueSurface:
        """From flags.

        Raises:
            ConfigError: the cleaning is none.
        """
        return cls(**rules, cleaning=parse(CleaningConfig, cleaning, "cleaning"))

    @property
    def needs_cameras(self) -> bool:
        """Whether the cleaning asks what cameras show."""
        return self.cleaning.dilation is not None or self.cleaning.seen is not None


def method_scores(method: object, true: TrueSurface, views: Callable[[], Iterable[Silhouette]]) -> Table:
    """Chamfer distance, precision, recall and F-score of a method's mesh.

    Args:
        method: that has a surface.
        true: what it is compared with.
        views: makes the cameras that it was learnt from, with their masks; called where the cleaning needs them.

    Raises:
        UsageError: the method has no surface.
        DataError: a file cannot be read, or the region of interest holds no surface.
    """
    if not isinstance(method, Surfaced):
        raise UsageError(f"{true.file}: expected a method with a surface to compare, got {type(method).__name__}")
    return surface_scores(method.mesh(MeshingConfig()), true, views, name="ours")


def surface_scores(
    surface: Mesh | PointCloud, true: TrueSurface, views: Callable[[], Iterable[Silhouette]], *, name: str
) -> Table:
    """The same of any surface.

    Raises:
        UsageError: points are to be cleaned, which is of meshes alone; nothing is left to compare.
        DataError: a file cannot be read, or cleaning leaves nothing.
    """
    observed = None if true.observed is None else read_observed(true.observed)
    wanted = read_surface(true.file)
    points = wanted.vertices if isinstance(wanted, Mesh) else wanted.points
    diagonal = float((points.amax(dim=0) - points.amin(dim=0)).norm())
    near = NEAR * diagonal if true.threshold is None else true.threshold
    rules = {
        "sampled": SurfaceProtocol(name="sampled", spacing=near / 4),
        "DTU": DTU,
        "vertices": PLAIN,
    }[true.protocol]
    if isinstance(surface, Mesh):
        surface = clean(surface, true.cleaning, views() if true.needs_cameras else ())
    elif true.needs_cameras:
        raise UsageError(f"{name}: expected a mesh to cut by masks or by what cameras see, got points")
    found = score_surface(surface, wanted, threshold=near, protocol=rules, observed=observed)
    return surface_table({name: found}, _note(rules, near, diagonal, true))


def score_mesh(file: Path | str, true: TrueSurface, *, cameras: Path | str | None, scene: str | None) -> Table:
    """The same of a mesh or a point cloud in a file.

    Args:
        file: to score.
        true: what it is compared with.
        cameras: folder of the posed photographs that it was made of; None where the cleaning needs none.
        scene: which, where that folder holds several.

    Raises:
        UsageError: the cleaning needs cameras and there are none; or as for `surface_scores`.
        DataError: likewise.
    """

    def views() -> Iterable[Silhouette]:
        if cameras is None:
            raise UsageError(f"{file}: expected the cameras that it was made of, to cut it by, got none")
        return silhouettes_on_disk(read_drive(cameras, scene), masks=true.cleaning.dilation is not None)

    return surface_scores(read_surface(file), true, views, name=Path(file).stem)


def _note(rules: SurfaceProtocol, near: float, diagonal: float, true: TrueSurface) -> str:
    """What was done, so that figures of other rules are not taken for these."""
    said = [rules.name, "vertices as they are" if rules.spacing is None else f"points {rules.spacing:g} apart"]
    if true.observed is not None:
        said.append(f"in the volume of {Path(true.observed).name}")
    elif true.protocol == "DTU":
        said.append("without an observed volume")
    if true.cleaning.dilation is not None:
        said.append(f"cut by masks grown by {true.cleaning.dilation:g} pixels")
    if true.cleaning.seen is not None:
        said.append(f"seen by {true.cleaning.seen} or more cameras")
    return f"{', '.join(said)}; right within {near:g}; unit of the world; diagonal {diagonal:g}"
