from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scene3d.engine import trainer as trainer_file
from scene3d.engine.checkpoint import load_checkpoint
from scene3d.engine.optim import OptimConfig
from scene3d.engine.run import Run
from scene3d.engine.trainer import Outcome, TrainConfig, Trainer
from scene3d.engine.weights import load_weights
from scene3d.errors import ConfigError, Scene3dError
from scene3d.losses import LossTerms
from tests.engine.toy import Squares, Toy

OPTIM = OptimConfig(rate=0.05, average=0.9, decay="cosine", warm_up=2)
SHORT = TrainConfig(steps=10, batch_size=2, save_every=100, log_every=2, optim=OPTIM)


def toy(**kwargs) -> Toy:
    torch.manual_seed(1)
    return Toy(**kwargs)


def run_in(folder: Path) -> Run:
    return Run(folder, {"what": "toy"})


def train(folder: Path, config: TrainConfig = SHORT, method: Toy | None = None, **kwargs) -> Outcome:
    method = toy() if method is None else method
    return Trainer(method, Squares(), config, run_in(folder), device="cpu", progress=False, **kwargs).train()


def changed(**kwargs) -> TrainConfig:
    return TrainConfig.model_validate(SHORT.model_dump() | kwargs)


class Stopping(Toy):
    """Sends its own process a signal in one step."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__()
        self.number, self.at = number, step

    def training_step(self, frames, step) -> LossTerms:
        if step == self.at:
            self.at = -1  # a second signal would end the process at once
            os.kill(os.getpid(), self.number)
        return super().training_step(frames, step)


def stopping(number: int, step: int) -> Stopping:
    torch.manual_seed(1)
    return Stopping(number, step)


def final_state(folder: Path) -> dict:
    state = load_checkpoint(sorted((folder / "checkpoints").iterdir())[-1])
    # beartype, which checks shapes in the tests, draws from Python's generator as often as it checks a list.
    for random in state["random"]:
        del random["python"]
    return {name: value for name, value in state.items() if "seconds" not in name}


def assert_same(left: object, right: object, where: str = "") -> None:
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for name in left:
            assert_same(left[name], right[name], f"{where}/{name}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}/{i}")
    else:
        assert left == right, where


@pytest.mark.parametrize(
    ("number", "config"),
    [
        (signal.SIGINT, SHORT),
        (signal.SIGTERM, SHORT),
        (signal.SIGINT, changed(accumulate=2)),
        (signal.SIGINT, changed(precision="bf16")),
    ],
)
def test_resuming_after_a_signal_equals_no_stop_bit_for_bit(tmp_path, number, config):
    train(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt, match="saved at step 5"):
        train(tmp_path / "parts", config, stopping(number, 4))
    outcome = train(tmp_path / "parts", config, stopping(number, -1))
    assert (outcome.step, outcome.reason) == (10, "steps")
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "parts"))
    whole, parts = (load_weights(tmp_path / name / "weights.safetensors") for name in ("whole", "parts"))
    assert_same(whole.tensors, parts.tensors)


def test_a_run_that_was_killed_before_its_first_checkpoint_leaves_no_lines(tmp_path):
    killed = run_in(tmp_path / "a")
    killed.open(seed=0)
    killed.log({"step": 8, "loss": 1.0})
    train(tmp_path / "a")
    assert [line["step"] for line in run_in(tmp_path / "a").metrics()] == [2, 4, 6, 8, 10]


def test_training_a_finished_run_again_changes_nothing(tmp_path):
    train(tmp_path / "a")
    state, lines = final_state(tmp_path / "a"), run_in(tmp_path / "a").metrics()
    assert train(tmp_path / "a").step == 10
    assert_same(state, final_state(tmp_path / "a"))
    assert run_in(tmp_path / "a").metrics() == lines


def test_workers_change_nothing(tmp_path):
    train(tmp_path / "none")
    train(tmp_path / "two", changed(workers=2))
    assert_same(final_state(tmp_path / "none"), final_state(tmp_path / "two"))


def test_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(tmp_path / "a")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "parts", changed(save_every=4))
    last = tmp_path / "parts" / "checkpoints" / "step_00000010.ckpt"
    last.write_bytes(last.read_bytes()[:-1])
    train(tmp_path / "parts", changed(save_every=4))
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "parts"))


def test_the_run_folder_holds_what_it_should(tmp_path):
    config = changed(save_every=2, keep=3)
    outcome = train(tmp_path / "a", config, notes={"hello": 1})
    assert outcome.weights == tmp_path / "a" / "weights.safetensors"
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert {"recipe.yaml", "versions.json", "metrics.jsonl", "checkpoints", "weights.safetensors"} <= names
    kept = [path.name for path in sorted((tmp_path / "a" / "checkpoints").iterdir())]
    assert kept == ["step_00000006.ckpt", "step_00000008.ckpt", "step_00000010.ckpt"]
    assert json.loads((tmp_path / "a" / "versions.json").read_text())["seed"] == 0
    weights = load_weights(outcome.weights)
    assert weights.recipe == {"what": "toy"}
    assert weights.notes == {"hello": 1, "step": 10, "seed": 0}


def test_the_log_has_terms_unweighted_and_no_step_twice(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "a", SHORT, stopping(signal.SIGINT, 6))
    # As if the process had been killed after it had gone on for a while: step 8 is logged, not saved.
    run_in(tmp_path / "a").log({"step": 8})
    with open(tmp_path / "a" / "metrics.jsonl", "a") as file:
        file.write('{"step": 9, "lo')
    train(tmp_path / "a", SHORT, stopping(signal.SIGINT, -1))
    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10]
    last = lines[-1]
    assert set(last["terms"]) == {"error", "size"}
    # Weight 1 and 0: the loss is the first term alone.
    assert last["loss"] == pytest.approx(last["terms"]["error"])
    assert last["terms"]["size"] > 0
    assert set(last["observed"]) == {"mean_depth"}
    assert last["gradient_norm"] > 0 and last["cpu_seconds"] > 0 and last["peak_memory_mb"] > 0
    assert last["rate"] == pytest.approx(OPTIM.rate * OPTIM.floor)


def test_it_learns(tmp_path):
    train(tmp_path / "a", changed(steps=60, batch_size=4, optim={"rate": 0.05}))
    lines = run_in(tmp_path / "a").metrics()
    assert lines[-1]["loss"] < 0.2 * lines[0]["loss"]


def test_a_lost_step_leaves_no_trace(tmp_path, caplog):
    method = toy(spoil=(3,))
    seen = []

    def check(method, step):
        seen.append({name: value.clone() for name, value in method.state_dict().items()})
        return {}

    train(tmp_path / "a", changed(check_every=1, optim={"average": 0.0}), method, check=check)
    assert_same(seen[2], seen[3])
    assert not torch.equal(seen[3]["head.weight"], seen[4]["head.weight"])
    assert "step 3: loss nan" in caplog.text


def test_too_many_lost_steps_stop_with_the_names_of_the_batches(tmp_path):
    with pytest.raises(Scene3dError, match="not finite for 3 steps in a row, last on square"):
        train(tmp_path / "a", changed(skip_nonfinite=2), toy(spoil=(4, 5, 6)))
    dump = json.loads((tmp_path / "a" / "nonfinite.json").read_text())
    assert [entry["step"] for entry in dump] == [4, 5, 6]
    assert all(len(entry["names"]) == 2 and entry["terms"]["error"] == "nan" for entry in dump)


def test_lost_steps_that_are_not_in_a_row_do_not_stop(tmp_path):
    assert train(tmp_path / "a", changed(skip_nonfinite=1), toy(spoil=(2, 4, 6))).step == 10


def test_a_gradient_of_zero_stops(tmp_path):
    with pytest.raises(Scene3dError, match="step 3: the gradient has been zero for 4 steps"):
        train(tmp_path / "a", changed(stop_on_zero_gradient=4), toy(still=True))
    assert train(tmp_path / "b", changed(stop_on_zero_gradient=0), toy(still=True)).step == 10


@pytest.mark.parametrize("limit", ["max_minutes", "max_cpu_minutes"])
def test_a_time_limit_saves_and_stops_and_can_be_raised(tmp_path, limit):
    assert train(tmp_path / "a", changed(**{limit: 1e-9})).reason == limit
    assert (tmp_path / "a" / "checkpoints" / "step_00000001.ckpt").exists()
    assert train(tmp_path / "a", changed(**{limit: 100})).step == 10
    train(tmp_path / "whole")
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "a"))


def test_the_best_weights_are_kept_and_checking_disturbs_nothing(tmp_path):
    figures = iter([3.0, 1.0, 2.0, float("nan"), 5.0])

    def check(method, step):
        assert not method.training
        torch.rand(100)
        return {"error": next(figures)}

    train(tmp_path / "a", changed(check_every=2, best="error"), check=check)
    assert load_weights(tmp_path / "a" / "best.safetensors").notes["step"] == 4
    checks = [line for line in run_in(tmp_path / "a").metrics() if "check" in line]
    assert [line["check"]["error"] for line in checks] == [3.0, 1.0, 2.0, None, 5.0]
    train(tmp_path / "b")
    assert_same(final_state(tmp_path / "a")["learner"], final_state(tmp_path / "b")["learner"])


def test_a_best_that_nobody_measures_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="train.best: expected one of error, got 'eror'"):
        train(tmp_path / "a", changed(check_every=2, best="eror"), check=lambda method, step: {"error": 1.0})


def test_finishing_is_exported(tmp_path):
    def finish(method):
        method.head.bias.data.fill_(7)

    train(tmp_path / "a", finish=finish)
    assert load_weights(tmp_path / "a" / "weights.safetensors").tensors["head.bias"] == 7


def test_starting_from_weights_happens_once(tmp_path):
    train(tmp_path / "first")
    weights = tmp_path / "first" / "weights.safetensors"
    config = changed(start_from=weights, steps=1, optim={"rate": 1e-12, "warm_up": 0})
    train(tmp_path / "second", config)
    first, second = (load_weights(tmp_path / n / "weights.safetensors").tensors for n in ("first", "second"))
    torch.testing.assert_close(first["head.weight"], second["head.weight"])
    # Resumed, it goes on from the checkpoint and does not need the file.
    weights.unlink()
    train(tmp_path / "second", config)


def test_what_is_measured_before_the_first_step_comes_after_the_given_weights_and_once(tmp_path):
    train(tmp_path / "first", finish=lambda method: method.head.bias.data.fill_(7))
    seen = []

    def begin(method):
        seen.append(method.head.bias.item())
        method.head.bias.data.fill_(5)

    config = changed(
        start_from=tmp_path / "first" / "weights.safetensors", steps=1, optim={"rate": 1e-12, "warm_up": 0}
    )
    train(tmp_path / "second", config, begin=begin)
    assert load_weights(tmp_path / "second" / "weights.safetensors").tensors["head.bias"] == 5
    # Resumed, the run has what it measured.
    train(tmp_path / "second", config, begin=begin)
    assert seen == [7]


def test_float16_learns_on_with_its_scaler(tmp_path):
    assert train(tmp_path / "a", changed(precision="fp16")).step == 10
    assert final_state(tmp_path / "a")["learner"]["scaler"]["scale"] > 0


def test_compile_is_asked_for_the_step(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(trainer_file.torch, "compile", lambda step: compiled.append(step) or step)
    train(tmp_path / "a", changed(compile=True))
    assert len(compiled) == 1


RANKS = """
import sys, torch
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.engine.toy import Squares, Toy
from scene3d.engine.distributed import process_group
from scene3d.engine.run import Run
from scene3d.engine.trainer import TrainConfig, Trainer
torch.set_num_threads(1)
with process_group("cpu"):
    for name, stops in (("whole", [10]), ("parts", [1e-9, 10])):
        for limit in stops:
            config = TrainConfig(steps=6, batch_size=1, log_every=2, max_minutes=limit, optim={"average": 0.9})
            torch.manual_seed(1)
            run = Run(Path(sys.argv[1]) / name, {"what": "toy"})
            Trainer(Toy(), Squares(), config, run, device="cpu", progress=False).train()
"""


def test_two_ranks_train_as_one_and_resume_bit_for_bit(tmp_path):
    program = tmp_path / "ranks.py"
    program.write_text(RANKS)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(program), str(tmp_path), root], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "parts"))
    state = final_state(tmp_path / "whole")
    assert len(state["random"]) == 2
    assert state["sampler"]["epoch"] == 1  # 12 of 7 squares, filled up to 8 an epoch
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
