from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from scene3d.data.loading import PosedImagesData
from scene3d.errors import DataError
from tests.globe_tree import write_globe
from tests.methods.globes import HEIGHT, WIDTH

VIEWS = 8


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scene3d.data.mask_agreement.CELLS", 64)


def learned(folder: Path, **options: object):
    views = {"height": HEIGHT, "width": WIDTH, "region": {}, "masks": True, "agreement": 0.8, **options}
    data = PosedImagesData.model_validate({"root": folder, "snippets": views})
    return data.build("train")


def test_what_a_mask_says_alone_is_not_valid(tmp_path: Path):
    folder = write_globe(tmp_path / "globe", VIEWS)
    path = folder / "masks" / "003.png"
    mask = np.array(Image.open(path))
    wrong = np.zeros_like(mask)
    wrong[: mask.shape[0] // 5, : mask.shape[1] // 4] = True
    assert not (mask & wrong).any()
    Image.fromarray(mask | wrong).save(path)
    data = learned(folder)
    for number in range(VIEWS):
        frames = data[number]
        own, valid = frames.mask[0, 0], frames.valid[0, 0]
        if number != 3:
            # Nothing but pixels of the object is ever doubted, and hardly any of these.
            assert valid[~own].all() and (own & ~valid).sum() < 0.03 * own.sum()
            continue
        alone = torch.from_numpy(wrong)
        assert alone.any() and not valid[alone].any()
        assert (own & ~alone & ~valid).sum() < 0.03 * own.sum()


def test_views_that_are_scored_are_not_doubted(tmp_path: Path):
    folder = write_globe(tmp_path / "globe", VIEWS)
    Image.fromarray(np.ones_like(np.array(Image.open(folder / "masks" / "003.png")))).save(folder / "masks" / "003.png")
    data = PosedImagesData.model_validate(
        {
            "root": folder,
            "snippets": {"height": HEIGHT, "width": WIDTH, "region": {}, "masks": True, "agreement": 0.8},
        }
    )
    assert not data.build("train")[3].valid.all()
    assert data.build("train", training=False)[3].valid.all()


def test_an_image_without_a_mask_or_a_place_is_named(tmp_path: Path):
    for lacking, message in (
        ("mask", "an image with a mask"),
        ("cam_to_world", "an image whose camera's place is known"),
    ):
        folder = write_globe(tmp_path / lacking, VIEWS)
        said = json.loads((folder / "scene.json").read_text())
        said["images"][2].pop(lacking)
        (folder / "scene.json").write_text(json.dumps(said))
        with pytest.raises(DataError, match=f"002.png: expected {message}"):
            learned(folder)


def test_masks_that_agree_on_nothing_are_named(tmp_path: Path):
    folder = write_globe(tmp_path / "globe", VIEWS)
    for number in range(0, VIEWS, 2):
        path = folder / "masks" / f"{number:03d}.png"
        mask = np.zeros_like(np.array(Image.open(path)))
        mask[:2, :2] = True
        Image.fromarray(mask).save(path)
    with pytest.raises(DataError, match=r"000.png: expected a place .* that 80% of 8 masks hold, got none \(hint: agr"):
        learned(folder)


@pytest.mark.parametrize("missing", [{"masks": False}, {"region": None}, {"random_side": True}])
def test_it_needs_masks_and_a_region(tmp_path: Path, missing: dict[str, object]):
    with pytest.raises(ValidationError, match="agreement: expected masks"):
        learned(write_globe(tmp_path / "globe", 3), **missing)
