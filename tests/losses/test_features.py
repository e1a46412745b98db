import torch

from scene3d.losses.features import edge_aware_feature_smoothness, feature_reconstruction


def test_the_same_direction_is_free_whatever_its_length():
    target = torch.randn(4, 7)
    torch.testing.assert_close(feature_reconstruction(3 * target, target), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_a_right_angle_costs_one_and_the_opposite_two():
    rendered = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    target = torch.tensor([[0.0, 2.0], [-3.0, 0.0]])
    torch.testing.assert_close(feature_reconstruction(rendered, target), torch.tensor(1.5))


def test_vectors_that_are_not_valid_do_not_count():
    rendered = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    target = torch.tensor([[0.0, 2.0], [-3.0, 0.0]])
    loss = feature_reconstruction(rendered, target, torch.tensor([True, False]))
    torch.testing.assert_close(loss, torch.tensor(1.0))
    assert feature_reconstruction(rendered, target, torch.tensor([False, False])) == 0


def test_the_teacher_gets_no_gradient():
    rendered, target = torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    feature_reconstruction(rendered, target).backward()
    assert rendered.grad is not None
    assert target.grad is None


def test_turning_both_by_one_rotation_changes_nothing():
    turn = torch.linalg.qr(torch.randn(5, 5))[0]
    rendered, target = torch.randn(6, 5), torch.randn(6, 5)
    torch.testing.assert_close(
        feature_reconstruction(rendered @ turn, target @ turn), feature_reconstruction(rendered, target)
    )


def test_even_features_are_free_and_an_edge_of_the_image_forgives():
    image = torch.zeros(1, 3, 2, 3)
    features = torch.zeros(1, 2, 2, 3)
    assert edge_aware_feature_smoothness(features, image) == 0
    # One channel of two steps by 1 at one of two columns of differences: 1 / 2 / 2.
    features[:, 0, :, 2] = 1
    torch.testing.assert_close(edge_aware_feature_smoothness(features, image), torch.tensor(0.25))
    # A step of 0.04 in the image at the same place divides it by e.
    image[..., 2] = 0.04
    expected = torch.tensor(0.25) * torch.exp(torch.tensor(-1.0))
    torch.testing.assert_close(edge_aware_feature_smoothness(features, image), expected)
