"""The figures of benchmarks/README.md on depth from several frames.

    make bench-depth                                   (or: .venv/bin/python benchmarks/depth.py --help)

Streets that are missing are made first. A training that was cut off goes on where it stopped. Parts whose data are not
there are left out, in words.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from depth_runs import drive, fit, streets, trajectories
from measure import milliseconds, peak_growth, run_parts
from torch import Tensor

from scene3d.methods.multiframe_depth import MultiframeDepth, MultiframeDepthConfig
from scene3d.nn import matching_encoder
from scene3d.nn.cost_volume import BORDER, CostVolume, Lookups, cost_volume
from scene3d.structures.frames import Frames
from scene3d.visualise.pictures import write_picture

HEIGHT, WIDTH, BINS = 192, 640, 96
Volume = Callable[..., CostVolume]


def main() -> None:
    run_parts(PARTS, _options())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    root = Path(__file__).parents[1]
    parser.add_argument("--data", type=Path, default=root / "data" / "street_raw", help="streets; made if missing")
    parser.add_argument("--real", type=Path, default=root.parent / "shared" / "data", help="folder of the real drives")
    parser.add_argument("--out", type=Path, default=root / "runs" / "bench_depth")
    return parser.parse_args()


def _inference(options: argparse.Namespace) -> None:
    """Inference at 192x640 with 96 hypotheses"""
    method, frames = _method(BINS), _frames(HEIGHT, WIDTH, 1)
    print("| what | plain PyTorch, ms | ours, ms | ratio | asked |")
    print("|---|---:|---:|---:|---:|")
    features, lookups, depths = _volume_inputs(method, frames)
    calls = [
        lambda volume=volume: volume(features, frames.K[:, 0], lookups, depths) for volume in (repeated, cost_volume)
    ]
    _row("cost volume", *(milliseconds(call, options.repeats) for call in calls), "10x")
    whole = [_predicting(method, frames, volume) for volume in (repeated, cost_volume)]
    _row("prediction, end to end", *(milliseconds(call, options.repeats) for call in whole), "1.7x")
    memory = [peak_growth(call) for call in whole]
    print(
        f"\nPeak memory above the weights: {memory[0]:.0f} MiB and {memory[1]:.0f} MiB, 1/{memory[0] / memory[1]:.1f}"
    )
    memory = [peak_growth(call) for call in calls]
    print(
        f"of the volume alone: {memory[0]:.0f} MiB and {memory[1]:.0f} MiB, 1/{memory[0] / memory[1]:.1f} (asked 1/8)"
    )


def _growth(options: argparse.Namespace) -> None:
    """Cost as work grows"""
    sizes = [("hypotheses", [(b, 1, HEIGHT, WIDTH) for b in (24, 48, 96, 192)])]
    sizes.append(("other frames", [(BINS, n, HEIGHT, WIDTH) for n in (1, 2, 4)]))
    sizes.append(("pixels", [(BINS, 1, h, w) for h, w in ((96, 320), (192, 640), (320, 1024))]))
    print("| hypotheses | other frames | image | plain PyTorch, ms | ours, ms | plain PyTorch, MiB | ours, MiB |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for name, cases in sizes:
        for bins, number, height, width in cases:
            method, frames = _method(bins), _frames(height, width, number)
            calls = [_predicting(method, frames, volume) for volume in WAYS]
            times = [milliseconds(call, 3) for call in calls]
            memory = [peak_growth(call) for call in calls]
            figures = " | ".join(f"{value:.0f}" for value in (*times, *memory))
            print(f"| {bins} | {number} | {width}x{height} | {figures} |", flush=True)
            x = {"hypotheses": bins, "other frames": number, "pixels": height * width / 1e3}[name]
            curves.setdefault(name, []).append((x, *times))
    path = options.out / "growth.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, _plot(curves))
    print(f"\n{path}")


def _row(what: str, plain: float, ours: float, asked: str) -> None:
    print(f"| {what} | {plain:.0f} | {ours:.1f} | {plain / ours:.1f}x | {asked} |", flush=True)


def _method(bins: int) -> MultiframeDepth:
    torch.manual_seed(0)
    method = MultiframeDepthConfig(hypotheses=bins).build().eval()
    method.teacher = None  # only taught, and says nothing of the depth of several frames
    method.encoder.range.copy_(torch.tensor([2.0, 40.0]))
    return method


def _frames(height: int, width: int, number: int) -> Frames:
    """A camera that moves ahead, a metre a frame."""
    torch.manual_seed(1)
    cam_to_world = torch.eye(4).repeat(1, number + 1, 1, 1)
    cam_to_world[0, :, 2, 3] = -torch.arange(number + 1.0)
    K = torch.tensor([[0.58 * width, 0, width / 2], [0, 1.92 * height, height / 2], [0, 0, 1]])
    return Frames(
        image=torch.rand(1, number + 1, 3, height, width),
        K=K.expand(1, number + 1, 3, 3),
        present=torch.ones(1, number + 1, dtype=torch.bool),
        cam_to_world=cam_to_world,
    )


@torch.no_grad()
def _volume_inputs(method: MultiframeDepth, frames: Frames) -> tuple[Tensor, Lookups, Tensor]:
    maps = [method.encoder.pyramid.fine(frames.image[:, v])[-1].permute(0, 2, 3, 1).contiguous() for v in (0, 1)]
    K = frames.K.clone()
    K[..., :2, :] /= 4
    to_cam = torch.linalg.inv(frames.cam_to_world[:, 1:])
    lookups = Lookups(maps[1][:, None], K[:, 1:], to_cam, frames.present[:, 1:])
    return maps[0], lookups, method.encoder.depths()[None, :, None, None]


def _predicting(method: MultiframeDepth, frames: Frames, volume: Volume) -> Callable[[], object]:
    def predict() -> object:
        with _volume_of(volume):
            return method.predict(frames)

    return predict


@contextmanager
def _volume_of(volume: Volume) -> Iterator[None]:
    """Inside, the matching encoder compares by another function."""
    ours, matching_encoder.cost_volume = matching_encoder.cost_volume, volume  # type: ignore[assignment]
    try:
        yield
    finally:
        matching_encoder.cost_volume = ours


@torch.no_grad()
def repeated(features: Tensor, K: Tensor, lookups: Lookups, depths: Tensor, compat: object = None) -> CostVolume:
    """What is usually written: the lookup's map once for each hypothesis, warped, subtracted, averaged."""
    bins, (_, height, width, _) = depths.shape[1], features.shape
    here = features.permute(0, 3, 1, 2)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    rays = torch.linalg.inv(K)[0] @ torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)
    total, count = here.new_zeros(bins, height, width), here.new_zeros(bins, height, width)
    for n in range(lookups.features.shape[1]):
        there = lookups.features[:, n].permute(0, 3, 1, 2).repeat(bins, 1, 1, 1)
        points = depths.reshape(bins, 1, 1) * rays
        moved = lookups.reference_to_cam[0, n, :3, :3] @ points + lookups.reference_to_cam[0, n, :3, 3:]
        projected = lookups.K[0, n] @ moved
        pixels = (projected[:, :2] / projected[:, 2:].clamp(min=1e-3)).reshape(bins, 2, height, width)
        grid = torch.stack([2 * pixels[:, 0] / width - 1, 2 * pixels[:, 1] / height - 1], dim=-1)
        warped = torch.nn.functional.grid_sample(there, grid, align_corners=False)
        low, high = BORDER, torch.tensor([width, height]).reshape(1, 2, 1, 1) - BORDER
        seen = ((pixels >= low) & (pixels <= high)).all(dim=1) & (projected[:, 2] > 1e-3).reshape(bins, height, width)
        total += (warped - here).abs().mean(dim=1) * seen
        count += seen
    seen = count > 0
    cost = total / count.clamp(min=1)
    highest = cost.amax(dim=0, keepdim=True)
    best = cost.masked_fill(~seen, torch.inf).argmin(dim=0)
    return CostVolume(torch.where(seen, cost, highest)[None], seen.all(dim=0)[None], depths[0, :, 0, 0][best][None])


def _plot(curves: dict[str, list[tuple[float, float, float]]]) -> Tensor:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axis, (name, points) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        x, plain, ours = zip(*points, strict=True)
        axis.plot(x, plain, "o-", label="plain PyTorch", color="#b0561f")
        axis.plot(x, ours, "o-", label="ours", color="#1f5fb0")
        axis.set_xlabel("thousand pixels" if name == "pixels" else name)
        axis.set_ylim(0)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("milliseconds a prediction")
    figure.axes[0].legend(frameon=False)
    canvas.draw()
    return torch.from_numpy(np.array(canvas.buffer_rgba()))[..., :3]


WAYS = (repeated, cost_volume)
PARTS = {
    "inference": _inference,
    "growth": _growth,
    "trajectories": trajectories,
    "streets": streets,
    "drive": drive,
    "fit": fit,
}


if __name__ == "__main__":
    main()
