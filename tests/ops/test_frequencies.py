from __future__ import annotations

import torch

from scene3d.ops.frequencies import encode_frequencies, encoded_size, frequency_gradient


def test_channels_run_by_frequency_then_wave_then_dimension():
    x = torch.tensor([0.3, -0.7])
    expected = torch.cat([x, (1.5 * x).sin(), (1.5 * x).cos(), (3 * x).sin(), (3 * x).cos()])
    torch.testing.assert_close(encode_frequencies(x, octaves=2), expected)
    assert encoded_size(2, 2) == 10


def test_the_chain_rule_is_that_of_autograd():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    encoded = encode_frequencies(x, octaves=4, base=0.7)
    gradient = torch.randn_like(encoded)
    (expected,) = torch.autograd.grad(encoded, x, gradient)
    torch.testing.assert_close(frequency_gradient(encoded, gradient, 3, base=0.7), expected)
    bare = encode_frequencies(x, octaves=0)
    torch.testing.assert_close(frequency_gradient(bare, gradient[:, :3], 3), gradient[:, :3])
