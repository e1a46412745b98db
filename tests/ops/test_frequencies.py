from __future__ import annotations

import torch

from scene3d.ops.frequencies import encode_frequencies, encoded_size


def test_channels_run_by_frequency_then_wave_then_dimension():
    x = torch.tensor([0.3, -0.7])
    expected = torch.cat([x, (1.5 * x).sin(), (1.5 * x).cos(), (3 * x).sin(), (3 * x).cos()])
    torch.testing.assert_close(encode_frequencies(x, octaves=2), expected)
    assert encoded_size(2, 2) == 10
