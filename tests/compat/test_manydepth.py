from __future__ import annotations

from pathlib import Path

import pytest
import torch

import scene3d
from scene3d.errors import CheckpointError
from scene3d.structures.frames import Frames
from tests.compat import published

BINS, HEIGHT, WIDTH = 7, 64, 96
K_PUBLISHED = torch.tensor([[0.58 * WIDTH, 0.0, 0.5 * WIDTH], [0.0, 1.92 * HEIGHT, 0.5 * HEIGHT], [0.0, 0.0, 1.0]])
"""With pixel centres at integers."""


def two_frames(moved: torch.Tensor | None) -> Frames:
    """The reference and the frame before it; `moved` places the reference's points in the earlier camera."""
    K = K_PUBLISHED.clone()
    K[:2, 2] += 0.5
    place = None if moved is None else torch.stack([torch.eye(4), torch.linalg.inv(moved)])[None]
    return Frames(
        image=torch.rand(1, 2, 3, HEIGHT, WIDTH),
        K=K.expand(1, 2, 3, 3),
        present=torch.ones(1, 2, dtype=torch.bool),
        offset=torch.tensor([[0, -1]]),
        cam_to_world=place,
    )


def to_depth(disparity: torch.Tensor) -> torch.Tensor:
    return 1 / (1 / 100 + (1 / 0.1 - 1 / 100) * disparity[:, 0])


@pytest.mark.parametrize("depth", [18, 50])
@torch.no_grad()
def test_a_released_manydepth_folder_computes_the_published_function(tmp_path: Path, depth: int):
    torch.manual_seed(0)
    parts = published.write_manydepth(tmp_path, depth, BINS, (HEIGHT, WIDTH))
    predictor = scene3d.load(f"manydepth:{tmp_path}")
    assert (predictor.view.camera.height, predictor.view.camera.width) == (HEIGHT, WIDTH)
    # 1.5 forward, so that the nearest hypotheses lie behind the earlier camera; a turn; a step aside.
    moved = torch.eye(4)
    moved[:3, 3] = torch.tensor([0.2, -0.05, -1.5])
    moved[:3, :3] = torch.linalg.matrix_exp(torch.tensor([[0, -0.01, 0.03], [0.01, 0, -0.02], [-0.03, 0.02, 0]]))
    frames = two_frames(moved)
    found = predictor.predict(frames)
    expected = published.manydepth(parts, frames.image[:, 0], frames.image[:, 1], K_PUBLISHED, moved, BINS)
    torch.testing.assert_close(found.depth, to_depth(expected), rtol=1e-4, atol=1e-4)
    single = published.decode(parts["teacher"], published.pyramid(parts["mono"], frames.image[:, 0]))
    torch.testing.assert_close(found.single, to_depth(single), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.cam_to_reference[0, 1], torch.linalg.inv(moved), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_frames_without_transforms_ask_the_published_motion_network(tmp_path: Path):
    torch.manual_seed(1)
    parts = published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    frames = two_frames(None)
    found = scene3d.load(f"manydepth:{tmp_path}").predict(frames)
    earlier_to_later = published.pose(parts["moving"], parts["head"], frames.image[:, 1], frames.image[:, 0])
    torch.testing.assert_close(found.cam_to_reference[0, 1], earlier_to_later, rtol=1e-4, atol=1e-5)
    moved = torch.linalg.inv(earlier_to_later)
    expected = published.manydepth(parts, frames.image[:, 0], frames.image[:, 1], K_PUBLISHED, moved, BINS)
    torch.testing.assert_close(found.depth, to_depth(expected), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_released_monodepth2_folder_computes_the_published_function(tmp_path: Path):
    torch.manual_seed(2)
    net = published.random_resnet(18)
    decoder = published.random_decoder([64, 64, 128, 256, 512])
    extra = {"height": HEIGHT, "width": WIDTH, "use_stereo": True}
    torch.save({f"encoder.{n}": v for n, v in net.state_dict().items()} | extra, tmp_path / "encoder.pth")
    torch.save(decoder, tmp_path / "depth.pth")
    image = torch.rand(3, HEIGHT, WIDTH)
    predictor = scene3d.load(f"monodepth2:{tmp_path}")
    frames = Frames(image=image[None, None], K=K_PUBLISHED[None, None], present=torch.ones(1, 1, dtype=torch.bool))
    expected = to_depth(published.decode(decoder, published.pyramid(net, image[None])))
    torch.testing.assert_close(predictor.predict(frames).depth, expected, rtol=1e-4, atol=1e-4)


def test_weights_without_their_teacher_predict_without_its_opinion(tmp_path: Path):
    published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    for name in ("mono_encoder.pth", "mono_depth.pth"):
        (tmp_path / name).unlink()
    found = scene3d.load(f"manydepth:{tmp_path}").predict(two_frames(None))
    assert found.single is None
    assert torch.isfinite(found.depth).all()


def test_a_drive_is_read_as_released_weights_look_at_it(tmp_path: Path):
    published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    read = scene3d.load(f"manydepth:{tmp_path}").snippet_config
    assert [view.offset for view in read.views] == [0, -1]
    assert (read.height, read.width, read.motion) == (HEIGHT, WIDTH, "estimated")


def test_the_licence_of_the_weights_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    scene3d.load(f"manydepth:{tmp_path}")
    assert "non-commercial" in caplog.text


def test_a_folder_that_is_something_else_is_refused_in_one_line(tmp_path: Path):
    published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    whole = torch.load(tmp_path / "depth.pth", weights_only=True)
    lacking = {name: value for name, value in whole.items() if not name.startswith("decoder.3.")}
    torch.save(lacking, tmp_path / "depth.pth")
    with pytest.raises(CheckpointError, match=r"depth\.pth: is of another network: lacks join\.1\.0\.weight"):
        scene3d.load(f"manydepth:{tmp_path}")
    torch.save(whole | {"decoder.40.conv.weight": torch.zeros(1)}, tmp_path / "depth.pth")
    with pytest.raises(CheckpointError, match=r"has besides decoder\.40"):
        scene3d.load(f"manydepth:{tmp_path}")
    (tmp_path / "depth.pth").write_bytes(b"\x80\x04N.")
    with pytest.raises(CheckpointError, match=r"depth\.pth: expected tensors and plain values"):
        scene3d.load(f"manydepth:{tmp_path}")
    (tmp_path / "encoder.pth").unlink()
    with pytest.raises(CheckpointError, match=r"encoder\.pth: no such file"):
        scene3d.load(f"manydepth:{tmp_path}")


def test_an_encoder_without_its_range_of_depths_is_refused(tmp_path: Path):
    published.write_manydepth(tmp_path, 18, BINS, (HEIGHT, WIDTH))
    encoder = torch.load(tmp_path / "encoder.pth", weights_only=True)
    del encoder["max_depth_bin"]
    torch.save(encoder, tmp_path / "encoder.pth")
    with pytest.raises(CheckpointError, match="expected a number called max_depth_bin"):
        scene3d.load(f"manydepth:{tmp_path}")
