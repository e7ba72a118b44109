# The commands of this project. `make run` needs Python 3.11 to 3.13, git and a package registry; no more.

PYTHON ?= python3
export PIP_USER := 0
# Python compiles what is imported, once; to compile all that is installed takes longer than the pipeline.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
DVC := $(BIN)/dvc
DIGITS := $(BIN)/python -m digits
MODELS := $(shell sed -n 's/^ *- models: \[\(.*\)\].*/\1/p' dvc.yaml | tr ',' ' ')

.DEFAULT_GOAL := help
.PHONY: help install run mnist sweep experiments compare plots report repeat verify test test-all lint format lock clean

help: ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

install: .venv/installed ## The environment, in .venv

# Programs of the venv find its other programs first in PATH: dvc.yaml's `python` is then this one, also if
# .venv/bin/dvc is called without activating anything.
ACTIVATE := import os, sys; os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")

# Programs in a copied or moved .venv name, and run, the checkout that it was made in.
OTHER := $(shell test -L .venv || grep -svxF "$$(pwd -P)" .venv/installed)
.PHONY: other
other:
	$(info .venv belongs to $(OTHER): it is made again here)

.venv/installed: requirements.txt $(if $(OTHER),other)
	@test ! -L .venv || { echo 'error: .venv is a link: it would be emptied where it leads; remove the link' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and f"error: $(PYTHON) is Python {sys.version.split()[0]}, but 3.11 to 3.13 is needed (TensorFlow has no other); name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ { uv = /^uv==/ } uv' requirements.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(call add,requirements.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import sysconfig, pathlib, sys; pathlib.Path(sysconfig.get_path("purelib"), "activate.pth").write_text(sys.argv[1] + "\n")' '$(ACTIVATE)'
	@pwd -P > $@

# What a command needs beyond `make run` comes when it is first made, and stays.
.venv/%: requirements/%.txt .venv/installed
	$(call add,$<)
	@touch $@

add = $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r $(1) || \
	$(BIN)/python -m pip install --require-hashes -r $(1) # where only pip knows the way to a registry

# An archive from the web has no git history, without which DVC refuses to work; its experiments need a commit.
NO_GIT = $(if $(filter exp,$(1)),single revision|)not a git
dvc = LC_ALL=C git rev-parse --verify HEAD 2>&1 | grep -qE '$(NO_GIT)' && ! grep -qs no_scm .dvc/config.local && \
	{ echo '$(NO_COMMIT)' >&2; exit 1; }; \
	echo '$(DVC) $(1)'; $(DVC) $(1)
NO_COMMIT = error: git has no commit of this folder, which DVC needs; git init && git add --all && git commit --message Import

# One process for each model, and one that explores the data, side by side; then what is left. It leaves
# the dvc.lock of `dvc repro`.
run: install ## The whole pipeline, JOBS=n models at a time; then metrics, figures, model cards and a page
	@$(call dvc,repro split)
	@$(MAKE) --no-print-directory --jobs=$(or $(JOBS),3) $(MODELS:%=model-%) explore
	$(DVC) repro
	@git diff --quiet HEAD -- dvc.lock 2>/dev/null && git checkout --quiet HEAD -- metrics/environment.json 2>/dev/null || true # the committed results are back
	@$(MAKE) --no-print-directory results

.PHONY: explore $(MODELS:%=model-%)
explore:
	@$(DVC) --wait-for-lock repro --single-item explore
$(MODELS:%=model-%): model-%:
	@$(DVC) --wait-for-lock repro --single-item train@$* evaluate@$* plot@$*

mnist: install ## The same on the course's own data (DIGITS_MIRROR names a folder that has it); RECIPE=quick, best, full, course-keras
	@$(if $(RECIPE),$(DIGITS) recipe '$(RECIPE)')
	@$(call dvc,exp run -S data.source=$(if $(filter full course-keras,$(RECIPE)),mnist-full,mnist))
	@$(MAKE) --no-print-directory results

.PHONY: results
results:
	@echo
	@$(DIGITS) metrics
	@echo
	@ls plots/*/*.png
	@echo
	@$(MAKE) --no-print-directory report

sweep: .venv/sweep ## Search better parameters: SWEEP=dnn of sweeps/, TRIALS=32; RESUME=1 goes on, ADDRESS=host:6379 is a cluster
	@$(call dvc,repro split)
	@$(DIGITS) sweep run '$(or $(SWEEP),dnn)' $(if $(TRIALS),--trials $(TRIALS)) $(if $(RESUME),--resume) $(if $(ADDRESS),--address '$(ADDRESS)')

experiments: install ## The experiments in git: figures, what each one changed, which is best
	@$(DIGITS) experiments

compare: install ## What differs between A (HEAD) and B (workspace), and whether it is more than chance
	@$(DIGITS) compare '$(or $(A),HEAD)' '$(or $(B),workspace)'

plots: .venv/plots ## DVC's plots as a page that needs no network; of A and B, what differs
	@$(DIGITS) plots $(if $(A),'$(A)') $(if $(B),'$(B)')

report: install ## The last run's results as a page: figures, a board to draw on, mistakes; and model cards
	@$(DIGITS) report

repeat: install ## Train with SEEDS (5) seeds: mean, deviation and interval of each metric
	@$(DIGITS) repeat --seeds $(or $(SEEDS),5)

verify: install ## Run the last commit again in a temporary clone, and compare with dvc.lock
	@$(DIGITS) verify

PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: .venv/test ## The tests that CI runs, on up to four cores
	$(PYTEST) -m 'not slow'

test-all: .venv/test ## All tests: clusters, crashes, odd systems and remotes too
	$(PYTEST)

lint: .venv/test ## Ruff, format check, type check, which package may import which, and the files that GitHub reads
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

format: .venv/test ## Lay the code out as `make lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 pyproject.toml
EXTRAS := plots sweep ssh
lock: install ## Compile requirements.txt and requirements/ from pyproject.toml; UPGRADE=1 takes the newest versions
	$(COMPILE) $(if $(UPGRADE),--upgrade) --all-extras --output-file requirements/test.txt
	$(COMPILE) --extra install --constraint requirements/test.txt --output-file requirements.txt
	for extra in $(EXTRAS); do $(COMPILE) --extra $$extra --constraint requirements/test.txt --output-file requirements/$$extra.txt; done

clean: ## Remove what the pipeline made, except DVC's cache and what git tracks
	rm -rf data/raw data/splits models predictions plots tables dvc_plots report
