import torch
from torch import nn

from scene3d.nn.extractor import FeatureExtractor, fingerprint, normalise, pad_to_multiple


class _Blocks(FeatureExtractor):
    """A random mixture of the mean colours of every block of 4 x 4 pixels."""

    def __init__(self) -> None:
        super().__init__(lambda: nn.Conv2d(3, 3, 1, bias=False), channels=3, stride=4, settings={})

    def dense(self, image):
        return nn.functional.avg_pool2d(self.network(image), 4)


class _Owner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.teacher = _Blocks()
        self.own = nn.Linear(2, 2)


def test_padding_repeats_the_border_at_the_right_and_the_bottom_only():
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 1, 4, 4)
    assert torch.equal(padded[..., :2, :3], image)
    assert padded[0, 0, 3].tolist() == [3.0, 4.0, 5.0, 5.0]


def test_an_image_that_fits_is_not_touched():
    image = torch.rand(1, 3, 8, 4)
    assert pad_to_multiple(image, 4) is image


def test_convention_cell_i_covers_the_pixels_from_stride_times_i():
    image = torch.zeros(1, 3, 6, 9)
    image[..., 4:6, 8] = 1
    features = _Blocks()(image)
    assert features.shape == (1, 3, 2, 3)
    # The last column is repeated three times, the last row twice: the last cell sees nothing but ones.
    assert torch.equal(features[0].abs().sum(dim=0) > 0, torch.tensor([[False] * 3, [False, False, True]]))


def test_normalisation_takes_off_the_mean_and_divides_by_the_deviation():
    image = torch.full((1, 3, 1, 1), 0.5)
    result = normalise(image, (0.5, 0.25, 0.0), (1.0, 0.5, 0.25))
    assert result.flatten().tolist() == [0.0, 0.5, 2.0]


def test_a_teacher_is_no_part_of_its_owner_s_parameters_and_checkpoints():
    owner = _Owner()
    assert set(owner.state_dict()) == {"own.weight", "own.bias"}
    assert len(list(owner.parameters())) == 2
    owner.load_state_dict(owner.state_dict(), strict=True)


def test_a_teacher_stays_as_it_was_when_its_owner_learns_or_is_converted():
    owner = _Owner()
    image = torch.rand(1, 3, 8, 8)
    before = owner.teacher(image)
    owner.train().half()
    network = owner.teacher.network
    assert not network.training
    assert not network.weight.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(owner.teacher(image), before)


def test_the_network_is_loaded_when_it_is_first_asked():
    loaded = []

    def load():
        loaded.append(True)
        return nn.Conv2d(3, 3, 1)

    class Lazy(_Blocks):
        def __init__(self):
            FeatureExtractor.__init__(self, load, channels=3, stride=4, settings={})

    extractor = Lazy()
    assert (extractor.channels, extractor.stride, loaded) == (3, 4, [])
    extractor(torch.rand(1, 3, 4, 4))
    assert extractor.fingerprint == extractor.fingerprint
    assert loaded == [True]


def test_the_fingerprint_changes_with_one_weight_and_with_one_setting():
    network = nn.Linear(3, 3)
    before = fingerprint(network, {"stride": 8})
    assert fingerprint(network, {"stride": 8}) == before
    assert fingerprint(network, {"stride": 16}) != before
    with torch.no_grad():
        network.weight[0, 0] += 1e-6
    assert fingerprint(network, {"stride": 8}) != before
