"""Pictures as an MP4 video that browsers play, written whole or not at all."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from scene3d.errors import DataError, MissingExtraError, UsageError


class VideoFile:
    """A video that grows picture by picture: `with VideoFile("drive.mp4") as video: video.add(picture)`.

    It lies under its name once the block is left without an error and there was a picture; else nothing is left behind.

    Args:
        path: of the MP4 file; its folder exists.
        rate: pictures a second.

    Raises:
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path | str, rate: float = 10.0) -> None:
        try:
            import av
        except ImportError:
            raise MissingExtraError("writing video needs PyAV", hint='pip install "scene3d[video]"') from None
        self._av: Any = av
        self.path, self.rate = Path(path), Fraction(rate).limit_denominator(1000)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> VideoFile:
        return self

    def add(self, picture: UInt8[Tensor, "H W 3"]) -> None:
        """Append a picture; all are of one size, and an odd last row or column is left out.

        Raises:
            UsageError: the picture is of another size than the first, or has less than two rows or columns.
            DataError: the file cannot be written.
        """
        height, width = (int(side) // 2 * 2 for side in picture.shape[:2])
        if self._stream is None:
            if min(height, width) == 0:
                raise UsageError(
                    f"{self.path}: expected pictures of 2 x 2 pixels or more, got {list(picture.shape[:2])}"
                )
            self._open(height, width)
        elif (height, width) != (self._stream.height, self._stream.width):
            size = f"{self._stream.height} x {self._stream.width}"
            raise UsageError(f"{self.path}: expected pictures of {size}, got {height} x {width}")
        pixels = picture[:height, :width].contiguous().cpu().numpy()
        self._write(lambda: self._stream.encode(self._av.VideoFrame.from_ndarray(pixels, format="rgb24")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._container is not None and error is None:
                self._write(lambda: self._stream.encode())
                self._guarded(self._container.close)
                self._guarded(lambda: os.replace(self._part, self.path))
        finally:
            if self._container is not None and error is not None:
                self._container.close()
            self._part.unlink(missing_ok=True)

    def _open(self, height: int, width: int) -> None:
        # H.264 with 4:2:0 is what every browser plays; it asks for even sides.
        self._container = self._guarded(lambda: self._av.open(str(self._part), "w", format="mp4"))
        self._stream = self._container.add_stream("h264", rate=self.rate, options={"crf": "20"})
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, "yuv420p"

    def _write(self, encode: Any) -> None:
        for packet in self._guarded(encode):
            self._guarded(lambda packet=packet: self._container.mux(packet))

    def _guarded(self, act: Any) -> Any:
        try:
            return act()
        except (self._av.FFmpegError, OSError) as error:
            raise DataError(f"{self.path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
