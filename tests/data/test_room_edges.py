from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from scene3d.data.loading import PosedImagesData
from scene3d.errors import DataError
from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.se3 import rigid, rotation_of
from scene3d.visualise.pictures import image_picture

FRAME = rotation_of(torch.tensor([0.3, 0.5, -0.2]))
HEIGHT, WIDTH, VIEWS = 120, 160, 6
CAMERA = pinhole(120.0, HEIGHT, WIDTH)


def room_image(cam_to_world: torch.Tensor) -> torch.Tensor:
    """A cubic room of 4 units with chequered walls, seen from within; its axes are the rows of FRAME."""
    fine = CAMERA.resize(4 * HEIGHT, 4 * WIDTH)
    aimed = (pixel_centres(fine.height, fine.width) - fine.K[:2, 2]) / fine.K[0, 0]
    ray = torch.cat([aimed, torch.ones(*aimed.shape[:2], 1)], dim=-1)
    along = ray @ cam_to_world[:3, :3].mT @ FRAME.mT
    start = FRAME @ cam_to_world[:3, 3]
    reach = ((2 * along.sign() - start) / along).amin(dim=-1, keepdim=True)
    tiles = ((start + reach * along) * 0.999 / 0.8).floor().sum(dim=-1) % 2
    return torch.nn.functional.avg_pool2d((0.2 + 0.6 * tiles)[None], 4).expand(3, -1, -1)


def write_room(folder: Path, *, blank: bool = False) -> Path:
    (folder / "images").mkdir(parents=True)
    entries = []
    for number in range(VIEWS):
        turned = rotation_of(torch.tensor([0.3 * (number % 3 - 1), 1.1 * number, 0.2]))
        place = rigid(turned, torch.tensor([0.3 * number - 0.8, 0.2, -0.1 * number]))
        image = torch.full((3, HEIGHT, WIDTH), 0.5) if blank else room_image(place)
        Image.fromarray(image_picture(image).numpy()).save(folder / "images" / f"{number}.png")
        entries.append({"file": f"images/{number}.png", "K": CAMERA.K.tolist(), "cam_to_world": place.tolist()})
    (folder / "scene.json").write_text(json.dumps({"images": entries, "bounds": [[-2, -2, -2], [2, 2, 2]]}))
    return folder


def data(folder: Path, **options: object) -> PosedImagesData:
    views = {"height": HEIGHT, "width": WIDTH, "region": {}, "room_axes": True, **options}
    return PosedImagesData.model_validate({"root": folder, "snippets": views, "scoring": views})


def test_the_axes_of_a_room_are_seen_by_the_edges_of_its_photographs(tmp_path: Path):
    built = data(write_room(tmp_path / "room")).build("train")
    axes = built[0].room_axes[0]
    assert (axes @ FRAME.mT).abs().amax(dim=1).clamp(max=1).acos().rad2deg().amax() < 1
    assert all(torch.equal(built[i].room_axes[0], axes) for i in range(VIEWS))


def test_what_is_scored_has_no_axes(tmp_path: Path):
    assert data(write_room(tmp_path / "room")).build("train", training=False)[0].room_axes is None


def test_photographs_without_edges_are_named(tmp_path: Path):
    folder = write_room(tmp_path / "room", blank=True)
    with pytest.raises(DataError, match=r"0.png: expected edges, .* got none in 6 images \(hint: room_axes: false\)"):
        data(folder).build("train")


@pytest.mark.parametrize("missing", [{"region": None}, {"random_side": True}])
def test_axes_need_a_region(tmp_path: Path, missing: dict[str, object]):
    with pytest.raises(ValidationError, match="room_axes: expected a region"):
        data(tmp_path, **missing)
