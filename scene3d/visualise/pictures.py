"""Depth, features, labels and normals as RGB, and panels of them as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.structures.labels import LabelSpace

MISSING = (40, 40, 44)
"""Colour of pixels without a value."""


def depth_picture(
    depth: Float[Tensor, "H W"],
    *,
    nearest: float | None = None,
    farthest: float | None = None,
    colours: str = "magma",
) -> UInt8[Tensor, "H W 3"]:
    """Depth in colours, even in inverse depth: near is bright, far is dark, not measured is grey.

    Args:
        depth: along z, metres; 0 = not measured.
        nearest: drawn in the last colour; by default the 1st percentile of this image.
        farthest: drawn in the first colour; by default the 99th percentile.
        colours: name of a matplotlib colour map.
    """
    known = (depth > 0) & torch.isfinite(depth)
    if not known.any():
        return _colour(torch.zeros_like(depth), known, colours)
    disparity = torch.where(known, 1 / depth.clamp(min=1e-6), 0.0)
    values = disparity[known].cpu().numpy()
    low = np.percentile(values, 1) if farthest is None else 1 / farthest
    high = np.percentile(values, 99) if nearest is None else 1 / nearest
    return _colour((disparity - float(low)) / max(float(high - low), 1e-9), known, colours)


def feature_picture(features: Float[Tensor, "C H W"]) -> UInt8[Tensor, "H W 3"]:
    """The three main directions of the features as red, green and blue.

    Each direction is turned so that its largest weight is positive: the same features give the same
    picture on every machine. Each colour spans the 1st to 99th percentile of its direction.
    """
    channels, height, width = features.shape
    rows = features.detach().double().cpu().reshape(channels, -1).T
    centred = rows - rows.mean(dim=0)
    count = min(3, channels)
    weights = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :count]
    sign = torch.where(weights.gather(0, weights.abs().argmax(dim=0, keepdim=True)) < 0, -1.0, 1.0)
    projected = (centred @ (weights * sign)).numpy()
    low, high = np.percentile(projected, [1, 99], axis=0)
    shades = np.clip((projected - low) / np.maximum(high - low, 1e-9), 0, 1)
    picture = np.full((len(rows), 3), 0.5)
    picture[:, :count] = shades
    return torch.from_numpy((picture * 255).round().astype(np.uint8)).reshape(height, width, 3)


def label_picture(labels: Int[Tensor, "*shape"], space: LabelSpace) -> UInt8[Tensor, "*shape 3"]:
    """Class indices in the colours of their space; what is no class is grey."""
    table = torch.tensor(MISSING, dtype=torch.uint8).repeat(256, 1)
    table[: len(space)] = torch.tensor(space.colours, dtype=torch.uint8)
    return table[labels.cpu().long()]


def normal_picture(normals: Float[Tensor, "H W 3"]) -> UInt8[Tensor, "H W 3"]:
    """Unit normals with x, y, z in [-1, 1] as red, green, blue; zero vectors (none) are grey."""
    known = normals.norm(dim=-1, keepdim=True) > 0
    colours = ((normals.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
    return torch.where(known.cpu(), colours, torch.tensor(MISSING, dtype=torch.uint8))


def image_picture(image: Float[Tensor, "3 H W"]) -> UInt8[Tensor, "H W 3"]:
    """An RGB image in [0, 1] as bytes."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()


def panel(
    pictures: Sequence[tuple[str, UInt8[Tensor, "_ _ 3"]]], *, columns: int = 1, width: int = 640
) -> UInt8[Tensor, "H W 3"]:
    """Captioned pictures side by side and below one another, all of one width.

    Args:
        pictures: caption and picture, row by row.
        columns: pictures in a row.
        width: of each picture, pixels.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=15)
    gap, line = 12, 24
    tiles = []
    for caption, picture in pictures:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        tile = Image.new("RGB", (width, height + line), "white")
        ImageDraw.Draw(tile).text((0, 2), caption, fill=(40, 40, 44), font=font)
        tile.paste(Image.fromarray(picture.numpy()).resize((width, height)), (0, line))
        tiles.append(tile)
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    heights = [max(tile.height for tile in row) for row in rows]
    across = min(columns, len(tiles))
    size = (across * width + (across + 1) * gap, sum(heights) + (len(rows) + 1) * gap)
    sheet = Image.new("RGB", size, "white")
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for i, tile in enumerate(row):
            sheet.paste(tile, (gap + i * (width + gap), top))
        top += height + gap
    return torch.from_numpy(np.array(sheet))


def write_picture(path: Path | str, picture: UInt8[Tensor, "H W 3"]) -> None:
    """A picture as PNG, written whole or not at all.

    Raises:
        DataError: the disk is full, or the folder cannot be written to.
    """
    from PIL import Image

    with io.BytesIO() as stream:
        Image.fromarray(picture.cpu().numpy()).save(stream, format="PNG")
        write_bytes(path, stream.getvalue())


def _colour(values: Float[Tensor, "H W"], known: Bool[Tensor, "H W"], name: str) -> UInt8[Tensor, "H W 3"]:
    """Values in [0, 1] through a matplotlib colour map; unknown ones in grey."""
    import matplotlib

    shades = matplotlib.colormaps[name](values.clamp(0, 1).detach().cpu().numpy(), bytes=True)[..., :3]
    picture = torch.from_numpy(np.ascontiguousarray(shades))
    return torch.where(known.cpu()[..., None], picture, torch.tensor(MISSING, dtype=torch.uint8))
