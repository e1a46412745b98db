"""From a folder of photographs to a mesh in one call, and what is refused on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from scene3d.config import dump, parse
from scene3d.data.images import read_mask
from scene3d.engine.surface_files import write_surface
from scene3d.errors import DataError, MissingExtraError, UsageError
from scene3d.evaluation.views import silhouette_iou
from scene3d.fusion.mesh_cleaning import CleaningConfig
from scene3d.fusion.meshing import MeshingConfig
from scene3d.recipe import Recipe, TrueSurface, evaluate, found_object, load, reconstruct, surface_recipe, train
from tests.data.photograph_trees import write_seven_scenes
from tests.globe_tree import write_globe
from tests.methods.globes import CENTRE, RADIUS


@pytest.fixture(scope="module")
def globe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_globe(tmp_path_factory.mktemp("data") / "globe")


def smaller(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with networks for CPU seconds."""
    tree = dump(recipe)
    sdf = {"kind": "hash", "levels": 6, "coarsest": 4, "finest": 64, "table_bits": 12, "width": 32, "radius": 0.3}
    tree["method"]["surface"] |= {"sdf": sdf, "colour": {"width": 32, "layers": 2}}
    sampling = {"kind": "march", "cells": 32, "refresh": 16, "outside": recipe.method.sampling.outside}
    tree["method"] |= {"rays": 128, "sampling": sampling, "steps": steps}
    tree["method"]["scales"] = {"networks": 0.3, "sharpness": 1.0}
    tree["train"] |= {"steps": steps, "save_every": 20}
    return parse(Recipe, tree, "test")


def test_a_folder_becomes_a_mesh_in_the_world(globe: Path, tmp_path: Path):
    options = {"meshing": MeshingConfig(cells=64), "cleaning": CleaningConfig(dilation=4.0), "turn": 2}
    made = reconstruct(globe, tmp_path / "out", steps=60, longest=48, **options)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in made.files}
    assert {"mesh.ply", "mesh.glb", "report.html", "report.json", "turntable.mp4"} <= names
    assert {"views/globe_0000000000_left.png", "views/globe_0000000008_left.png"} <= names
    mesh = trimesh.load(tmp_path / "out" / "mesh.ply")
    distance = np.linalg.norm(mesh.vertices - CENTRE.numpy(), axis=1)
    assert abs(np.median(distance) - RADIUS) < 0.3
    assert mesh.body_count == 1 and mesh.volume > 0
    assert mesh.visual.vertex_colors[:, :3].std() > 10
    # The GLB stands about its own middle.
    standing = trimesh.load(tmp_path / "out" / "mesh.glb", force="mesh")
    assert np.abs(standing.vertices.mean(axis=0)).max() < 0.5
    assert made.report.figure("rendered views", "ours", "silhouette IoU") > 0.85


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(globe: Path, tmp_path: Path):
    recipe = smaller(surface_recipe(globe, longest=48), 24)
    whole = train(recipe, tmp_path / "whole", progress=False)
    stopped = tmp_path / "stopped"
    train(
        recipe.model_copy(update={"train": recipe.train.model_copy(update={"max_minutes": 1e-9})}),
        stopped,
        progress=False,
    )
    resumed = train(recipe, stopped, progress=False)
    one, other = (load(run, device="cpu").method.state_dict() for run in (whole, resumed))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_views_that_are_scored_were_not_learned_from(globe: Path):
    data = surface_recipe(globe, longest=48).data
    learned, scored = data.build("train"), data.build("val")
    assert [scored.reference(i).frame for i in range(len(scored))] == [0, 8]
    assert len(learned) == 14
    assert not {learned.reference(i).frame for i in range(len(learned))} & {0, 8}


def test_what_is_found_out_of_a_folder(globe: Path, tmp_path: Path):
    recipe = surface_recipe(globe, longest=24)
    assert (recipe.data.snippets.height, recipe.data.snippets.width) == (18, 24)
    assert recipe.data.snippets.masks and recipe.method.background.kind == "plain"
    # A cube's faces are 0.58 of the way to its corners.
    assert recipe.data.snippets.region.confined and recipe.method.surface.sdf.radius == pytest.approx(
        0.9 * 3**-0.5, abs=0.02
    )
    bare = surface_recipe(write_globe(tmp_path / "bare", 4, masks=False))
    assert not bare.data.snippets.region.confined
    assert not bare.data.snippets.masks and bare.method.background.kind == "hash"
    assert bare.data.hold_out is None


