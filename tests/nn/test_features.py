import warnings

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from scene3d.nn.efficientnet import EfficientNetLite0Config
from scene3d.nn.features import CachedFeatures, FeatureExtractor, FeatureExtractorConfig
from scene3d.nn.vit import ViTFeaturesConfig


class _Counting(FeatureExtractor):
    """Two channels of block means; counts the images that it has seen."""

    def __init__(self, name: str = "one") -> None:
        super().__init__(nn.Identity, channels=3, stride=4, settings={"name": name})
        self.images = 0

    def dense(self, image):
        self.images += len(image)
        return nn.functional.avg_pool2d(image, 4)


def _files(folder):
    return sorted(folder.rglob("*.safetensors"))


def test_the_kind_decides_which_extractor_is_meant():
    adapter = TypeAdapter(FeatureExtractorConfig)
    assert adapter.validate_python({"kind": "dinov2_registers", "stride": 16}) == ViTFeaturesConfig(
        kind="dinov2_registers", stride=16
    )
    assert adapter.validate_python({"kind": "efficientnet_lite0"}) == EfficientNetLite0Config()
    with pytest.raises(ValidationError, match="dino"):
        adapter.validate_python({"kind": "clip"})


def test_an_image_is_computed_once_and_a_hit_equals_the_miss(tmp_path):
    extractor = _Counting()
    cached = CachedFeatures(extractor, tmp_path)
    image = torch.rand(2, 3, 8, 8)
    first = cached(image)
    assert torch.equal(cached(image), first)
    assert torch.equal(cached(image.flip(0)), first.flip(0))
    assert extractor.images == 2
    torch.testing.assert_close(first, extractor(image), atol=5e-4, rtol=0)
    assert (cached.channels, cached.stride, cached.fingerprint) == (3, 4, extractor.fingerprint)


def test_the_next_run_finds_it_on_disk(tmp_path):
    image = torch.rand(2, 3, 8, 8)
    first = CachedFeatures(_Counting(), tmp_path)(image)
    extractor = _Counting()
    assert torch.equal(CachedFeatures(extractor, tmp_path)(image), first)
    assert extractor.images == 0
    assert len(_files(tmp_path)) == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".safetensors"]


def test_only_what_is_missing_is_computed(tmp_path):
    extractor = _Counting()
    cached = CachedFeatures(extractor, tmp_path)
    image = torch.rand(3, 3, 8, 8)
    cached(image[1:2])
    assert torch.equal(cached(image)[1], cached(image[1:2])[0])
    assert extractor.images == 3


def test_one_pixel_or_another_extractor_is_another_entry(tmp_path):
    image = torch.rand(1, 3, 8, 8)
    CachedFeatures(_Counting(), tmp_path)(image)
    other = image.clone()
    other[0, 0, 0, 0] += 1e-3
    CachedFeatures(_Counting(), tmp_path)(other)
    CachedFeatures(_Counting("two"), tmp_path)(image)
    assert len(_files(tmp_path)) == 3


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_damaged_entry_is_computed_again_with_a_warning(damage, tmp_path):
    image = torch.rand(1, 3, 8, 8)
    first = CachedFeatures(_Counting(), tmp_path)(image)
    (path,) = _files(tmp_path)
    path.write_bytes(path.read_bytes()[:-3] if damage is None else damage)
    extractor = _Counting()
    with pytest.warns(UserWarning, match=f"{path.name}: damaged"):
        again = CachedFeatures(extractor, tmp_path)(image)
    assert torch.equal(again, first)
    assert extractor.images == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(CachedFeatures(_Counting(), tmp_path)(image), first)


def test_memory_is_bounded_and_the_least_used_go_first():
    extractor = _Counting()
    # One entry: 3 channels x 2 x 2 cells x 2 bytes = 24 bytes.
    cached = CachedFeatures(extractor, None, memory=48)
    a, b, c = torch.rand(3, 1, 3, 8, 8)
    for image in (a, b, a, c):
        cached(image)
    assert extractor.images == 3
    cached(a)
    cached(c)
    assert extractor.images == 3
    cached(b)
    assert extractor.images == 4


def test_a_changed_result_does_not_change_the_cache():
    cached = CachedFeatures(_Counting(), None)
    image = torch.rand(1, 3, 8, 8)
    kept = cached(image).clone()
    cached(image).zero_()
    assert torch.equal(cached(image), kept)


def test_in_evaluation_entries_are_read_and_none_is_written(tmp_path):
    image, other = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    first = CachedFeatures(_Counting(), tmp_path / "kept")(image)
    extractor = _Counting()
    cached = CachedFeatures(extractor, tmp_path / "kept").eval()
    assert torch.equal(cached(image), first) and extractor.images == 0
    cached(other)
    CachedFeatures(_Counting(), tmp_path / "none").eval()(other)
    assert len(_files(tmp_path / "kept")) == 1 and not (tmp_path / "none").exists()
