"""The command line as its users meet it: help, exit codes, one-line errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from scene3d.cli import VERBS, main
from scene3d.errors import ConfigError, DataError, MissingExtraError, Scene3dError, UsageError


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line, in this process."""
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("words", [[], *([*verb.split()] for verb in VERBS)], ids=lambda words: " ".join(words) or "-")
def test_help_is_quick_has_an_example_and_does_not_import_torch(words: list[str]):
    program = (
        "import sys, scene3d.cli\n"
        f"code = scene3d.cli.main({[*words, '--help']!r})\n"
        "assert code == 0, code\n"
        "heavy = {'torch', 'numpy', 'open3d', 'matplotlib', 'kornia'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    start = os.times()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    end = os.times()
    assert done.returncode == 0, done.stderr
    assert f"scene3d {' '.join(words)}".strip() in done.stdout.split("Examples:")[1]
    # CPU time of the child: what another process does on this machine does not count.
    used = end.children_user - start.children_user + end.children_system - start.children_system
    assert used < 1.0


def test_the_command_and_the_module_are_the_same():
    done = subprocess.run([sys.executable, "-m", "scene3d", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    from scene3d import __version__

    assert done.stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected a verb (hint: scene3d --help lists them)"),
        (["trian"], "trian: no such verb (hint: did you mean train?)"),
        (["--overwrite"], "--overwrite: no such verb"),
        (["data", "chekc", "x"], "data chekc: no such verb (hint: did you mean check?)"),
        (
            ["train", "a.yaml", "--oot", "x"],
            "--oot: scene3d train has no such flag (hint: did you mean --out?)",
        ),
        (
            ["train", "a.yaml", "--maxminutes=3"],
            "--maxminutes: scene3d train has no such flag (hint: did you mean --max-minutes?)",
        ),
        (["train", "a.yaml"], "Missing from scene3d train: --out"),
        (["train", "a.yaml", "--out"], "Missing value for argument '--out'"),
        (["train", "a.yaml", "--out", "x", "--max-minutes", "soon"], "--max-minutes"),
        (["evaluate", "run", "--split", "vall"], "--split"),
        (["predict", "street", "a.png", "--out", "x", "--K", "1", "2", "3"], "--K"),
        (["data", "make-street", "x", "--layout", "kitti"], "--layout"),
        (["show"], "expected at least one file"),
        (["doctor", "now"], "now"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(capsys, words: list[str] | str, message: str):
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("scene3d: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_bare_data_lists_its_verbs(capsys):
    code, out, err = run(capsys, "data")
    assert (code, err) == (0, "")
    assert "data make-street" in out and "data check" in out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Scene3dError("it broke", hint="mend it"), 1, "it broke (hint: mend it)"),
        (UsageError("not so"), 2, "not so"),
        (ConfigError("train.stepz: unknown"), 2, "train.stepz: unknown"),
        (DataError("a.png: empty"), 3, "a.png: empty"),
        (MissingExtraError("needs Open3D"), 1, "needs Open3D"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
        (KeyboardInterrupt("runs/a: saved at step 7"), 130, "stopped by Ctrl-C; runs/a: saved at step 7"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.bin"),
            3,
            "a.bin: No such file or directory",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x"),
            1,
            "out/x: No space left on device (hint: free some",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out/x"),
            1,
            "out/x: Permission denied (hint: check the",
        ),
        (MemoryError("600 GiB"), 1, "out of memory: 600 GiB"),
        (ValueError("wrong\nand much more"), 1, "ValueError: wrong (hint: not a known mistake"),
        (ZeroDivisionError(), 1, "ZeroDivisionError: no message"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_becomes_one_line_and_its_code(capsys, monkeypatch, error: BaseException, code: int, message: str):
    def fail(**_: object) -> int:
        raise error

    monkeypatch.setattr("scene3d.cli.parse", lambda *_: fail)
    status, out, err = run(capsys, "doctor")
    assert (status, out) == (code, "")
    assert err.startswith(f"scene3d: error: {message}")
    assert err.count("\n") == 1 and "Traceback" not in err


def test_a_recipe_with_two_mistakes_says_both(capsys, monkeypatch):
    def fail(**_: object) -> int:
        raise ConfigError("a.yaml: one\na.yaml: two")

    monkeypatch.setattr("scene3d.cli.parse", lambda *_: fail)
    assert run(capsys, "doctor")[2] == "scene3d: error: a.yaml: one\nscene3d: error: a.yaml: two\n"


def test_traceback_shows_where(capsys):
    with pytest.raises(UsageError):
        main(["train", "a.yaml", "--oot", "x", "--traceback"])


def test_a_closed_pipe_is_no_error(tmp_path: Path):
    line = f"{sys.executable} -m scene3d --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_ends_with_130(tmp_path: Path):
    # A background shell hands down an ignored SIGINT, which Python would leave ignored.
    program = "import scene3d.cli, signal, sys, os\n" + (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "stop = lambda: os.kill(os.getpid(), signal.SIGINT) or __import__('time').sleep(5)\n"
        "scene3d.cli.parse = lambda *_: stop\n"
        "sys.exit(scene3d.cli.main(['doctor']))\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "scene3d: error: stopped by Ctrl-C\n")
    assert time.monotonic() - start < 5


def test_a_prediction_imports_nothing_that_it_does_not_need(tiny_weights: Path, tmp_path: Path):
    Image.new("RGB", (104, 32), "gray").save(tmp_path / "photo.png")
    words = ["predict", str(tiny_weights), str(tmp_path / "photo.png"), "--out", str(tmp_path / "out"), "--no-open3d"]
    program = (
        "import sys, scene3d.cli\n"
        f"assert scene3d.cli.main({words!r}) == 0\n"
        "heavy = {'torch._dynamo', 'torchvision', 'transformers', 'kornia', 'trimesh', 'scipy.spatial', 'open3d'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
