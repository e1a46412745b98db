"""Compiled kernels for the operators of scene3d: importing this registers them with torch's dispatcher."""

import torch  # noqa: F401  (its libraries must be loaded before the kernels that link to them)

from scene3d_ext import _C  # noqa: F401
