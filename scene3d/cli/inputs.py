"""What `predict` may be given: an image, a folder of images, a video."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from scene3d.errors import UsageError, wrong_file

if TYPE_CHECKING:
    import numpy as np

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm")


def images_of(source: Path, *, every: int = 1) -> Iterator[tuple[str, Path | np.ndarray]]:
    """Name and image of everything in the source; the name of a single image is empty.

    A folder is read in the order of its names; a video frame by frame, as far as is asked for.

    Raises:
        UsageError: `every` is less than 1.
        DataError: there is no such file, no image in the folder, or it is neither an image nor a video.
    """
    from scene3d.data.images import IMAGE_SUFFIXES
    from scene3d.engine.predictor import video_frames

    if every < 1:
        raise UsageError(f"--every: expected 1 or more, got {every}")
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise wrong_file(source, expected=f"a folder with images ({', '.join(IMAGE_SUFFIXES)})", got="none")
        return iter([(path.stem, path) for path in files[::every]])
    if not source.exists():
        raise wrong_file(source, expected="an image, a folder or a video", got="no such file")
    if source.suffix.lower() in VIDEO_SUFFIXES:
        frames = ((f"{number:06d}", frame) for number, frame in video_frames(source))
        return islice(frames, 0, None, every)
    if source.suffix.lower() in IMAGE_SUFFIXES:
        return iter([("", source)])
    expected = f"an image ({', '.join(IMAGE_SUFFIXES)}) or a video ({', '.join(VIDEO_SUFFIXES)})"
    raise wrong_file(source, expected=expected, got=f"a file that ends in {source.suffix or 'nothing'}")