def edited(folder: Path, change) -> Path:
    said = json.loads((folder / "scene.json").read_text())
    change(said)
    (folder / "scene.json").write_text(json.dumps(said))
    return folder


def on_a_line(said):
    for number, image in enumerate(said["images"]):
        image["cam_to_world"] = [[1, 0, 0, number], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def inside_out(said):
    for image in said["images"]:
        matrix = np.array(image["cam_to_world"])
        matrix[:3, [0, 2]] *= -1
        image["cam_to_world"] = matrix.tolist()
    said.pop("bounds")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda said: said["images"].__delitem__(slice(1, None)), "globe: expected views from at least 3 different"),
        (on_a_line, "globe: expected cameras around what they look at, got all 4 on a line"),
        (inside_out, "globe: .*look away"),
        (
            lambda said: said["images"][2].update(cam_to_world=said["images"][1]["cam_to_world"]),
            "002.png: .*that of 001",
        ),
        (lambda said: said["images"][1].pop("cam_to_world"), "001.png: expected a camera whose place is known"),
        (lambda said: said["images"][3].pop("mask"), "003.png: expected a mask for every image.*3 of 4"),
        (lambda said: said.update(bounds=[[90, 90, 90], [91, 91, 91]]), "expected a box that a camera sees"),
    ],
)
def test_cameras_that_do_not_suffice_are_named(tmp_path: Path, change, complaint: str):
    folder = edited(write_globe(tmp_path / "globe", 4), change)
    with pytest.raises(DataError, match=complaint):
        surface_recipe(folder).data.build("train")


def test_a_mask_without_anything_in_it_is_named(tmp_path: Path):
    folder = write_globe(tmp_path / "globe", 4)
    from PIL import Image

    Image.new("L", (48, 36)).save(folder / "masks" / "002.png")
    with pytest.raises(DataError, match=r"002.png: expected an object in the mask, got none"):
        surface_recipe(folder).data.build("train")[2]


def test_a_folder_of_nothing_and_one_of_several_scenes(tmp_path: Path):
    with pytest.raises(DataError, match="expected photographs, or a KITTI"):
        reconstruct(tmp_path, tmp_path / "out")
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "cameras.txt").touch()
    with pytest.raises(DataError, match="0: expected photographs, got a COLMAP model without them.*holds images/"):
        reconstruct(tmp_path / "0", tmp_path / "out")
    write_globe(tmp_path / "several" / "one", 4)
    write_globe(tmp_path / "several" / "other", 4)
    with pytest.raises(UsageError, match=r"expected the name of one of its scenes, got none \(hint: one, other"):
        surface_recipe(tmp_path / "several")
    assert surface_recipe(tmp_path / "several", scene="other").data.train == ("other",)


def test_a_room_begins_as_a_hollow_ball_that_holds_its_cameras(tmp_path: Path):
    room = write_seven_scenes(tmp_path / "room", 4)
    for path in room.glob("*.pose.txt"):  # away from the middle, towards walls 1.5 off
        np.savetxt(path, np.loadtxt(path) @ np.diag([-1.0, 1, -1, 1]))
    recipe = surface_recipe(room)
    sdf = recipe.method.surface.sdf
    assert sdf.inside_out and 0.3 <= sdf.radius < 1
    views = recipe.data.build("train")
    placed = views[0].unit_to_world[0]
    centres = torch.stack([(views[i].cam_to_world[0, 0, :3, 3] - placed[:3, 3]) / placed[0, 0] for i in range(4)])
    assert torch.allclose(centres.mean(dim=0), torch.tensor(sdf.centre).double(), atol=1e-6)
    assert bool((sdf.build().at(0.0).distance(centres.float()) > 0).all())
    assert not surface_recipe(write_globe(tmp_path / "globe", 4)).method.surface.sdf.inside_out


def test_a_square_room_is_told_so_from_the_edges_of_its_photographs(tmp_path: Path):
    room = write_seven_scenes(tmp_path / "room", 4)
    for path in room.glob("*.color.png"):
        tiles = np.indices(np.array(Image.open(path)).shape[:2]).sum(axis=0) // 12 % 2
        Image.fromarray((200 * tiles).astype(np.uint8)).convert("RGB").save(path)
    recipe = smaller(surface_recipe(room, square=True, steps=1200), 4)
    prior = recipe.method.loss.manhattan
    assert (prior.start, prior.ramp, prior.outliers) == (100, 300, 0.1)
    frames = recipe.data.build("train")[0]
    axes = frames.room_axes[0]
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3), atol=1e-4, rtol=0)
    assert "manhattan_l1" in recipe.method.build().training_step(frames, 101).terms
    assert surface_recipe(room).method.loss.manhattan is None


