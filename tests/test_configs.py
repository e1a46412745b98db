"""Every recipe that ships can be read, built where it needs no weights from elsewhere, and is listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.config import dump, parse
from scene3d.engine.predictor import Predictor
from scene3d.methods import Method
from scene3d.recipe import Recipe, load, load_recipe, packaged

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RECIPES = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "base")


def name(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_a_recipe_is_read_whole_and_survives_being_written(path: Path):
    recipe = load_recipe(path)
    assert parse(Recipe, dump(recipe), path) == recipe
    assert recipe.data.snippets.views[0].offset == 0
    assert recipe.data.scoring is not None


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_a_recipe_scores_at_the_size_it_trains_at(path: Path):
    data = load_recipe(path).data
    assert (data.scoring.height, data.scoring.width) == (data.snippets.height, data.snippets.width)


@pytest.mark.parametrize("path", [p for p in RECIPES if not p.stem.startswith("scenedino")], ids=name)
def test_a_recipe_builds_its_method(path: Path):
    # SceneDINO's take DINO from the hub, which tests do not reach: tests/test_scenedino_recipe.py has it from a folder.
    # Nor do they reach ImageNet's weights.
    pyramid = "method.encoder.pyramid" if path.parent.name == "completion" else "method.pyramid"
    pretrained = "pretrained: true" in path.read_text()
    recipe = load_recipe(path, [f"{pyramid}.pretrained=false"] if pretrained else [])
    assert isinstance(recipe.method.build(), Method)


def test_the_readme_lists_every_recipe():
    table = (CONFIGS / "README.md").read_text()
    assert [name(path) for path in RECIPES if f"`{name(path)}`" not in table] == []


def test_the_streets_for_semantics_are_those_of_its_geometry():
    geometry = load_recipe(CONFIGS / "completion" / "street_features.yaml")
    semantics = load_recipe(CONFIGS / "semantics" / "street.yaml")
    # The head stands on a frozen field: it needs no hints.
    snippets = geometry.data.snippets.model_copy(update={"hints": None})
    assert semantics.data == geometry.data.model_copy(update={"snippets": snippets})
    assert semantics.method.completion == geometry.method


def test_packaged_weights_load_and_are_small():
    assert "street" in packaged()
    for path in packaged().values():
        assert path.stat().st_size <= 8 * 2**20
        assert isinstance(load(path, device="cpu"), Predictor)
