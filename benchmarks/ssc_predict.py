"""What it costs to complete a scene from one image with the packaged weights: time by part, and memory.

.venv/bin/python benchmarks/ssc.py --parts predict
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def predict(options: argparse.Namespace) -> None:
    """One image of 192x640 to voxels, points and named classes with the packaged street weights"""
    print("| network's size | load, s | predict, first, s | predict, again, s | points | cells | peak memory, MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for height, width in ((96, 320), (192, 640)):
        words = [sys.executable, __file__, str(height), str(width), str(options.threads)]
        found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
        figures = " | ".join(f"{found[name]:.2f}" for name in ("load", "first", "again"))
        print(f"| {height}x{width} | {figures} | {found['points']:,} | {found['cells']:,} | {found['MiB']:.0f} |")


def measure(height: int, width: int) -> dict[str, Any]:
    """Wall seconds of loading and of predicting an image of 192x640, and the peak memory of this process."""
    found: dict[str, Any] = {}
    start = time.perf_counter()
    import scene3d
    from scene3d.engine.predictor import Predictor, TrainingView

    predictor = scene3d.load("street", device="cpu")
    view = TrainingView(predictor.view.camera.resize(height, width), predictor.view.grid_to_cam)
    predictor = Predictor(predictor.method, view, device="cpu", recipe=predictor.recipe)
    found["load"] = time.perf_counter() - start
    image = torch.rand(3, 24, 80).repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    found["first"], _ = _seconds(lambda: predictor.predict(image))
    found["again"], prediction = _seconds(lambda: predictor.predict(image))
    found["points"] = len(prediction.points[0].points)
    found["cells"] = int((prediction.classes > 0).sum())
    found["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
