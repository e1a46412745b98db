from __future__ import annotations

import errno
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.engine import files
from scene3d.engine.checkpoint import (
    checkpoint_name,
    checkpoints,
    keep_newest,
    load_checkpoint,
    newest_valid,
    save_checkpoint,
)
from scene3d.engine.random_state import random_state, set_random_state, undisturbed
from scene3d.errors import CheckpointError

STATE = {
    "step": 3,
    "rate": 0.1,
    "name": "x",
    "none": None,
    "yes": True,
    "list": [1, [2.5, "a"]],
    "tensor": torch.arange(6.0).reshape(2, 3),
    "byte": torch.tensor([1, 255], dtype=torch.uint8),
    3: {"nested": torch.tensor(float("nan"))},
}


def test_a_state_comes_back_bit_for_bit(tmp_path):
    save_checkpoint(tmp_path / "a.ckpt", STATE)
    back = load_checkpoint(tmp_path / "a.ckpt")
    assert torch.equal(back.pop("tensor"), STATE["tensor"])
    assert torch.equal(back.pop("byte"), STATE["byte"])
    assert torch.isnan(back.pop(3)["nested"])
    assert back == {k: v for k, v in STATE.items() if k not in ("tensor", "byte", 3)}
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("value", [np.float64(1.0), Path("x"), {1, 2}, object(), {1.5: 2}])
def test_a_value_that_needs_pickle_is_refused_when_saving(tmp_path, value):
    with pytest.raises(TypeError, match=r"state\['a'\]\[0\]"):
        save_checkpoint(tmp_path / "a.ckpt", {"a": [value]})
    assert not list(tmp_path.iterdir())


def test_a_flipped_bit_anywhere_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, {"t": torch.zeros(3)})
    whole = path.read_bytes()
    for place in [*range(0, len(whole), 7), *range(len(whole) - 95, len(whole))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"a\.ckpt: expected"):
            load_checkpoint(path)


def test_a_file_cut_anywhere_is_found(tmp_path):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, {"t": torch.zeros(3)})
    whole = path.read_bytes()
    for length in [0, 1, 10, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"a\.ckpt: expected"):
            load_checkpoint(path)


class Harm:
    def __reduce__(self):
        return (Path("harm-was-done").touch, ())


def test_a_pickle_in_place_of_a_checkpoint_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.ckpt"
    path.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(CheckpointError, match="a pickle"):
        load_checkpoint(path)
    torch.save({"a": Harm()}, path)
    with pytest.raises(CheckpointError, match="a zip file"):
        load_checkpoint(path)
    assert not (tmp_path / "harm-was-done").exists()


def test_a_pickle_under_a_true_seal_is_not_run_either(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.ckpt"

    def write(file):
        sink = files.HashingSink(file)
        torch.save({"a": Harm()}, sink)
        file.write(f"\nscene3d checkpoint 1 sha256 {sink.digest()}\n".encode())

    files.write_whole(path, write)
    with pytest.raises(CheckpointError, match="expected plain values"):
        load_checkpoint(path)
    assert not (tmp_path / "harm-was-done").exists()


def test_the_newest_that_is_whole_is_taken_with_a_warning_for_the_other(tmp_path, caplog):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path / checkpoint_name(step), {"step": step})
    newest = tmp_path / checkpoint_name(10)
    newest.write_bytes(newest.read_bytes()[:-5])
    path, state = newest_valid(tmp_path)
    assert (path.name, state) == (checkpoint_name(2), {"step": 2})
    assert str(newest) in caplog.text


def test_none_is_none_and_all_damaged_is_an_error(tmp_path):
    assert newest_valid(tmp_path) is None
    (tmp_path / checkpoint_name(1)).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="all 1 checkpoints are damaged"):
        newest_valid(tmp_path)


def test_only_the_newest_are_kept(tmp_path):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path / checkpoint_name(step), {"step": step})
    (tmp_path / ".step_00000011.ckpt.77.part").write_bytes(b"half")
    keep_newest(tmp_path, 2)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [checkpoint_name(2), checkpoint_name(10)]


class FullDisk:
    """A file that takes a few bytes and then has no room."""

    def __init__(self, file):
        self._file, self._room = file, 50

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def test_a_full_disk_leaves_the_old_file_whole_and_says_so_in_a_line(tmp_path, monkeypatch):
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, {"step": 1})
    monkeypatch.setattr(files, "open", lambda *a: FullDisk(open(*a)), raising=False)  # noqa: SIM115
    with pytest.raises(CheckpointError, match="the disk is full") as caught:
        save_checkpoint(path, {"step": 2, "t": torch.zeros(1000)})
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert load_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


SAVER = """
import sys, torch
from pathlib import Path
from scene3d.engine.checkpoint import checkpoint_name, keep_newest, save_checkpoint
folder = Path(sys.argv[1])
for step in range(100000):
    save_checkpoint(folder / checkpoint_name(step), {"step": step, "t": torch.full((200_000,), float(step))})
    keep_newest(folder, 2)
    print(step, flush=True)
"""


def test_kill_while_saving_leaves_a_checkpoint_that_loads(tmp_path):
    saver = subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    draw = random.Random(0)
    for _ in range(3):
        saver.stdout.readline()
    time.sleep(draw.random() * 0.05)
    saver.send_signal(signal.SIGKILL)
    said = [int(line) for line in saver.stdout.read().split()]
    saver.wait()
    _, state = newest_valid(tmp_path)
    # What was reported as saved is there, or the one after it.
    assert state["step"] >= max([2, *said])
    assert torch.equal(state["t"], torch.full((200_000,), float(state["step"])))
    keep_newest(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == len(checkpoints(tmp_path))


def draws() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002


def test_random_states_survive_a_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "a.ckpt", random_state())
    expected = draws()
    set_random_state(load_checkpoint(tmp_path / "a.ckpt"))
    assert draws() == expected


def test_what_is_drawn_undisturbed_is_not_missed():
    state = random_state()
    expected = draws()
    set_random_state(state)
    with undisturbed():
        draws()
    assert draws() == expected
