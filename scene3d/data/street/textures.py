"""Patterns that repeat: noise, bricks, slabs, planks, tiles, leaves; smoothed copies keep far surfaces calm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from jaxtyping import Float

Array = np.ndarray

_SIZE = 512  # texels along one period
_LEVELS = 10


class Texture(IntEnum):
    """The patterns; the comment is the period they look right at."""

    CLOUDS = 0  # broad noise, any period
    GRAIN = 1  # asphalt and plaster, 2-4 m
    LEAVES = 2  # foliage, 3 m
    GRASS = 3  # 3 m
    BRICK = 4  # 2 m
    SLABS = 5  # 2 m
    PLANKS = 6  # 2 m
    TILES = 7  # roofs, 3 m
    COBBLES = 8  # 2 m


@dataclass(frozen=True)
class Atlas:
    """Every pattern at every level of smoothing, one after another, in [-1, 1]."""

    values: Float[Array, "N"]  # noqa: UP037
    level_start: tuple[int, ...]
    texture_size: int


@cache
def atlas() -> Atlas:
    """The patterns, made once a process; always the same."""
    rng = np.random.default_rng(7)
    patterns = [_standardised(pattern) for pattern in _patterns(rng)]
    starts, values = [], []
    for pattern in patterns:
        start, level = 0, pattern
        for _ in range(_LEVELS):
            values.append(level.reshape(-1))
            starts.append(start)
            start += level.size
            if level.shape[0] > 1:
                level = (level[::2, ::2] + level[1::2, ::2] + level[::2, 1::2] + level[1::2, 1::2]) / 4
    levels = tuple(starts[:_LEVELS])
    return Atlas(np.concatenate(values).astype(np.float32), levels, start)


def sample(
    texture: Array | int,
    u: Float[Array, N],
    v: Float[Array, N],
    period: Array | float,
    footprint: Array,  # noqa: UP037
) -> Float[Array, "N"]:  # noqa: UP037
    """Value of patterns at surface coordinates, smoothed over what one pixel covers.

    Args:
        texture: `Texture` of each point, or one for all.
        u: along the surface, metres.
        v: across it, metres.
        period: size of one repetition, metres.
        footprint: size of a pixel on the surface, metres.
    """
    made = atlas()
    level = np.log2(np.maximum(footprint * (_SIZE / period), 1e-3)).astype(np.float32)
    level = np.clip(level, 0, _LEVELS - 1.001)
    low = level.astype(np.int32)
    u, v = (u / period).astype(np.float32), (v / period).astype(np.float32)
    u, v = u - np.floor(u), v - np.floor(v)
    start = np.zeros_like(low) + np.asarray(texture, dtype=np.int32) * np.int32(made.texture_size)
    fine = _bilinear(made, start, low, u, v)
    coarse = _bilinear(made, start, low + 1, u, v)
    return fine + (level - low) * (coarse - fine)


def _bilinear(made: Atlas, start: Array, level: Array, u: Array, v: Array) -> Array:
    size = np.right_shift(np.int32(_SIZE), level)
    start = start + np.array(made.level_start, dtype=np.int32)[level]
    # Half a texel back: the value belongs to the middle of its texel on every level.
    x, y = u * size - np.float32(0.5), v * size - np.float32(0.5)
    ix, iy = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = x - ix, y - iy
    mask = size - 1
    x0, x1 = ix & mask, (ix + 1) & mask
    row0, row1 = start + (iy & mask) * size, start + ((iy + 1) & mask) * size
    values = made.values
    near = values.take(row0 + x0)
    near += fx * (values.take(row0 + x1) - near)
    far = values.take(row1 + x0)
    far += fx * (values.take(row1 + x1) - far)
    return near + fy * (far - near)


def _standardised(pattern: Array) -> Array:
    centred = pattern - pattern.mean()
    return np.clip(centred / (2.2 * centred.std()), -1, 1)


def _noise(rng: np.random.Generator, power: float, stretch: float = 1.0) -> Array:
    """Periodic noise whose amplitude falls with frequency to ``power``; ``stretch`` > 1 draws it out along x."""
    fx, fy = np.fft.fftfreq(_SIZE) * _SIZE * stretch, np.fft.fftfreq(_SIZE) * _SIZE
    frequency = np.hypot(fx[None, :], fy[:, None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * frequency ** (-power)
    return _standardised(np.fft.ifft2(spectrum).real)


def _grains(rng: np.random.Generator, count: int) -> Array:
    """Periodic noise of one size: about ``count`` grains along a period."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(_SIZE) * _SIZE, np.fft.fftfreq(_SIZE) * _SIZE))
    window = np.exp(-((np.log(np.maximum(frequency, 0.1) / count) / 0.45) ** 2))
    return _standardised(np.fft.ifft2(np.fft.fft2(rng.standard_normal((_SIZE, _SIZE))) * window).real)


def _courses(rng: np.random.Generator, rows: int, columns: int, joint: int, shift: float, shade: float) -> Array:
    """Stones in courses: light stones of different shade, dark joints ``joint`` texels wide."""
    y, x = np.mgrid[:_SIZE, :_SIZE] + 0.5
    row = np.floor(y * rows / _SIZE).astype(int)
    along = (x * columns / _SIZE + shift * row) % columns
    column = np.floor(along).astype(int)
    tint = rng.uniform(-1, 1, (rows, columns))[row, column]
    edge_x = np.minimum(along % 1, 1 - along % 1) * _SIZE / columns
    edge_y = np.minimum(y * rows / _SIZE % 1, 1 - y * rows / _SIZE % 1) * _SIZE / rows
    body = np.clip(np.minimum(edge_x, edge_y) / joint, 0, 1)
    return body * (1 + shade * tint)


def _patterns(rng: np.random.Generator) -> list[Array]:
    """One (512, 512) array a `Texture`, in its order."""
    grain = _noise(rng, 0.6) + 0.8 * _noise(rng, 1.6) + 0.6 * _grains(rng, 16) + 0.5 * _grains(rng, 45)
    leaves = _grains(rng, 14) + 0.9 * _grains(rng, 30) + 0.7 * _grains(rng, 70) + 0.7 * _noise(rng, 1.3)
    grass = _noise(rng, 0.8, 0.4) + 0.6 * _noise(rng, 1.5) + 0.8 * _grains(rng, 22) + 0.6 * _grains(rng, 60)
    brick = _courses(rng, 24, 8, 3, 0.5, 0.28) + 0.15 * _noise(rng, 0.8)
    slabs = _courses(rng, 4, 4, 4, 0.5, 0.15) + 0.2 * _noise(rng, 0.9)
    planks = _courses(rng, 1, 14, 3, 0.0, 0.3) + 0.25 * _noise(rng, 0.9, 4.0).T
    tiles = _courses(rng, 12, 10, 5, 0.5, 0.25) + np.linspace(0, 12, _SIZE)[:, None] % 1 * 0.5
    cobbles = _courses(rng, 16, 16, 4, 0.5, 0.35) + 0.2 * _noise(rng, 0.7)
    return [_noise(rng, 1.7), grain, leaves, grass, brick, slabs, planks, tiles + 0.2 * _noise(rng, 1.0), cobbles]
