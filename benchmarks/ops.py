"""How much faster the compiled operators are than plain PyTorch, as ratios of one run.

    make bench-ops                                     (or: .venv/bin/python benchmarks/ops.py --help)

"eager" is what published code writes, "idiom" the best that PyTorch alone does (products of matrices), "compile" is
`torch.compile` of eager, "kernel" ours; "bound" is the time that copying or multiplying alone would take on this
machine, as measured in the same run. Times are taken with an allocator that keeps what was freed, as a long training
has it, and with the default one; memory with the default one.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import torch
from measure import milliseconds, peak_growth
from op_cases import CASES, Case, Way
from torch import Tensor

from scene3d.cli.allocator import keep_freed_memory
from scene3d.ops._library import kernels

PARTS = ("warm", "default", "memory")


def main() -> None:
    options = _options()
    if options.part is None:
        where = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
        print(f"{date.today()}, {where}, {options.threads} threads, torch {torch.__version__}, {kernels()}")
        for part in PARTS[1:] if options.device == "cuda" else PARTS:
            subprocess.run([sys.executable, __file__, "--part", part, *sys.argv[1:]], check=True, env=os.environ)
        return
    if options.part == "warm":
        keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    torch.manual_seed(0)
    if options.part == "memory":
        print("\n## Memory (MiB): temporary, results included; kept for the gradient, arguments left out\n")
        print("| case | eager, temporary | kernel, temporary | share | eager, kept | kernel, kept |")
        print("|---|---:|---:|---:|---:|---:|")
    else:
        speed = _machine_speed()
        print(f"\n## Allocator: {options.part} ({speed[0] / 1e9:.0f} GB/s, {speed[1] / 1e9:.0f} GFLOP/s)\n")
        ways = "eager, ms | idiom | compile | kernel | bound"
        print(f"| case | {ways} | against eager | asked | against idiom | against compile |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for make in CASES:
        for case in make():
            if options.only in case.name:
                torch.set_num_threads(case.threads or options.threads)
                if options.part == "memory":
                    print(_memory_row(case), flush=True)
                else:
                    print(_time_row(case, options, _machine_speed() if case.threads else speed), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda has one allocator only")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes minutes")
    parser.add_argument("--part", choices=PARTS, help="one of the tables, in this process")
    return parser.parse_args()


def _time_row(case: Case, options: argparse.Namespace, speed: tuple[float, float]) -> str:
    _check(case)
    eager, kernel = (milliseconds(_call(case, way), options.repeats) for way in (case.eager, case.kernel))
    others: list[float | None] = [None, None]
    if case.idiom is not None:
        others[0] = milliseconds(_call(case, case.idiom), options.repeats)
    if not options.no_compile:
        others[1] = _compiled(case, options.repeats)
    least = 1e3 * max(case.bytes / speed[0], case.operations / speed[1])
    bound = f"{least:.2f}" if least else ""
    times = " | ".join("" if other is None else f"{other:.1f}" for other in others)
    ratios = " | ".join("" if other is None else f"{other / kernel:.1f}x" for other in others)
    asked = "" if case.asked is None else f"{case.asked:g}x"
    return (
        f"| {case.name} | {eager:.1f} | {times} | {kernel:.2f} | {bound} | {eager / kernel:.1f}x | {asked} | {ratios} |"
    )


def _check(case: Case) -> None:
    """All ways say the same, to a thousandth of its size; else their times mean nothing."""
    torch.manual_seed(0)
    expected = _call(replace(case, backward=False), case.eager)()
    for way in (case.kernel, case.idiom):
        if way is not None:
            found = _call(replace(case, backward=False), way)()
            off = ((found - expected).norm() / expected.norm()).item()
            if not off < 1e-3:
                raise SystemExit(f"{case.name}: ways differ by {off:.2g} of the result")


def _compiled(case: Case, repeats: int) -> float | None:
    """None where inductor gives up, as on gradients of gradients."""
    torch.compiler.reset()
    try:
        return milliseconds(_call(case, torch.compile(case.eager)), repeats)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is said, and the table goes on)
        print(f"torch.compile of {case.name}: {str(error).splitlines()[0]}", file=sys.stderr)
        return None


def _call(case: Case, way: Way) -> Callable[[], Any]:
    def forward() -> Tensor:
        with torch.no_grad():
            return way(*case.leaves)

    def both() -> object:
        wanted = [leaf for leaf in case.leaves if leaf.requires_grad]
        return torch.autograd.grad(way(*case.leaves).sum(), wanted, allow_unused=True)

    return both if case.backward else forward


def _machine_speed() -> tuple[float, float]:
    """Bytes a second of a copy (read and written), and operations a second of a product of matrices."""
    source, target = torch.rand(2**26), torch.empty(2**26)
    copy = milliseconds(lambda: target.copy_(source), 7)
    edge = 8192 if source.is_cuda else 1024
    one, other = torch.rand(edge, edge), torch.rand(edge, edge)
    product = milliseconds(lambda: one @ other, 7)
    return 2 * 4 * 2**26 / copy * 1e3, 2 * edge**3 / product * 1e3


def _memory_row(case: Case) -> str:
    eager, kernel = (peak_growth(_call(case, way)) for way in (case.eager, case.kernel))
    kept = [f"{_kept(case, way):.1f}" if case.backward else "" for way in (case.eager, case.kernel)]
    share = f"1/{eager / kernel:.0f}" if kernel > 0 else "0"
    return f"| {case.name} | {eager:.1f} | {kernel:.1f} | {share} | {' | '.join(kept)} |"


def _kept(case: Case, way: Way) -> float:
    """MiB of tensors that wait for the gradient, but for those that the caller has anyway."""
    given = {leaf.untyped_storage().data_ptr() for leaf in case.leaves} | _constants(way)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = way(*case.leaves)
    del result
    return sum(kept.values()) / 2**20


def _constants(way: Way) -> set[int]:
    """Storages of the tensors that a way holds, and of those that the ways it calls hold."""
    held: set[int] = set()
    cells = [cell.cell_contents for cell in way.__closure__ or ()] + list(way.__defaults__ or ())
    for value in cells:
        if isinstance(value, Tensor):
            held.add(value.untyped_storage().data_ptr())
        elif callable(value) and hasattr(value, "__closure__"):
            held |= _constants(value)
    return held


if __name__ == "__main__":
    main()
