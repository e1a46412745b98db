"""Masks of a found object in every photograph: its points, colours and edges, and what the other views say.

An image falls into patches of one colour, and a minimum cut says which are the object's (Rother et al., "GrabCut",
SIGGRAPH 2004): points are its strokes, and the colours of object and background are learned over all images. A second
round knows the hull that most silhouettes agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.data.views import ViewReader, view_to_world
from scene3d.errors import DataError
from scene3d.geometry.boxes import OrientedBox, outline_mask
from scene3d.geometry.camera import Camera, inside
from scene3d.geometry.visual_hull import HullView, agreed_hull, hull_silhouette
from scene3d.objects.graph_cut import min_cut
from scene3d.objects.projection import pixels_in, view_of
from scene3d.objects.region import grown_box
from scene3d.objects.superpixels import Superpixels, lab_colours, superpixels
from scene3d.structures.object_region import ObjectRegion
from scene3d.structures.scene import Scene, Shot

CLEAR = 5.0
"""Logarithm of odds that a colour alone can give for either side."""

CERTAIN = 20.0
"""And that being outside of the box gives for the background."""


class SilhouetteConfig(Config):
    """How masks are made.

    Attributes:
        area: images of more pixels are made smaller first, and their masks enlarged again.
        patch: pixels of a patch.
        edge: cost of a pixel of the silhouette between like patches, in logarithms of odds of a pixel.
        stroke: odds, in logarithms, that points of one side alone give a patch.
        same: a point shows where the pixel's colour is this near to its own, CIELAB.
        room: the object may reach out of the box by this factor.
        colours: Gaussians of either side's colours.
        agreement: share of the views that must agree on the hull.
        hull: odds, in logarithms, that the hull gives.
        seed: of the Gaussians' beginnings.
    """

    area: int = Field(default=640 * 480, ge=64)
    patch: float = Field(default=40.0, ge=1)
    edge: float = Field(default=15.0, ge=0)
    stroke: float = Field(default=4.0, ge=0)
    same: float = Field(default=15.0, gt=0)
    room: float = Field(default=1.4, ge=1)
    colours: int = Field(default=5, ge=1)
    agreement: float = Field(default=0.85, gt=0, le=1)
    hull: float = Field(default=2.0, ge=0)
    seed: int = 0


@dataclass(frozen=True)
class Silhouettes:
    """What the masks of an object say.

    Attributes:
        masks: one a shot, of the size of its pinhole view.
        box: with the axes of the region's, about the hull that the masks agree on.
    """

    masks: list[Bool[Tensor, "H W"]]
    box: OrientedBox


@dataclass(frozen=True)
class _Picture:
    """A view, cut into patches, with what the points and the box say of each."""

    shot: Shot
    camera: Camera
    patches: Superpixels
    strokes: Float[Tensor, "P"]  # noqa: UP037  (in [-1, 1]: points of the background alone, of the object alone)
    outside: Bool[Tensor, "P"]  # noqa: UP037

    @property
    def placed(self) -> HullView:
        """The view in the world."""
        cam_to_world = view_to_world(self.shot)
        assert cam_to_world is not None
        return HullView(self.camera, cam_to_world)


def silhouettes(
    scene: Scene,
    region: ObjectRegion,
    config: SilhouetteConfig = SilhouetteConfig(),  # noqa: B008 (a frozen value)
) -> Silhouettes:
    """Masks of the object in all shots of a scene. Masks that the scene has are not read.

    Args:
        scene: every shot with its transform.
        region: from `find_object`, in the world of the scene.
        config: how.

    Raises:
        DataError: a shot has no transform, an image is damaged, or no image shows the object.
    """
    room = grown_box(region.box, config.room, standing=region.plane is not None)
    pictures = [_picture(shot, region, room, config) for shot in scene.shots]
    first = [torch.where(p.outside, -1.0, p.strokes.sign()) for p in pictures]
    if not any(bool((sides > 0).any()) for sides in first):
        raise DataError(f"{scene.name}: expected photographs that show the object's points, got none")
    strokes = [config.stroke * p.strokes for p in pictures]
    found = _cut(pictures, strokes, _colour_odds(pictures, first, config), config)
    odds = _colour_odds(pictures, [2.0 * side - 1 for side in found], config)
    found = _cut(pictures, strokes, odds, config)
    voxels, edge = _hull(pictures, found, room, config)
    if len(voxels) > 0:
        shares = [p.patches.share(hull_silhouette(p.placed, voxels, edge)) for p in pictures]
        told = [said + config.hull * (2 * share - 1) for said, share in zip(strokes, shares, strict=True)]
        found = _cut(pictures, told, odds, config)
        voxels, edge = _hull(pictures, found, room, config)
    masks = [_full_size(p.shot, _tidy(mask)) for p, mask in zip(pictures, _masks(pictures, found), strict=True)]
    return Silhouettes(masks, _box_of(voxels, edge, room) if len(voxels) > 0 else region.box)


def _hull(
    pictures: Sequence[_Picture],
    found: Sequence[Bool[Tensor, "_"]],  # noqa: UP037
    room: OrientedBox,
    config: SilhouetteConfig,
) -> tuple[Float[Tensor, "N 3"], float]:
    return agreed_hull([p.placed for p in pictures], _masks(pictures, found), room, config.agreement)


def _picture(shot: Shot, region: ObjectRegion, room: OrientedBox, config: SilhouetteConfig) -> _Picture:
    camera = view_of(shot, config.area)
    image = ViewReader(camera.height, camera.width).pixels(shot).image
    patches = superpixels(image, config.patch)
    pixels, depth = pixels_in(shot, camera, region.points)
    column, row = pixels.nan_to_num().clamp(-1, 1e6).long().unbind(dim=1)
    seen = inside(pixels, depth, camera.height, camera.width) & (column < camera.width) & (row < camera.height)
    # What hides a point has another colour, mostly: the table behind a skull is not seen through it.
    at = torch.stack([column[seen], row[seen]], dim=1)
    apart = lab_colours(image[:, at[:, 1], at[:, 0]].mT) - lab_colours(region.colours[seen])
    at, own = at[apart.norm(dim=1) < config.same], region.foreground[seen][apart.norm(dim=1) < config.same]
    mine, others = patches.counted(at[own]), patches.counted(at[~own])
    strokes = (mine - others) / (mine + others).clamp(min=1)
    outside = patches.share(_box_mask(shot, camera, room)) < 0.5
    return _Picture(shot, camera, patches, strokes, outside)


def _box_mask(shot: Shot, camera: Camera, box: OrientedBox) -> Bool[Tensor, "H W"]:
    """Where a box covers a view; everywhere where the camera is not before all of it."""
    corners, depth = pixels_in(shot, camera, box.corners())
    if (depth < 1e-3).any():
        return torch.ones(camera.height, camera.width, dtype=torch.bool)
    return outline_mask(corners, camera.height, camera.width)


def _colour_odds(
    pictures: Sequence[_Picture],
    sides: Sequence[Float[Tensor, "_"]],  # noqa: UP037
    config: SilhouetteConfig,
) -> list[Float[Tensor, "_"]]:  # noqa: UP037
    """Logarithm of how much likelier each patch's colour is on the object than on the background.

    Args:
        pictures: whose patches.
        sides: above 0 where a patch teaches the object's colours, below the background's, 0 where none.
        config: how many Gaussians.
    """
    colours, taught = torch.cat([p.patches.colour for p in pictures]), torch.cat(list(sides))
    mine, others = (_mixture(colours[taught * sign > 0], config) for sign in (1, -1))
    if mine is None or others is None:
        return [torch.zeros_like(p.patches.area) for p in pictures]
    odds = mine.score_samples(colours.numpy()) - others.score_samples(colours.numpy())
    return list(torch.from_numpy(np.clip(odds, -CLEAR, CLEAR)).split([len(p.patches.area) for p in pictures]))


def _mixture(colours: Float[Tensor, "N 3"], config: SilhouetteConfig, most: int = 5000) -> Any:
    """A mixture of Gaussians of colours; None where there are fewer colours than Gaussians."""
    from sklearn.mixture import GaussianMixture

    if len(colours) < config.colours:
        return None
    drawn = torch.randperm(len(colours), generator=torch.Generator().manual_seed(config.seed))[:most]
    # A colour varies by at least one step of CIELAB; an even black would otherwise be infinitely likely.
    mixture = GaussianMixture(config.colours, reg_covar=1.0, random_state=config.seed)
    return mixture.fit(colours[drawn].numpy())


def _cut(
    pictures: Sequence[_Picture],
    told: Sequence[Float[Tensor, "_"]],  # noqa: UP037
    odds: Sequence[Float[Tensor, "_"]],  # noqa: UP037
    config: SilhouetteConfig,
) -> list[Bool[Tensor, "_"]]:  # noqa: UP037
    """The object's patches of every view."""
    steps = [_steps(p.patches) for p in pictures]
    typical = torch.cat(steps).mean().clamp(min=1e-6)
    found = []
    for picture, step, said, odd in zip(pictures, steps, told, odds, strict=True):
        patches = picture.patches
        cost = torch.where(picture.outside, CERTAIN, -said - odd) * patches.area
        # An edge of the silhouette is cheap where the image has one (GrabCut, equation 11).
        weights = config.edge * patches.border * torch.exp(-step / (2 * typical))
        found.append(min_cut(cost, patches.edges, weights))
    return found


