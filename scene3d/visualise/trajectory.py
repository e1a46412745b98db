"""Where a camera went, as a picture from above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def trajectory_picture(
    cam_to_world: Sequence[Float[Tensor, "4 4"] | None], *, is_metric: bool = True, size: int = 720
) -> UInt8[Tensor, "H W 3"]:
    """The way of the cameras of a drive in the plane of x and z of its world, which is that of its first camera.

    Args:
        cam_to_world: in order; the line is broken where one is None.
        is_metric: whether lengths are metres.
        size: longer edge of the picture, pixels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    nowhere = torch.full((4, 4), torch.nan, dtype=torch.float64)
    places = torch.stack([nowhere, *(nowhere if m is None else m.cpu().double() for m in cam_to_world)])
    right, ahead = places[:, 0, 3].numpy(), places[:, 2, 3].numpy()
    known = np.isfinite(right)
    figure = Figure(figsize=(size / 100, size / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(right, ahead, color="#2257c4", linewidth=2, marker="o", markersize=2.5)
    if known.any():
        axes.plot(right[known][:1], ahead[known][:1], "o", color="#2a9d4a", label="start")
        axes.plot(right[known][-1:], ahead[known][-1:], "s", color="#e84a27", label="end")
        axes.legend(frameon=False)
        _leave_room(axes, right[known], ahead[known])
    unit = "m" if is_metric else "unknown scale"
    axes.set(xlabel=f"right ({unit})", ylabel=f"ahead ({unit})", aspect="equal")
    axes.grid(color="#dfe2e7")
    axes.set_axisbelow(True)
    canvas.draw()
    return torch.from_numpy(np.array(canvas.buffer_rgba())[..., :3].copy())


def _leave_room(axes: object, right: np.ndarray, ahead: np.ndarray) -> None:
    """A square around the way, so that a straight one is no hairline."""
    middle = [(values.min() + values.max()) / 2 for values in (right, ahead)]
    reach = 0.55 * max(np.ptp(right), np.ptp(ahead), 1e-6)
    axes.set(  # type: ignore[attr-defined]
        xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach)
    )
