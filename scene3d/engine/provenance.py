"""Where the figures of a report come from: the weights, the images, and the list of samples."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from scene3d.data.snippets import Snippets
from scene3d.data.split_files import list_hash, read_split
from scene3d.engine.run import versions
from scene3d.engine.weights import Weights


def of_weights(weights: Weights, source: Path) -> dict[str, str]:
    """Name and sha256 of the weights, how they were trained, and the versions of what runs them."""
    file = source / "weights.safetensors" if source.is_dir() else source
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "not exported yet"
    packages = ", ".join(f"{name} {number}" for name, number in versions()["packages"].items())
    return {
        "weights": f"{source.name}, sha256 {digest}",
        "step": str(weights.notes.get("step")),
        "seed": str(weights.notes.get("seed")),
        "versions": packages,
    }


def of_data(data: Snippets, split_list: Path | None) -> dict[str, str]:
    """The codec of the reference images (published KITTI figures are of JPEGs), and the list that names the samples."""
    suffixes = Counter(data.reference(i).image.suffix.lower().lstrip(".") for i in range(len(data)))
    codecs = {"jpg": "JPEG", "jpeg": "JPEG"}
    found = {"images": ", ".join(sorted({codecs.get(suffix, suffix.upper()) for suffix in suffixes}))}
    if split_list is not None:
        samples = read_split(split_list)
        found["split list"] = f"{split_list.name}, {len(samples)} samples, sha256 {list_hash(samples)}"
    return found
