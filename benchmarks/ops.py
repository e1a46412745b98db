"""How much faster the compiled operators are than plain PyTorch, as ratios of one run.

    make bench-ops                                     (or: .venv/bin/python benchmarks/ops.py --help)

"eager" is what published code writes, "idiom" the best that PyTorch alone does (products of matrices), "kernel" ours.
Every case runs twice: with an allocator that keeps what was freed, as a long training has it, and with the default one.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import torch
from torch import Tensor

from scene3d.cli.allocator import keep_freed_memory
from scene3d.ops import (
    composite,
    hash_encode,
    neus_alpha,
    plane_sweep,
    sample_views,
    sample_views_composite,
)
from scene3d.ops._library import kernels

Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One row of the table: what is timed, and the ways to do it; `idiom` is None where eager is the best idiom."""

    name: str
    eager: Call
    kernel: Call
    idiom: Call | None = None


def main() -> None:
    options = _options()
    if options.allocator is None:
        print(
            f"{date.today()}, {platform.machine()}, {options.threads} threads, torch {torch.__version__}, {kernels()}"
        )
        for allocator in ("warm", "default"):
            print(f"\n## Allocator: {allocator}\n", flush=True)
            words = [sys.executable, __file__, "--allocator", allocator, *sys.argv[1:]]
            subprocess.run(words, check=True, env=os.environ)
        return
    if options.allocator == "warm":
        keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print("| case | eager, ms | idiom, ms | kernel, ms | against eager | against idiom |")
    print("|---|---:|---:|---:|---:|---:|")
    for make in CASES:
        for case in make():
            if options.only in case.name:
                print(_row(case, options.repeats), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--allocator", choices=["warm", "default"], help="one of the two, in this process")
    return parser.parse_args()


def _row(case: Case, repeats: int) -> str:
    eager, kernel = _milliseconds(case.eager, repeats), _milliseconds(case.kernel, repeats)
    idiom = None if case.idiom is None else _milliseconds(case.idiom, repeats)
    best = "" if idiom is None else f"{idiom:.1f}"
    against = "" if idiom is None else f"{idiom / kernel:.1f}x"
    return f"| {case.name} | {eager:.1f} | {best} | {kernel:.1f} | {eager / kernel:.1f}x | {against} |"


def _milliseconds(call: Call, repeats: int) -> float:
    """Median wall time; two runs first, which are not counted."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def _both(function: Callable[..., Tensor], *leaves: Tensor) -> Call:
    """Forward and backward of the sum."""

    def call() -> None:
        torch.autograd.grad(function(*leaves).sum(), leaves)

    return call


def _composites() -> Iterator[Case]:
    for rays, samples, channels in ((4096, 64, 64), (4096, 128, 3)):
        alpha = torch.rand(rays, samples).requires_grad_()
        features = torch.randn(rays, samples, channels).requires_grad_()
        distances, offsets = torch.rand(rays * samples), torch.arange(rays + 1) * samples

        def weights(a: Tensor) -> Tensor:
            through = torch.cumprod(torch.cat([torch.ones_like(a[:, :1]), 1 - a + 1e-7], dim=1), dim=1)
            return a * through[:, :-1]

        def eager(a: Tensor, f: Tensor) -> Tensor:
            return (weights(a)[..., None] * f).sum(dim=1)  # noqa: B023  (called before the next round)

        def idiom(a: Tensor, f: Tensor) -> Tensor:
            return (weights(a)[:, None] @ f)[:, 0]  # noqa: B023

        def kernel(a: Tensor, f: Tensor, t: Tensor = distances, o: Tensor = offsets) -> Tensor:
            return composite.composite(a.flatten(), f.flatten(0, 1), t, o).features

        name = f"composite {rays}x{samples}, {channels} channels, forward + backward"
        yield Case(name, *(_both(way, alpha, features) for way in (eager, kernel, idiom)))


def _sections() -> Iterator[Case]:
    count = 524_288
    sdf, cosine = 0.1 * torch.randn(count), -torch.rand(count)
    length, sharpness = 0.02 * torch.rand(count), torch.tensor(100.0)
    leaves = [x.requires_grad_() for x in (sdf, cosine, length, sharpness)]
    names = {"forward": lambda way: lambda: way(*leaves), "forward + backward": lambda way: _both(way, *leaves)}
    for name, run in names.items():

        def eager(f: Tensor, c: Tensor, d: Tensor, s: Tensor) -> Tensor:
            return neus_alpha.reference(f, c, d, s, 0.5)

        def kernel(f: Tensor, c: Tensor, d: Tensor, s: Tensor) -> Tensor:
            return neus_alpha.neus_alpha(f, c, d, s, 0.5)

        yield Case(f"neus_alpha {count // 1024}k samples, {name}", run(eager), run(kernel))


def _sweeps() -> Iterator[Case]:
    height, width, channels, hypotheses = 48, 160, 64, 96
    here = torch.randn(1, height, width, channels).requires_grad_()
    there = torch.randn(1, 1, height, width, channels).requires_grad_()
    move = torch.tensor([[[30.0, 0.0, 0.0]]])
    depths = torch.linspace(1, 60, hypotheses).reshape(1, hypotheses, 1, 1)

    def eager(f: Tensor, s: Tensor) -> Tensor:
        """All hypotheses at once, the source repeated for each, as published code does it."""
        found = [plane_sweep._places(f, s, EYE, move, depths[:, d], 0.0) for d in range(hypotheses)]
        place, seen = zip(*found, strict=True)
        grid = torch.cat(place).reshape(hypotheses, height, width, 2) * torch.tensor([2 / width, 2 / height]) - 1
        maps = s[0].permute(0, 3, 1, 2).expand(hypotheses, -1, -1, -1)
        warped = torch.nn.functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)
        cost = (warped - f.permute(0, 3, 1, 2)).abs().mean(dim=1)
        return cost * torch.cat(seen).reshape(cost.shape)

    def kernel(f: Tensor, s: Tensor) -> Tensor:
        return plane_sweep.plane_sweep(f, s, EYE, move, depths).cost

    size = f"plane_sweep {height}x{width}, {channels} channels, {hypotheses} depths"
    with torch.no_grad():
        yield Case(f"{size}, forward", lambda: eager(here, there), lambda: kernel(here, there))
    yield Case(f"{size}, forward + backward", _both(eager, here, there), _both(kernel, here, there))


def _looks() -> Iterator[Case]:
    rays, samples, channels, views, height, width = 4096, 64, 64, 2, 96, 320
    maps = torch.randn(1, views, height, width, channels).requires_grad_()
    weights = torch.rand(1, rays, samples).requires_grad_()
    ends = torch.randn(1, rays, 1, 3) * torch.tensor([8.0, 2.0, 0.0]) + torch.tensor([0.0, 0.0, 10.0])
    points = ends * torch.linspace(0.2, 4, samples)[:, None]
    K = torch.tensor([[125.0, 0, width / 2], [0, 125.0, height / 2], [0, 0, 1]])
    shift = torch.tensor([[[0.6], [0.0], [0.0]], [[0.0], [0.0], [1.0]]])
    to_pixels = (K @ torch.cat([torch.eye(3).expand(views, 3, 3), shift], dim=-1))[None]
    pixels, _ = sample_views_composite._project(maps, points, to_pixels, None)

    def fetched(m: Tensor) -> Tensor:
        grid = pixels[0] * torch.tensor([2 / width, 2 / height]) - 1
        chosen = torch.nn.functional.grid_sample(
            m[0].permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False
        )
        return chosen.permute(0, 2, 3, 1)

    def eager(m: Tensor, w: Tensor) -> Tensor:
        return (w[0, ..., None] * fetched(m)).sum(dim=2)

    def idiom(m: Tensor, w: Tensor) -> Tensor:
        return torch.einsum("rs,vrsc->vrc", w[0], fetched(m))

    def kernel(m: Tensor, w: Tensor) -> Tensor:
        return sample_views_composite.sample_views_composite(m, points, to_pixels, w)[0]

    size = f"sample_views_composite {rays}x{samples}, {channels} channels, {views} views"
    ways = (eager, kernel, idiom)
    with torch.no_grad():
        yield Case(f"{size}, forward", *(lambda way=way: way(maps, weights) for way in ways))
    yield Case(f"{size}, forward + backward", *(_both(way, maps, weights) for way in ways))


def _gathers() -> Iterator[Case]:
    maps = torch.randn(1, 96, 320, 64).requires_grad_()
    pixels = torch.rand(1, 61_440, 2) * torch.tensor([320.0, 96.0])

    def eager(m: Tensor) -> Tensor:
        grid = pixels[:, None] * torch.tensor([2 / 320, 2 / 96]) - 1
        found = torch.nn.functional.grid_sample(m.permute(0, 3, 1, 2), grid, padding_mode="border", align_corners=False)
        return found[:, :, 0].mT

    def kernel(m: Tensor) -> Tensor:
        return sample_views.sample_views(m, pixels)

    def idiom(m: Tensor) -> Tensor:
        return _Bags.apply(m, pixels)

    yield Case(
        "sample_views 61k positions, 64 channels, forward + backward",
        *(_both(way, maps) for way in (eager, kernel, idiom)),
    )


class _Bags(torch.autograd.Function):
    """Our reference: bags of weighted rows, and a sorted gather back."""

    @staticmethod
    def forward(ctx, maps: Tensor, pixels: Tensor) -> Tensor:  # noqa: ANN001, D102
        ctx.save_for_backward(maps, pixels)
        return sample_views.reference(maps, pixels)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001, D102
        return sample_views.reference_map_backward(grad, *ctx.saved_tensors), None


def _hashes() -> Iterator[Case]:
    resolutions = [round(16 * (512 / 16) ** (i / 11)) for i in range(12)]
    starts = hash_encode.level_starts(resolutions, 2**17)
    points = torch.rand(262_144, 3)
    table = torch.randn(starts[-1], 2).requires_grad_()

    def features(way: Callable) -> Callable[[Tensor], Tensor]:
        return lambda t: way(points, t, resolutions, starts)[0]

    def jacobian(way: Callable) -> Callable[[Tensor], Tensor]:
        return lambda t: way(points, t, resolutions, starts)[1]

    size = "hash_encode 12 levels x 2, 262k points"
    ways = (hash_encode.reference, hash_encode.hash_encode)
    with torch.no_grad():
        yield Case(f"{size}, features and Jacobian", *(lambda way=way: features(way)(table) for way in ways))
    yield Case(f"{size}, and the table's gradient by the features", *(_both(features(way), table) for way in ways))
    yield Case(f"{size}, and the table's gradient by the Jacobian", *(_both(jacobian(way), table) for way in ways))


EYE = torch.eye(3)[None, None]
CASES = (_composites, _sections, _sweeps, _looks, _gathers, _hashes)

if __name__ == "__main__":
    main()
