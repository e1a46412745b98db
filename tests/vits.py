"""Small random networks of the DINO families, written in the layout that the real ones are published in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 8,
    "image_size": 32,
}
CLASSES = {
    "dino": "ViT",
    "dinov2": "Dinov2",
    "dinov2_registers": "Dinov2WithRegisters",
    "dinov3": "DINOv3ViT",
}


def publish_vit(folder: Path, family: str, seed: int = 0) -> Any:
    """Writes a network of 16 channels, patch 8 and 2 blocks of a family into a folder, and gives it back."""
    import transformers

    torch.manual_seed(seed)
    registers = {"num_register_tokens": 4} if family in ("dinov2_registers", "dinov3") else {}
    config = getattr(transformers, f"{CLASSES[family]}Config")(**SIZES, **registers)
    network = getattr(transformers, f"{CLASSES[family]}Model")(config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(folder)
    return network
