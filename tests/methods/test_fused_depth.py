from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError, UsageError
from scene3d.methods.fused_depth import FusedDepth, FusedDepthConfig
from tests.methods.walls import DEPTH, HEIGHT, OPTIONS, PYRAMID, UNTRAINED, WIDTH, WIDTHS, learn, silent, snippets


def a_method(**options: object) -> FusedDepth:
    torch.manual_seed(0)
    return FusedDepthConfig.model_validate({"pyramid": PYRAMID, "widths": WIDTHS, **OPTIONS, **options}).build()


def test_a_wall_is_learnt_and_other_frames_make_it_better():
    method = a_method()
    learn(method, 18)
    frames = snippets(start=3.0)
    found = method.predict(frames)
    inner = (slice(None), slice(8, -8), slice(24, -24))
    fused, single = ((each[inner] - DEPTH).abs().mean() for each in (found.depth, found.single))
    assert fused < single
    assert found.depth.median().item() == pytest.approx(DEPTH, rel=0.1)
    assert found.confidence[inner].mean() > 0.01


def test_closed_gates_give_the_single_frame_back_bit_for_bit():
    method = a_method().eval()
    for gate in method.gates:
        torch.nn.init.constant_(gate[-1].bias, -torch.inf)
    found = method.predict(snippets())
    assert torch.equal(found.depth, found.single)
    assert (found.confidence == 0).all()


def test_without_another_frame_depth_is_that_of_one_image_and_confidence_is_0():
    method = a_method().eval()
    absent = replace(snippets((0, -1)), present=torch.tensor([[True, False], [True, False]]))
    for frames in (snippets((0,)), absent):
        found = method.predict(frames)
        assert torch.equal(found.depth, found.single)
        assert (found.confidence == 0).all()
        assert found.deviation.shape == (2, HEIGHT, WIDTH)
        assert (found.deviation > 0).all()


def test_every_part_learns():
    method = a_method()
    untrained = [f"network.decoder.{name}" for name in UNTRAINED]
    assert silent(method, method.training_step(snippets(posed=False), 0)) == untrained


def test_a_snippet_of_one_view_teaches_nothing():
    with pytest.raises(DataError, match="expected another view"):
        a_method().training_step(snippets((0,)), 0)


def test_an_image_that_cannot_be_halved_so_often_is_refused():
    frames = snippets((0,))
    with pytest.raises(UsageError, match="multiples of 32"):
        a_method().eval().predict(replace(frames, image=frames.image[..., :-1], depth=None))


def test_windows_need_no_learning_to_make_a_wrong_belief_better():
    method = a_method(compare="windows", alignment=2).eval()
    found = method.predict(snippets((0, -1)))
    inner = (slice(None), slice(8, -8), slice(24, -24))
    fused, single = (((each[inner] / DEPTH).log().abs()).mean() for each in (found.depth, found.single))
    assert fused < 0.8 * single


def test_every_part_learns_beside_windows_and_alignment():
    method = a_method(compare="windows", alignment=1)
    untrained = [f"network.decoder.{name}" for name in UNTRAINED]
    assert silent(method, method.training_step(snippets(posed=False), 0)) == untrained


def test_nobody_is_less_sure_than_allowed():
    frames = snippets((0,))
    found = a_method(least_sure=0.15, surest=0.1).eval().predict(frames)
    assert (found.deviation * found.depth).max() <= 0.15 * (1 + 1e-4)
