from __future__ import annotations

import json

import pytest

from scene3d.engine.run import Run, versions
from scene3d.errors import ConfigError, UsageError

RECIPE = {"method": {"width": 3}, "train": {"steps": 5, "max_minutes": None, "optim": {"rate": 0.1}}}


def changed(**train) -> dict:
    return RECIPE | {"train": RECIPE["train"] | train}


def test_another_recipe_is_refused_with_the_keys_that_differ(tmp_path):
    Run(tmp_path / "run", RECIPE).open(seed=3)
    Run(tmp_path / "run", RECIPE)
    with pytest.raises(ConfigError) as caught:
        Run(tmp_path / "run", changed(steps=6) | {"method": {"width": 4}})
    assert "method.width: 3 != 4; train.steps: 5 != 6" in str(caught.value)
    assert "--overwrite" in str(caught.value)


def test_a_time_limit_may_change(tmp_path):
    Run(tmp_path, RECIPE).open(seed=3)
    Run(tmp_path, changed(max_minutes=30))


def test_overwriting_starts_anew_and_touches_nothing_else(tmp_path):
    run = Run(tmp_path, RECIPE)
    run.open(seed=3)
    run.log({"step": 1})
    (run.checkpoints / "step_00000001.ckpt").write_bytes(b"x")
    (tmp_path / "my notes.txt").write_text("mine")
    again = Run(tmp_path, changed(steps=6), overwrite=True)
    again.open(seed=4)
    assert again.metrics() == []
    assert not list(again.checkpoints.iterdir())
    assert (tmp_path / "my notes.txt").read_text() == "mine"
    assert json.loads(again.versions_file.read_text())["seed"] == 4


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_left_alone(tmp_path, overwrite):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"no recipe\.yaml"):
        Run(tmp_path, RECIPE, overwrite=overwrite)
    with pytest.raises(UsageError, match="got a file"):
        Run(tmp_path / "thesis.tex", RECIPE, overwrite=overwrite)


def test_numbers_that_json_cannot_say_become_null(tmp_path):
    run = Run(tmp_path, RECIPE)
    run.open(seed=0)
    run.log({"step": 1, "terms": {"a": float("nan"), "b": 2.0}})
    assert run.metrics() == [{"step": 1, "terms": {"a": None, "b": 2.0}}]


def test_versions_name_what_the_result_depends_on():
    found = versions()
    assert {"torch", "numpy"} <= set(found["packages"])
    assert {"python", "platform", "git"} <= set(found)
