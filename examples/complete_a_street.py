"""Complete a street that nobody has seen before, from one image, and compare with the truth.

python examples/complete_a_street.py [WEIGHTS] [OUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import scene3d
from scene3d.data.street import make_street
from scene3d.data.street.truth import true_view
from scene3d.evaluation.completion import count
from scene3d.evaluation.depth import counted_pixels, depth_metrics
from scene3d.geometry.voxels import field_of_view
from scene3d.visualise.results import write_results


def main(weights: str = "street", out: str = "out/complete_a_street") -> None:
    predictor = scene3d.load(weights)

    # A seed is a street; frame 20 of the drive along it, seen by the camera that the weights were trained with.
    frames = true_view(make_street(seed=9001), 20, predictor.view.camera)
    prediction = predictor.predict_frames(frames)

    depth, truth = prediction.depth[0].cpu(), frames.depth[0, 0]
    metrics = depth_metrics(depth, truth, counted_pixels(truth, crop=False))
    print(f"depth: abs_rel {metrics.abs_rel:.3f}, not scaled")

    # Cells of 0.2 m that the camera looks at, within 12.8 m; 0 is empty.
    height, width = depth.shape
    seen = field_of_view(prediction.frame, frames.grid_to_cam[0], frames.K[0, 0], height, width)
    box = prediction.frame.cropped(12.8)
    occupied = prediction.density[0].cpu() >= prediction.threshold
    counts = count(occupied[box], frames.voxels[0][box], seen[box])
    print(f"occupancy within 12.8 m: IoU {counts.iou:.3f}")

    for path in write_results(prediction, frames.image[0, 0], Path(out), open3d=False, overwrite=True):
        print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
