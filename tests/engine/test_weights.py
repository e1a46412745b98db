from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from scene3d.engine.weights import fill, load_weights, save_weights, start_from
from scene3d.errors import CheckpointError

RECIPE = {"method": {"kind": "x", "sha256": "0" * 64}}


def saved(tmp_path, module=None, **kwargs):
    path = tmp_path / "w.safetensors"
    module = nn.Linear(2, 3) if module is None else module
    save_weights(path, module.state_dict(), recipe=RECIPE, notes={"step": 4}, **kwargs)
    return path


def test_weights_bring_their_recipe(tmp_path):
    module = nn.Linear(2, 3)
    weights = load_weights(saved(tmp_path, module))
    assert (weights.recipe, weights.notes) == (RECIPE, {"step": 4})
    assert all(torch.equal(weights.tensors[name], value) for name, value in module.state_dict().items())


def test_half_precision_halves_floats_only(tmp_path):
    module = nn.BatchNorm1d(4)
    tensors = load_weights(saved(tmp_path, module, dtype=torch.float16)).tensors
    assert tensors["weight"].dtype == torch.float16
    assert tensors["num_batches_tracked"].dtype == torch.int64


def test_half_precision_leaves_what_is_kept_in_double(tmp_path):
    placed = {"unit_to_world": torch.full((4, 4), 1e6 + 1 / 3, dtype=torch.float64)}
    save_weights(tmp_path / "w.safetensors", placed, recipe={}, dtype=torch.float16)
    assert torch.equal(load_weights(tmp_path / "w.safetensors").tensors["unit_to_world"], placed["unit_to_world"])


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"w\.safetensors"):
            load_weights(path)


def test_cut_foreign_and_absent_files_are_refused(tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    for content in (b"", whole[:5], whole[:-1], pickle.dumps([1]), b"x" * 100):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"w\.safetensors: expected"):
            load_weights(path)
    path.unlink()
    with pytest.raises(CheckpointError, match="No such file"):
        load_weights(path)


def test_weights_fill_a_part_by_its_prefix(tmp_path):
    inner = nn.Linear(2, 3)
    outer = nn.ModuleDict({"field": nn.Linear(2, 3), "head": nn.Linear(3, 1)})
    head = outer["head"].weight.clone()
    start_from(outer, saved(tmp_path, inner), into="field.")
    assert torch.equal(outer["field"].weight, inner.weight)
    assert torch.equal(outer["head"].weight, head)


def test_what_does_not_fit_is_named_and_nothing_is_set(tmp_path):
    weights = load_weights(saved(tmp_path))
    module = nn.Linear(2, 4)
    before = module.weight.clone()
    with pytest.raises(CheckpointError, match=r"weight is \(3, 2\), expected \(4, 2\)"):
        fill(module, weights, "w")
    with pytest.raises(CheckpointError, match="bias is not in the method"):
        fill(nn.Linear(2, 3, bias=False), weights, "w")
    with pytest.raises(CheckpointError, match=r"0\.weight is missing"):
        fill(nn.Sequential(nn.Linear(2, 3)), weights, "w")
    assert torch.equal(module.weight, before)


def test_a_part_of_the_weights_fills_the_whole_of_a_module(tmp_path: Path):
    inner, outer = nn.Linear(2, 3), nn.ModuleDict({"field": nn.Linear(2, 3), "head": nn.Linear(3, 4)})
    start_from(inner, saved(tmp_path, outer), part="field.")
    assert torch.equal(inner.weight, outer["field"].weight)
    with pytest.raises(CheckpointError, match="weight is missing"):
        start_from(inner, saved(tmp_path, outer), part="body.")


def test_weights_may_lack_what_came_later_and_nothing_else(tmp_path):
    class Calibrated(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 3)
            self.register_buffer("calibration", torch.full((2,), torch.nan))

    older, newer = saved(tmp_path, nn.Linear(2, 3)), Calibrated()
    fill(newer, load_weights(older), older)
    assert newer.calibration.isnan().all() and torch.equal(newer.weight, load_weights(older).tensors["weight"])
    newer.calibration.copy_(torch.tensor([1.0, 2.0]))
    again = Calibrated()
    path = saved(tmp_path, newer)
    fill(again, load_weights(path), path)
    assert again.calibration.tolist() == [1.0, 2.0]
