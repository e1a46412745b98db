"""Networks of the DINO families in transformers, with published weights or from scratch.

Weights come from a folder in the published layout (``config.json`` + ``model.safetensors``) or from
the hub by name. `SCENE3D_OFFLINE=1` keeps away from the network: a hub name then has to be in the
local cache.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from scene3d.errors import DataError, MissingExtraError, wrong_file

Family = Literal["dino", "dinov2", "dinov2_registers", "dinov3"]

MODEL_TYPES = {
    "dino": "vit",
    "dinov2": "dinov2",
    "dinov2_registers": "dinov2_with_registers",
    "dinov3": "dinov3_vit",
}
"""What `config.json` calls the architecture of each family."""

HUB_NAMES = {
    "dino": "facebook/dino-vitb8",
    "dinov2": "facebook/dinov2-base",
    "dinov2_registers": "facebook/dinov2-with-registers-base",
    "dinov3": "facebook/dinov3-vitb16-pretrain-lvd1689m",
}
"""Where the base size of each family is published."""

DINOV3_LICENCE = "https://ai.meta.com/resources/models-and-libraries/dinov3-license/"

_log = logging.getLogger(__name__)


def load_vit(family: Family, weights: str | None) -> Any:
    """A network of transformers with published weights, in evaluation mode.

    Args:
        family: which of the four architectures is expected.
        weights: folder or hub name; None is the published base size.

    Raises:
        MissingExtraError: transformers is not installed.
        DataError: the folder is missing or incomplete, the hub cannot be reached, the architecture
            is another one, or weights are lacking.
    """
    transformers = _transformers()
    source, local = _locate(weights or HUB_NAMES[family])
    offline = local or os.environ.get("SCENE3D_OFFLINE") == "1"
    try:
        config = transformers.AutoConfig.from_pretrained(source, local_files_only=offline)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{source}: {_first_line(error)}", hint=_how_to_get(family, local)) from error
    if config.model_type != MODEL_TYPES[family]:
        expected = f"a network of type {MODEL_TYPES[family]!r} ({family})"
        raise wrong_file(_config_file(source, local), expected=expected, got=repr(config.model_type))
    if not local and family == "dinov3":
        _log.warning("%s is under Meta's DINOv3 License: %s", source, DINOV3_LICENCE)
    try:
        with _quiet(transformers):
            network, report = _class_of(family).from_pretrained(
                source,
                config=config,
                local_files_only=offline,
                output_loading_info=True,
                **_without_pooler(family),
            )
    except Exception as error:  # transformers, safetensors and torch each raise their own kinds
        raise DataError(f"{source}: {_first_line(error)}", hint=_how_to_get(family, local)) from error
    lacking = sorted(report["missing_keys"]) + sorted(str(key) for key in report["mismatched_keys"])
    if lacking:
        raise wrong_file(source, expected=f"all weights of a {family} network", got=f"none that fit {lacking[0]!r}")
    return network.float().eval()


def random_vit(family: Family, *, width: int, depth: int, heads: int, patch: int) -> Any:
    """A network of transformers of any size, from scratch."""
    transformers = _transformers()
    sizes = {
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "patch_size": patch,
    }
    # DINOv2 gives the width of its MLP as a ratio, the others as a number.
    if family in ("dino", "dinov3"):
        sizes["intermediate_size"] = 4 * width
    settings = transformers.AutoConfig.for_model(MODEL_TYPES[family], **sizes)
    return _class_of(family)(settings, **_without_pooler(family))


def patch_size(network: Any) -> int:
    """Edge of the square patch of a network of transformers, pixels."""
    patch = network.config.patch_size
    return int(patch if isinstance(patch, int) else patch[0])


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "transformers is not installed, which reads DINO networks", hint='pip install "scene3d[dino]"'
        ) from error
    return transformers


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the bars and tables of transformers: what matters of them is in our own errors."""
    settings = transformers.utils.logging
    verbosity, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if bars:
            settings.enable_progress_bar()


def _class_of(family: Family) -> Any:
    names = {
        "dino": "ViTModel",
        "dinov2": "Dinov2Model",
        "dinov2_registers": "Dinov2WithRegistersModel",
        "dinov3": "DINOv3ViTModel",
    }
    return getattr(_transformers(), names[family])


def _without_pooler(family: Family) -> dict[str, bool]:
    # Only ViTModel has a pooler, which DINO never trained: left in, its weights would be reported as lacking.
    return {"add_pooling_layer": False} if family == "dino" else {}


def _locate(weights: str) -> tuple[str, bool]:
    """Where to read from, and whether it is a folder on this machine."""
    folder = Path(weights).expanduser()
    if folder.is_dir():
        for name in ("config.json", "model.safetensors"):
            sharded = name.startswith("model") and any(folder.glob("*.safetensors.index.json"))
            if not (folder / name).is_file() and not sharded:
                raise wrong_file(folder, expected="a folder with config.json and model.safetensors", got=f"no {name}")
        return str(folder), True
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", weights):
        raise wrong_file(weights, expected="a folder with config.json and model.safetensors", got="no such folder")
    return weights, False


def _config_file(source: str, local: bool) -> str:
    return str(Path(source) / "config.json") if local else source


def _how_to_get(family: Family, local: bool) -> str:
    if local:
        return "write the folder again with save_pretrained, or copy it whole from the hub"
    licence = f"; accept its licence first: {DINOV3_LICENCE}" if family == "dinov3" else ""
    return f"needs a network unless it is cached; or download it and give the folder{licence}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
