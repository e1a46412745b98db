"""Published checkpoints of NeuS as surfaces of ours, which compute the published functions.

Published colours run blue, green, red; they are turned here, and what is loaded says red, green, blue. Published rays
went through pixels whose centres lie at integers. Written from the paper and from the names and shapes of the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from torch import Tensor, nn

from scene3d.compat.torch_files import Released, fill_from, read_torch_file
from scene3d.errors import CheckpointError
from scene3d.geometry.camera import pinhole
from scene3d.methods.neural_surface import NeuralSurfaceConfig
from scene3d.methods.surface_config import PlainBackgroundConfig
from scene3d.ops.frequencies import octaves_of
from scene3d.volume.background import SphereBackground, SphereBackgroundConfig
from scene3d.volume.fourier_sdf import FourierSdfConfig
from scene3d.volume.surface_field import ColourConfig, SurfaceConfig, SurfaceNetworks
from scene3d.volume.surface_sampling import SurfaceSamplingConfig

NETWORKS = ("sdf_network_fine", "color_network_fine", "variance_network_fine")
BACKGROUND = "nerf"

DTU_CAMERA = (2892.3, 1200, 1600)
"""Focal length, height and width of the photographs that most published checkpoints learned from."""

_NAMES = (
    (r"sdf_network_fine\.lin(\d+)\.", r"surface.sdf.mlp.layers.\1."),
    (r"color_network_fine\.lin(\d+)\.", r"surface.colour.mlp.layers.\1."),
    (r"variance_network_fine\.variance$", "surface.sharpness.exponent"),
    (r"nerf\.pts_linears\.(\d+)\.", r"background.layers.\1."),
    (r"nerf\.views_linears\.0\.", "background.view."),
    (r"nerf\.feature_linear\.", "background.to_features."),
    (r"nerf\.alpha_linear\.", "background.to_density."),
    (r"nerf\.rgb_linear\.", "background.to_colour."),
    # Weight normalisation keeps the length of each row and its direction.
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
)


class NeusFields(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        surface: signed distance, colour and sharpness.
        background: None where the file has none. A surface that was trained with masks comes with an untrained one.
    """

    surface: SurfaceNetworks
    background: SphereBackground | None


def load_neus(path: Path | str) -> Released:
    """A published checkpoint as a method that renders and meshes it, in the unit sphere that it was trained in.

    Frames to predict must say where their cameras stand in that sphere's coordinates.

    Raises:
        CheckpointError: the file is missing, damaged, or of other networks.
    """
    found = load_neus_fields(path)
    around = found.background
    method = NeuralSurfaceConfig(
        surface=found.surface.config,
        background=PlainBackgroundConfig(colour="black") if around is None else around.config,
        sampling=SurfaceSamplingConfig(outside=0 if around is None else 32),
    ).build()
    method.surface, method.background = found.surface, around
    return Released(method, pinhole(*DTU_CAMERA))


def load_neus_fields(path: Path | str, *, scale: float = 1.0) -> NeusFields:
    """The networks of a published checkpoint; sizes are read from the tensors.

    Args:
        path: of a ``ckpt_*.pth``.
        scale: of the signed distance field, which the file does not tell; 1 but where the configuration says otherwise.

    Raises:
        CheckpointError: the file is missing, damaged, or of other networks; the differing names are listed.
    """
    path = Path(path)
    found = read_torch_file(path)
    lacking = [name for name in NETWORKS if not isinstance(found.get(name), Mapping)]
    if lacking:
        raise CheckpointError(f"{path}: expected a checkpoint of NeuS, got one without {', '.join(lacking)}")
    with_background = isinstance(found.get(BACKGROUND), Mapping)
    parts = (*NETWORKS, BACKGROUND) if with_background else NETWORKS
    tensors = {
        f"{part}.{name}": value for part in parts for name, value in found[part].items() if isinstance(value, Tensor)
    }
    sizes = _Sizes(tensors, path)
    try:
        surface = _surface_config(sizes, scale).build()
        background = _background_config(sizes).build() if with_background else None
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"]))
        raise CheckpointError(f"{path}: is of another network: {what}: {first['msg']}, got {first['input']}") from None
    modules: dict[str, nn.Module] = {"surface": surface}
    if background is not None:
        modules["background"] = background
    fill_from(nn.ModuleDict(modules), _in_rgb(tensors, len(surface.colour.mlp.layers) - 1), _ours, path)
    return NeusFields(surface, background)


def _in_rgb(tensors: Mapping[str, Tensor], last: int) -> dict[str, Tensor]:
    """The same with the rows of the last layers, which give colours, the other way round."""
    colours = (f"color_network_fine.lin{last}.", "nerf.rgb_linear.")
    return {name: value.flip(0) if name.startswith(colours) else value for name, value in tensors.items()}


def _ours(name: str) -> str:
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


class _Sizes:
    """Rows and columns of weights in a checkpoint."""

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        self.tensors, self.path = tensors, path

    def of(self, name: str) -> tuple[int, int]:
        """Rows and columns of a weight."""
        weight = self.tensors.get(name)
        if weight is None or weight.ndim != 2:
            raise CheckpointError(f"{self.path}: expected a matrix called {name}, got none")
        return weight.shape[0], weight.shape[1]

    def series(self, prefix: str, name: str) -> list[tuple[int, int]]:
        """Of the weights called prefix0, prefix1, ..., as many as there are; at least two."""
        count = sum(1 for key in self.tensors if re.fullmatch(re.escape(prefix) + r"\d+" + re.escape(name), key))
        return [self.of(f"{prefix}{i}{name}") for i in range(max(count, 2))]


def _surface_config(sizes: _Sizes, scale: float) -> SurfaceConfig:
    sdf = sizes.series("sdf_network_fine.lin", ".weight_v")
    colour = sizes.series("color_network_fine.lin", ".weight_v")
    (width, encoded), features = sdf[0], sdf[-1][0] - 1
    narrower = [i for i, (rows, _) in enumerate(sdf[:-1]) if rows == sdf[-1][1] - encoded]
    return SurfaceConfig(
        sdf=FourierSdfConfig(
            width=width,
            layers=len(sdf) - 1,
            skip=narrower[0] + 1 if narrower else None,
            features=features,
            octaves=octaves_of(encoded, 3),
            scale=scale,
        ),
        # Beside the features it is told position, normal and encoded direction.
        colour=ColourConfig(
            width=colour[0][0], layers=len(colour) - 1, octaves=octaves_of(colour[0][1] - features - 6, 3)
        ),
    )


def _background_config(sizes: _Sizes) -> SphereBackgroundConfig:
    layers = sizes.series("nerf.pts_linears.", ".weight")
    width, encoded = layers[0]
    wider = [i for i, (_, columns) in enumerate(layers) if i and columns == width + encoded]
    return SphereBackgroundConfig(
        width=width,
        layers=len(layers),
        skip=wider[0] - 1 if wider else None,
        octaves=octaves_of(encoded, 4),
        view_octaves=octaves_of(sizes.of("nerf.views_linears.0.weight")[1] - width, 3),
    )
