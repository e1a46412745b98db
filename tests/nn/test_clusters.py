import pytest
import torch

from scene3d.nn.clusters import assign, spherical_kmeans


def _bundles(directions, each, spread=0.05):
    noise = spread * torch.randn(len(directions), each, directions.shape[1])
    lengths = 10 ** torch.empty(len(directions), each, 1).uniform_(-1, 1)
    return (lengths * (directions[:, None] + noise)).flatten(0, 1)


def test_separated_directions_are_found_whatever_the_lengths():
    directions = torch.linalg.qr(torch.randn(8, 8))[0][:5]
    features = _bundles(directions, each=40)
    centres = spherical_kmeans(features, 5)
    torch.testing.assert_close(centres.norm(dim=1), torch.ones(5))
    assert (centres @ directions.mT).amax(dim=0).min() > 0.99
    labels = assign(features, centres).reshape(5, 40)
    assert (labels == labels[:, :1]).all()
    assert labels[:, 0].unique().numel() == 5


def test_the_centre_of_two_directions_is_their_mean_direction():
    features = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    centre = spherical_kmeans(features, 1)
    torch.testing.assert_close(centre, torch.tensor([[0.5**0.5, 0.5**0.5]]))


def test_as_many_clusters_as_directions_leaves_none_empty():
    features = torch.eye(6).repeat(3, 1)
    centres = spherical_kmeans(features, 6)
    assert assign(torch.eye(6), centres).unique().numel() == 6


def test_turning_all_features_turns_the_centres():
    turn = torch.linalg.qr(torch.randn(6, 6))[0]
    features = _bundles(torch.eye(6)[:3], each=30)
    one = spherical_kmeans(features, 3, generator=torch.Generator().manual_seed(3))
    other = spherical_kmeans(features @ turn, 3, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(one @ turn, other, atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_centres():
    features = torch.randn(200, 4)
    runs = [spherical_kmeans(features, 7, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*runs)


def test_assignment_is_by_angle_not_by_distance():
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # (10, 9) lies nearer to (0, 1) than some of its own cluster do, but points more along x.
    assert assign(torch.tensor([[[10.0, 9.0]], [[0.1, 0.2]]]), centres).tolist() == [[0], [1]]


def test_assignment_of_nothing_is_nothing():
    assert assign(torch.zeros(0, 3), torch.eye(3)).shape == (0,)


@pytest.mark.parametrize("features", [torch.eye(2), torch.zeros(5, 3), torch.full((5, 3), torch.nan)])
def test_features_that_cannot_be_clustered_are_refused(features):
    with pytest.raises(ValueError, match="spherical_kmeans: expected"):
        spherical_kmeans(features, 3)
