"""How a camera moved between two images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import DataError
from scene3d.geometry.se3 import invert, rigid, rotation_of
from scene3d.nn.resnet import PyramidConfig
from scene3d.structures.frames import Frames

WIDTH = 256


class MotionNetwork(nn.Module):
    """Two images of one camera to the transform between them, up to one scale for all.

    It remembers whether any motion that frames carried was trained on, which gives depth and motion their scale.

    Args:
        pyramid: looks at both images at once.
        scale: what the network's answers, about 1 at first, are multiplied by: radians, and lengths.

    Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, section 4.1; the network has
    two transforms, of which the second is not used, because published weights have both.
    """

    metric: Tensor

    def __init__(self, pyramid: PyramidConfig, scale: float = 0.01) -> None:
        super().__init__()
        self.scale = scale
        self.pyramid = pyramid.model_copy(update={"images": 2}).build()
        self.head = nn.Sequential(
            nn.Conv2d(self.pyramid.channels[-1], WIDTH, kernel_size=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, 12, kernel_size=1),
        )
        self.register_buffer("metric", torch.tensor(False))

    @property
    def is_metric(self) -> bool:
        """Whether lengths are those of the data, as far as was trained."""
        return bool(self.metric)

    def forward(self, earlier: Float[Tensor, "B 3 H W"], later: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 4 4"]:
        """``earlier_to_later``: places the points of the earlier camera in the later one's coordinates."""
        maps = self.pyramid(torch.cat([earlier, later], dim=1))
        motion = self.scale * self.head(maps[-1]).mean(dim=(2, 3))[:, :6]
        return rigid(rotation_of(motion[:, :3]), motion[:, 3:])

    def reference_to_views(self, frames: Frames) -> Float[Tensor, "B V 4 4"]:
        """Places the points of view 0 in the camera of each view: as the frames say, estimated where they do not.

        What is estimated is chained from instant to instant, each pair shown in the order of time.

        Raises:
            DataError: a view of the reference's own instant has no transform: there is no motion to see.
        """
        batch, views = frames.present.shape
        identity = torch.eye(4, device=frames.K.device, dtype=frames.K.dtype).expand(batch, 4, 4)
        if frames.cam_to_world is None:
            found, known = [identity] * views, [v == 0 for v in range(views)]
        else:
            if self.training:
                self.metric.fill_(True)
            given = invert(frames.cam_to_world) @ frames.cam_to_world[:, :1]
            posed = torch.ones_like(frames.present) if frames.posed is None else frames.posed
            found, known = list(given.unbind(dim=1)), posed.all(dim=0).tolist()
        for v, before in _nearest_first(frames, known):
            step = self._step(frames.image[:, before], frames.image[:, v], backwards=_offset(frames, v) < 0)
            found[v] = step @ found[before]
        return torch.stack(found, dim=1)

    def _step(self, image: Tensor, other: Tensor, *, backwards: bool) -> Float[Tensor, "B 4 4"]:
        """From the camera of one image to that of the other, which came before it where `backwards`."""
        return invert(self(other, image)) if backwards else self(image, other)


def _offset(frames: Frames, view: int) -> int:
    if frames.offset is None:
        return -view
    return int(frames.offset[0, view])


def _nearest_first(frames: Frames, known: list[bool]) -> list[tuple[int, int]]:
    """Views to estimate, each with the view between it and the reference that the motion is chained from."""
    chain, last = [], {True: 0, False: 0}
    for v in sorted(range(1, len(known)), key=lambda view: abs(_offset(frames, view))):
        offset = _offset(frames, v)
        if known[v]:
            continue
        if offset == 0:
            names = ", ".join(frames.names) or "frames"
            raise DataError(f"{names}: expected the transform of every camera of the reference's instant, got none")
        chain.append((v, last[offset < 0]))
        last[offset < 0] = v
    return chain
