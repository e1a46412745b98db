"""Features of images lifted to sparse points: each point takes the mean of what the images that saw it say there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.views import ViewReader
from scene3d.geometry.camera import to_grid
from scene3d.nn.extractor import FeatureExtractor
from scene3d.nn.features import CachedFeatures
from scene3d.objects.projection import pixels_in, view_of
from scene3d.structures.scene import Scene, Shot
from scene3d.structures.sparse import SparsePoints


def lift_features(
    scene: Scene,
    sparse: SparsePoints,
    extractor: FeatureExtractor | CachedFeatures,
    *,
    area: int = 640 * 480,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "N C"]:
    """Mean feature of every point over the shots of its track; zero where no shot saw it.

    Args:
        scene: whose shots the tracks count; those with a point have a transform.
        sparse: points with tracks.
        extractor: gives the features; taken bilinearly between the middles of its cells.
        area: images of more pixels are made smaller first; 640 x 480 is the paper's.
        progress: told (shots done, shots).

    Raises:
        DataError: an image is damaged, or a shot of a track has no transform.

    Source: Wang et al., "AutoRecon", CVPR 2023, section 3.2.
    """
    lengths = sparse.track_start.diff()
    owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    sums = torch.zeros(len(lengths), extractor.channels)
    for place, shot in enumerate(scene.shots):
        seen = owner[sparse.track_shot == place]
        if len(seen) > 0:
            sums.index_add_(0, seen, _at_points(shot, sparse.points[seen], extractor, area))
        if progress is not None:
            progress(place + 1, len(scene.shots))
    return sums / lengths.clamp(min=1)[:, None]


def _at_points(
    shot: Shot, points_world: Float[Tensor, "N 3"], extractor: FeatureExtractor | CachedFeatures, area: int
) -> Float[Tensor, "N C"]:
    camera = view_of(shot, area)
    image = ViewReader(camera.height, camera.width).pixels(shot).image
    features = extractor(image[None].float() / 255)
    pixels, _ = pixels_in(shot, camera, points_world)
    # The extractor grows the image at its right and bottom to whole cells, which its map spans.
    height, width = (side * extractor.stride for side in features.shape[-2:])
    grid = to_grid(pixels.float(), height, width)[None, None]
    sampled = torch.nn.functional.grid_sample(features, grid, padding_mode="border", align_corners=False)
    return sampled[0, :, 0].mT
