from __future__ import annotations

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.se3 import invert, is_rigid, rigid, rotation_of
from scene3d.nn.motion_network import MotionNetwork
from scene3d.nn.resnet import ResNetConfig, SmallResNetConfig
from scene3d.structures.frames import Frames

SMALL = SmallResNetConfig(widths=(8, 8, 8, 8, 8), blocks=1)


def snippets(offsets: list[int], **more: object) -> Frames:
    views = len(offsets)
    return Frames(
        image=torch.rand(2, views, 3, 64, 96),
        K=torch.eye(3).expand(2, views, 3, 3),
        present=torch.ones(2, views, dtype=torch.bool),
        offset=torch.tensor([offsets, offsets]),
        **more,
    )


def test_the_answer_is_a_small_rigid_motion():
    torch.manual_seed(0)
    motion = MotionNetwork(SMALL)(torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96))
    assert is_rigid(motion).all()
    assert (motion - torch.eye(4)).abs().max() < 0.05


def test_pairs_are_shown_in_the_order_of_time_and_chained():
    torch.manual_seed(1)
    network = MotionNetwork(SMALL, scale=1.0)
    frames = snippets([0, -2, 1, -1])
    images = frames.image.unbind(dim=1)
    found = network.reference_to_views(frames)
    to_before = invert(network(images[3], images[0]))
    expected = [torch.eye(4).expand(2, 4, 4), invert(network(images[1], images[3])) @ to_before]
    expected += [network(images[0], images[2]), to_before]
    torch.testing.assert_close(found, torch.stack(expected, dim=1))


def test_motion_that_the_frames_carry_is_taken_and_only_the_rest_estimated():
    torch.manual_seed(2)
    network = MotionNetwork(SMALL)
    cam_to_world = rigid(rotation_of(torch.randn(2, 3, 3)), torch.randn(2, 3, 3))
    posed = torch.tensor([[True, True, False]]).expand(2, 3)
    found = network.reference_to_views(snippets([0, 0, 1], cam_to_world=cam_to_world, posed=posed))
    torch.testing.assert_close(found[:, 1], invert(cam_to_world[:, 1]) @ cam_to_world[:, 0])
    frames = snippets([0, 0, 1], cam_to_world=cam_to_world)
    torch.testing.assert_close(network.reference_to_views(frames), invert(cam_to_world) @ cam_to_world[:, :1])


def test_motion_that_was_trained_on_gives_the_scale_and_motion_that_was_shown_later_does_not():
    network = MotionNetwork(SMALL)
    given = snippets([0, 1], cam_to_world=torch.eye(4).expand(2, 2, 4, 4))
    network.eval().reference_to_views(given)
    network.train().reference_to_views(snippets([0, 1]))
    assert not network.is_metric
    network.reference_to_views(given)
    assert network.is_metric


def test_a_second_camera_of_unknown_place_is_refused():
    with pytest.raises(DataError, match="expected the transform of every camera of the reference's instant"):
        MotionNetwork(SMALL).reference_to_views(snippets([0, 0]))


def test_a_pretrained_stem_is_shared_out_among_the_images():
    torch.manual_seed(3)
    one = ResNetConfig(depth=18, images=1).build().stem[0]
    two = ResNetConfig(depth=18, images=2).build().stem[0]
    assert tuple(two.weight.shape) == (64, 6, 7, 7)
    assert torch.equal(two.weight[:, :3], two.weight[:, 3:])
    assert tuple(one.weight.shape) == (64, 3, 7, 7)
