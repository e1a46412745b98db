from __future__ import annotations

import torch
from PIL import Image

from scene3d.structures.labels import SSC
from scene3d.visualise.pictures import (
    MISSING,
    depth_picture,
    feature_picture,
    image_picture,
    label_picture,
    normal_picture,
    panel,
    write_picture,
)


def test_near_is_brighter_than_far_and_missing_is_grey():
    picture = depth_picture(torch.tensor([[2.0, 10.0, 50.0, 0.0]])).int()
    brightness = picture.sum(dim=-1)[0]
    assert brightness[0] > brightness[1] > brightness[2]
    assert picture[0, 3].tolist() == list(MISSING)


def test_an_image_without_depth_is_all_grey():
    assert (depth_picture(torch.zeros(2, 3)) == torch.tensor(MISSING)).all()


def test_the_same_range_gives_the_same_colour_in_every_image():
    one = depth_picture(torch.tensor([[2.0, 10.0]]), nearest=1.0, farthest=80.0)
    two = depth_picture(torch.tensor([[10.0, 70.0]]), nearest=1.0, farthest=80.0)
    assert one[0, 1].tolist() == two[0, 0].tolist()


def test_the_first_direction_of_features_is_red():
    features = torch.zeros(4, 1, 100)
    features[2, 0] = torch.linspace(-1, 1, 100)
    red = feature_picture(features)[0, :, 0].int()
    assert red[0] == 0 and red[-1] == 255 and (red.diff() >= 0).all()


def test_features_keep_their_colours_when_their_channels_are_reordered():
    features = torch.randn(8, 6, 7) * torch.tensor([5.0, 4, 3, 1, 1, 1, 1, 1])[:, None, None]
    torch.testing.assert_close(feature_picture(features), feature_picture(features.flip(0)))


def test_two_channels_make_a_picture_too():
    assert feature_picture(torch.randn(2, 4, 5)).shape == (4, 5, 3)


def test_labels_have_the_colours_of_their_space():
    picture = label_picture(torch.tensor([[SSC.index("car"), 255]]), SSC)
    assert picture[0, 0].tolist() == [100, 150, 245]
    assert picture[0, 1].tolist() == list(MISSING)


def test_a_normal_along_x_is_red():
    picture = normal_picture(torch.tensor([[[1.0, 0, 0], [0, 0, 0]]]))
    assert picture[0, 0].tolist() == [255, 128, 128]
    assert picture[0, 1].tolist() == list(MISSING)


def test_a_panel_holds_every_picture_and_is_written_whole(tmp_path):
    picture = image_picture(torch.rand(3, 10, 40))
    sheet = panel([("one", picture), ("two", picture), ("three", picture)], columns=2, width=80)
    # Two rows of caption (24) and picture (20), three gaps of 12; two columns of 80 and three gaps.
    assert sheet.shape == (2 * 44 + 36, 2 * 80 + 36, 3)
    write_picture(tmp_path / "sheet.png", sheet)
    assert Image.open(tmp_path / "sheet.png").size == (196, 124)
    assert len(list(tmp_path.iterdir())) == 1
