"""What learning a surface can be told besides its networks: what lies behind, what is asked of it, at which rates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from scene3d.config import Config
from scene3d.losses.manhattan import ManhattanConfig
from scene3d.volume.background import SphereBackgroundConfig
from scene3d.volume.hash_background import HashBackgroundConfig
from scene3d.volume.surface_occupancy import MarchSamplingConfig
from scene3d.volume.surface_sampling import SurfaceSamplingConfig

SamplingConfig = Annotated[SurfaceSamplingConfig | MarchSamplingConfig, Field(discriminator="kind")]
"""Every way to place sections along rays."""


class PlainBackgroundConfig(Config):
    """One colour behind the surface.

    Attributes:
        colour: with masks, what lies outside of them is painted in it; without, the images are taken to have it there.
            "random" draws it for every ray anew, and needs masks.
    """

    kind: Literal["plain"] = "plain"
    colour: Literal["random", "black", "white"] = "random"


BackgroundConfig = Annotated[
    PlainBackgroundConfig | SphereBackgroundConfig | HashBackgroundConfig, Field(discriminator="kind")
]
"""Every kind of surroundings."""


class SurfaceLossConfig(Config):
    """Weights of the loss terms, as published, and what they look at.

    Attributes:
        eikonal: that the gradient of the distance has length 1.
        mask: of the silhouette, where the images have masks; 0 for none.
        empty: that nothing lies outside of the bounds that the surface is confined to.
        points: random ones in the unit ball where the eikonal term is asked for besides those along the rays.
        depth: that depth agrees with the frames' up to a scale and a shift an image (MonoSDF's published weight is
            0.1); 0 for none. That is `data.snippets.cues` where there are any, else `data.snippets.depth`.
        normals: that normals agree with those of the cues, else of the frames' depth, both of MonoSDF's terms (0.05); 0
            for none.
        manhattan: that walls are at right angles; None for none.
    """

    eikonal: float = Field(0.1, ge=0)
    mask: float = Field(0.1, ge=0)
    empty: float = Field(10.0, ge=0)
    points: NonNegativeInt = 0
    depth: float = Field(0.0, ge=0)
    normals: float = Field(0.0, ge=0)
    manhattan: ManhattanConfig | None = None


class RefinementConfig(Config):
    """Cameras that are corrected while the surface is learned; see `scene3d.nn.pose_refinement`.

    Attributes:
        images: at least one more than the largest number of a frame.
        fixed: number of the frame whose camera stays.
        scale: factor on the learning rate, of radians and units alike. At 0.1 cameras that were right to 2 pixels
            wandered off by 3 degrees, and the normals of what they saw got no better.
    """

    images: PositiveInt
    fixed: NonNegativeInt = 0
    scale: PositiveFloat = 0.01


class RateScales(Config):
    """Factors on the learning rate.

    Attributes:
        table: of hash grids.
        networks: of the distance, the colour and the background.
        sharpness: of the one number that it is.
    """

    table: PositiveFloat = 1.0
    networks: PositiveFloat = 1.0
    sharpness: PositiveFloat = 1.0
