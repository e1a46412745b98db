import builtins
import json

import pytest

from scene3d.errors import DataError, MissingExtraError
from scene3d.nn.vit_weights import load_vit

pytest.importorskip("transformers", reason="DINO networks are read by transformers, an extra")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere: expected a folder with config.json"):
        load_vit("dino", str(tmp_path / "nowhere"))


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_says_which(published_vit, lost, tmp_path):
    published_vit(tmp_path, "dino")
    (tmp_path / lost).unlink()
    with pytest.raises(DataError, match=f"no {lost}"):
        load_vit("dino", str(tmp_path))


def test_another_architecture_is_refused(published_vit, tmp_path):
    published_vit(tmp_path, "dinov2")
    with pytest.raises(DataError, match="expected a network of type 'dinov3_vit'.*got 'dinov2'"):
        load_vit("dinov3", str(tmp_path))


def test_lacking_weights_are_never_made_up(published_vit, tmp_path):
    from safetensors.torch import load_file, save_file

    published_vit(tmp_path, "dino")
    weights = load_file(tmp_path / "model.safetensors")
    lost = sorted(weights)[3]
    save_file({k: v for k, v in weights.items() if k != lost}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="expected all weights of a dino network"):
        load_vit("dino", str(tmp_path))


@pytest.mark.parametrize(("name", "content"), [("config.json", "{"), ("model.safetensors", "junk")])
def test_a_damaged_file_gives_one_line(published_vit, name, content, tmp_path):
    published_vit(tmp_path, "dino")
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        load_vit("dino", str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_model_type_gives_one_line(published_vit, tmp_path):
    published_vit(tmp_path, "dino")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "no_such_thing"}))
    with pytest.raises(DataError) as caught:
        load_vit("dino", str(tmp_path))
    assert "\n" not in str(caught.value)


def test_offline_a_hub_name_must_be_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SCENE3D_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"someone/not-in-the-cache: .*needs a network"):
        load_vit("dinov2", "someone/not-in-the-cache")


def test_without_transformers_the_extra_is_named(monkeypatch):
    genuine = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "transformers":
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"scene3d\[dino\]"):
        load_vit("dino", "someone/something")
