from __future__ import annotations

import pytest
import torch

from scene3d.errors import DataError
from scene3d.methods.single_depth import SingleDepth, SingleDepthConfig
from tests.methods.walls import DEPTH, OPTIONS, PYRAMID, UNTRAINED, WIDTHS, learn, silent, snippets


def a_method() -> SingleDepth:
    torch.manual_seed(0)
    return SingleDepthConfig.model_validate({"pyramid": PYRAMID, "widths": WIDTHS, **OPTIONS}).build()


def test_a_wall_is_learnt_from_images_alone():
    method = a_method()
    learn(method, 60)
    found = method.predict(snippets((0,), start=3.0))
    assert found.is_metric
    assert found.depth.median().item() == pytest.approx(DEPTH, rel=0.15)
    assert found.cam_to_reference is None


def test_motion_is_learnt_along_where_it_is_not_given():
    method = a_method()
    untrained = [f"network.decoder.{name}" for name in UNTRAINED]
    assert silent(method, method.training_step(snippets(posed=False), 0)) == untrained
    found = method.predict(snippets(posed=False))
    assert not found.is_metric
    assert found.cam_to_reference.shape == (2, 3, 4, 4)


def test_a_snippet_of_one_view_teaches_nothing():
    with pytest.raises(DataError, match="expected another view"):
        a_method().training_step(snippets((0,)), 0)
