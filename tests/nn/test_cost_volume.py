from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.nn.cost_volume import BORDER, Lookups, cost_volume, sweep
from scene3d.nn.matching_encoder import LookupImages, MatchingEncoder
from scene3d.nn.resnet import SmallResNetConfig

FOCAL, HEIGHT, WIDTH = 8.0, 10, 16
DEPTHS = torch.tensor([1.0, 2.0, 4.0, 8.0])[None, :, None, None]
"""Of which a step of 1 to the right makes disparities of 8, 4, 2 and 1 pixels."""


def a_wall(disparity: int, present: bool = True) -> tuple[torch.Tensor, torch.Tensor, Lookups]:
    """Features of a view and of one a step to the right, which shows the same `disparity` pixels further left."""
    torch.manual_seed(0)
    wall = torch.randn(HEIGHT, WIDTH + disparity, 5)
    here, there = wall[:, :WIDTH], wall[:, disparity:]
    to_cam = torch.eye(4)
    to_cam[0, 3] = -1
    K = pinhole(FOCAL, HEIGHT, WIDTH).K
    lookups = Lookups(there[None, None], K[None, None], to_cam[None, None], torch.tensor([[present]]))
    return here[None], K[None], lookups


def test_the_true_depth_costs_nothing_where_it_is_seen():
    here, K, lookups = a_wall(2)
    found = cost_volume(here, K, lookups, DEPTHS)
    # Beyond the border of the lookup: pixels with 0.5 + x - 2 >= BORDER.
    inner = found.cost[0, 2, BORDER:-BORDER, 4:-BORDER]
    torch.testing.assert_close(inner, torch.zeros_like(inner), atol=1e-6, rtol=0)
    assert (found.depth[0, BORDER:-BORDER, 4:-BORDER] == 4).all()


def test_only_pixels_whose_every_depth_is_seen_are_confident_and_gaps_take_the_highest_cost():
    here, K, lookups = a_wall(2)
    found = cost_volume(here, K, lookups, DEPTHS)
    # The nearest depth moves by 8 pixels: x + 0.5 - 8 >= 2 from the tenth on, and x + 0.5 - 1 <= 14 for all.
    assert found.confident[0, 5].tolist() == [x + 0.5 - 8 >= 2 and x - 0.5 <= 14 for x in range(WIDTH)]
    # At x = 4 only disparities 2 and 1 are seen; the others show the larger cost of the two.
    column = found.cost[0, :, 5, 4]
    assert column[0] == column[1] == column.max()


def test_absent_frames_see_nothing_and_no_frame_at_all_neither():
    here, K, lookups = a_wall(2, present=False)
    absent = cost_volume(here, K, lookups, DEPTHS)
    assert not absent.confident.any()
    assert torch.equal(absent.cost, torch.zeros_like(absent.cost))
    none = Lookups(*(part[:, :0] for part in (lookups.features, lookups.K, lookups.reference_to_cam, lookups.present)))
    assert not cost_volume(here, K, none, DEPTHS).confident.any()


def test_frames_share_the_cost_of_what_both_see():
    here, K, lookups = a_wall(2)
    other = Lookups(
        *(torch.cat([part, part], dim=1) for part in (lookups.features, lookups.K, lookups.reference_to_cam)),
        present=torch.tensor([[True, True]]),
    )
    torch.testing.assert_close(cost_volume(here, K, other, DEPTHS).cost, cost_volume(here, K, lookups, DEPTHS).cost)


def test_each_pixel_may_have_depths_of_its_own_and_gradients_reach_both_features():
    here, K, lookups = a_wall(2)
    here.requires_grad_()
    lookups.features.requires_grad_()
    own = DEPTHS.expand(1, 4, HEIGHT, WIDTH).contiguous()
    found = sweep(here, K, lookups, own)
    torch.testing.assert_close(found.cost, sweep(here, K, lookups, DEPTHS).cost)
    found.cost.sum().backward()
    assert here.grad.abs().sum() > 0
    assert lookups.features.grad.abs().sum() > 0


def a_matcher(**options: object) -> MatchingEncoder:
    torch.manual_seed(0)
    return MatchingEncoder(SmallResNetConfig(widths=(8, 8, 8, 8, 8), blocks=1), 5, **options)


def test_the_range_of_depths_follows_the_prediction_with_a_tenth_to_spare():
    encoder = a_matcher()
    depth = torch.stack([torch.linspace(1, 20, 12).reshape(3, 4), torch.linspace(3, 40, 12).reshape(3, 4)])
    encoder.follow(depth, nearest=0.1)
    # Means of 1 and 3, and of 20 and 40: 0.9 * 2 and 1.1 * 30, one part in a hundred.
    torch.testing.assert_close(encoder.range, torch.tensor([0.99 * 0.1 + 0.018, 0.99 * 10 + 0.33]))


def test_hypotheses_rise_evenly_in_depth_or_in_inverse_depth():
    linear, inverse = a_matcher(), a_matcher(spacing="inverse")
    for encoder in (linear, inverse):
        encoder.range.copy_(torch.tensor([1.0, 5.0]))
    assert linear.depths().tolist() == [1, 2, 3, 4, 5]
    torch.testing.assert_close(inverse.depths().reciprocal().diff(), torch.full((4,), -0.2))
    assert inverse.depths()[0] == 1


def test_without_other_frames_the_encoder_sees_what_one_whose_frames_are_absent_sees():
    encoder = a_matcher().eval()
    image, K = torch.rand(1, 3, 64, 96), pinhole(80.0, 64, 96).K[None]
    none = LookupImages(
        image[:, None][:, :0], K[:, None][:, :0], torch.eye(4)[None, None][:, :0], torch.ones(1, 0).bool()
    )
    absent = LookupImages(image[:, None], K[:, None], torch.eye(4)[None, None], torch.zeros(1, 1).bool())
    for one, other in zip(encoder(image, K, none)[0], encoder(image, K, absent)[0], strict=True):
        torch.testing.assert_close(one, other)
