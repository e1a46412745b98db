"""The seam between an operator and its kernels.

An operator is a schema, a plain reference in PyTorch that runs on every device, a fake that gives
shapes without data, a backward, and a rule for mixed precision. Compiled kernels register themselves
for the same schema under the CPU or CUDA key, and torch's dispatcher prefers them to the reference.
They come with `scene3d_ext`, where that is installed; the environment variable SCENE3D_OPS=reference
leaves them out.

Operators compute in single precision or in double. Features that they only fetch may be stored in half
of single precision: float16 or bfloat16 beside other arguments in float32. References raise them first;
backward operators return their gradients in what is computed in.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import torch

_library = torch.library.Library("scene3d", "FRAGMENT")

CHOICE = "SCENE3D_OPS"
"""Environment variable: "auto" (default) uses compiled kernels where they are installed, "reference" never."""


def operator(
    schema: str,
    *,
    reference: Callable[..., Any],
    fake: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    save: Callable[..., None] | None = None,
    stored: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """Define ``scene3d::<name>`` and return the callable that goes through torch's dispatcher.

    Args:
        schema: name, arguments and results, as in ``"scale(Tensor x, float by) -> Tensor"``.
        reference: the plain implementation, used wherever no compiled kernel is registered.
        fake: results of the right shape, dtype and device, without data; what `torch.compile` traces.
        backward: ``backward(ctx, *grad_outputs)`` gives one gradient an argument; None if not differentiable.
        save: ``save(ctx, inputs, output)`` keeps what `backward` needs.
        stored: arguments that may be stored in lower precision than is computed in. `torch.autocast` leaves them as
            they come, and raises all others to float32.
    """
    name = schema.split("(", 1)[0]
    _library.define(schema)
    _library.impl(name, reference, "CompositeExplicitAutograd")
    torch.library.register_fake(f"scene3d::{name}", fake, lib=_library)
    if backward is not None:
        torch.library.register_autograd(f"scene3d::{name}", backward, setup_context=save, lib=_library)
    op = getattr(torch.ops.scene3d, name)
    for device in ("cpu", "cuda"):
        _library.impl(name, _raising(op, device, stored), f"Autocast{device.upper()}")
    return op


def _raising(op: Callable[..., Any], device: str, stored: tuple[str, ...]) -> Callable[..., Any]:
    """What `torch.autocast` calls instead of an operator."""
    kept = [argument.name in stored for argument in op.default._schema.arguments]  # type: ignore[attr-defined]

    def raised(value: Any) -> Any:
        lower = isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype != torch.float64
        return value.float() if lower and value.device.type == device else value

    def call(*arguments: Any) -> Any:
        given = [each if keep else raised(each) for each, keep in zip(arguments, kept, strict=True)]
        with torch.autocast(device, enabled=False):
            return op(*given)

    return call


def repeatable(op: Callable[..., Any], reference: Callable[..., Any]) -> Callable[..., Any]:
    """An operator whose CUDA kernel adds atomically; under `torch.use_deterministic_algorithms` its reference."""

    def call(*arguments: Any) -> Any:
        on_cuda = any(isinstance(each, torch.Tensor) and each.is_cuda for each in arguments)
        if on_cuda and torch.are_deterministic_algorithms_enabled():
            return reference(*arguments)
        return op(*arguments)

    return call


def kernels() -> str:
    """Which implementation the operators of this process use, in words."""
    return _state


def is_compiled(name: str, device: str = "CPU") -> bool:
    """Whether a compiled kernel of an operator is registered for a device ("CPU" or "CUDA")."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(f"scene3d::{name}", device)


def _load_kernels() -> str:
    choice = os.environ.get(CHOICE, "auto")
    if choice == "reference":
        return f"plain PyTorch references ({CHOICE}=reference)"
    if choice != "auto":
        warnings.warn(f"{CHOICE}: expected auto or reference, got {choice!r}; auto is taken", stacklevel=2)
    try:
        importlib.import_module("scene3d_ext")
    except ModuleNotFoundError as error:
        if error.name == "scene3d_ext":
            return "plain PyTorch references (scene3d_ext is not installed)"
        return _failed(error)
    except (ImportError, OSError) as error:
        return _failed(error)
    return "compiled kernels"


def _failed(error: Exception) -> str:
    reason = str(error).splitlines()[0]
    warnings.warn(
        f"scene3d_ext does not load beside torch {torch.__version__}, so operators run on plain PyTorch: {reason} "
        "(pip install --no-build-isolation --force-reinstall ./cuda_ext builds it anew)",
        stacklevel=2,
    )
    return f"plain PyTorch references (scene3d_ext does not load: {reason})"


_state = _load_kernels()
