from __future__ import annotations

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.evaluation.depth import garg_crop
from scene3d.evaluation.depth_protocol import PROTOCOLS


def test_eigen_counts_what_lies_in_the_garg_crop_and_below_80_m():
    true = torch.full((375, 1242), 10.0)
    true[200, 600], true[200, 601], true[200, 602] = 0.0, 80.0, 79.9
    counted = PROTOCOLS["eigen"].counted(true)
    assert counted.sum() == garg_crop(375, 1242).sum() - 2
    assert not counted[200, 600] and not counted[200, 601] and counted[200, 602]


def test_improved_truth_counts_wherever_it_is_measured():
    true = torch.tensor([[0.0, 1 / 256, 85.0]])
    assert PROTOCOLS["eigen improved"].counted(true).tolist() == [[False, True, True]]
    assert PROTOCOLS["eigen improved"].describe()["cap"] == "0.001 to 80 m, of the prediction alone"


def test_convention_the_crop_of_cityscapes():
    counted = PROTOCOLS["cityscapes"].counted(torch.full((768, 2048), 10.0))
    assert counted.sum() == (768 - 256) * (1856 - 192)
    assert counted[256, 192] and counted[767, 1855]
    assert not counted[255, 192] and not counted[256, 191] and not counted[767, 1856]
    with pytest.raises(UsageError, match="2048 x 768 pixels, got 2048 x 1024"):
        PROTOCOLS["cityscapes"].counted(torch.ones(1024, 2048))


def test_the_protocols_say_which_truth_they_take():
    said = {name: protocol.describe()["ground truth"] for name, protocol in PROTOCOLS.items()}
    assert said == {
        "eigen": "from its scan, at the image's size",
        "eigen as published": "from its scan as published, at the image's size",
        "eigen improved": "from its file, at the image's size",
        "cityscapes": "from its file, at the image's size",
    }
