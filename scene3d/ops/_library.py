"""The seam between an operator and its kernels.

An operator is a schema, a plain reference in PyTorch that runs on every device, a fake that gives
shapes without data, and a backward. Compiled kernels, where they are installed, register themselves
for the same schema under the CPU or CUDA key, and torch's dispatcher prefers them to the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_library = torch.library.Library("scene3d", "FRAGMENT")


def operator(
    schema: str,
    *,
    reference: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    save: Callable[..., None] | None = None,
) -> Callable[..., Any]:
    """Define ``scene3d::<name>`` and return the callable that goes through torch's dispatcher.

    Args:
        schema: name, arguments and results, as in ``"scale(Tensor x, float by) -> Tensor"``.
        reference: the plain implementation, used wherever no compiled kernel is registered.
        fake: results of the right shape, dtype and device, without data; what `torch.compile` traces.
        backward: ``backward(ctx, *grad_outputs)`` gives one gradient an argument; None if not differentiable.
        save: ``save(ctx, inputs, output)`` keeps what `backward` needs.
    """
    name = schema.split("(", 1)[0]
    _library.define(schema)
    _library.impl(name, reference, "CompositeExplicitAutograd")
    torch.library.register_fake(f"scene3d::{name}", fake, lib=_library)
    if backward is not None:
        torch.library.register_autograd(f"scene3d::{name}", backward, setup_context=save, lib=_library)
    return getattr(torch.ops.scene3d, name)
