"""What a training step of scene completion costs at the published settings: time by part, and memory.

    .venv/bin/python benchmarks/ssc.py --parts step

Each setting runs in a process of its own, so that its peak memory is its own, with the compiled kernels and with the
reference operators (`SCENE3D_OPS=reference`). Networks start from random weights: they cost what trained ones do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scene3d.data.street import rig
from scene3d.engine.optim import make_optimiser
from scene3d.geometry.se3 import rigid, rotation_of
from scene3d.methods.scene_completion import SceneCompletion
from scene3d.recipe import load_recipe
from scene3d.structures.frames import Frames

CONFIGS = Path(__file__).parents[1] / "configs" / "completion"
HEIGHT, WIDTH = 192, 640
VIT_S = "width: 384, depth: 12, heads: 6"
DINO_S = [
    f"method.encoder.vit={{kind: vit, family: dino, weights: random, {VIT_S}, patch: 8}}",
    f"method.teacher.extractor={{kind: dino_vit, weights: random, {VIT_S}, patch: 8, grid: [24, 80], stride: 8}}",
]
DINOV2_S = [
    f"method.encoder.vit={{kind: vit, family: dinov2, weights: random, {VIT_S}, patch: 14, stride: 16}}",
    f"method.teacher.extractor={{kind: dino_vit, weights: random, {VIT_S}, patch: 14, grid: [12, 40], stride: 16, "
    "scaled: true}",
]
SETTINGS: dict[str, tuple[str, list[str]]] = {
    "SceneDINO, DINO ViT-S/8": ("scenedino_kitti_360", DINO_S),
    "SceneDINO, DINOv2 ViT-S/14": ("scenedino_dinov2_kitti_360", DINOV2_S),
    "Behind the Scenes, ResNet-50": ("bts_kitti_360", ["method.encoder.pyramid.pretrained=false"]),
}
PARTS = ("encoder", "teacher", "rays and losses", "backward of rays", "backward of encoder", "update")


def step(options: argparse.Namespace) -> None:
    """A training step at the published settings: one snippet of 8 views of 192x640"""
    print(f"CPU seconds of one step, fp32, {options.threads} threads; published batches are 4 (SceneDINO) and 16.\n")
    print(f"| setting | operators | rays x samples | {' | '.join(PARTS)} | all | peak memory, MiB |")
    print("|---|---|---|" + "---:|" * (len(PARTS) + 2))
    for name in options.settings or SETTINGS:
        for operators in ("", "reference"):
            environment = {**os.environ, "SCENE3D_OPS": operators} if operators else dict(os.environ)
            words = [sys.executable, __file__, name, str(options.threads), str(options.step_repeats)]
            found = json.loads(subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE).stdout)
            times = " | ".join(f"{found[part]:.2f}" for part in PARTS)
            whole = sum(found[part] for part in PARTS)
            label = operators or "compiled"
            print(f"| {name} | {label} | {found['rays']} | {times} | {whole:.2f} | {found['MiB']:.0f} |", flush=True)


def measure(name: str, repeats: int) -> dict[str, Any]:
    """CPU seconds of each part, the least of the repeats, and the peak memory of this process."""
    torch.manual_seed(0)
    config, changes = SETTINGS[name]
    recipe = load_recipe(CONFIGS / f"{config}.yaml", changes)
    method = recipe.method.build()
    assert isinstance(method, SceneCompletion)
    optimiser = make_optimiser(recipe.train.optim, method.parameter_groups())
    frames = snippet()
    runs = [one_step(method, optimiser, frames) for _ in range(repeats)]
    rays = f"{recipe.method.patches * recipe.method.patch**2} x {recipe.method.samples}"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {part: min(run[part] for run in runs) for part in PARTS} | {"rays": rays, "MiB": memory}


def one_step(method: SceneCompletion, optimiser: torch.optim.Optimizer, frames: Frames) -> dict[str, float]:
    """CPU seconds of each part. The backward pass is cut at the encoder's map, so that both halves have their time."""
    times: dict[str, float] = defaultdict(float)
    maps: list[tuple[Tensor, Tensor]] = []
    encode, taught = method.encode, method.teacher_features

    def encode_and_cut(*given: Any) -> Any:
        with _timed(times, "encoder"):
            field = encode(*given)
        leaf = field.folded.detach().requires_grad_()
        maps.append((field.folded, leaf))
        return replace(field, folded=leaf)

    def teach(*given: Any) -> Any:
        with _timed(times, "teacher"):
            return taught(*given)

    method.encode, method.teacher_features = encode_and_cut, teach  # type: ignore[method-assign]
    try:
        optimiser.zero_grad()
        with _timed(times, "forward"):
            loss = method.training_step(frames, 0).total()
    finally:
        del method.encode, method.teacher_features
    times["rays and losses"] = times["forward"] - times["encoder"] - times["teacher"]
    with _timed(times, "backward of rays"):
        loss.backward()
    (folded, leaf), *_ = maps
    with _timed(times, "backward of encoder"):
        folded.backward(leaf.grad)
    with _timed(times, "update"):
        optimiser.step()
    return {part: times[part] for part in PARTS}


def snippet() -> Frames:
    """Eight views as KITTI-360's car takes them, of noise: stereo at two instants, both sides ten frames later."""
    camera = rig.perspective((HEIGHT, WIDTH))[0]
    down, side = 15 * torch.pi / 180, torch.pi / 2
    places = [(0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.0, 0.0), (0.6, 0.0, 1.0)]
    cam_to_world = [rigid(torch.eye(3), torch.tensor(place)) for place in places]
    for turn, x in ((-side, -0.4), (side, 0.9)):
        rotation = rotation_of(torch.tensor([0.0, turn, 0.0])) @ rotation_of(torch.tensor([-down, 0.0, 0.0]))
        cam_to_world += [rigid(rotation, torch.tensor([x, 0.3, 10.0 + later])) for later in (0.0, 1.0)]
    coarse = torch.rand(8, 3, HEIGHT // 8, WIDTH // 8)
    return Frames(
        image=torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear")[None],
        K=camera.K.float().expand(1, 8, 3, 3),
        present=torch.ones(1, 8, dtype=torch.bool),
        names=("noise",),
        cam_to_world=torch.stack(cam_to_world)[None],
    )


@contextmanager
def _timed(times: dict[str, float], part: str) -> Iterator[None]:
    start = time.process_time()
    yield
    times[part] += time.process_time() - start


if __name__ == "__main__":
    chosen, threads, count = sys.argv[1:]
    torch.set_num_threads(int(threads))
    print(json.dumps(measure(chosen, int(count))))
