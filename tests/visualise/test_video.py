from __future__ import annotations

import builtins

import pytest
import torch

from scene3d.errors import DataError, MissingExtraError, UsageError
from scene3d.visualise.video import VideoFile


def even(level: int, height: int = 32, width: int = 64) -> torch.Tensor:
    return torch.full((height, width, 3), level, dtype=torch.uint8)


def test_pictures_come_back_in_order_at_their_rate(tmp_path):
    av = pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    with VideoFile(tmp_path / "a.mp4", rate=5.0) as video:
        for level in (20, 120, 220):
            video.add(even(level, 33, 65))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert stream.average_rate == 5 and stream.codec_context.pix_fmt == "yuv420p"
    assert [frame.shape for frame in frames] == [(32, 64, 3)] * 3
    assert [float(frame.mean()) for frame in frames] == pytest.approx([20, 120, 220], abs=3)


def test_an_error_or_no_picture_leaves_nothing_and_keeps_what_was_there(tmp_path):
    pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    (tmp_path / "a.mp4").write_bytes(b"mine")
    with pytest.raises(ZeroDivisionError), VideoFile(tmp_path / "a.mp4") as video:
        video.add(even(20))
        raise ZeroDivisionError
    with VideoFile(tmp_path / "b.mp4"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"mine"


def test_pictures_of_another_size_and_places_that_are_not_there_are_refused(tmp_path):
    pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    message = "expected pictures of 32 x 64, got 32 x 32"
    with pytest.raises(UsageError, match=message), VideoFile(tmp_path / "a.mp4") as video:
        video.add(even(20))
        video.add(even(20, 32, 32))
    with pytest.raises(UsageError, match="2 x 2 pixels or more"), VideoFile(tmp_path / "a.mp4") as video:
        video.add(even(20, 1, 64))
    message = r"none/a\.mp4: cannot be written"
    with pytest.raises(DataError, match=message), VideoFile(tmp_path / "none" / "a.mp4") as video:
        video.add(even(20))
    assert list(tmp_path.iterdir()) == []


def test_without_pyav_the_error_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "av":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "scene3d\[video\]"'):
        VideoFile(tmp_path / "a.mp4")
