# Camera Ingest. `make demo` shows it, `make test` proves it; both set up what they need first.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SUITE ?=
SECONDS ?= 300
SEED ?=
BUILDER ?= docker
SCENARIO ?=
TIMES ?= 20
MINUTES ?= 10

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Make .venv with everything that a user and a developer need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Camera Ingest needs Python 3.11 or later: make PYTHON=/path/to/python3.11 install"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Making .venv (once, about a minute) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## Simulated cameras, the whole system, a live table; Ctrl-C ends it
	@$(BIN)/camera-ingest demo

test: $(READY) ## Every test; as root on Debian first installs what the suites lack. SUITE=worker: a folder; SUITE=unit: the quick ones
	@$(BIN)/python -m tools.run_tests $(SUITE)

check: $(READY) ## Format, lint, types, import contracts, dead code, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy core/ingest_core operator/ingest_operator worker/ingest_worker gateway/ingest_gateway standalone/ingest_standalone simulator/ingest_simulator tools bench tests
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python -m tools.reference --check

chaos: $(READY) ## Break everything at random around a real API server; SECONDS=300, SEED=number
	@$(BIN)/python -m tests.cluster.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

cluster: $(READY) ## As root: a real Kubernetes of three nodes on this machine, with simulated cameras
	@$(BIN)/python -m tests.cluster.nodes up

cluster-down: $(READY) ## End it; nothing is left
	@$(BIN)/python -m tests.cluster.nodes down

bench: $(READY) ## Measure, as ratios in one run, and write docs/reference/benchmarks.md
	@$(BIN)/python -m bench

reliability: $(READY) ## Break a real cluster and write docs/reference/reliability.md; SCENARIO=node-killed TIMES=20 MINUTES=10
	@$(BIN)/python -m bench.reliability $(SCENARIO) --times $(TIMES) --minutes $(MINUTES)

soak: MINUTES = 60
soak: $(READY) ## Let cameras misbehave on a real cluster and look for leaks; MINUTES=60
	@$(BIN)/python -m bench.soak --minutes $(MINUTES)

docs: $(READY) ## Write the generated pages of docs/reference anew
	@$(BIN)/python -m tools.reference

lock: $(READY) ## Write constraints.txt from what is installed
	@$(BIN)/pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

image: ## The container image camera-ingest:latest; BUILDER=podman or buildah instead of docker
	@$(BUILDER) build --build-arg REVISION="$$(git rev-parse HEAD)" --tag camera-ingest:latest .

clean: ## Remove what make made
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help install demo test check chaos cluster cluster-down bench reliability soak docs lock image clean
