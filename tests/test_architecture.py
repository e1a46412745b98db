"""The house rules hold, and the checker that says so can fail."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.architecture import findings, long_parts, module_name

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "scene3d").rglob("*.py"))


def test_every_file_keeps_the_house_rules():
    found = [str(f) for path in FILES for f in findings(path.read_text(), module_name(path, ROOT))]
    assert not found, "\n".join(found)


def test_long_files_and_functions_are_reported():
    long = [part for path in FILES for part in long_parts(path.read_text(), module_name(path, ROOT))]
    if long:
        warnings.warn("longer than the house likes:\n" + "\n".join(long), stacklevel=1)


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("scene3d.geometry.camera", "from scene3d.structures.frames import Frames", "floor 1 imports"),
        ("scene3d.geometry.camera", "from ..structures import frames", "floor 1 imports"),
        ("scene3d.data.kitti", "def f():\n    import scene3d.methods", "floor 3 imports"),
        ("scene3d.data.kitti", "from scene3d import nn", "floor 3 imports"),
        ("scene3d.losses.depth", "from scene3d.volume import renderer", "floor 4 imports"),
        ("scene3d.ops.nearest", "from scene3d.geometry import rays", "floor 0 imports"),
        ("scene3d.engine.trainer", "from scene3d import load", "floor 7 imports"),
        ("scene3d.shelf.thing", "x = 1", "no floor"),
        ("scene3d.nn.mlp", "print('hello')", "print outside cli"),
        ("scene3d.nn.mlp", "def f(x):\n    return x.cuda()", ".cuda()"),
        ("scene3d.nn.mlp", "from math import *", "import *"),
        ("scene3d.nn.mlp", "import pickle", "imports pickle"),
        ("scene3d.nn.mlp", "from torch import hub\ndef f():\n    torch.hub.load('x')", "torch.hub.load"),
        ("scene3d.nn.mlp", "MEAN = torch.tensor([1.0])", "called on import"),
        ("scene3d.nn.mlp", "class A:\n    mean = torch.zeros(3)", "called on import"),
        ("scene3d.nn.mlp", "def f(x=torch.zeros(3)):\n    pass", "called on import"),
        ("scene3d.nn.mlp", "def f(p):\n    return torch.load(p)", "weights_only"),
        ("scene3d.nn.mlp", "def f(p):\n    return torch.load(p, weights_only=False)", "weights_only"),
        ("scene3d.nn.mlp", "def f(p):\n    return np.load(p, allow_pickle=True)", "pickles"),
        ("scene3d.nn.mlp", "def f(t):\n    return yaml.load(t, Loader=yaml.Loader)", "yaml.load"),
        ("scene3d.nn.mlp", "def f(t):\n    return eval(t)", "eval"),
        ("scene3d.nn.mlp", "x = 1\n" * 351, "351 lines"),
        ("scene3d.nn.mlp", "def f():\n" + "    x = 1\n" * 65, "66 lines"),
    ],
)
def test_the_checker_sees(module: str, source: str, complaint: str):
    assert any(complaint in str(finding) for finding in findings(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "scene3d.methods.scene_completion",
            "from scene3d.volume import renderer\nfrom scene3d.nn import unet",
        ),
        ("scene3d.geometry.rays", "from scene3d.geometry.camera import unproject\nfrom .se3 import rotate"),
        ("scene3d.data.street.write", "from .render import render\nfrom ..kitti_files import read_calib"),
        ("scene3d.ops.nearest", "from scene3d.errors import DataError\nimport torch"),
        ("scene3d.cli.demo", "print('hello')"),
        ("scene3d.nn.mlp", "def f(p):\n    return torch.load(p, weights_only=True), torch.zeros(3)"),
        ("scene3d.ops._library", "library = torch.library.Library('scene3d', 'FRAGMENT')"),
    ],
)
def test_the_checker_lets_pass(module: str, source: str):
    assert findings(source, module) == []


def test_every_module_imports_without_output_and_scene3d_without_torch():
    modules = [module_name(path, ROOT).removesuffix(".__init__") for path in FILES if path.stem != "__main__"]
    program = (
        "import importlib, sys\n"
        "import scene3d\n"
        "assert 'torch' not in sys.modules, 'import scene3d imports torch'\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "heavy = {'open3d', 'pytorch3d', 'transformers', 'viser', 'tensorboard', 'av', 'torchvision', 'torch._dynamo',"
        " 'kornia', 'scipy', 'skimage', 'trimesh', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, f'imported with the package, not where they are used: {heavy}'\n"
    )
    done = subprocess.run([sys.executable, "-W", "error::SyntaxWarning", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
