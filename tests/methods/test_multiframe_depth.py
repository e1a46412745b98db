from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.methods.multiframe_depth import MultiframeDepth, MultiframeDepthConfig
from tests.methods.walls import DEPTH, HEIGHT, OPTIONS, PYRAMID, UNTRAINED, WIDTH, WIDTHS, learn, silent, snippets


def a_method(**options: object) -> MultiframeDepth:
    torch.manual_seed(0)
    return MultiframeDepthConfig.model_validate(
        {"pyramid": PYRAMID, "widths": WIDTHS, "hypotheses": 12, "first_range": (2.0, 8.0), **OPTIONS, **options}
    ).build()


def test_a_wall_is_learnt_from_images_alone():
    method = a_method()
    learn(method, 60)
    found = method.predict(snippets(start=3.0))
    assert found.is_metric
    assert found.depth.median().item() == pytest.approx(DEPTH, rel=0.1)
    assert found.single.median().item() == pytest.approx(DEPTH, rel=0.2)


def test_the_prediction_says_what_it_rests_on():
    method = a_method().eval()
    frames = snippets((0, -1))
    found = method.predict(frames)
    assert found.depth.shape == found.confidence.shape == found.moving.shape == (2, HEIGHT, WIDTH)
    assert set(found.confidence.unique().tolist()) <= {0.0, 1.0}
    assert found.confidence.mean() > 0.3
    torch.testing.assert_close(found.cam_to_reference, frames.cam_to_world)


def test_without_another_frame_depth_is_that_of_one_image_and_confidence_is_0():
    method = a_method().eval()
    alone = method.predict(snippets((0,)))
    absent = snippets((0, -1))
    absent = replace(absent, present=torch.tensor([[True, False], [True, False]]))
    assert (alone.confidence == 0).all()
    assert not alone.moving.any()
    torch.testing.assert_close(alone.depth, method.predict(absent).depth)


def test_a_camera_that_stands_still_and_motion_that_is_not_a_number_tell_nothing():
    method = a_method().eval()
    frames, alone = snippets((0, -1)), method.predict(snippets((0,)))
    still = replace(
        frames, image=frames.image[:, :1].expand(-1, 2, -1, -1, -1), cam_to_world=torch.eye(4).expand(2, 2, 4, 4)
    )
    lost = replace(frames, cam_to_world=frames.cam_to_world * torch.tensor([1.0, torch.nan])[:, None, None])
    for each in (still, lost):
        found = method.predict(each)
        assert (found.confidence == 0).all()
        torch.testing.assert_close(found.depth, alone.depth)


def test_only_frames_at_the_offsets_of_lookups_are_matched():
    method = a_method().eval()
    both, before = snippets((0, -1, 1)), snippets((0, -1))
    torch.testing.assert_close(method.predict(both).depth, method.predict(before).depth)


def test_every_part_learns_until_the_teacher_is_frozen():
    method = a_method(freeze_after=3)
    frames = snippets(posed=False)
    untrained = [f"{part}.{name}" for part in ("teacher.decoder", "decoder") for name in UNTRAINED]
    assert silent(method, method.training_step(frames, 0)) == untrained
    kept = method.encoder.range.clone()
    terms = method.training_step(frames, 3)
    assert "teacher_photometric" not in terms.terms
    frozen = [name for name, _ in method.named_parameters() if name.startswith(("teacher.", "motion."))]
    assert silent(method, terms) == frozen + untrained[4:]
    assert torch.equal(method.encoder.range, kept)


def test_nobody_believes_matching_where_the_camera_seems_to_stand_still_or_to_be_alone():
    torch.manual_seed(0)
    for options in ({"still": 1.0, "blind": 0.0}, {"still": 0.0, "blind": 1.0}):
        found = a_method(**options).training_step(snippets(), 0)
        assert found.terms["photometric"] == 0
        assert found.terms["consistency"] > 0


def test_estimated_motion_gives_no_scale():
    method = a_method()
    method.training_step(snippets(posed=False), 0)
    assert not method.predict(snippets(posed=False)).is_metric


def test_a_snippet_of_one_view_teaches_nothing():
    with pytest.raises(DataError, match="wall 0, wall 1: expected another view"):
        a_method().training_step(snippets((0,)), 0)


MATCHING = {"compare": "windows", "blend": True, "alignment": 2, "beyond": (0.8, 4.0)}


def test_windows_are_matched_before_anything_is_learned():
    method = a_method(**MATCHING, hypotheses=32, spacing="inverse").eval()
    method.encoder.range.copy_(torch.tensor([2.0, 16.0]))
    frames = snippets((0, -1))
    lookups = method._lookups(frames, method.motion.reference_to_views(frames))
    volume = method.encoder(frames.image[:, 0], frames.K[:, 0], lookups)[1]
    inner = volume.depth[volume.confident]
    assert ((inner / DEPTH).log().abs() < 0.1).float().mean() > 0.9


def test_every_part_learns_beside_windows_and_alignment():
    method = a_method(**MATCHING, still=0.0, blind=0.0)
    untrained = [f"{part}.{name}" for part in ("teacher.decoder", "decoder") for name in UNTRAINED]
    untrained += [f"gates.{scale}.{what}" for scale in (2, 3) for what in ("weight", "bias")]
    assert sorted(silent(method, method.training_step(snippets(posed=False), 0))) == sorted(untrained)


def test_an_open_gate_takes_over_what_matching_found_and_a_closed_one_nothing():
    method = a_method(**MATCHING, hypotheses=32, spacing="inverse").eval()
    method.encoder.range.copy_(torch.tensor([2.0, 16.0]))
    frames = snippets((0, -1))
    found = {}
    for bias in (-torch.inf, torch.inf):
        for gate in method.gates:
            torch.nn.init.constant_(gate.bias, bias)
        found[bias] = method.predict(frames)
    alone = a_method(**{**MATCHING, "blend": False}, hypotheses=32, spacing="inverse").eval()
    alone.load_state_dict({k: v for k, v in method.state_dict().items() if not k.startswith("gates.")})
    torch.testing.assert_close(found[-torch.inf].depth, alone.predict(frames).depth)
    inner = found[torch.inf].depth[:, 16:-16, 32:-16]
    assert ((inner / DEPTH).log().abs() < 0.05).float().mean() > 0.9


def test_transforms_that_frames_carry_are_not_aligned():
    plain, aligned = a_method().eval(), a_method(alignment=2).eval()
    aligned.load_state_dict(plain.state_dict())
    one, other = plain.predict(snippets()), aligned.predict(snippets())
    assert torch.equal(one.cam_to_reference, other.cam_to_reference)
    assert torch.equal(one.depth, other.depth)


def test_the_range_reaches_as_far_beyond_the_teacher_as_it_is_told():
    encoder = a_method(beyond=(0.5, 4.0)).encoder
    encoder.range.copy_(torch.tensor([1.0, 8.0]))
    for _ in range(2000):
        encoder.follow(torch.tensor([[[2.0, 10.0]]]), nearest=0.1)
    torch.testing.assert_close(encoder.range, torch.tensor([1.0, 40.0]), rtol=1e-3, atol=0.0)
