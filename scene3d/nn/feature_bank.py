"""A ring of feature sets seen lately, in which to look for things alike and things that are not."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FeatureBank(nn.Module):
    """The last `size` sets of P vectors, each with one vector to find it by.

    Its content is state of the training and is saved in checkpoints: a resumed run looks up the same sets.

    Args:
        size: sets that are kept.
        points: vectors a set.
        channels: of each vector.
        key_channels: of the vector to find a set by.
    """

    sets: Tensor
    keys: Tensor
    pushed: Tensor

    def __init__(self, size: int, points: int, channels: int, key_channels: int) -> None:
        super().__init__()
        self.register_buffer("sets", torch.zeros(size, points, channels))
        self.register_buffer("keys", torch.zeros(size, key_channels))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    @property
    def filled(self) -> int:
        """How many sets it holds."""
        return min(int(self.pushed), len(self.sets))

    def held(self) -> Float[Tensor, "M P C"]:
        """All sets that are there, in no particular order."""
        return self.sets[: self.filled]

    @torch.no_grad()
    def push(self, sets: Float[Tensor, "M P C"], keys: Float[Tensor, "M E"]) -> None:
        """Put sets in place of the oldest; of more than fit, the last stay."""
        sets, keys = sets[-len(self.sets) :], keys[-len(self.sets) :]
        slots = (self.pushed + torch.arange(len(sets), device=self.pushed.device)) % len(self.sets)
        self.sets[slots] = sets.to(self.sets)
        self.keys[slots] = torch.nn.functional.normalize(keys, dim=-1).to(self.keys)
        self.pushed += len(sets)

    def draw_alike(self, keys: Float[Tensor, "M E"], among: int) -> Float[Tensor, "M P C"]:
        """For each key, one of the `among` sets with the largest cosine to it, drawn at random.

        Ask before pushing what the keys belong to, or each set finds itself. The bank must not be empty.
        """
        unit = torch.nn.functional.normalize(keys, dim=-1)
        nearest = (unit @ self.keys[: self.filled].mT).topk(min(among, self.filled), dim=-1).indices
        pick = torch.randint(nearest.shape[1], (len(keys), 1), device=keys.device)
        return self.sets[nearest.gather(1, pick)[:, 0]]

    def draw_any(self, count: int) -> Float[Tensor, "M P C"]:
        """Sets drawn uniformly, with repetition; the bank must not be empty."""
        return self.sets[torch.randint(self.filled, (count,), device=self.sets.device)]
