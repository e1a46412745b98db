"""What a failure looks like from outside: one line on stderr and an exit code."""

from __future__ import annotations

import errno
import sys

from scene3d.errors import DataError, Scene3dError, UsageError

FAILED, USAGE, DATA, INTERRUPTED = 1, 2, 3, 130
_HINTS = {
    errno.ENOSPC: "free some space, or write elsewhere with --out",
    errno.EDQUOT: "free some space, or write elsewhere with --out",
    errno.EACCES: "check the permissions",
    errno.EPERM: "check the permissions",
    errno.EROFS: "write elsewhere with --out",
    errno.EMFILE: "raise the limit with ulimit -n, or use fewer workers",
}


def exit_code(error: BaseException) -> int:
    """1 for a failure, 2 for wrong usage, 3 for wrong data, 130 for Ctrl-C."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, (DataError, FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return DATA
    return FAILED


def report(error: BaseException) -> None:
    """Print the error as `scene3d: error: what (hint: what to do)`; a recipe's mistakes are a line each."""
    for line in describe(error).splitlines() or [""]:
        print(f"scene3d: error: {line}", file=sys.stderr)


def describe(error: BaseException) -> str:
    """The error in words for a user, without a traceback."""
    if isinstance(error, KeyboardInterrupt):
        return f"stopped by Ctrl-C; {error}" if str(error) else "stopped by Ctrl-C"
    if isinstance(error, Scene3dError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        hint = _HINTS.get(error.errno or 0)
        return f"{place}{error.strerror}" + (f" (hint: {hint})" if hint else "")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory: {_one_line(error)} (hint: a smaller size or batch, or --device cpu)"
    return f"{type(error).__name__}: {_one_line(error)} (hint: not a known mistake; --traceback shows where)"


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
