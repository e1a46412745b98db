# Two commands do all the set-up: `make demo` and `make test`. Both make .venv when it is missing or no longer
# matches the files named in RECIPE, and leave it alone when it is current.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
RECIPE := pyproject.toml constraints.txt Makefile
KERNELS := cuda_ext/setup.py cuda_ext/pyproject.toml $(wildcard cuda_ext/csrc/* cuda_ext/scene3d_ext/*.py)
# One thread a process: two tests at a time beat two threads a test.
THREADS := OMP_NUM_THREADS=1

.PHONY: help setup demo test lint types unit sanitize bench-street bench-ops bench-drive bench-depth bench-ssc bench-surface clean

help:
	@echo "make demo          complete a street (and IMAGE=photo.jpg) with the packaged weights, into out/demo"
	@echo "make test          lint, types, architecture and all tests"
	@echo "make lint | types | unit    one part of it"
	@echo "make sanitize      the tests of the operators with kernels that watch their memory and undefined behaviour"
	@echo "make bench-street  the figures of benchmarks/README.md"
	@echo "make bench-ops     the compiled operators against plain PyTorch"
	@echo "make bench-drive   train on a drive of KITTI raw (DRIVE=folder POSES=file) and draw it beside its lidar"
	@echo "make bench-depth   depth from several frames: cost, streets, and real drives where they are there"
	@echo "make bench-surface surfaces from photographs: exact shapes, and real scenes where they are there"
	@echo "make bench-ssc     scene completion: cost of a step and of a prediction, classes beside their yardsticks, several frames"
	@echo "make clean         remove caches and the demo's output; .venv stays"

demo: setup
	$(BIN)/scene3d demo --out out/demo --overwrite $(if $(IMAGE),--image "$(IMAGE)")

test: lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(THREADS) $(BIN)/pytest -q -n $(WORKERS) --dist loadfile
	SCENE3D_OPS=reference $(THREADS) $(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests/ops

# The sanitizers' libraries must be there before Python is; leaks of Python itself are not looked for. The emulated warp
# is left out: it is a program of its own, without the library.
SANITIZERS = $$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libubsan.so)

sanitize: setup
	rm -rf build/sanitized
	SCENE3D_SANITIZE=1 SCENE3D_CUDA=0 MAX_JOBS=$${MAX_JOBS:-2} $(BIN)/python -m pip install --quiet --no-build-isolation \
	  --no-deps --target build/sanitized ./cuda_ext
	LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	  PYTHONPATH=build/sanitized $(BIN)/pytest -q tests/ops --ignore tests/ops/test_warp.py

bench-street: setup
	$(BIN)/python benchmarks/street.py

bench-ops: setup
	$(BIN)/python benchmarks/ops.py

bench-drive: setup
	$(BIN)/python benchmarks/drive.py --drive "$(DRIVE)" $(if $(POSES),--poses "$(POSES)")

bench-depth: setup
	$(BIN)/python benchmarks/depth.py

bench-ssc: setup
	$(BIN)/python benchmarks/ssc.py

bench-surface: setup
	$(BIN)/python benchmarks/surface.py

clean:
	rm -rf out/demo build dist .ruff_cache .mypy_cache .pytest_cache .hypothesis *.egg-info
	find scene3d tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp holds what .venv was made from, so neither a touched file nor a moved clone fools it.
setup:
	@wanted="$$($(PYTHON) -V) $$(cksum $(RECIPE)) $(CURDIR)"; \
	if [ "$$(cat $(VENV)/made-from 2>/dev/null)" != "$$wanted" ]; then \
	  $(MAKE) --no-print-directory install && printf '%s\n' "$$wanted" > $(VENV)/made-from; \
	fi
	@wanted="$$(cat $(VENV)/made-from $(KERNELS) | cksum)"; \
	if [ "$$(cat $(VENV)/kernels-from 2>/dev/null)" != "$$wanted" ]; then \
	  $(MAKE) --no-print-directory kernels && printf '%s\n' "$$wanted" > $(VENV)/kernels-from; \
	fi

# Optional: without a compiler, or where the build fails, operators run on plain PyTorch.
.PHONY: kernels
kernels:
	@if command -v $${CXX:-c++} > /dev/null; then \
	  echo "building the kernels of cuda_ext"; \
	  MAX_JOBS=$${MAX_JOBS:-2} $(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall ./cuda_ext \
	    || echo "the kernels were not built (see above): operators run on plain PyTorch"; \
	else \
	  echo "no C++ compiler: operators run on plain PyTorch"; \
	fi

# The pins of constraints.txt need Python 3.11; an older one gets the newest versions that it can run.
.PHONY: install
install:
	@PYTHON="$(PYTHON)" sh .ci/libraries
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@pins="$$($(BIN)/python -c 'import sys; print("-c constraints.txt" if sys.version_info >= (3, 11) else "")')"; \
	echo "installing scene3d and its libraries into $(VENV): some minutes and 8 GB"; \
	$(BIN)/python -m pip install --quiet $$pins -e ".[all,dev]"
