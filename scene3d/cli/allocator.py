"""How the process asks the system for memory."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensor, instead of giving it back and faulting it in anew.

    By default every temporary above 32 MB is mapped afresh, and its pages cost more than what is
    computed in them. Elsewhere than on glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
