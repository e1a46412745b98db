"""What CUDA warps run, run on the CPU: the order of lanes and the channels that do not fill a warp."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "cuda_ext" / "csrc"


def test_a_warp_of_lanes_does_what_one_lane_does(tmp_path: Path):
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "warp"
    words = [compiler, "-std=c++20", "-O1", "-pthread", f"-I{CSRC}", HERE / "warp_emulation.cpp", "-o", program]
    subprocess.run([str(word) for word in words], check=True, timeout=120)
    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"lanes differ by {done.stdout}"


@pytest.mark.parametrize(
    "header", sorted(path.name for path in CSRC.glob("*.h") if not path.name.endswith(("check.h", "frame.h", "_cpu.h")))
)
def test_the_maths_needs_neither_torch_nor_cuda(header: str):
    included = [line for line in (CSRC / header).read_text().splitlines() if line.startswith("#include")]
    assert not [line for line in included if "torch" in line or "cuda" in line or ".cuh" in line]
