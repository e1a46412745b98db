"""Where commands write: never over what is there unless asked, and every file is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scene3d.errors import UsageError

if TYPE_CHECKING:
    from scene3d.recipe import Predictor


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise a UsageError if a file, or a folder that is not empty, lies where results are to go."""
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not overwrite:
        raise UsageError(f"{path}: exists already", hint="choose another place or add --overwrite")


def write_prediction(
    predictor: Predictor,
    image: Any,
    folder: Path,
    *,
    K: tuple[float, float, float, float] | None,
    open3d: bool,
    overwrite: bool,
) -> list[Path]:
    """Predict from one image and write everything that follows from it.

    Args:
        predictor: from `scene3d.load`.
        image: a path, or RGB pixels of shape [H, W, 3].
        folder: where to write; made if absent.
        K: fx, fy, cx, cy in pixels of the image; None assumes the field of view of the training images.
        open3d: whether to make the Open3D picture.
        overwrite: whether files that exist may be replaced.

    Returns:
        The files, in the order they were written.
    """
    raise NotImplementedError
