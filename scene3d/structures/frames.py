"""A batch: what a training step eats and what a prediction starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.structures.labels import SSC, LabelSpace
from scene3d.structures.object_region import ObjectRegion


@dataclass(frozen=True, kw_only=True)
class Frames:
    """B snippets of V views. View 0 is the reference; the others support it.

    Lengths are metres, images RGB in [0, 1]. Axes are OpenCV's: x right, y down, z forward.
    The centre of pixel (column i, row j) lies at (i + 0.5, j + 0.5).

    Attributes:
        image: absent views are 0.
        K: in pixels of `image`.
        present: False where the drive has no such frame.
        valid: False on pixels of a resampled view that its fisheye image does not cover.
        names: one a snippet, for messages and dumps: "drive frame sensor".
        number: of the reference frame within its scene.
        offset: how many frames after the reference each view was taken; 0 for other cameras of its instant.
        cam_to_world: None where it is to be estimated.
        unit_to_world: places the unit ball of the region of interest in the world; None where nothing is said of such.
        bounds: corners (min, max) in the world of the box that the surface is confined to; None for the ball alone.
        room_axes: unit directions in the world, in rows and at right angles, that walls face; their order and signs
            mean nothing. None where nobody looked for them.
        objects: what was found of the object of each snippet's scene; empty where nobody looked.
        mask: True where the object of the scene is; None where nobody said.
        posed: False on views whose `cam_to_world` is to be estimated, which then is the identity; None where
            `cam_to_world` holds for all that are present.
        depth: along z; 0 where nothing was measured.
        truth: depth along z of view 0 at its image's own size, for evaluation; 0 where nothing was measured.
        hint: depth along z that matching the views found; 0 where it believed nothing. Wrong here and there.
        cue_depth: depth along z that a network guessed, right up to a scale and a shift a view; None without a guess.
        cue_normals: unit normals that one guessed, towards the view's camera and in its axes; 0 where it said nothing.
        labels: classes of `scene3d.structures.labels.CITYSCAPES`; 255 = ignore.
        voxels: classes of `voxel_space` in the SSCBench grid; 0 = empty, 255 = ignore.
        voxel_space: what the classes of voxels are called.
        grid_to_cam: places that grid in the coordinates of view 0's camera.
        points: lidar in the coordinates of view 0's camera, padded with NaN.
        scans: those of S instants from view 0's on, each in the scanner's own axes (x forward, y left, z up), padded
            with NaN.
        scan_to_cam: places them in the coordinates of view 0's camera.
    """

    image: Float[Tensor, "B V 3 H W"]
    K: Float[Tensor, "B V 3 3"]
    present: Bool[Tensor, "B V"]
    valid: Bool[Tensor, "B V H W"] | None = None
    names: tuple[str, ...] = ()
    number: Int[Tensor, "B"] | None = None  # noqa: UP037
    offset: Int[Tensor, "B V"] | None = None
    cam_to_world: Float[Tensor, "B V 4 4"] | None = None
    unit_to_world: Float[Tensor, "B 4 4"] | None = None
    bounds: Float[Tensor, "B 2 3"] | None = None
    room_axes: Float[Tensor, "B 3 3"] | None = None
    objects: tuple[ObjectRegion, ...] = ()
    mask: Bool[Tensor, "B V H W"] | None = None
    posed: Bool[Tensor, "B V"] | None = None
    depth: Float[Tensor, "B V H W"] | None = None
    truth: Float[Tensor, "B full_H full_W"] | None = None
    hint: Float[Tensor, "B V H W"] | None = None
    cue_depth: Float[Tensor, "B V H W"] | None = None
    cue_normals: Float[Tensor, "B V 3 H W"] | None = None
    labels: Int[Tensor, "B V H W"] | None = None
    voxels: Int[Tensor, "B X Y Z"] | None = None
    voxel_space: LabelSpace = SSC
    grid_to_cam: Float[Tensor, "B 4 4"] | None = None
    points: Float[Tensor, "B N 3"] | None = None
    scans: Float[Tensor, "B S M 3"] | None = None
    scan_to_cam: Float[Tensor, "B S 4 4"] | None = None

    def lookups(self, offsets: tuple[int, ...]) -> Bool[Tensor, "B V"]:
        """Views that are there at one of these offsets from the reference; without offsets, all others."""
        wanted = self.present.clone()
        wanted[:, 0] = False
        if self.offset is not None:
            wanted &= torch.isin(self.offset, self.offset.new_tensor(offsets))
        return wanted

    def to(self, device: torch.device | str) -> Frames:
        """The same frames on another device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in moved.items() if isinstance(v, Tensor)})  # type: ignore[arg-type]


def collate(items: Sequence[Frames]) -> Frames:
    """One batch of several; a field that any item lacks is absent from the batch. Point clouds are padded with NaN."""
    batch: dict[str, object] = {
        name: tuple(value for item in items for value in getattr(item, name)) for name in ("names", "objects")
    }
    for f in fields(Frames):
        if f.name in batch:
            continue
        values = [getattr(item, f.name) for item in items]
        if f.name == "voxel_space":
            batch[f.name] = items[0].voxel_space
            continue
        if f.name == "posed":
            values = _every_view_posed(items)
        if any(value is None for value in values):
            batch[f.name] = None
        elif f.name == "points":
            batch[f.name] = torch.nn.utils.rnn.pad_sequence(
                [cloud for value in values for cloud in value], batch_first=True, padding_value=torch.nan
            )
        elif f.name == "scans":
            most = max(value.shape[2] for value in values)
            wide = [torch.nn.functional.pad(v, (0, 0, 0, most - v.shape[2]), value=torch.nan) for v in values]
            batch[f.name] = torch.cat(wide, dim=0)
        else:
            batch[f.name] = torch.cat(values, dim=0)
    return Frames(**batch)  # type: ignore[arg-type]


def _every_view_posed(items: Sequence[Frames]) -> list[Tensor | None]:
    """`posed` of the items, written out beside items that lack some transforms; none where an item has none at all."""
    if all(item.posed is None for item in items) or any(item.cam_to_world is None for item in items):
        return [None]
    return [torch.ones_like(item.present) if item.posed is None else item.posed for item in items]
