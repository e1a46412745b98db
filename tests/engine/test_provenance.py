from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.snippets import SnippetConfig, Snippets
from scene3d.engine.provenance import of_data, of_weights
from scene3d.engine.weights import load_weights
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry
from tests.tiny import write_tiny_weights


def samples(root: Path) -> Snippets:
    return Snippets(read_kitti_odometry(root), SnippetConfig(height=HEIGHT, width=WIDTH), training=False)


def test_the_codec_of_the_references_and_the_list_are_written_down(tmp_path: Path):
    folder = write_odometry(tmp_path / "tree") / "image_2"
    assert of_data(samples(tmp_path / "tree"), None) == {"images": "PNG"}
    with Image.open(folder / "000003.png") as image:
        image.save(folder / "000003.jpg")
    (folder / "000003.png").unlink()
    assert of_data(samples(tmp_path / "tree"), None) == {"images": "JPEG, PNG"}
    (tmp_path / "test.txt").write_text("0 3 l\n")
    # sha256 of "00 0000000003 left" with a newline, by sha256sum.
    digest = "4d07d083a492140d518a54a2e292cd549d4aede17ae36c779fe733e0521ea4b2"
    said = of_data(samples(tmp_path / "tree"), tmp_path / "test.txt")["split list"]
    assert said == f"test.txt, 1 samples, sha256 {digest}"


def test_weights_are_known_by_their_hash(tmp_path: Path):
    file = write_tiny_weights(tmp_path / "tiny.safetensors")
    said = of_weights(load_weights(file), file)
    assert said["weights"].startswith("tiny.safetensors, sha256 ") and len(said["weights"].split()[-1]) == 64
    assert (said["step"], said["seed"]) == ("0", "0")
    assert f"torch {torch.__version__.split('+')[0]}" in said["versions"]
