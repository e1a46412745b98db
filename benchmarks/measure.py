"""What benchmarks have in common: their parts, time as a median, memory as growth of the process."""

from __future__ import annotations

import argparse
import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import torch


def run_parts(parts: Mapping[str, Callable[[argparse.Namespace], None]], options: argparse.Namespace) -> None:
    """Print what was measured on, then each chosen part under its docstring."""
    torch.set_num_threads(options.threads)
    print(f"{date.today()}, {platform.machine()}, {options.threads} threads, torch {torch.__version__}")
    for part in options.parts:
        print(f"\n## {parts[part].__doc__}\n", flush=True)
        parts[part](options)


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Median wall time, work on a GPU finished; two runs first, which are not counted."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        call()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[2:])


def peak_growth(call: Callable[[], object]) -> float:
    """MiB that the process grows by at most, while it runs once more; of a GPU, where one is used."""
    call()
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - held) / 2**20
    ctypes.CDLL(None).malloc_trim(0)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    call()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])
