import torch

from scene3d.losses.correlation import cosines, feature_correspondence


def test_identical_features_cost_the_shift_minus_one():
    # One point with itself: S = Z = 1, so the loss is -(1 - shift).
    point = torch.tensor([[3.0, 4.0]])
    loss = feature_correspondence(point, point, point, point, shift=0.25)
    torch.testing.assert_close(loss, torch.tensor(-0.75))


def test_two_orthogonal_points_by_hand():
    teacher = torch.eye(2)
    codes = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # S = [1 0; 0 1], Z = [1 .6; .6 1], shift .5: -(2 * .5 * 1 + 2 * -.5 * .6) / 4 = -.1
    loss = feature_correspondence(teacher, teacher, codes, codes, shift=0.5)
    torch.testing.assert_close(loss, torch.tensor(-0.1))


def test_codes_that_are_apart_already_are_not_pushed_further():
    teacher_a, teacher_b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    codes_a = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = feature_correspondence(teacher_a, teacher_b, codes_a, torch.tensor([[-1.0, 0.1]]), shift=0.5)
    loss.backward()
    assert loss == 0
    assert torch.equal(codes_a.grad, torch.zeros(1, 2))


def test_the_gradient_pulls_what_is_alike_together_and_the_rest_apart():
    codes_a = torch.tensor([[1.0, 0.0]])
    for likeness, sign in ((0.9, 1), (0.1, -1)):
        teacher_b = torch.tensor([[likeness, (1 - likeness**2) ** 0.5]])
        codes_b = torch.tensor([[0.8, 0.6]], requires_grad=True)
        feature_correspondence(torch.tensor([[1.0, 0.0]]), teacher_b, codes_a, codes_b, shift=0.5).backward()
        moved = torch.nn.functional.normalize(codes_b.detach() - 0.1 * codes_b.grad, dim=-1)
        assert sign * (moved[0, 0] - 0.8) > 0


def test_turning_the_teacher_and_the_codes_changes_nothing():
    teacher, codes = torch.randn(2, 5, 6), torch.randn(2, 5, 4)
    turn_teacher, turn_codes = torch.linalg.qr(torch.randn(6, 6))[0], torch.linalg.qr(torch.randn(4, 4))[0]
    turned_teacher, turned_codes = teacher @ turn_teacher, codes @ turn_codes
    torch.testing.assert_close(
        feature_correspondence(turned_teacher, turned_teacher, turned_codes, turned_codes, shift=0.2),
        feature_correspondence(teacher, teacher, codes, codes, shift=0.2),
    )


def test_centring_keeps_the_mean_and_evens_the_rows():
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    codes = torch.ones(3, 1)
    # All Z are 1, so the loss is shift - mean S, which centring leaves alone.
    plain = feature_correspondence(teacher, teacher, codes, codes, shift=0.2)
    torch.testing.assert_close(plain, torch.tensor(0.2 - 5 / 9))
    centred = feature_correspondence(teacher, teacher, codes, codes, shift=0.2, centred=True)
    torch.testing.assert_close(centred, plain)
    codes = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    centred = feature_correspondence(teacher, teacher, codes, codes, shift=0.2, centred=True)
    # Row means of S are 2/3, 2/3, 1/3 and its mean is 5/9, so centred it reads (8/9, 8/9, -1/9) twice and
    # (2/9, 2/9, 11/9). Z is 1 where both codes are the same, else 0.
    torch.testing.assert_close(centred, torch.tensor(-(4 * (8 / 9 - 0.2) + (11 / 9 - 0.2)) / 9))


def test_no_set_at_all_is_free_and_still_on_the_graph():
    codes = torch.zeros(0, 4, 3, requires_grad=True)
    loss = feature_correspondence(torch.zeros(0, 4, 5), torch.zeros(0, 4, 5), codes, codes, shift=0.1)
    loss.backward()
    assert loss == 0


def test_cosines_of_every_pair():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 5.0]])
    torch.testing.assert_close(cosines(a, b), torch.tensor([[0.5**0.5, 0.0]]))