def test_without_masks_the_sharpness_follows_a_schedule(tmp_path: Path):
    recipe = smaller(surface_recipe(write_globe(tmp_path / "bare", 6, masks=False), longest=48), 4)
    method = recipe.method.build()
    frames = recipe.data.build("train")[0]
    exponents = []
    for step in range(5):
        method.training_step(frames, step)
        exponents.append(float(method.surface.sharpness.exponent))
    assert exponents == pytest.approx([0.3, 0.38, 0.46, 0.54, 0.62])
    held = [id(p) for group in method.parameter_groups() for p in group["params"]]
    assert id(method.surface.sharpness.exponent) not in held


def test_masks_are_written_of_every_view(globe: Path, tmp_path: Path):
    recipe = smaller(surface_recipe(globe, longest=48), 80)
    run = train(recipe, tmp_path / "run", progress=False)
    method = load(run, device="cpu").method
    views = recipe.data.build("train", training=False)
    shown = recipe.data.build("val")
    options = {"meshing": MeshingConfig(cells=32), "turn": 0, "masks": True, "shown": shown}
    files = [path for path in write_surface(method, views, tmp_path / "out", **options) if path.parent.name == "masks"]
    assert len(files) == len(views) + len(shown) == 16
    mask = read_mask(tmp_path / "out" / "masks" / "globe_0000000008_left.png")
    assert silhouette_iou(mask, shown[1].mask[0, 0]) > 0.8


def test_an_object_is_looked_for_once_and_again_where_that_is_asked_for(tmp_path: Path):
    globe = write_globe(tmp_path / "globe", 4)
    (tmp_path / "object").mkdir()
    (tmp_path / "object" / "object.json").write_text("{}")
    assert found_object(globe, tmp_path / "object") == tmp_path / "object"
    (globe / "images" / "001.png").write_bytes(b"no image")
    with pytest.raises((DataError, MissingExtraError)):
        found_object(globe, tmp_path / "object", overwrite=True)


def test_a_region_that_holds_no_surface_says_so(globe: Path, tmp_path: Path):
    recipe = smaller(surface_recipe(globe, longest=48), 1)
    method = recipe.method.build()
    method.training_step(recipe.data.build("train")[0], 0)
    with torch.no_grad():
        method.surface.sdf.mlp.linear()[-1].bias[0] = 3.0
    with pytest.raises(DataError, match="region of interest: expected a surface in it, got none"):
        method.mesh()


def test_a_report_says_that_cameras_were_corrected(globe: Path, tmp_path: Path):
    recipe = smaller(surface_recipe(globe, longest=48), 1)
    run = train(recipe, tmp_path / "run", progress=False)
    report = evaluate(run, device="cpu", split="val", changes=("evaluate.correct_cameras=2",))
    assert report.provenance["cameras"] == "moved to where they see their image best, 2 steps"
    assert "cameras" not in evaluate(run, device="cpu", split="val").provenance


def test_a_run_is_scored_against_a_mesh(globe: Path, tmp_path: Path):
    recipe = smaller(surface_recipe(globe, longest=48), 120)
    run = train(recipe, tmp_path / "run", progress=False)
    ball = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    ball.vertices += CENTRE.numpy()
    ball.export(tmp_path / "ball.ply")
    report = evaluate(run, device="cpu", surface=TrueSurface(file=tmp_path / "ball.ply", threshold=0.3))
    assert report.figure("surface", "ours", "Chamfer") < 0.3
    assert report.figure("surface", "ours", "F-score") > 0.8
    cut = TrueSurface(file=tmp_path / "ball.ply", threshold=0.3, cleaning=CleaningConfig(dilation=2.0, seen=1))
    table = evaluate(run, device="cpu", surface=cut).tables[-1]
    assert "cut by masks grown by 2 pixels, seen by 1 or more cameras" in table.note
    assert table.rows["ours"][2] < 0.3
    with pytest.raises(UsageError, match="expected data with masks to cut a surface by, got data without"):
        evaluate(run, device="cpu", surface=cut, changes=["data.snippets.masks=false", "data.scoring.masks=false"])
