"""What scene semantics can be told of the pairs that its head learns from."""

from __future__ import annotations

from pydantic import Field

from scene3d.config import Config


class PairConfig(Config):
    """One kind of pairs in the correspondence loss: its weight, and the cosine from which a pair is alike."""

    weight: float = Field(ge=0)
    shift: float
