"""Rendered views of a surface against photographs, over the frames of an evaluation."""

from __future__ import annotations

import torch

from scene3d.engine.rules import OURS
from scene3d.evaluation.normals import NormalScores, score_normals
from scene3d.evaluation.surface_tables import normals_table, views_table
from scene3d.evaluation.views import ViewScores, score_view
from scene3d.geometry.normals import depth_normals
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import SurfacePrediction
from scene3d.structures.tables import Table


class ViewScorer:
    """Adds view after view; `tables` lays out what came together."""

    def __init__(self) -> None:
        self._views: list[ViewScores] = []
        self._normals: list[NormalScores] = []
        self._shown = "the images as they are"

    def add(self, prediction: SurfacePrediction, frames: Frames) -> None:
        """Compare view 0; a method that shows the object alone is compared with that, as masks say."""
        mask = None if frames.mask is None else frames.mask[0, 0]
        true = frames.image[0, 0]
        if prediction.behind is not None and mask is not None:
            true = torch.where(mask, true, prediction.behind)
            self._shown = f"the object alone, before {'white' if prediction.behind else 'black'}"
        silhouette = prediction.silhouette[0]
        self._views.append(score_view(prediction.colour[0].clamp(0, 1), true, silhouette, mask))
        if frames.depth is not None and frames.cam_to_world is not None:
            measured = depth_normals(frames.depth[0, 0], frames.K[0, 0])
            measured = measured @ frames.cam_to_world[0, 0, :3, :3].to(measured).mT
            known = (measured.norm(dim=-1) > 0) & silhouette
            if known.any():
                self._normals.append(score_normals(prediction.normals[0].movedim(0, -1), measured, known))

    def tables(self) -> list[Table]:
        """One table, or none where there was no view."""
        if not self._views:
            return []
        tables = [views_table({OURS: self._views}, f"{self._shown}; mean over {len(self._views)} views")]
        if self._normals:
            note = f"against those of measured depth, degrees; mean over {len(self._normals)} views"
            tables.append(normals_table({OURS: self._normals}, note))
        return tables
