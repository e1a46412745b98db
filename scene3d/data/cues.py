"""What a network guessed of single images, as files that lie beside them: depth of no unit, and normals.

FOLDER/<stem>_depth.npy     floats [H, W]: depth along z, right up to a scale and a shift of the image's own
FOLDER/<stem>_normal.npy    floats [3, H, W] in [0, 1]: n / 2 + 1/2 of unit normals n that point towards the camera, in
                            its axes: x right, y down, z forward, so a wall that faces the camera is (0.5, 0.5, 0)

The stem is that of the image's file. A guess is of the whole image as it lies on disk, its size is its own. That is how
MonoSDF keeps the guesses of Omnidata's networks; see `scene3d.losses.cues` for what is made of them.
Sources: Yu et al., "MonoSDF", NeurIPS 2022; Eftekhar et al., "Omnidata", ICCV 2021.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.errors import wrong_file
from scene3d.structures.scene import Shot

CueKind = Literal["depth", "normals"]

_SUFFIX: dict[CueKind, str] = {"depth": "_depth.npy", "normals": "_normal.npy"}
_SHAPE: dict[CueKind, str] = {"depth": "[H, W]", "normals": "[3, H, W]"}
_SQUASHED = 0.05
"""Share by which a guess may be wider or higher than its image: networks round sizes, but a crop is no such thing."""
_SLACK = 2e-3
"""How far half floats may leave [0, 1]."""


class CuesConfig(Config):
    """Where a network's guesses of the images lie, and which of them are read.

    Attributes:
        folder: of the files.
        kinds: depth, normals or both; each image must have its own.
    """

    folder: Path
    kinds: tuple[CueKind, ...] = Field(default=("depth", "normals"), min_length=1)


def cue_file(folder: Path, shot: Shot, kind: CueKind) -> Path:
    """Where the guess of a shot's image lies."""
    return folder / f"{shot.image.stem}{_SUFFIX[kind]}"


def check_cues(config: CuesConfig, shots: Iterable[Shot]) -> None:
    """Every shot has its files, and none is of two images.

    Raises:
        DataError: a file is missing, or two images share a stem.
    """
    if not config.folder.is_dir():
        raise wrong_file(config.folder, expected="a folder of cues", got="no such folder", hint="cues: null")
    owners: dict[str, Path] = {}
    for shot in shots:
        owner = owners.setdefault(shot.image.stem, shot.image)
        if owner != shot.image:
            got = f"{owner} as well: cues are found by the stem"
            raise wrong_file(shot.image, expected="an image with a stem of its own", got=got)
        for kind in config.kinds:
            path = cue_file(config.folder, shot, kind)
            if not path.is_file():
                others = [each for each in config.kinds if each != kind]
                raise wrong_file(
                    path,
                    expected=f"{kind} of {shot.image.name}",
                    got="no such file",
                    hint=f"cues.kinds: [{others[0]}] does without" if others else "cues: null does without",
                )


def read_cue(path: Path, kind: CueKind, height: int, width: int) -> Float[Tensor, "C H W"]:
    """A guess at its own size: depth [1, H, W], or unit normals [3, H, W], 0 where the file's are too short to tell.

    Args:
        path: the file; nothing in it is executed.
        kind: what it holds.
        height, width: of the image, whose shape the guess must have.

    Raises:
        DataError: the file is missing, no array of such numbers, of another shape than the image's, or its normals
            point away from the camera.
    """
    values = _array(path, kind)
    rows, columns = values.shape[-2:]
    if abs(columns * height / (rows * width) - 1) > _SQUASHED:
        raise wrong_file(
            path,
            expected=f"the shape of its image, {width} x {height}, at any size",
            got=f"{columns} x {rows}",
            hint="cues are of whole images; crop the images where the network saw crops",
        )
    return torch.from_numpy(values)[None] if kind == "depth" else _normals(path, torch.from_numpy(values))


def _array(path: Path, kind: CueKind) -> np.ndarray:
    """Finite float32 numbers of the right number of axes."""
    expected = f"an array of floats {_SHAPE[kind]}"
    try:
        loaded = np.load(path, allow_pickle=False)
    except OSError as error:
        raise wrong_file(path, expected=expected, got=error.strerror or "a file that is cut off") from None
    except (ValueError, EOFError):
        raise wrong_file(path, expected=expected, got="no array of numbers") from None
    if not isinstance(loaded, np.ndarray):
        raise wrong_file(path, expected=expected, got="an archive of several")
    fits = loaded.ndim == 2 if kind == "depth" else loaded.ndim == 3 and loaded.shape[0] == 3
    if not fits or loaded.size == 0 or loaded.dtype.kind != "f":
        raise wrong_file(path, expected=expected, got=f"{loaded.dtype} {list(loaded.shape)}")
    values = loaded.astype(np.float32)
    if not np.isfinite(values).all():
        raise wrong_file(path, expected="finite numbers", got="some that are not")
    return values


def _normals(path: Path, stored: Float[Tensor, "3 H W"]) -> Float[Tensor, "3 H W"]:
    low, high = float(stored.min()), float(stored.max())
    if low < -_SLACK or high > 1 + _SLACK:
        raise wrong_file(path, expected="n / 2 + 1/2 of normals, in [0, 1]", got=f"{low:.3g} to {high:.3g}")
    normals = 2 * stored - 1
    length = normals.norm(dim=0)
    if float(normals[2].mean()) > 0:
        raise wrong_file(
            path,
            expected="normals towards the camera, in axes x right, y down, z forward",
            got="most away from it",
            hint="1 - n turns the axes that are the other way round",
        )
    return torch.where(length > 0.1, normals / length.clamp(min=0.1), 0.0)
