"""Train a network of your own: three functions make an `nn.Module` a method, and the trainer needs no more.

    python examples/your_own_method.py [FOLDER] [STEPS]

The method learns depth from the exact depth of procedural streets: the simplest thing that there is to learn.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from scene3d.data.street import make_street
from scene3d.data.street.truth import true_view
from scene3d.engine.run import Run
from scene3d.engine.trainer import TrainConfig, Trainer
from scene3d.geometry.camera import pinhole
from scene3d.losses import LossTerms
from scene3d.nn.image_encoder import UNetEncoderConfig
from scene3d.structures.prediction import DepthPrediction


class DepthFromLabels(nn.Module):
    """An encoder, and a convolution that says the logarithm of depth."""

    def __init__(self):
        super().__init__()
        self.encoder = UNetEncoderConfig(channels=16, camera_rays=False).build()
        self.head = nn.Sequential(nn.ELU(), nn.Conv2d(16, 1, kernel_size=1), nn.Upsample(scale_factor=2))

    def forward(self, image):
        return self.head(self.encoder(image))[:, 0] + 2.5  # about 12 m to begin with

    def training_step(self, frames, step):
        depth, known = frames.depth[:, 0], frames.depth[:, 0] > 0
        error = (self(frames.image[:, 0])[known] - depth[known].log()).abs().mean()
        return LossTerms(terms={"log_depth": error}, weights={"log_depth": 1.0}, observed={})

    @torch.no_grad()
    def predict(self, frames):
        return DepthPrediction(depth=self(frames.image[:, 0]).exp(), K=frames.K[:, 0], is_metric=True)

    def parameter_groups(self):
        return [{"params": list(self.parameters())}]


class Streets(list):
    """One view each of several streets, in memory; the trainer asks by (index, epoch)."""

    def __getitem__(self, key):
        return super().__getitem__(key[0])


if __name__ == "__main__":
    folder, steps = Path(*sys.argv[1:2] or ["out/my_method"]), int(*sys.argv[2:3] or [50])
    data = Streets(true_view(make_street(seed), frame=0, camera=pinhole(80.0, 64, 208)) for seed in (0, 1))
    run = Run(folder, recipe={}, overwrite=True)
    outcome = Trainer(DepthFromLabels(), data, TrainConfig(steps=steps), run).train()
    print(f"{outcome.step} steps, weights in {outcome.weights}")
