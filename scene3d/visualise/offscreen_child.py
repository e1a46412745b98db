"""Open3D's off-screen renderer in child processes, which may die without harm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files as package_files
from types import TracebackType
from typing import Any

from scene3d.errors import MissingExtraError

APT = "apt-get install libusb-1.0-0 libgl1 libegl1 libx11-6 libvulkan1 mesa-vulkan-drivers"
"""What Open3D and its off-screen renderer need of a Debian-like system."""

SECONDS = 180
"""The first frame takes about 20 s where Vulkan runs on the processor; a busy machine takes longer."""


class Offscreen:
    """Draws pictures, each in a child of its own, which can load Open3D while there is nothing to draw yet.

    As a context it ends the child that still waits.
    """

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[str] | None = None

    def __enter__(self) -> Offscreen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting is not None:
            self._waiting.kill()
            self._waiting.communicate()
            self._waiting = None

    def load_ahead(self) -> None:
        """Start the child of the next picture; nothing where Open3D is not installed, or one waits already."""
        if self._waiting is None and is_there():
            self._waiting = _start()

    def draw(self, job: Mapping[str, Any]) -> str:
        """Do a job of ``offscreen.py``; how it ended is to be seen in its picture.

        Returns:
            What the child said last, for messages.

        Raises:
            MissingExtraError: Open3D is not installed.
        """
        check_is_there()
        child = self._waiting or _start()
        self._waiting = None
        try:
            _, said = child.communicate(json.dumps(job), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return f"it took more than {SECONDS} s"
        lines = said.strip().splitlines()
        return lines[-1] if lines else f"exit code {child.returncode}"


def is_there() -> bool:
    """Whether Open3D is installed."""
    from importlib.util import find_spec

    return find_spec("open3d") is not None


def check_is_there() -> None:
    """Raise a MissingExtraError with the way to mend it if Open3D is not installed."""
    if not is_there():
        raise MissingExtraError("Open3D is not installed", hint=f'pip install "scene3d[open3d]" and {APT}')


def _start() -> subprocess.Popen[str]:
    program = str(package_files("scene3d.visualise").joinpath("offscreen.py"))
    return subprocess.Popen(
        [sys.executable, program],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
