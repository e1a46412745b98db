"""Several processes as one training: ranks from torchrun's environment, gloo on the CPU, nccl on GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from scene3d.errors import UsageError

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # one rank may evaluate while the others wait


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is.

    Attributes:
        rank: 0 is the one that writes files and talks.
        world: number of processes.
        local: number of this one on its machine; picks its GPU.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """True in the one process that writes."""
        return self.rank == 0


def pick_device(name: str = "auto", ranks: Ranks | None = None) -> torch.device:
    """The device of a name; "auto" is this rank's GPU where there is one, else the CPU.

    Raises:
        UsageError: the device is not there, or the name is none.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda", (ranks or Ranks()).local) if available else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device: expected auto, cpu, cuda or cuda:1, got {name!r}") from None
    if device.type == "cuda" and (not available or (device.index or 0) >= torch.cuda.device_count()):
        raise UsageError(f"device: expected one that is there, got {name!r}", hint="cpu works anywhere")
    return device


@contextmanager
def process_group(device: str = "auto") -> Iterator[Ranks]:
    """Join the processes that torchrun started, and leave them together at the end; alone where it did not.

    A group that is there already is used as it is; a process can join only once, so a program that trains
    several times under torchrun puts all of it inside one block.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Ranks()
        return
    rank, world, local = (int(os.environ.get(name, 0)) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    ranks = Ranks(rank, world, local)
    if ranks.world == 1 or dist.is_initialized():
        yield ranks
        return
    place = pick_device(device, ranks)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield ranks
        # Only after success: a rank that failed must not wait for the others, torchrun ends them.
        dist.barrier()
    finally:
        dist.destroy_process_group()


def largest_over_ranks(values: list[float], device: torch.device) -> list[float]:
    """Largest of each value over all ranks, so that all take the same decision."""
    if not dist.is_initialized():
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return tensor.tolist()


def gather(value: Any) -> list[Any]:
    """The plain value of each rank, in order of rank, on every rank."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def from_leader(value: T) -> T:
    """What rank 0 holds, on every rank."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def barrier() -> None:
    """Wait for all ranks."""
    if dist.is_initialized():
        dist.barrier()
