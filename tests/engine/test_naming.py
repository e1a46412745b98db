from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scene3d.engine.naming import Example, name_clusters
from scene3d.engine.predictor import Predictor, TrainingView
from scene3d.errors import UsageError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.structures.labels import CITYSCAPES
from tests.engine.toy import Toy

VIEW = TrainingView(pinhole(40.0, 24, 80), default_grid_to_cam())


class Bands(nn.Module):
    """Clusters are bands of 20 columns of what the network sees; the third is most like the second."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.tensor([[1.0, 0], [0, 1], [0.1, 1], [-1, 0]]))
        self.names = None

    def training_step(self, frames, step):
        raise NotImplementedError

    def parameter_groups(self):
        raise NotImplementedError

    def predict(self, frames):
        raise NotImplementedError

    def fit_clusters(self, batches):
        raise NotImplementedError

    def clusters_of_pixels(self, frames):
        return (torch.arange(80) // 20).expand(1, 24, 80)

    def name_clusters(self, classes):
        self.names = [CITYSCAPES.classes[index] for index in classes.tolist()]


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(Bands(), VIEW, device="cpu")


def picture(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), dtype=np.uint8)


def test_clusters_take_the_names_of_their_pixels_and_of_the_most_alike(predictor: Predictor):
    clicks = {"road": [(1, 5), (2, 9)], "car": [(5.5, 5), (25, 1)], "sky": [(79, 0)]}
    names = name_clusters(predictor, [Example(picture(24, 80), clicks, K=VIEW.camera.K)])
    # Cluster 0 has two pixels of road and one of car.
    assert predictor.method.names == ["road", "car", "car", "sky"]
    assert names.matched_on == "examples"


def test_places_are_of_the_image_as_it_was_given(predictor: Predictor):
    # Twice as large, with 10 more rows above that the network does not see: (100, 30) is its pixel (50, 10).
    K = torch.tensor([[80.0, 0, 80], [0, 80, 34], [0, 0, 1]])
    examples = [
        Example(picture(58, 160), {"car": [(100, 30)]}, K),
        Example(predictor.frames(picture(24, 80), VIEW.camera.K), {"road": [(0, 0)], "sky": [(79, 23)]}),
    ]
    name_clusters(predictor, examples)
    assert predictor.method.names == ["road", "car", "car", "sky"]
    with pytest.raises(UsageError, match=r"car: \(100, 5\) is outside of what the method sees"):
        name_clusters(predictor, [Example(picture(58, 160), {"car": [(100, 5)]}, K)])


def test_bad_examples_are_refused(predictor: Predictor):
    with pytest.raises(UsageError, match="raod: expected a class of Cityscapes; did you mean 'road'"):
        name_clusters(predictor, [Example(picture(24, 80), {"raod": [(1, 1)]}, VIEW.camera.K)])
    with pytest.raises(UsageError, match="at least one labelled pixel"):
        name_clusters(predictor, [])
    with pytest.raises(UsageError, match="Toy: expected a method with clusters"):
        name_clusters(Predictor(Toy(), VIEW, device="cpu"), [])
