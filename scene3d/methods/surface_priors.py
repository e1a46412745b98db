"""What a surface is told besides the colours of its photographs: depth, normals, and that walls are square."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.errors import DataError
from scene3d.losses import LossTerms
from scene3d.losses.cues import depth_cue, normal_cue_cosine, normal_cue_l1
from scene3d.losses.manhattan import manhattan_terms
from scene3d.methods.surface_config import SurfaceLossConfig
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import SOLID
from scene3d.volume.image_rays import ImageRays
from scene3d.volume.surface_renderer import SurfaceRendering


def surface_priors(
    seen: SurfaceRendering, rays: ImageRays, frames: Frames, config: SurfaceLossConfig, step: int
) -> LossTerms:
    """The terms of the priors that a config asks for, with their weights of a step.

    Args:
        seen: what the rays of the step see.
        rays: the same, with what the frames say at their pixels.
        frames: that they are of; their axes of the room are those of their first snippet.
        config: which priors.
        step: of the training.

    Raises:
        DataError: depth or normals are asked for and the frames have neither a network's guess of them nor depth.
    """
    found = LossTerms({}, {})
    if not (config.depth or config.normals or config.manhattan):
        return found
    solid = seen.surface >= SOLID
    normals = torch.nn.functional.normalize(torch.where(solid[:, None], seen.normals, 0.0), dim=1)
    if config.depth or config.normals:
        found = found.joined(_cues(seen, rays, config, normals, solid, frames.names))
    if config.manhattan is not None:
        known = None if frames.room_axes is None else frames.room_axes[0]
        found = found.joined(manhattan_terms(normals, step, config.manhattan, known=known))
    return found


def _cues(
    seen: SurfaceRendering,
    rays: ImageRays,
    config: SurfaceLossConfig,
    normals: Float[Tensor, "R 3"],
    solid: Bool[Tensor, "R"],  # noqa: UP037
    names: tuple[str, ...],
) -> LossTerms:
    terms: dict[str, Tensor] = {}
    if config.depth:
        if rays.depth is None or rays.depth_known is None:
            raise _lacking("depth", names)
        distance = torch.where(solid, seen.distance / seen.surface.clamp(min=SOLID), 0.0)
        parts = (distance * rays.forward, rays.depth, solid & rays.depth_known)
        terms["depth"] = depth_cue(*(part.unflatten(0, (rays.images, -1)) for part in parts))
    if config.normals:
        if rays.normals is None:
            raise _lacking("normals", names)
        known = solid & (rays.normals.norm(dim=1) > 0)
        terms["normals"] = normal_cue_cosine(normals, rays.normals, known) + normal_cue_l1(normals, rays.normals, known)
    weights = {"depth": config.depth, "normals": config.normals}
    return LossTerms(terms, {name: weights[name] for name in terms})


def _lacking(what: str, names: tuple[str, ...]) -> DataError:
    where = names[0] if names else "frames"
    hint = "data.snippets.depth: file, or data.snippets.cues.folder: FOLDER of a network's guesses"
    return DataError(f"{where}: expected {what}, for its loss, got none", hint=hint)
