"""What `predict` and `drive` may be given: an image, a folder of images, a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scene3d.errors import UsageError, wrong_file

if TYPE_CHECKING:
    import numpy as np

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")


def images_of(source: Path) -> Iterator[Path | np.ndarray]:
    """Every image of the source: files in the order of their names, frames of a video as far as is asked for.

    Raises:
        DataError: there is no such file, no image in the folder, or it is neither an image nor a video.
    """
    if not source.exists():
        raise wrong_file(source, expected="an image, a folder or a video", got="no such file")
    from scene3d.data.images import IMAGE_SUFFIXES
    from scene3d.engine.photographs import image_files, video_frames

    if source.is_dir():
        return iter(image_files(source))
    if source.suffix.lower() in VIDEO_SUFFIXES:
        return (frame for _, frame in video_frames(source))
    if source.suffix.lower() in IMAGE_SUFFIXES:
        return iter([source])
    expected = f"an image ({', '.join(IMAGE_SUFFIXES)}) or a video ({', '.join(VIDEO_SUFFIXES)})"
    raise wrong_file(source, expected=expected, got=f"a file that ends in {source.suffix or 'nothing'}")


def check_every(every: int) -> None:
    """Raise a UsageError if one frame in so many cannot be taken."""
    if every < 1:
        raise UsageError(f"--every: expected 1 or more, got {every}")