def _steps(patches: Superpixels) -> Float[Tensor, "E"]:  # noqa: UP037
    """Squared difference of colour of patches that touch."""
    return (patches.colour[patches.edges[:, 0]] - patches.colour[patches.edges[:, 1]]).square().sum(dim=1)


def _masks(pictures: Sequence[_Picture], found: Sequence[Bool[Tensor, "_"]]) -> list[Bool[Tensor, "H W"]]:  # noqa: UP037
    return [side[p.patches.patch] for p, side in zip(pictures, found, strict=True)]


def _tidy(mask: Bool[Tensor, "H W"], crumb: float = 0.1, speck: float = 0.005) -> Bool[Tensor, "H W"]:
    """A mask without pieces smaller than a tenth of its largest, and without holes of less than a 200th of it."""
    from scipy.ndimage import label

    pieces, _ = label(mask.numpy())
    sizes = np.bincount(pieces.ravel())[1:]
    if len(sizes) == 0:
        return mask
    kept = np.concatenate([[False], sizes >= crumb * sizes.max()])[pieces]
    holes, _ = label(~kept)
    open_to_rim = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    small = np.bincount(holes.ravel()) < speck * sizes.max()
    small[open_to_rim] = False
    return torch.from_numpy(kept | small[holes] & ~kept)


def _full_size(shot: Shot, mask: Bool[Tensor, "H W"]) -> Bool[Tensor, "H_ W_"]:
    """A mask at the size of the shot's view."""
    full = view_of(shot)
    if mask.shape == (full.height, full.width):
        return mask
    size = (full.height, full.width)
    return torch.nn.functional.interpolate(mask[None, None].float(), size=size, mode="bilinear")[0, 0] > 0.5


def _box_of(voxels: Float[Tensor, "N 3"], edge: float, room: OrientedBox) -> OrientedBox:
    """The box about voxels, with the axes of another."""
    axes = room.box_to_world[:3, :3].double()
    inside_box = (voxels - room.box_to_world[:3, 3]) @ axes
    low, high = inside_box.amin(dim=0) - edge / 2, inside_box.amax(dim=0) + edge / 2
    placed = room.box_to_world.double().clone()
    placed[:3, 3] += axes @ ((low + high) / 2)
    return OrientedBox(box_to_world=placed, half=(high - low) / 2)
