from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.visualise.points import with_points

# x forward, y left, z up to x right, y down, z forward.
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])[None]


def test_points_lie_in_the_axes_of_the_grid_with_the_colours_and_classes_of_their_pixels():
    camera = pinhole(2.0, 2, 2)
    depth = torch.tensor([[[4.0, 4.0], [0.0, 100.0]]])  # nothing is known of the third pixel; the fourth is sky
    labels = torch.tensor([[[2, 13], [0, 10]]])
    image = torch.tensor([[1.0, 0.0], [0.5, 0.0]]).expand(1, 1, 3, 2, 2)
    prediction = CompletionPrediction(
        depth=depth,
        K=camera.K[None],
        density=torch.zeros(1, 1, 1, 1),
        threshold=0.5,
        frame=VoxelFrame(origin=(0.0, 0.0, 0.0), size=1.0, shape=(1, 1, 1)),
        grid_to_cam=GRID_TO_CAM,
        labels=labels,
    )
    frames = Frames(image=image, K=camera.K[None, None], present=torch.ones(1, 1, dtype=torch.bool))
    (cloud,) = with_points(prediction, frames).points
    # The centre of the first pixel is half a pixel left of and above the axis: 4 m ahead it is 1 m left and 1 m up.
    torch.testing.assert_close(cloud.points, torch.tensor([[4.0, 1, 1], [4.0, -1, 1]]))
    assert cloud.colours.tolist() == [[255] * 3, [0] * 3] and cloud.labels.tolist() == [2, 13]
    assert prediction.space.classes[0] == "empty"
