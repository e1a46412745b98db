"""DTU's observed volumes: `ObsMask{scan}_10.mat` and, beside it, `Plane{scan}.mat`.

Both are MATLAB's files of version 5. scipy reads arrays out of them and executes nothing, functions and objects in them
included.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import torch

from scene3d.errors import wrong_file
from scene3d.structures.observed import ObservedVolume

_NAME = re.compile(r"ObsMask(\d+)_\d+\.mat")


def read_observed(path: Path | str) -> ObservedVolume:
    """Where a scan of DTU was measured, in its world, millimetres.

    Args:
        path: `ObsMask{scan}_{margin}.mat` with `ObsMask` [X, Y, Z], `BB` [2, 3], the corners of its box, and `Res`, the
            edge of a cell. `Plane{scan}.mat` beside it holds `P`, the four numbers of the table's plane.

    Raises:
        DataError: a file is missing, has another name, or does not hold that.

    Source: Jensen et al., "Large scale multi-view stereopsis evaluation", CVPR 2014. The released evaluation rounds
    (x - BB[0]) / Res to the number of a cell from 0 on, so BB[0] is the centre of the first.
    """
    path = Path(path)
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise wrong_file(path, expected="a file named ObsMask{scan}_{margin}.mat", got=path.name)
    cells, box, size = (_array(path, key) for key in ("ObsMask", "BB", "Res"))
    if cells.ndim != 3 or cells.size == 0:
        raise wrong_file(path, expected="ObsMask [X, Y, Z]", got=f"{list(cells.shape)}")
    if box.shape != (2, 3) or not np.isfinite(box).all():
        raise wrong_file(path, expected="BB, two finite corners [2, 3]", got=f"{list(box.shape)}: {box.tolist()}")
    if size.size != 1 or not 0 < size.item() < math.inf:
        raise wrong_file(path, expected="Res, one edge above 0", got=f"{size.tolist()}")
    plane = path.with_name(f"Plane{name[1]}.mat")
    ground = _array(plane, "P")
    if ground.size != 4 or not np.isfinite(ground).all():
        raise wrong_file(plane, expected="P, four finite numbers", got=f"{ground.tolist()}")
    edge = float(size.item())
    return ObservedVolume(
        cells=torch.from_numpy(cells > 0),
        corner=torch.from_numpy(box[0].astype(np.float64) - edge / 2),
        size=edge,
        ground=torch.from_numpy(ground.astype(np.float64).ravel()),
    )


def _array(path: Path, key: str) -> np.ndarray:
    """One array of numbers."""
    from scipy.io import loadmat

    try:
        found = loadmat(str(path), appendmat=False, variable_names=[key])
    except FileNotFoundError:
        raise wrong_file(path, expected=f"a MATLAB file with {key}", got="no such file") from None
    except NotImplementedError:
        expected, hint = "a MATLAB file of version 5", "save -v7 in MATLAB writes one"
        raise wrong_file(path, expected=expected, got="version 7.3", hint=hint) from None
    except Exception as error:  # scipy raises many kinds; each means that it is not to be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise wrong_file(path, expected=f"a MATLAB file with {key}", got=reason) from None
    values = found.get(key)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "buif":
        got = "none" if values is None else "something else"
        raise wrong_file(path, expected=f"an array of numbers {key}", got=got)
    return values
