"""scene3d: 3D scene understanding from images.

The public names are imported when first asked for, so that `import scene3d` is quick and has no effect.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Camera": "scene3d.geometry.camera",
    "Frames": "scene3d.structures.frames",
    "Scene": "scene3d.structures.scene",
    "load": "scene3d.recipe",
    "load_recipe": "scene3d.recipe",
}
__all__ = ["Camera", "Frames", "Scene", "__version__", "load", "load_recipe"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'scene3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
