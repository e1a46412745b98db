"""Prepare the true depth of a split once: an image a sample, in a folder named after the kind of truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scene3d.data.depth_truth import write_truth
from scene3d.data.snippet_config import TruthKind
from scene3d.data.splits import Split, Splits
from scene3d.errors import ConfigError
from scene3d.structures.scene import Scan


def fill_truth_folder(
    data: Splits, split: Split, kind: TruthKind, progress: Callable[[str, int, int], None] | None = None
) -> tuple[Path, int]:
    """Write the truth of every sample of a split; images that are there stay.

    Args:
        data: names the drives and, as `scoring.truth_folder`, the folder.
        split: which of them.
        kind: of truth.
        progress: called with the stage, what is done and of how many.

    Returns:
        The folder, and how many images were written.

    Raises:
        ConfigError: the config names no folder.
        DataError: a file of a drive is not what it should be, or no sample has such truth.
    """
    config = data.scoring or data.snippets
    folder = config.truth_folder
    if folder is None:
        raise ConfigError("data.scoring.truth_folder: expected a folder for the true depth, got none")
    bare = config.model_copy(update={"truth_folder": None})
    samples = data.model_copy(update={"scoring": bare}).build(split, training=False, truth=kind)
    written = 0
    scans: dict[str, dict[int, Scan]] = {}
    for i in range(len(samples)):
        scene = samples.scene(i)
        if scene.name not in scans:
            scans = {scene.name: {scan.frame: scan for scan in scene.scans}}
        written += write_truth(folder, kind, scene.name, samples.reference(i), scans[scene.name])
        if progress is not None:
            progress("preparing true depth", i + 1, len(samples))
    return folder, written
