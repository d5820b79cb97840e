# Two commands that need nothing but Python >= 3.11 and a C library: `make demo` and `make test`.
# Override PYTHON to use another interpreter (make demo PYTHON=python3.12), JOBS for the test workers.

PYTHON ?= python3
VENV   ?= .venv
PEERS  ?= .venv-peers
FUSION ?= .venv-fusion
JOBS   ?= 2

BIN     := $(VENV)/bin
RECIPE  := setup.cfg pyproject.toml constraints.txt
KERNELS := $(shell find paretokit -name '_*_kernels.py')

.DEFAULT_GOAL := help
.PHONY: help demo install test test-slow lint docs peers peers-merging bench bench-merging import-time clean distclean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1  \2/p' Makefile

demo: $(VENV)/.warm  ## Solve eight problems with several solvers in a minute; writes demo/report.html
	$(BIN)/paretokit demo

install: $(VENV)/.warm  ## Create .venv with every extra, kernels compiled

test: $(VENV)/.test $(VENV)/.warm  ## Run the test suite (warnings are errors)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

test-slow: $(VENV)/.test $(VENV)/.warm  ## Run the long statistical and documentation tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -m slow

lint: $(VENV)/.test  ## Check format, style, types and the floors of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.test  ## Build docs/_build/html (warnings are errors)
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

peers: $(PEERS)/.installed  ## Create .venv-peers with the libraries that benchmarks compare with

peers-merging: $(FUSION)/.installed  ## Create .venv-fusion with fusion-bench, which merging is compared with

bench: $(PEERS)/.installed  ## Print ratios against the peers, results asserted equal
	$(PEERS)/bin/python -m benchmarks.indicators
	$(PEERS)/bin/python -m benchmarks.evolutionary
	$(PEERS)/bin/python -m benchmarks.morl
	$(PEERS)/bin/python -m benchmarks.gflownets
	$(PEERS)/bin/python -m benchmarks.gradient

bench-merging: $(FUSION)/.installed  ## Print ratios against fusion-bench, coefficients asserted equal
	$(FUSION)/bin/python -m benchmarks.merging

import-time: $(VENV)/.all  ## Measure what `import paretokit` adds to `import torch`
	$(BIN)/python -m benchmarks.import_time

clean:  ## Remove what runs and tools have written
	rm -rf demo runs build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find paretokit tests benchmarks tutorials -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Remove the environments too
	rm -rf $(VENV) $(PEERS) $(FUSION) *.egg-info

# $(1): an environment. Old interpreters get one line.
define venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "paretokit needs Python >= 3.11; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." \
	       "Name another one: make PYTHON=python3.12 demo" >&2; exit 1; }
	$(PYTHON) -m venv $(1)
endef

$(BIN)/python:
	$(call venv,$(VENV))

$(VENV)/.all: $(RECIPE) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[all]"
	@touch $@

$(VENV)/.test: $(RECIPE) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[all,test]"
	@touch $@ $(VENV)/.all

$(VENV)/.warm: $(VENV)/.all $(KERNELS)
	$(BIN)/paretokit warm
	@touch $@

# torch first: the other packages then keep the build that was chosen for it. torchgfn last and alone: it asks for
# numpy < 2, without need for what is compared here, and gets the packages that it imports beforehand.
$(PEERS)/.installed: $(RECIPE) constraints-peers.txt
	$(call venv,$(PEERS))
	$(PEERS)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt torch
	$(PEERS)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -c constraints-peers.txt \
	  -e ".[mujoco]" botorch evox moocore morl-baselines pygmo pymoo \
	  dill einops linear-attention-transformer tensordict torch_geometric "torchjd[full]"
	$(PEERS)/bin/python -m pip install --disable-pip-version-check -q -c constraints-peers.txt --no-deps torchgfn
	$(PEERS)/bin/paretokit warm
	@touch $@

$(FUSION)/.installed: $(RECIPE) constraints-fusion.txt
	$(call venv,$(FUSION))
	$(FUSION)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt torch
	$(FUSION)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -c constraints-fusion.txt \
	  -e . fusion-bench
	@touch $@
