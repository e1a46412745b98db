"""The state of this installation, found without importing what is large, except torch."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

APT_PACKAGES = {
    "libusb-1.0-0": "libusb-1.0.so.0",
    "libgl1": "libGL.so.1",
    "libegl1": "libEGL.so.1",
    "libx11-6": "libX11.so.6",
    "libvulkan1": "libvulkan.so.1",
}
"""Debian package -> the library that Open3D loads from it."""

_DRIVERS = "mesa-vulkan-drivers"
_DRIVER_FOLDERS = (Path("/usr/share/vulkan/icd.d"), Path("/etc/vulkan/icd.d"))
_LEAST_DISK = 2.0  # GB; what a short training run writes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        found: version, amount, or what is missing.
        ok: whether it is there.
        required: False for what only some commands want.
        fix: a line to run, or what to do.
    """

    name: str
    found: str
    ok: bool = True
    required: bool = False
    fix: str = ""


def examine() -> list[Finding]:
    """Everything worth knowing about this installation, in the order to read it."""
    return [*_system(), *_requirements(), *_torch(), *_extras(), *_libraries(), *_display()]


def _system() -> Iterator[Finding]:
    version = sys.version.split()[0]
    yield Finding("python", version, sys.version_info >= (3, 10), True, "install Python 3.10 or newer")
    yield Finding(
        "cpu threads",
        str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
    )
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    fix = "free some space, or work in another folder"
    yield Finding("free disk here", f"{free:.1f} GB", free > _LEAST_DISK, False, fix)


def _requirements() -> Iterator[Finding]:
    """The core dependencies by the package's own metadata, so that this list cannot go stale."""
    try:
        requirements = metadata.requires("scene3d") or []
    except metadata.PackageNotFoundError:
        yield Finding("scene3d", "not installed", False, True, "pip install -e .")
        return
    yield Finding("scene3d", metadata.version("scene3d"), required=True)
    for requirement in requirements:
        if "extra ==" not in requirement:
            yield _package(_name_of(requirement), required=True, fix=f'pip install "{requirement.split(";")[0]}"')


def _extras() -> Iterator[Finding]:
    try:
        requirements = metadata.requires("scene3d") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        name = _name_of(requirement)
        if extra and extra[1] not in ("all", "dev") and name not in ("torch", "torchvision"):
            yield _package(name, required=False, fix=f'pip install "scene3d[{extra[1]}]"')


def _package(name: str, *, required: bool, fix: str) -> Finding:
    try:
        return Finding(name, metadata.version(name), True, required)
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed", False, required, fix)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("import torch", str(error), False, True, "pip install --force-reinstall torch")
        return
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("cuda", f"{torch.version.cuda}: {', '.join(names)}")
    else:
        fix = "not needed; to use a GPU, install its driver and a CUDA build of torch"
        yield Finding("cuda", "no GPU is visible to torch", False, False, fix)
    from scene3d.ops._library import kernels

    found = kernels()
    fix = "not needed; for speed, with a C++ compiler: pip install --no-build-isolation ./cuda_ext"
    yield Finding("operators", found, found == "compiled kernels", False, fix)


def _libraries() -> Iterator[Finding]:
    missing = [package for package, library in APT_PACKAGES.items() if not _loads(library)]
    if not any(folder.is_dir() and any(folder.glob("*.json")) for folder in _DRIVER_FOLDERS):
        missing.append(_DRIVERS)
    found = f"missing: {' '.join(missing)}" if missing else "all here"
    yield Finding("libraries of Open3D", found, not missing, False, f"apt-get install -y {' '.join(missing)}")


def _display() -> Iterator[Finding]:
    display = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    fix = "scene3d show --screenshot draws without one"
    yield Finding("display", display or "none", bool(display), False, fix)
    fix = f"apt-get install -y libegl1 {_DRIVERS}"
    yield Finding("off-screen drawing", "EGL" if _loads("libEGL.so.1") else "no EGL", _loads("libEGL.so.1"), False, fix)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _name_of(requirement: str) -> str:
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]
