"""The report: one HTML file that needs nothing else, with pictures, figures and a view that turns in 3D."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import SSC
from scene3d.structures.solids import PointCloud
from scene3d.structures.tables import Table
from scene3d.visualise.quads import Quads

LARGEST_PICTURE = 1280
"""Pictures are shrunk to this width in the report, pixels."""

Legend = tuple[tuple[str, tuple[int, int, int], float], ...]
"""Name, RGB and share of what is occupied, of each class."""

MOST_POINTS = 120_000
MOST_QUADS = 350_000


@dataclass(frozen=True, kw_only=True)
class SolidView:
    """Voxels for the view that turns.

    Attributes:
        quads: merged faces of a grid of at most 256 cells a side.
        frame: of that grid.
        palette: RGB of each colour index, at most 256.
        legend: name, RGB and share of what is occupied, of each class; empty where colour means height.
    """

    quads: Quads
    frame: VoxelFrame
    palette: UInt8[np.ndarray, "K 3"]
    legend: Legend = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a report shows.

    Attributes:
        title: heading.
        subtitle: one line below it.
        pictures: caption and picture, in order.
        poster: a still of the 3D view, for browsers that cannot turn it.
        points: what the camera sees, x forward, y left, z up, metres.
        camera: centre and four corners of the camera's frustum, in the same axes.
        way: where the camera of a drive went, in the same axes; None of a single image.
        solid: voxels; None for methods that predict depth alone.
        legend: as of a `SolidView`, of the pictures of a report without one.
        facts: names and values to list.
        tables: figures.
    """

    title: str
    subtitle: str = ""
    pictures: Sequence[tuple[str, UInt8[Tensor, "_ _ 3"]]]
    poster: UInt8[Tensor, "_ _ 3"]
    points: PointCloud
    camera: Float[np.ndarray, "5 3"]
    way: Float[np.ndarray, "P 3"] | None = None
    solid: SolidView | None = None
    legend: Legend = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[Table] = ()


def report_html(content: Content) -> str:
    """The whole report as the text of one file."""
    folder = files("scene3d.visualise")
    page = folder.joinpath("report.html").read_text(encoding="utf-8")
    shown = [("points", "Points"), ("camera", "Camera")]
    if content.solid is not None:
        shown.insert(0, ("voxels", "Voxels"))
    buttons = [f'<button data-show="{key}" aria-pressed="true">{name}</button>' for key, name in shown]
    buttons += ['<button data-view="home">Overview</button>', '<button data-view="driver">From the camera</button>']
    parts = {
        "title": html.escape(content.title),
        "subtitle": html.escape(content.subtitle),
        "stage": _stage(content),
        "poster": _picture_url(content.poster),
        "buttons": "".join(buttons),
        "legend": _legend(content),
        "pictures": "".join(_figure(caption, picture) for caption, picture in content.pictures),
        "facts": _facts(content.facts),
        "tables": "".join(_table(table) for table in content.tables),
        "scene": json.dumps(_scene(content)).replace("</", "<\\/"),
        "script": folder.joinpath("scene.js").read_text(encoding="utf-8"),
    }
    # The page is cut at its own placeholders once, so that none inside a title or a name is ever filled.
    pieces = page.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [parts[name], rest]
    return "".join(filled)


def _stage(content: Content) -> str:
    """What the view that turns shows."""
    if content.solid is not None:
        return "Completed scene"
    return "Points of the depth image" if content.way is None else "Points of the drive"


