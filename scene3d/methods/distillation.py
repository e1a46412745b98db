"""What a field is told of its teacher, and how the features that it renders are held against the teacher's."""

from __future__ import annotations

from pathlib import Path

from einops import rearrange
from jaxtyping import Float
from pydantic import PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.losses.features import edge_aware_feature_smoothness, feature_reconstruction
from scene3d.nn.features import FeatureExtractorConfig


class TeacherConfig(Config):
    """The frozen network whose features the field learns to render.

    Attributes:
        extractor: which network.
        channels: that the field carries along rays; expanded to the teacher's after rendering.
        hidden: between the two.
        artefacts: rows and columns of the teacher's map, where what it always says at a place, whatever the image
            shows, is to be learned apart from the field; None learns it into the field.
        shift: move the grid of the teacher's patches at every step, by up to half a patch either way, so that the field
            learns what it says of every place and not of its grid alone. Every step then asks the teacher anew.
        cache: folder that keeps the teacher's features of images seen in training; None for memory only.
    """

    extractor: FeatureExtractorConfig
    channels: PositiveInt = 64
    hidden: PositiveInt = 128
    artefacts: tuple[PositiveInt, PositiveInt] | None = None
    shift: bool = False
    cache: Path | None = None

    @model_validator(mode="after")
    def _what_is_never_seen_twice_is_not_kept(self) -> TeacherConfig:
        if self.shift and self.cache is not None:
            raise ValueError("cache: a shifted grid asks of no image twice; leave out cache, or shift")
        return self


def distillation_terms(
    pixels: Float[Tensor, "N p p E"],
    made: Float[Tensor, "N E"],
    wanted: Float[Tensor, "N E"],
    image: Float[Tensor, "N 3 p p"],
    always: Float[Tensor, "N E"] | None,
) -> dict[str, Tensor]:
    """The two terms of N patches: the teacher's features rendered, and smooth where the image is.

    Args:
        pixels: features of the pixels, of the teacher's size.
        made: of the patches, from those of their pixels.
        wanted: what the teacher says of the patches.
        image: what they show.
        always: what the teacher says at their places whatever they show; None for nothing.
    """
    if always is not None:
        made = nn.functional.normalize(made, dim=-1) + always
    smoothness = edge_aware_feature_smoothness(rearrange(pixels, "n h w e -> n e h w"), image)
    return {"features": feature_reconstruction(made, wanted), "feature_smoothness": smoothness}
