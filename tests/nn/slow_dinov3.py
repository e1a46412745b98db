"""DINOv3's vision transformer, token by token and head by head, from its paper: slow, plain, and nobody's code.

Source: Simeoni et al., "DINOv3", 2025, section 3 and table 2: rotary positions with a base of 100 on coordinates in
[-1, 1], four registers, no bias on keys, each branch scaled channel by channel.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def patch_tokens(pixels: Tensor, weights: dict[str, Tensor], *, depth: int, heads: int, patch: int) -> Tensor:
    """Tokens [rows * columns, C] of one normalised image [3, H, W] after the last norm.

    Args:
        pixels: sides are multiples of the patch.
        weights: by the names of the published files.
        depth, heads, patch: sizes.
    """
    rows, columns = pixels.shape[1] // patch, pixels.shape[2] // patch
    kernel, bias = (weights[f"embeddings.patch_embeddings.{name}"] for name in ("weight", "bias"))
    tokens, places = [weights["embeddings.cls_token"][0, 0], *weights["embeddings.register_tokens"][0]], []
    places += [None] * len(tokens)
    for row in range(rows):
        for column in range(columns):
            window = pixels[:, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            tokens.append((kernel * window).sum(dim=(1, 2, 3)) + bias)
            places.append((2 * (row + 0.5) / rows - 1, 2 * (column + 0.5) / columns - 1))
    for block in range(depth):
        own = {k.split(".", 2)[2]: v for k, v in weights.items() if k.startswith(f"layer.{block}.")}
        own = own or {k.split(".", 3)[3]: v for k, v in weights.items() if k.startswith(f"model.layer.{block}.")}
        normed = [_norm(token, own, "norm1") for token in tokens]
        attended = _attention(normed, places, own, heads)
        scaled = zip(tokens, attended, strict=True)
        tokens = [token + own["layer_scale1.lambda1"] * new for token, new in scaled]
        tokens = [token + own["layer_scale2.lambda1"] * _mlp(_norm(token, own, "norm2"), own) for token in tokens]
    return torch.stack([_norm(token, weights, "norm") for token in tokens[-rows * columns :]])


def _attention(tokens: list[Tensor], places: list, own: dict[str, Tensor], heads: int) -> list[Tensor]:
    size = len(tokens[0]) // heads
    results = [[] for _ in tokens]
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        placed = list(zip(tokens, places, strict=True))
        query = [_turned(_linear(token, own, "attention.q_proj")[part], at) for token, at in placed]
        key = [_turned(_linear(token, own, "attention.k_proj")[part], at) for token, at in placed]
        value = [_linear(token, own, "attention.v_proj")[part] for token in tokens]
        for number, asked in enumerate(query):
            alike = torch.stack([asked @ other / math.sqrt(size) for other in key]).softmax(dim=0)
            results[number].append(sum(share * other for share, other in zip(alike, value, strict=True)))
    return [_linear(torch.cat(result), own, "attention.o_proj") for result in results]


def _turned(vector: Tensor, place: tuple[float, float] | None) -> Tensor:
    """Channels i and i + size / 2 turned as a pair; the first half of the pairs by the row, the second by the column.

    Class token and registers have no place and are not turned.
    """
    if place is None:
        return vector
    turned, half = vector.clone(), len(vector) // 2
    for pair in range(half):
        along, frequency = divmod(pair, half // 2)
        angle = 2 * math.pi * place[along] / 100 ** (2 * frequency / half)
        x, y = vector[pair], vector[pair + half]
        turned[pair] = x * math.cos(angle) - y * math.sin(angle)
        turned[pair + half] = y * math.cos(angle) + x * math.sin(angle)
    return turned


def _mlp(token: Tensor, own: dict[str, Tensor]) -> Tensor:
    hidden = _linear(token, own, "mlp.up_proj")
    return _linear(0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2))), own, "mlp.down_proj")


def _linear(token: Tensor, own: dict[str, Tensor], name: str) -> Tensor:
    bias = own.get(f"{name}.bias")
    return own[f"{name}.weight"] @ token + (0 if bias is None else bias)


def _norm(token: Tensor, own: dict[str, Tensor], name: str) -> Tensor:
    centred = token - token.mean()
    return own[f"{name}.weight"] * centred / (centred.square().mean() + 1e-5).sqrt() + own[f"{name}.bias"]
