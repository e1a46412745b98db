"""From hits to colours, normals and categories: every surface scatters alike in all directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scene3d.data.street.categories import Category
from scene3d.data.street.materials import Material, solid_colour
from scene3d.data.street.paving import ground_colour
from scene3d.data.street.shapes import Kind, faces
from scene3d.data.street.street import Light, Street
from scene3d.data.street.sun import SunMap
from scene3d.data.street.textures import Texture, sample

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Hits:
    """N rays and what they met.

    Attributes:
        origin: (3,) of all rays.
        direction: (N, 3) unit vectors.
        distance: (N,) along the ray; inf is sky.
        index: (N,) of the solid; -1 is sky, -2 ground.
        angle: between neighbouring rays, radians.
    """

    origin: Float[Array, "3"]  # noqa: UP037
    direction: Float[Array, "N 3"]
    distance: Float[Array, "N"]  # noqa: UP037
    index: Int[Array, "N"]  # noqa: UP037
    angle: float


def shade(street: Street, frame: int, hits: Hits) -> tuple[Float[Array, "N 3"], Float[Array, "N 3"], Int[Array, N]]:
    """Linear RGB, world normals (0 for sky) and `Category` of every hit."""
    n = len(hits.distance)
    colour, normal = np.zeros((n, 3), dtype=np.float32), np.zeros((n, 3), dtype=np.float32)
    category = np.full(n, int(Category.SKY), dtype=np.int32)
    _, shadows = street.at(frame)
    sky = np.flatnonzero(hits.index == -1)
    colour[sky] = sky_colour(street.light, hits.direction[sky])
    for rows, surface in (
        (np.flatnonzero(hits.index >= 0), _solids),
        (np.flatnonzero(hits.index == -2), _ground),
    ):
        if len(rows):
            points = hits.origin + hits.distance[rows, None] * hits.direction[rows].astype(np.float64)
            albedo, normal[rows], category[rows], bent = surface(street, frame, hits, rows, points)
            colour[rows] = albedo * _light(street.light, shadows, points, normal[rows], bent)
    return colour, normal, category


def sky_colour(light: Light, direction: Float[Array, "N 3"]) -> Float[Array, "N 3"]:
    """The sky: paler towards the horizon, with clouds that drift at no distance."""
    up = np.maximum(direction[:, 2], 0.0)
    blend = np.minimum(up * 1.6, 1) ** 0.6
    colour = light.horizon + blend[:, None] * (light.zenith - light.horizon)
    plane = direction[:, :2] / (up + 0.12)[:, None]
    soft = np.full(len(up), 0.004, dtype=np.float32) / (up + 0.12)
    wisps = sample(Texture.CLOUDS, plane[:, 0] + light.clouds[0], plane[:, 1] + light.clouds[1], 6.0, soft)
    finer = sample(Texture.CLOUDS, plane[:, 1], plane[:, 0] + light.clouds[0], 2.3, soft)
    cover = np.clip(1.6 * wisps + 0.5 * finer + light.clouds[2], 0, 1) * np.clip(up * 6, 0, 1)
    white = np.array([0.95, 0.95, 0.97]) * (0.9 + 0.1 * finer)[:, None]
    return (colour + cover[:, None] * (white - colour)).astype(np.float32)


def _solids(street: Street, frame: int, hits: Hits, rows: Array, points: Array) -> tuple[Array, ...]:
    shapes, _ = street.at(frame)
    solid = hits.index[rows]
    affine = shapes.world_to_local.astype(np.float32)[solid]
    offset = (points - shapes.centre[solid]).astype(np.float32)
    local = np.einsum("nij,nj->ni", affine, offset)
    kind, half = shapes.kind[solid], shapes.half.astype(np.float32)[solid]
    local_normal, axis = faces(kind, local, shapes.taper.astype(np.float32)[solid])
    normal = np.einsum("nij,ni->nj", affine, local_normal)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    metres = local * half
    ball, round_ = kind == Kind.BALL, (kind == Kind.ROUND) & (axis != 2)
    axis = np.where(ball, np.abs(local_normal).argmax(axis=1), np.where(round_, 0, axis))
    around = np.arctan2(local[:, 1], local[:, 0]) * half[:, 0]
    metres[round_, 1] = around[round_]
    facing = np.abs((normal * hits.direction[rows]).sum(axis=1))
    footprint = hits.distance[rows] * np.float32(hits.angle) / np.maximum(facing, 0.25)
    material, seed = shapes.material[solid], shapes.seed[solid]
    albedo = solid_colour(material, metres, half, axis, shapes.colour[solid], seed, footprint)
    return albedo, normal, shapes.category[solid], _ruffled(normal, metres, material, seed, footprint)


def _ruffled(normal: Array, metres: Array, material: Array, seed: Array, footprint: Array) -> Array:
    """Normals for the light alone: leaves stand every way, so a crown is not a smooth ball."""
    bent = normal.copy()
    leafy = np.flatnonzero((material == Material.LEAVES) | (material == Material.HEDGE))
    if len(leafy):
        x, y, z = metres[leafy].T
        shift, pixel = seed[leafy].astype(np.float32), footprint[leafy]
        for axis, (u, v) in enumerate(((y + x, z - 0.6 * x), (x - y, z + 0.6 * y), (x + 0.5 * z, y - 0.5 * z))):
            bent[leafy, axis] += 0.75 * sample(Texture.LEAVES, u + shift, v - shift, 3.7, pixel)
        bent[leafy] /= np.maximum(np.linalg.norm(bent[leafy], axis=1, keepdims=True), 1e-6)
    return bent


def _ground(street: Street, frame: int, hits: Hits, rows: Array, points: Array) -> tuple[Array, ...]:
    x, y = points[:, 0].astype(np.float32), points[:, 1].astype(np.float32)
    place = street.ground.place(x, y)
    normal = street.ground.normal(x, y, place)
    category = street.ground.category(place)
    facing = np.abs((normal * hits.direction[rows]).sum(axis=1))
    # A pixel on the road is long and narrow: smooth it by what lies between its two sizes.
    footprint = hits.distance[rows] * np.float32(hits.angle) / np.sqrt(np.maximum(facing, 0.004))
    albedo = ground_colour(street.ground, place, x, y, category, footprint, street.light.ground)
    return albedo, normal, category, normal


def _light(light: Light, shadows: SunMap, points: Array, normal: Array, bent: Array) -> Float[Array, "N 3"]:
    towards = light.towards_sun.astype(np.float32)
    slant = np.maximum(bent @ towards, 0) * (normal @ towards > 0)
    lit = np.zeros(len(points), dtype=np.float32)
    rows = np.flatnonzero(slant > 0)
    lit[rows] = slant[rows] * shadows.lit(points[rows], normal[rows])
    ambient = np.float32(0.62) + np.float32(0.38) * bent[:, 2]
    return lit[:, None] * light.sun.astype(np.float32) + ambient[:, None] * light.sky.astype(np.float32)
