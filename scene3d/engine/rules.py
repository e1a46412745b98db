"""The rules of an evaluation: what counts, where, and how a prediction becomes scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from scene3d.config import Config
from scene3d.data.snippet_config import ViewSpec
from scene3d.errors import UsageError
from scene3d.evaluation import completion
from scene3d.evaluation.baselines import DEPTH_SHELL, depth_shell
from scene3d.evaluation.completion import RANGES
from scene3d.evaluation.depth_protocol import PROTOCOLS as DEPTH_PROTOCOLS
from scene3d.evaluation.depth_protocol import Crop, DepthProtocol
from scene3d.evaluation.protocols import PROTOCOLS, Protocol
from scene3d.fusion.refinement import RefinementConfig
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.frames import Frames
from scene3d.structures.labels import IGNORE, SSC, remap
from scene3d.structures.prediction import CompletionPrediction

OURS = "ours"
"""Row of the method, with thresholds chosen on training data."""

NETWORK_SIZE: Literal["network size"] = "network size"
"""Depth is scored at the size that the network sees, against what the frames hold."""


class EvaluateConfig(Config):
    """How to score.

    Attributes:
        protocol: rules of the completion figures, by the names in `scene3d.evaluation.protocols`: "S4C" (15 classes)
            or "SSCBench" (18 classes, the official ones) for SSCBench files, "street exact" for the street.
        ranges: boxes to score, metres.
        grow: max-pool the density over 3x3x3 cells before the threshold; None as the protocol says.
        depth: rules of the depth figures, by the names in `scene3d.evaluation.depth_protocol`. "network size" scores
            against the depth that the frames hold, with `crop`, `nearest` and `cap`; the others bring their own
            truth, at the size of the image, and their own crop and cap.
        depth_factor: adds a row whose depth is multiplied by this: 5.4 makes metres of networks trained with a
            stereo baseline of 0.1 (KITTI's is 0.54 m).
        mirror: depth is the mean of that of the image and of the mirrored image; see `average_with_mirrored`.
        crop: count only the Garg crop of depth images (KITTI's lidar).
        nearest, cap: range of depth that counts, metres.
        earlier: complete scenes from these frames before the reference besides, as offsets: (-1, -2) makes three.
        novel_views: other images that fields are asked about, as [{sensor: right}, {sensor: left, plus: 1}]: PSNR and
            SSIM of what they show there, and whether features agree; see `scene3d.engine.novel_views`.
        votes: let these frames before the reference vote on the classes of cells, see
            `scene3d.methods.voted_frames`; adds how often frames agree.
        probes: add rows of k-means on the frozen features and of a linear probe; see `scene3d.engine.probes`.
        refine: add a row of our classes smoothed in this way; see `scene3d.fusion.refinement`.
        correct_cameras: steps in which the camera of each rendered view is moved to where it sees its image best,
            before it is scored; 0 takes it as given. See `scene3d.methods.camera_correction`.
        occupancy: score a slice of the street against the scans of the next instants too, where the data has them; see
            `scene3d.evaluation.occupancy`.
        frames: score at most so many frames, evenly spread; None for all.
        baseline_frames: fit baselines on at most so many training frames, evenly spread.
        fit_frames: of these, predict so many to choose the thresholds on.
    """

    protocol: Literal["street exact", "S4C", "SSCBench"] = "S4C"
    ranges: tuple[float, ...] = RANGES
    grow: bool | None = None
    depth: Literal["network size", "eigen", "eigen as published", "eigen improved", "cityscapes"] = NETWORK_SIZE
    depth_factor: float | None = Field(default=None, gt=0)
    mirror: bool = False
    crop: bool = True
    nearest: float = Field(default=1e-3, gt=0)
    cap: float = Field(default=80.0, gt=0)
    earlier: tuple[int, ...] = ()
    novel_views: tuple[ViewSpec, ...] = ()
    votes: tuple[int, ...] = ()
    probes: bool = False
    refine: RefinementConfig | None = None
    correct_cameras: int = Field(default=0, ge=0)
    occupancy: bool = False
    frames: int | None = Field(default=None, gt=0)
    baseline_frames: int = Field(default=500, gt=0)
    fit_frames: int = Field(default=40, gt=0)

    @field_validator("earlier", "votes")
    @classmethod
    def _frames_before_the_reference(cls, earlier: tuple[int, ...]) -> tuple[int, ...]:
        if any(offset >= 0 for offset in earlier):
            raise ValueError(f"expected negative offsets, of frames before the reference, got {list(earlier)}")
        return earlier

    @model_validator(mode="after")
    def _a_novel_view_is_of_one_image(self) -> EvaluateConfig:
        if self.earlier and self.novel_views:
            raise ValueError("novel_views: are of the field of one image, and earlier asks for several; leave one out")
        return self

    @model_validator(mode="after")
    def _other_classes_are_of_one_frame(self) -> EvaluateConfig:
        if (self.probes or self.refine is not None) and (self.earlier or self.votes):
            raise ValueError("probes and refine score single frames; leave out earlier and votes, or score twice")
        return self

    @model_validator(mode="after")
    def _a_named_protocol_is_not_changed(self) -> EvaluateConfig:
        if self.depth != NETWORK_SIZE:
            for name in ("crop", "nearest", "cap"):
                default = type(self).model_fields[name].default
                if getattr(self, name) != default:
                    raise ValueError(f'{name}: depth "{self.depth}" has its own; leave it out, or at {default}')
        return self

    @property
    def completion_protocol(self) -> Protocol:
        """What counts when completion is scored."""
        return PROTOCOLS[self.protocol]

    @property
    def depth_protocol(self) -> DepthProtocol:
        """What counts when depth is scored."""
        if self.depth in DEPTH_PROTOCOLS:
            return DEPTH_PROTOCOLS[self.depth]
        crop: Crop = "Garg" if self.crop else "none"
        return DepthProtocol(name=self.depth, truth=None, crop=crop, nearest=self.nearest, cap=self.cap)


@dataclass(frozen=True)
class Rules:
    """A configuration with the grid that it is applied to.

    Attributes:
        config: how to score.
        frame: grid of the ground-truth voxels.
    """

    config: EvaluateConfig
    frame: VoxelFrame

    @property
    def protocol(self) -> Protocol:
        """What the completion figures leave out."""
        return self.config.completion_protocol

    @property
    def grow(self) -> bool:
        """Whether the method's density grows by a cell before the threshold."""
        return self.protocol.grow if self.config.grow is None else self.config.grow

    @property
    def protocol_name(self) -> str:
        """The protocol with what the config changed of it."""
        return f"{self.protocol.name}, {'grown 3x3x3' if self.grow else 'not grown'}"

    @property
    def crops(self) -> dict[float, tuple[slice, slice, slice]]:
        """The box of each range."""
        return dict(completion.crops(self.frame, self.config.ranges))

    @property
    def rings(self) -> tuple[float, ...]:
        """The ranges, ascending."""
        return tuple(sorted(self.crops))

    def truth(self, frames: Frames) -> Int[Tensor, "X Y Z"]:
        """The classes of one frame's cells, checked."""
        if frames.voxels is None or frames.grid_to_cam is None:
            raise UsageError(f"{frames.names}: expected voxels and where they lie, got frames without")
        truth = frames.voxels[0]
        if tuple(truth.shape) != self.frame.shape:
            raise UsageError(f"voxels: expected a grid of {self.frame.shape}, got {tuple(truth.shape)}")
        space = self.protocol.space
        if frames.voxel_space != space:
            raise UsageError(f"voxels: expected classes of {space.name}, got those of {frames.voxel_space.name}")
        highest = int(torch.where(truth == IGNORE, 0, truth).max())
        if highest >= len(space):
            raise UsageError(f"voxels: expected classes 0 to {len(space) - 1} ({space.name}), got {highest}")
        return truth

    def regions(self, frames: Frames) -> dict[str, Bool[Tensor, "X Y Z"]]:
        """Cells that count; see `completion.regions`."""
        truth = self.truth(frames)
        size = (frames.image.shape[-2], frames.image.shape[-1])
        grid_to_cam: Tensor = frames.grid_to_cam[0]  # type: ignore[index]
        return completion.regions(truth, self.frame, grid_to_cam, frames.K[0, 0], size, self.protocol)

    def scores(self, prediction: CompletionPrediction, frames: Frames) -> dict[str, Float[Tensor, "X Y Z"]]:
        """Score grids of the competitors that look at the image, by the name of their row.

        Raises:
            UsageError: the grid of the prediction is not that of the truth.
        """
        if prediction.frame != self.frame:
            raise UsageError(f"prediction: expected the grid {self.frame}, got {prediction.frame}")
        if not torch.allclose(prediction.grid_to_cam, frames.grid_to_cam, atol=1e-3):  # type: ignore[arg-type]
            raise UsageError("prediction: its grid lies elsewhere than the ground truth's")
        density = prediction.density[0]
        shell = depth_shell(prediction.depth[0], self.frame, prediction.grid_to_cam[0], prediction.K[0])
        return {OURS: completion.grow(density) if self.grow else density, DEPTH_SHELL: shell}

    def classes(self, prediction: CompletionPrediction) -> Int[Tensor, "X Y Z"] | None:
        """The predicted classes in the protocol's space, grown where the score is; None where there are none.

        A class goes by its name; those that the method has no name for are never said.
        """
        if prediction.classes is None:
            return None
        space = self.protocol.space
        classes = remap(prediction.classes[0], tuple(space.index(name) for name in SSC.classes))
        return completion.grow_classes(classes, prediction.density[0]) if self.grow else classes
