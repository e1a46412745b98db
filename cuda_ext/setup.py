"""Builds the kernels: with a C++ compiler alone for the CPU, with nvcc for CUDA too.

SCENE3D_CUDA=0 leaves CUDA out, SCENE3D_CUDA=1 insists on it; without, it is built where nvcc is found. No GPU is
needed to build. SCENE3D_SANITIZE=1 builds with the address and undefined-behaviour sanitizers.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from setuptools import setup

try:
    import torch
    from torch.utils import cpp_extension
except ImportError:
    sys.exit(
        "scene3d-ext: expected torch to be installed, found none: pip install torch, then "
        "pip install --no-build-isolation ./cuda_ext"
    )

OLDEST = (2, 10)
CSRC = Path("csrc")
FOUND = tuple(int(part) for part in torch.__version__.split(".")[:2])
if FOUND < OLDEST:
    sys.exit(f"scene3d-ext: expected torch {'.'.join(map(str, OLDEST))} or later, found {torch.__version__}")


def with_cuda() -> bool:
    """Whether to compile the CUDA kernels."""
    asked = os.environ.get("SCENE3D_CUDA", "auto")
    nvcc = shutil.which("nvcc") or (
        cpp_extension.CUDA_HOME and shutil.which("nvcc", path=f"{cpp_extension.CUDA_HOME}/bin")
    )
    if asked == "1" and not nvcc:
        sys.exit("scene3d-ext: SCENE3D_CUDA=1, but there is no nvcc: install the CUDA toolkit, or set SCENE3D_CUDA=0")
    return asked != "0" and bool(nvcc) and any(CSRC.glob("*.cu"))


def compile_flags() -> list[str]:
    """What the C++ compiler is told."""
    # Neither -ffast-math nor -march=native: NaN must stay NaN, and the wheel must run elsewhere.
    flags = [
        "-O3",
        "-std=c++20",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fno-thread-jumps",  # would turn clamps into branches, and what follows into blends of both
        "-ffp-contract=fast",
        "-fopenmp-simd",
        "-fvisibility=hidden",
    ]
    if platform.machine() in ("x86_64", "AMD64"):
        flags.append("-march=x86-64-v3")
    if os.environ.get("SCENE3D_SANITIZE") == "1":
        flags += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    return flags


def extension() -> object:
    """The one library that holds all kernels; through torch's stable ABI, so that later torch versions load it."""
    macros = [("TORCH_TARGET_VERSION", "0x020a000000000000")]
    sources = [str(path) for path in sorted(CSRC.glob("*.cpp"))]
    make, arguments = cpp_extension.CppExtension, {"cxx": compile_flags()}
    if with_cuda():
        os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "8.0;9.0;12.0+PTX")
        macros.append(("USE_CUDA", None))
        sources += [str(path) for path in sorted(CSRC.glob("*.cu"))]
        make = cpp_extension.CUDAExtension
        arguments["nvcc"] = ["-O3", "-std=c++20"]
    link = ["-fsanitize=address,undefined"] if os.environ.get("SCENE3D_SANITIZE") == "1" else []
    built = make(
        "scene3d_ext._C",
        sources,
        include_dirs=[str(CSRC.resolve())],
        define_macros=macros,
        extra_compile_args=arguments,
        extra_link_args=link,
        py_limited_api=True,
    )
    runtime = cuda_runtime()
    if "cudart" in built.libraries and runtime is not None:
        built.libraries.remove("cudart")
        built.extra_link_args.append(str(runtime))
    return built


def cuda_runtime() -> Path | None:
    """The CUDA runtime that came with torch as a wheel, which a toolkit without libraries lacks."""
    found = sorted(Path(torch.__file__).parents[1].glob("nvidia/*/lib/libcudart.so.*"))
    return found[-1] if found else None


try:
    setup(
        ext_modules=[extension()],
        cmdclass={"build_ext": cpp_extension.BuildExtension},
        options={"bdist_wheel": {"py_limited_api": "cp310"}},
    )
except Exception as error:
    compiler = os.environ.get("CXX", "c++")
    sys.exit(
        f"scene3d-ext: the build failed with torch {torch.__version__} and {shutil.which(compiler) or compiler}: "
        f"{error}\nscene3d works without it, on its reference operators"
    )
