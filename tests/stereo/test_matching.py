from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import invert, rigid
from scene3d.stereo.matching import MatchingConfig, agree, match

HEIGHT, WIDTH, FOCAL, BASELINE = 24, 64, 32.0, 0.5
CONFIG = MatchingConfig(nearest=1.0, hypotheses=33)
K = pinhole(FOCAL, HEIGHT, WIDTH).K


def shifted(x: float) -> torch.Tensor:
    return rigid(torch.eye(3), torch.tensor([-x, 0.0, 0.0]))


def seen_from(x: float, depth: float) -> torch.Tensor:
    """A painted wall at a depth, seen by a camera x metres to the right; exact at every pixel."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    u, v = (columns - WIDTH / 2) / FOCAL * depth + x, (rows - HEIGHT / 2) / FOCAL * depth
    u, v = u * 4 / depth, v * 4 / depth  # as many waves an image at any depth
    waves = [torch.sin(5 * u + 4 * v), torch.sin(4 * v - 3 * u + 1), torch.sin(6 * u - 5 * v + 2)]
    return torch.stack([0.5 + 0.4 * wave for wave in waves])


@pytest.mark.parametrize("depth", [2.5, 4.0, 9.3])
def test_a_wall_is_found_to_within_a_hypothesis(depth: float):
    image, source = seen_from(0.0, depth), seen_from(BASELINE, depth)
    nearness, alike = match(image, K, source[None], K[None], shifted(BASELINE)[None], CONFIG)
    inner = nearness[4:-4, 16:-8]
    # A hypothesis is 1/32 per metre, or half a pixel of disparity; whole pixels are favoured.
    assert inner.median().item() == pytest.approx(1 / depth, abs=0.8 * CONFIG.step)
    assert (inner - 1 / depth).abs().max() < 1.5 * CONFIG.step
    assert alike[4:-4, 16:-8].float().mean() > 0.95


def test_one_source_that_shows_it_is_enough():
    image, right = seen_from(0.0, 4.0), seen_from(BASELINE, 4.0)
    sources = torch.stack([torch.rand(3, HEIGHT, WIDTH), right])
    moves = torch.stack([shifted(-BASELINE), shifted(BASELINE)])
    nearness, _ = match(image, K, sources, K.expand(2, 3, 3), moves, CONFIG)
    assert nearness[4:-4, 16:-8].median().item() == pytest.approx(0.25, abs=0.3 * CONFIG.step)


def test_a_flat_image_matches_nowhere():
    flat = torch.full((3, HEIGHT, WIDTH), 0.4)
    _, alike = match(flat, K, flat[None], K[None], shifted(BASELINE)[None], CONFIG)
    assert not alike.any()


def test_views_agree_where_they_say_the_same_point():
    near, step = torch.full((HEIGHT, WIDTH), 0.25), rigid(torch.eye(3), torch.tensor([-0.5, 0.0, -1.0]))
    # The other camera stands 1 m ahead: for it the wall is 3 m away.
    other = torch.full((HEIGHT, WIDTH), 1 / 3)
    same = agree(near, K, other, K, step, 0.01)
    # x' = 32 (x / 32 * 4 - 0.5) / 3: the outer columns fall beside the other image, and so do the outer rows.
    assert same[4:-4, 16:-16].all()
    assert not same[:, 0].any()
    assert not agree(near, K, other + 0.02, K, step, 0.01).any()
    assert agree(other, K, near, K, invert(step), 0.01)[8:-8, 16:-8].all()


def test_infinity_agrees_with_infinity_and_with_nothing_else():
    far, near = torch.zeros(HEIGHT, WIDTH), torch.full((HEIGHT, WIDTH), 0.25)
    assert agree(far, K, far, K, shifted(0.5), 0.01)[:, 1:].all()
    assert not agree(far, K, near, K, shifted(0.5), 0.01).any()


def test_an_even_window_is_refused():
    with pytest.raises(ValidationError, match="odd"):
        MatchingConfig(window=4)
