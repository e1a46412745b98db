import torch

from scene3d.nn.feature_bank import FeatureBank


def _sets(values):
    return torch.tensor(values)[:, None, None].expand(-1, 2, 3).clone()


def test_the_oldest_sets_make_room_for_the_newest():
    bank = FeatureBank(size=3, points=2, channels=3, key_channels=2)
    assert bank.filled == 0
    bank.push(_sets([1.0, 2.0]), torch.ones(2, 2))
    assert bank.held()[:, 0, 0].tolist() == [1.0, 2.0]
    bank.push(_sets([3.0, 4.0]), torch.ones(2, 2))
    assert sorted(bank.held()[:, 0, 0].tolist()) == [2.0, 3.0, 4.0]


def test_more_sets_than_fit_keep_the_last():
    bank = FeatureBank(size=2, points=2, channels=3, key_channels=2)
    bank.push(_sets([1.0, 2.0, 3.0, 4.0, 5.0]), torch.ones(5, 2))
    assert sorted(bank.held()[:, 0, 0].tolist()) == [4.0, 5.0]


def test_alike_means_the_nearest_by_angle_and_never_an_empty_slot():
    bank = FeatureBank(size=8, points=2, channels=3, key_channels=2)
    bank.push(_sets([1.0, 2.0]), torch.tensor([[5.0, 0.0], [0.0, 0.1]]))
    # Empty slots have the key 0, whose cosine of 0 would beat that of any opposite vector.
    found = bank.draw_alike(torch.tensor([[1.0, 0.1], [0.1, 1.0], [-1.0, -0.1]]), among=1)
    assert found[:, 0, 0].tolist() == [1.0, 2.0, 2.0]
    assert set(bank.draw_alike(torch.ones(50, 2), among=4)[:, 0, 0].tolist()) == {1.0, 2.0}


def test_any_means_any_that_is_there():
    bank = FeatureBank(size=8, points=2, channels=3, key_channels=2)
    bank.push(_sets([1.0, 2.0]), torch.ones(2, 2))
    assert set(bank.draw_any(50)[:, 0, 0].tolist()) == {1.0, 2.0}


def test_a_resumed_bank_holds_what_the_stopped_one_held():
    bank = FeatureBank(size=3, points=2, channels=3, key_channels=2)
    bank.push(_sets([1.0, 2.0, 3.0, 4.0]), torch.randn(4, 2))
    other = FeatureBank(size=3, points=2, channels=3, key_channels=2)
    other.load_state_dict(bank.state_dict())
    for one in (bank, other):
        one.push(_sets([5.0]), torch.ones(1, 2))
    assert torch.equal(bank.held(), other.held())
    assert other.filled == 3
