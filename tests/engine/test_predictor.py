from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.engine.predictor import (
    Predictor,
    TrainingView,
    match,
    read_picture,
)
from scene3d.errors import CheckpointError, DataError, Scene3dError, UsageError
from scene3d.geometry.camera import Camera, pinhole
from scene3d.geometry.se3 import is_rigid, transform
from scene3d.geometry.voxels import default_grid_to_cam
from tests.engine.toy import Toy

VIEW = TrainingView(pinhole(40.0, 24, 80), default_grid_to_cam())


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(Toy(), VIEW, device="cpu")


def picture(height: int = 60, width: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_every_kind_of_image_gives_the_same_pixels(tmp_path):
    array = picture()
    Image.fromarray(array).save(tmp_path / "a.png")
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    for image in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(array), array, tensor, tensor / 255):
        assert torch.equal(read_picture(image), tensor)
    assert read_picture(array[..., 0]).shape == (3, 60, 100)


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").shape == (3, 100, 60)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((4, 5, 2), np.uint8),
        np.zeros((4, 5, 3), np.uint16),
        np.full((4, 5, 3), 2.0),
        np.full((4, 5, 3), np.nan),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(UsageError, match="image: expected"):
        read_picture(image)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"a\.png"):
        read_picture(tmp_path / "a.png")


def test_a_wider_camera_is_cut_to_that_of_the_training():
    wide = pinhole(40.0, 48, 160)
    image, camera = match(torch.zeros(3, 48, 160, dtype=torch.uint8), wide, VIEW.camera)
    assert image.shape == (3, 24, 80)
    torch.testing.assert_close(camera.K, VIEW.camera.K)


def test_a_pixel_keeps_its_ray():
    # One bright pixel; focal lengths differ by 2, so that it covers half a pixel of the result.
    source = Camera(torch.tensor([[80.0, 0, 90.0], [0, 80.0, 30.0], [0, 0, 1.0]]), 60, 200)
    image = torch.zeros(3, 60, 200, dtype=torch.uint8)
    image[:, 40:42, 120:122] = 255
    seen, camera = match(image, source, VIEW.camera)
    row, column = divmod(int(seen[0].argmax()), 80)
    x = (column + 0.5 - camera.K[0, 2]) / camera.K[0, 0]
    y = (row + 0.5 - camera.K[1, 2]) / camera.K[1, 1]
    assert x.item() == pytest.approx((121 - 90) / 80, abs=0.5 / 40)
    assert y.item() == pytest.approx((41 - 30) / 80, abs=0.5 / 40)


def test_a_narrower_camera_fills_the_frame_and_k_says_so():
    narrow = pinhole(80.0, 24, 80)
    _, camera = match(torch.zeros(3, 24, 80, dtype=torch.uint8), narrow, VIEW.camera)
    torch.testing.assert_close(camera.K, narrow.K)


def test_without_k_the_field_of_view_is_that_of_the_training_and_it_is_said_once(predictor, caplog):
    frames = predictor.frames(picture(120, 160))
    predictor.frames(picture(120, 160))
    torch.testing.assert_close(frames.K[0, 0], VIEW.camera.K)
    assert frames.image.shape == (1, 1, 3, 24, 80)
    assert [record.getMessage() for record in caplog.records] == [
        "no K given: assuming a horizontal field of view of 90 degrees, as in training"
    ]


@pytest.mark.parametrize(
    "K",
    [(40, 40, 500, 30), (0, 40, 50, 30), (40, 40, 50), np.full((3, 3), np.nan), (40, 40, 50, -3)],
)
def test_a_k_of_another_image_is_refused(predictor, K):
    with pytest.raises(UsageError, match="K: expected"):
        predictor.frames(picture(), K)


def test_k_may_be_a_matrix_or_four_numbers(predictor):
    matrix = torch.tensor([[50.0, 0, 48], [0, 51, 29], [0, 0, 1]])
    for K in (matrix, matrix.numpy(), (50, 51, 48, 29)):
        assert torch.equal(predictor.frames(picture(), K).K, predictor.frames(picture(), matrix).K)


def test_a_prediction_is_of_the_frames(predictor, tmp_path):
    prediction = predictor.predict(picture(), K=(50, 50, 50, 30))
    frames = predictor.frames(picture(), K=(50, 50, 50, 30))
    assert prediction.depth.shape == (1, 24, 80)
    assert torch.equal(prediction.K, frames.K[:, 0])
    for name in ("b.png", "a.jpg", "c.png"):
        Image.fromarray(picture()).save(tmp_path / name)
    assert [path.name for path, _ in predictor.predict_folder(tmp_path, every=2)] == ["a.jpg", "c.png"]


def test_a_folder_without_images_is_refused(predictor, tmp_path):
    with pytest.raises(DataError, match="expected images"):
        next(predictor.predict_folder(tmp_path))


def test_a_video_is_read_frame_by_frame(predictor, tmp_path):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    with av.open(str(tmp_path / "a.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 96, 64
        for _ in range(5):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(picture(64, 96), format="rgb24")))
        video.mux(stream.encode())
    assert [number for number, _ in predictor.predict_video(tmp_path / "a.mp4", every=2)] == [0, 2, 4]
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"b\.mp4: expected a video"):
        next(predictor.predict_video(tmp_path / "b.mp4"))


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_said_in_words(predictor, monkeypatch, error):
    def fail(frames):
        raise error

    monkeypatch.setattr(predictor.method, "predict", fail)
    with pytest.raises(Scene3dError, match="out of memory for an image of 24x80"):
        predictor.predict(picture(), K=(50, 50, 50, 30))


def test_the_view_survives_its_notes():
    back = TrainingView.from_notes(VIEW.notes(), "w")
    torch.testing.assert_close(back.camera.K, VIEW.camera.K)
    torch.testing.assert_close(back.grid_to_cam, VIEW.grid_to_cam)
    with pytest.raises(CheckpointError, match="w: expected the camera"):
        TrainingView.from_notes({"K": [1, 2]}, "w")


def test_the_default_grid_lies_ahead_of_the_camera():
    grid_to_cam = default_grid_to_cam()
    assert bool(is_rigid(grid_to_cam))
    # The camera sits 0.8 m ahead of the velodyne, 0.3 m to its left, 0.18 m lower, and looks about 5 degrees down
    # and 2.5 degrees to the left. Ground ten metres ahead, 1.73 m down, is then at z = 9.2 cos 5 + 1.55 sin 5 = 9.3,
    # y = 1.55 cos 5 - 9.2 sin 5 = 0.74 and x = 0.3 + 9.2 sin 2.5 = 0.70.
    x, y, z = transform(grid_to_cam, torch.tensor([[10.0, 0.0, -1.73]]))[0].tolist()
    assert (x, y, z) == pytest.approx((0.70, 0.74, 9.3), abs=0.05)
