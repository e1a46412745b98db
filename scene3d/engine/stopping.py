"""When a training ends before its last step: Ctrl-C, a time limit; and what time it has used."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


def process_cpu_seconds() -> float:
    """CPU time of this process and, on Linux, of the workers that load its data.

    Unlike wall time it hardly depends on what else the machine does.
    """
    return time.process_time() + sum(_cpu_of(child.pid) for child in multiprocessing.active_children())


class Clock:
    """Wall and CPU time of a training, over all the times it was resumed.

    Args:
        seconds: wall time that earlier parts took.
        cpu_seconds: CPU time that they took.
    """

    def __init__(self, seconds: float = 0.0, cpu_seconds: float = 0.0) -> None:
        self._wall_before, self._cpu_before = seconds, cpu_seconds
        self._wall_start, self._cpu_start = time.monotonic(), process_cpu_seconds()

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return self._wall_before + time.monotonic() - self._wall_start

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return self._cpu_before + process_cpu_seconds() - self._cpu_start


class StopSignals:
    """Within the block, the first Ctrl-C or SIGTERM is only noted; the second one ends the process as ever.

    Outside the main thread signals cannot be caught, and nothing is noted.
    """

    def __init__(self) -> None:
        self.caught = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.caught = True
        self._restore()

    def _restore(self) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former = {}


def _cpu_of(process: int | None) -> float:
    """User and system time of a process; 0 where the system does not tell. Source: proc(5), stat."""
    try:
        # The name in brackets may hold spaces; fields 14 and 15 are the 12th and 13th after it.
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0
