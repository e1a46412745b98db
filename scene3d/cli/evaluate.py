"""`scene3d evaluate`: a run against the ground truth of a split, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from scene3d.cli.outputs import refuse_existing
from scene3d.errors import UsageError


def evaluate(
    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")],
    *,
    split: Literal["train", "val", "test"] = "val",
    changes: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = (),
    data: Path | None = None,
    mesh: Path | None = None,
    threshold: float | None = None,
    surface_protocol: Literal["sampled", "DTU", "vertices"] = "sampled",
    observed: Path | None = None,
    dilation: float | None = None,
    seen: int | None = None,
    out: Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Score a run on a split and print the table, baselines and protocol included.

    Examples:
      scene3d evaluate runs/street
      scene3d evaluate runs/street --split test --out runs/street/test.json
      scene3d evaluate runs/street --set "evaluate.earlier=[-1,-2]"
      scene3d evaluate runs/bunny --mesh bunny.ply
      scene3d evaluate runs/kitti --split test --set evaluate.depth=eigen --set data.lists.test=eigen_test.txt

    Args:
        run: run folder or weights file.
        split: which part of the recipe's data.
        data: YAML file whose `data` is scored instead of the run's, such as configs/base/cityscapes_labels.yaml.
        changes: KEY=VALUE laid over the recipe's data and evaluation; may be repeated.
        mesh: true surface (PLY, OBJ, GLB), in the world of the photographs; adds Chamfer distance and F-score.
        threshold: of precision and recall against it; 1 % of the diagonal of its box if left out.
        surface_protocol: see `scene3d surface --protocol`, which scores mesh files.
        observed: DTU's ObsMask{scan}_10.mat, beside which Plane{scan}.mat lies: what was measured at all.
        dilation: pixels that the masks of what was learnt from grow by before they cut the surface.
        seen: cut off what fewer of its cameras than this see.
        out: JSON file of the figures; RUN/evaluation_SPLIT.json by default.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace the JSON file if it exists.
    """
    from scene3d import recipe

    if out is None:
        out = (run if run.is_dir() else run.parent) / f"evaluation_{split}.json"
    refuse_existing(out, overwrite=overwrite)
    if mesh is None and (threshold, observed, dilation, seen) != (None,) * 4:
        raise UsageError("--threshold, --observed, --dilation, --seen: expected with --mesh, got none")
    rules = {"file": mesh, "threshold": threshold, "protocol": surface_protocol, "observed": observed}
    surface = None if mesh is None else recipe.TrueSurface.of(rules, {"dilation": dilation, "seen": seen})
    report = recipe.evaluate(
        run,
        split=split,
        device=device,
        data=data,
        changes=changes,
        surface=surface,
    )
    report.save(out)
    print(report.as_markdown())
    print(f"wrote {out}")
    return 0
