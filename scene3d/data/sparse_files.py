"""Sparse points with their tracks as an npz file beside a ``scene.json``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from scene3d.data.images import write_bytes
from scene3d.errors import wrong_file
from scene3d.structures.sparse import SparsePoints

KINDS = {
    "points": ("f", (-1, 3)),
    "colours": ("u", (-1, 3)),
    "errors": ("f", (-1,)),
    "track_start": ("i", (-1,)),
    "track_shot": ("i", (-1,)),
    "track_pixel": ("f", (-1, 2)),
}
"""Kind of number and shape of each array; -1 is any length."""


def write_sparse(path: Path | str, sparse: SparsePoints) -> None:
    """Write points and tracks, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{f.name: getattr(sparse, f.name).cpu().numpy() for f in fields(SparsePoints)})
    write_bytes(path, buffer.getvalue())


def read_sparse(path: Path | str, places: Sequence[int]) -> SparsePoints:
    """Points and tracks of a file.

    Args:
        path: the file.
        places: where in the scene's shots each image is that the file counts.

    Raises:
        DataError: the file is missing, or is none that `write_sparse` writes; a track names an image that is not.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in KINDS}
    except FileNotFoundError:
        raise wrong_file(path, expected="an npz file of sparse points", got="no such file") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise wrong_file(path, expected="an npz file of sparse points", got=str(error).splitlines()[0]) from None
    for name, (kind, shape) in KINDS.items():
        array = arrays[name]
        if array.dtype.kind != kind or array.ndim != len(shape) or array.shape[1:] != shape[1:]:
            got = f"{array.dtype} of shape {array.shape}"
            raise wrong_file(path, expected=f"{name} of kind {kind} and shape {shape}", got=got)
        if kind == "f" and not np.isfinite(array).all():
            raise wrong_file(path, expected=f"finite {name}", got="some that are not")
    start, shots = arrays["track_start"], arrays["track_shot"]
    number, seen = len(arrays["points"]), len(shots)
    if len(start) != number + 1 or start[0] != 0 or start[-1] != seen or (np.diff(start) < 0).any():
        raise wrong_file(path, expected=f"track_start from 0 up to {seen} for {number} points", got=f"{len(start)}")
    if not len(arrays["colours"]) == len(arrays["errors"]) == number or len(arrays["track_pixel"]) != seen:
        raise wrong_file(path, expected="a colour and error a point, and a pixel an observation", got="others")
    if seen and (shots.min() < 0 or shots.max() >= len(places)):
        raise wrong_file(path, expected=f"tracks in {len(places)} images", got=f"image {shots.max()}")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tensors["track_shot"] = torch.tensor(places, dtype=torch.int64)[tensors["track_shot"]]
    return SparsePoints(**tensors)
