"""How classes are smoothed between being read from features and being told."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.nn.labeller import Labeller
from scene3d.nn.mean_field import MeanFieldConfig, mean_field
from scene3d.structures.labels import CITYSCAPES


class RefinementConfig(Config):
    """What is done to classes besides taking the most probable one.

    Attributes:
        crf: makes those of pixels follow the edges of the image; None leaves them.
        smoothing: how often the probabilities of a cell are averaged with those of its neighbours; 0 leaves them. See
            `scene3d.fusion.classify.smooth_over_neighbours`.
    """

    crf: MeanFieldConfig | None = None
    smoothing: int = Field(0, ge=0)


def label_pixels(
    features: Float[Tensor, "B C H W"], image: Float[Tensor, "B 3 H W"], labeller: Labeller, crf: MeanFieldConfig | None
) -> Int[Tensor, "B H W"]:
    """`CITYSCAPES` class of every pixel, from the features that it shows.

    Args:
        features: rendered, of the size of the image.
        image: RGB in [0, 1], whose edges labels shall follow.
        labeller: says which class features are of.
        crf: None takes the most probable class of each pixel by itself.
    """
    if crf is None:
        return labeller.classes(features.movedim(1, -1))
    refined = []
    for each, picture in zip(features, image, strict=True):
        said = labeller.probabilities(each.flatten(1).mT, len(CITYSCAPES)).mT
        refined.append(mean_field(said.unflatten(1, each.shape[1:]), picture, crf).argmax(dim=0))
    return torch.stack(refined)
