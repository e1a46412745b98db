"""Name the clusters of an unsupervised method by a few labelled pixels, and complete another street with those names.

python examples/name_the_clusters.py [WEIGHTS] [OUT]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import torch

import scene3d
from scene3d.data.street import make_street
from scene3d.data.street.truth import true_view
from scene3d.engine.naming import Example, name_clusters
from scene3d.evaluation.segmentation import accuracy, label_confusion
from scene3d.structures.labels import CITYSCAPES, SSC
from scene3d.visualise.results import write_results

CLICKS = 3  # a class and image


def clicked(frames: scene3d.Frames, seed: int) -> Example:
    """Somebody who clicks into an image: a few places of each class that it shows."""
    labels, generator = frames.labels[0, 0], torch.Generator().manual_seed(seed)
    clicks = defaultdict(list)
    for index, name in enumerate(CITYSCAPES.classes):
        places = (labels == index).nonzero()
        for row, column in places[torch.randperm(len(places), generator=generator)[:CLICKS]].tolist():
            clicks[name].append((column + 0.5, row + 0.5))
    return Example(frames, clicks)


def main(weights: str = "street", out: str = "out/name_the_clusters") -> None:
    predictor = scene3d.load(weights)
    camera = predictor.view.camera

    # A seed is a street; the user labels one image of each of four.
    names = name_clusters(predictor, [clicked(true_view(make_street(seed), 10, camera), seed) for seed in range(1, 5)])
    for name in sorted({CITYSCAPES.classes[index] for index in names.classes}):
        print(f"{name}: {sum(CITYSCAPES.classes[index] == name for index in names.classes)} clusters")

    frames = true_view(make_street(seed=9001), 20, camera)
    prediction = predictor.predict_frames(frames)
    matrix = label_confusion(prediction.labels[0].cpu(), frames.labels[0, 0], len(CITYSCAPES))
    print(f"pixels of another street: {accuracy(matrix):.3f} right")
    for index in prediction.classes.unique().tolist()[1:]:
        print(f"voxels of {SSC.classes[index]}: {int((prediction.classes == index).sum())}")
    for path in write_results(prediction, frames.image[0, 0], Path(out), open3d=False, overwrite=True):
        print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
