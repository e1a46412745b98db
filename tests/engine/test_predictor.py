from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.engine.predictor import Predictor, TrainingView
from scene3d.errors import CheckpointError, DataError, Scene3dError, UsageError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import is_rigid, transform
from scene3d.geometry.voxels import default_grid_to_cam
from tests.engine.toy import Toy

VIEW = TrainingView(pinhole(40.0, 24, 80), default_grid_to_cam())


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(Toy(), VIEW, device="cpu")


def picture(height: int = 60, width: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


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


def looks_back(earlier: tuple[int, ...]) -> Predictor:
    return Predictor(Toy(), VIEW, device="cpu", earlier=earlier)


def test_a_method_that_looks_back_gets_the_images_before_as_views(tmp_path):
    # Even images, so that a view tells which one it is; 2 and 3 are the ones before 4, and of 0 there are none.
    for number in range(5):
        Image.fromarray(np.full((60, 100, 3), 50 * number, np.uint8)).save(tmp_path / f"{number}.png")
    files = sorted(tmp_path.iterdir())
    snippets = list(looks_back((-1, -3)).snippets(files, K=(50, 50, 50, 30), every=2))
    assert [shot.frame for _, shot in snippets] == [0, 2, 4]
    assert [shot.image for _, shot in snippets] == files[::2]
    assert [frames.present[0].tolist() for frames, _ in snippets] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    means = [(frames.image[0].mean(dim=(1, 2, 3)) * 255 / 50).tolist() for frames, _ in snippets]
    assert means == [pytest.approx(wanted, abs=1e-4) for wanted in ([0, 0, 0], [2, 1, 0], [4, 3, 1])]
    last = snippets[-1][0]
    assert last.offset.tolist() == [[0, -1, -3]] and last.cam_to_world is None
    assert torch.equal(last.K[0, 1], last.K[0, 0]) and last.names == (str(files[4]),)


def test_a_single_image_has_its_lookup_views_absent():
    predictor = looks_back((-1,))
    frames = predictor.frames(picture(), K=(50, 50, 50, 30))
    assert frames.image.shape == (1, 2, 3, 24, 80) and frames.present.tolist() == [[True, False]]
    assert not frames.image[0, 1].any()
    assert predictor.predict(picture(), K=(50, 50, 50, 30)).depth.shape == (1, 24, 80)


def test_arrays_that_follow_one_another_are_called_by_their_number():
    frames, shot = list(looks_back((-1,)).snippets([picture(), picture()]))[1]
    assert frames.names == ("000001",) and shot.image.name == "000001" and shot.camera.height == 24
