import torch

from scene3d.losses.correlation import feature_correspondence
from scene3d.nn.clusters import assign, spherical_kmeans
from scene3d.nn.segment_head import SegmentHead


def test_codes_have_unit_length():
    codes = SegmentHead(6, codes=4)(torch.randn(2, 3, 6))
    torch.testing.assert_close(codes.norm(dim=-1), torch.ones(2, 3))


def test_a_channel_is_dropped_for_all_points_of_a_set():
    head = SegmentHead(50, codes=4, dropout=0.5)
    kept = head._dropped(torch.ones(3, 7, 50))
    assert (kept == kept[:, :1]).all()
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(kept[0], kept[1])


def test_nothing_is_dropped_when_it_does_not_learn():
    head = SegmentHead(6).eval()
    features = torch.randn(1, 5, 6)
    assert torch.equal(head(features), head(features))


def test_two_groups_that_the_teacher_tells_apart_become_two_clusters():
    torch.manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(2, 16) + 2, dim=-1)  # cosine about 0.8: alike, but not quite
    group = torch.arange(40) % 2
    features = directions[group] + 0.15 * torch.randn(40, 16) / 4
    head = SegmentHead(16, codes=8)
    optimiser = torch.optim.Adam(head.parameters(), lr=3e-3)
    within = torch.cosine_similarity(directions[0], directions[1], dim=0).item()
    for _ in range(150):
        codes = head(features)
        loss = feature_correspondence(features, features, codes, codes, shift=(1 + within) / 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    codes = head.eval()(features)
    labels = assign(codes, spherical_kmeans(codes, 2))
    assert (labels[group == 0] == labels[0]).all()
    assert (labels[group == 1] == labels[1]).all()
    assert labels[0] != labels[1]
    assert torch.cosine_similarity(codes[0], codes[1], dim=0) < within - 0.3


def test_a_head_that_passes_through_says_what_it_is_given():
    head = SegmentHead(6, codes=6).eval()
    head.pass_through()
    features = torch.randn(10, 6)
    torch.testing.assert_close(head(features), torch.nn.functional.normalize(features, dim=-1))
    head(features).sum().backward()
    assert head.perceptron[-1].weight.grad.any()
