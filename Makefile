# The two commands of the README are `make demo` and `make test`; `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# One more than the cores of a small machine: many tests wait for processes, databases and pages.
WORKERS ?= 3

# make's own abspath takes a path with a space for two, and its targets cannot have one: what lies
# outside the clone is never a target, and what lies inside is named relative to it.
absolute = $(shell realpath --canonicalize-missing --no-symlinks -- '$(subst ','\'',$(1))')

# Absolute before Dagster starts: it resolves relative paths from wherever it stands.
override export ANIMATIZE_DATA_DIR := $(call absolute,$(or $(ANIMATIZE_DATA_DIR),data))
override export DAGSTER_HOME := $(call absolute,$(or $(DAGSTER_HOME),$(ANIMATIZE_DATA_DIR)/dagster))
override export PHOTOS := $(if $(PHOTOS),$(call absolute,$(PHOTOS)))
export DAGSTER_DISABLE_TELEMETRY := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)

PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
# In the order of conftest.py: xdist's own begins with the files of most tests, not of slowest ones.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
BENCHMARKS := analysis clip orchestration startup scene_quality generation before_after cache pregeneration recording sampling telemetry image_list dashboard serving findings prediction soak

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is written last, so an interrupted installation is done again.
$(VENV)/.installed: pyproject.toml setup.cfg constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "animatize_assets needs Python 3.11; '$(PYTHON)' is another. Run: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) \
	  || { echo "This Python cannot make a virtual environment. On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Installing into .venv (a minute or two, once) ..."
	@$(PIP) install --constraint constraints.txt pip
	@$(PIP) install --constraint constraints.txt --build-constraint constraints.txt --group dev --editable '.[depth]'
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## build .venv from constraints.txt

# An instance file with a storage of its own (deploy/postgres) is somebody's choice and stays.
.PHONY: instance
instance:
	@test "$$DAGSTER_HOME/dagster.yaml" -nt animatize_assets/dagster_instance.yaml \
	  || grep -qs '^storage:' "$$DAGSTER_HOME/dagster.yaml" \
	  || { mkdir -p "$$DAGSTER_HOME" \
	    && cp animatize_assets/dagster_instance.yaml "$$DAGSTER_HOME/dagster.yaml"; }

.PHONY: demo
demo: install instance ## two photographs through the whole pipeline; no key, no GPU, no server
	@animatize demo

.PHONY: test
test: install ## every feature at small size; screenshots of the dashboard in build/screenshots
	$(PYTEST) $(if $(PHOTOS),--photos="$$PHOTOS")

.PHONY: test-full
test-full: install ## the issues' figures at full size; PHOTOS=DIR adds the labelled photographs
	$(PYTEST) --full --timeout 3600 $(if $(PHOTOS),--photos="$$PHOTOS")

.PHONY: check
check: install ## lint, format, types, import contracts, code location
	ruff check .
	ruff format --check .
	mypy
	PYTHONWARNINGS=ignore lint-imports --no-cache
	$(MAKE) --no-print-directory definitions

.PHONY: definitions
definitions: install instance
	dg check defs

.PHONY: fix
fix: install ## format, and mend what ruff can mend
	ruff check --fix .
	ruff format .

.PHONY: ui
ui: install instance ## the Dagster UI, daemon and sensors on http://127.0.0.1:3000
	dg dev --host 127.0.0.1 --port 3000

.PHONY: serve
serve: install instance ## the REST API and the dashboard on http://127.0.0.1:8328
	@animatize serve

.PHONY: env
env: install instance ## the exports for calling dg or dagster yourself; README: With Dagster
	@for name in ANIMATIZE_DATA_DIR DAGSTER_HOME DAGSTER_DISABLE_TELEMETRY VIRTUAL_ENV PATH; do \
	  printf 'export %s=%q\n' $$name "$${!name}"; \
	done

.PHONY: check-deploy
check-deploy: install ## what can be told of deploy/postgres without Docker
	@python deploy/check_deploy.py

.PHONY: bench
bench: install ## every benchmark, quickly; see docs/benchmarks.md for the full figures
	@status=0; for name in $(BENCHMARKS); do \
	  data=(); if [[ $$name = scene_quality && -n $$PHOTOS ]]; then data=(--data "$$PHOTOS"); fi; \
	  python benchmarks/$$name.py --quick "$${data[@]}" || status=1; \
	done; exit $$status

.PHONY: docs-pictures
docs-pictures: install instance ## remake the pictures of README and docs (Chromium for the screenshots)
	python docs/make_pictures.py
	python docs/make_dashboard_pictures.py

.PHONY: clean
clean: ## remove .venv, caches and build products; generated data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