def _scene(content: Content) -> dict[str, Any]:
    """What scene.js reads: arrays in base64, lengths in metres, points in centimetres."""
    positions, colours = content.points.points.cpu().numpy(), content.points.colours
    near = np.flatnonzero(np.abs(positions).max(axis=1, initial=0) < 300)
    near = near[:: max(1, -(-len(near) // MOST_POINTS))]
    grey = np.full((len(positions), 3), 128, np.uint8)
    rgb = grey if colours is None else colours.cpu().numpy()
    eye = content.camera[0]
    scene = {
        "points": _base64((positions[near] * 100).round().astype("<i2")),
        "colours": _base64(rgb[near].astype(np.uint8)),
        "camera": content.camera.round(3).tolist(),
        "driver": {"target": (eye + [12, 0, 0]).tolist(), "yaw": 0, "pitch": 0.06, "distance": 12.5},
        "home": {"target": [15, 0, 0], "yaw": -0.35, "pitch": 0.55, "distance": 32},
        "dot": 0.12,
        "quads": "",
        "palette": _base64(np.zeros((256, 3), np.uint8)),
        "origin": [0, 0, 0],
        "size": 1,
    }
    if content.way is not None and len(content.way):
        scene.update(_drive(content.way))
    if content.solid is not None:
        scene.update(_solid(content.solid))
    return scene


def _drive(way: Float[np.ndarray, "P 3"]) -> dict[str, Any]:
    """The line of a drive, in at most a thousand pieces, and a place to see all of it from."""
    thinned = way[:: max(1, -(-len(way) // 1000))]
    middle, length = (way.min(axis=0) + way.max(axis=0)) / 2, float(np.ptp(way, axis=0).max())
    home: dict[str, Any] = {"target": (middle + [9, 0, 0]).round(2).tolist(), "yaw": -0.35, "pitch": 0.55}
    home["distance"] = min(24 + 0.7 * length, 290)
    return {"way": thinned.round(3).tolist(), "home": home, "dot": 0.17}


def _solid(solid: SolidView) -> dict[str, Any]:
    quads, frame = solid.quads, solid.frame
    length = frame.size * frame.shape[0]
    # The largest faces carry the picture: where there are too many, the smallest are left out.
    area = quads.extent.prod(axis=1)
    kept = np.sort(np.argsort(-area, kind="stable")[:MOST_QUADS])
    rows = np.zeros((len(kept), 8), np.uint8)
    rows[:, :3], rows[:, 3] = quads.cell[kept], quads.side[kept]
    rows[:, 4:6], rows[:, 6] = quads.extent[kept] - 1, quads.colour[kept]
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(solid.palette)] = solid.palette
    middle = [o + frame.size * n / 2 for o, n in zip(frame.origin, frame.shape, strict=True)]
    target = [frame.origin[0] + 0.38 * length, middle[1], frame.origin[2] + 1]
    return {
        "quads": _base64(rows),
        "palette": _base64(palette),
        "origin": list(frame.origin),
        "size": frame.size,
        "home": {"target": target, "yaw": -0.35, "pitch": 0.62, "distance": 1.08 * length},
    }


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _picture_url(picture: UInt8[Tensor, "_ _ 3"]) -> str:
    """A picture as a data URL, shrunk where it is large; JPEG where that is smaller."""
    from PIL import Image

    image = Image.fromarray(picture.cpu().numpy())
    if image.width > LARGEST_PICTURE:
        size = (LARGEST_PICTURE, max(1, round(image.height * LARGEST_PICTURE / image.width)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    kinds: dict[str, dict[str, Any]] = {"png": {"optimize": True}, "jpeg": {"quality": 90, "subsampling": 0}}
    coded = {}
    for kind, options in kinds.items():
        with io.BytesIO() as stream:
            image.save(stream, kind, **options)
            coded[kind] = stream.getvalue()
    kind = min(coded, key=lambda name: len(coded[name]))
    return f"data:image/{kind};base64,{base64.b64encode(coded[kind]).decode('ascii')}"


def _figure(caption: str, picture: UInt8[Tensor, "_ _ 3"]) -> str:
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="{_picture_url(picture)}"><figcaption>{text}</figcaption></figure>'


def class_legend(classes: Int[Tensor, "N"]) -> Legend:  # noqa: UP037
    """The classes of some occupied cells, those with the most cells first; what is no class is left out."""
    counts = Counter(classes[classes > 0].tolist())
    total = max(counts.total(), 1)
    common = (c for c in counts.most_common() if c[0] < len(SSC))
    return tuple((SSC.classes[c], SSC.colours[c], n / total) for c, n in common)


def _legend(content: Content) -> str:
    solid = content.solid
    legend = content.legend if solid is None else solid.legend
    if legend:
        items = (
            f'<li><i style="background:rgb{colour}"></i>{html.escape(name)} <span>{_share(share)}</span></li>'
            for name, colour, share in legend
        )
        return f'<ul class="legend">{"".join(items)}</ul>'
    if solid is None:
        return ""
    stops = ",".join(f"rgb{tuple(c)}" for c in solid.palette[1 :: max(1, len(solid.palette) // 8)].tolist())
    low = solid.frame.origin[2]
    high = low + solid.frame.size * solid.frame.shape[2]
    ramp = f'<i style="background:linear-gradient(90deg,{stops})"></i>'
    return f'<div class="ramp">height {low:.1f} m {ramp} {high:.1f} m</div>'


def _share(share: float) -> str:
    return "&lt;0.1%" if share < 0.001 else f"{share:.1%}"


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items())
    return f"<h2>About</h2><dl>{rows}</dl>" if rows else ""


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *table.columns))
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{'' if value is None else f'{value:.3f}'}</td>" for value in values)
        + "</tr>"
        for name, values in table.rows.items()
    )
    note = f'<p class="soft">{html.escape(table.note)}</p>' if table.note else ""
    return f'<h2>{html.escape(table.title)}</h2>{note}<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
