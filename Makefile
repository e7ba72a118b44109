# The commands of this project. `make run` needs only Python 3.11 to 3.13, git, and PyPI or a mirror.

PYTHON ?= python3
export PIP_USER := 0
# Let Python keep the bytecode of what it imports: to compile all installed packages takes longer than the pipeline.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
DVC := $(BIN)/dvc
DIGITS := $(BIN)/python -m digits
MODELS := $(shell sed -n 's/^ *- models: \[\(.*\)\].*/\1/p' dvc.yaml | tr ',' ' ')

.DEFAULT_GOAL := help
.PHONY: help install run mnist sweep experiments compare plots report repeat verify test test-all lint format lock clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

install: .venv/installed ## Make the environment, in .venv

# Python in .venv puts .venv's programs first in PATH, so that `python` in dvc.yaml is .venv's, also if
# .venv/bin/dvc is called without an activated environment.
ACTIVATE := import os, sys; os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")

# The programs in a copied or moved .venv still run the checkout in which it was made.
OTHER_CHECKOUT := $(shell test -L .venv || grep -svxF "$$(pwd -P)" .venv/installed)
.PHONY: other-checkout
other-checkout:
	$(info .venv belongs to $(OTHER_CHECKOUT): it is made again here)

.venv/installed: requirements.txt $(if $(OTHER_CHECKOUT),other-checkout)
	@test ! -L .venv || { echo 'error: .venv is a link: it would be emptied where it leads; remove the link' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and f"error: $(PYTHON) is Python {sys.version.split()[0]}, but 3.11 to 3.13 is needed (TensorFlow has no other); name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ { uv = /^uv==/ } uv' requirements.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(call install_packages,requirements.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import sysconfig, pathlib, sys; pathlib.Path(sysconfig.get_path("purelib"), "activate.pth").write_text(sys.argv[1] + "\n")' '$(ACTIVATE)'
	@pwd -P > $@

# Packages that only some commands need are installed when the first of these is called.
.venv/%: requirements/%.txt .venv/installed
	$(call install_packages,$<)
	@touch $@

install_packages = $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r $(1) || \
	$(BIN)/python -m pip install --require-hashes -r $(1) # if only pip is configured for a registry

# DVC needs a git repository, and `dvc exp` needs a commit; an archive from the web has neither. GIT_ERROR is in
# git's message if they are missing.
GIT_ERROR = $(if $(filter exp,$(1)),single revision|)not a git
run_dvc = LC_ALL=C git rev-parse --verify HEAD 2>&1 | grep -qE '$(GIT_ERROR)' && ! grep -qs no_scm .dvc/config.local && \
	{ echo '$(NO_COMMIT)' >&2; exit 1; }; \
	echo '$(DVC) $(1)'; $(DVC) $(1)
NO_COMMIT = error: git has no commit of this folder, which DVC needs; git init && git add --all && git commit --message Import

# One process for each model, and one that explores the data, run in parallel; then the remaining stages. The
# dvc.lock is the same as that of `dvc repro`.
run: install ## Run the pipeline, JOBS=n models at a time; then metrics, figures, model cards and a page
	@$(call run_dvc,repro split)
	@$(MAKE) --no-print-directory --jobs=$(or $(JOBS),3) $(MODELS:%=model-%) explore
	$(DVC) repro
	@git diff --quiet HEAD -- dvc.lock 2>/dev/null && git checkout --quiet HEAD -- metrics/environment.json 2>/dev/null || true # same results: keep the committed file
	@$(MAKE) --no-print-directory results

.PHONY: explore $(MODELS:%=model-%)
explore:
	@$(DVC) --wait-for-lock repro --single-item explore
$(MODELS:%=model-%): model-%:
	@$(DVC) --wait-for-lock repro --single-item train@$* evaluate@$* plot@$*

mnist: install ## The same on the course's own data (in a folder: DIGITS_MIRROR=folder); RECIPE=quick, best, full, course-keras
	@$(if $(RECIPE),$(DIGITS) recipe '$(RECIPE)')
	@$(call run_dvc,exp run -S data.source=$(if $(filter full course-keras,$(RECIPE)),mnist-full,mnist))
	@$(MAKE) --no-print-directory results

.PHONY: results
results:
	@echo
	@$(DIGITS) metrics
	@echo
	@ls plots/*/*.png
	@echo
	@$(MAKE) --no-print-directory report

sweep: .venv/sweep ## Search better parameters: SWEEP=dnn of sweeps/, TRIALS=32; RESUME=1 continues a sweep, ADDRESS=host:6379 uses a Ray cluster
	@$(call run_dvc,repro split)
	@$(DIGITS) sweep run '$(or $(SWEEP),dnn)' $(if $(TRIALS),--trials $(TRIALS)) $(if $(RESUME),--resume) $(if $(ADDRESS),--address '$(ADDRESS)')

experiments: install ## Show the experiments in git: metrics, what each one changed, which is best
	@$(DIGITS) experiments

compare: install ## Show what differs between A (HEAD) and B (workspace), and whether it is more than chance
	@$(DIGITS) compare '$(or $(A),HEAD)' '$(or $(B),workspace)'

plots: .venv/plots ## Write DVC's plots as a page that needs no network; A and B: revisions to compare
	@$(DIGITS) plots $(if $(A),'$(A)') $(if $(B),'$(B)')

report: install ## Write the last run's results as a page: figures, a drawing board, mistakes; and model cards
	@$(DIGITS) report

repeat: install ## Train with SEEDS (5) seeds: mean, deviation and 95 % interval of each metric
	@$(DIGITS) repeat --seeds $(or $(SEEDS),5)

verify: install ## Run the last commit again in a clone, and compare with dvc.lock
	@$(DIGITS) verify

PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: .venv/test ## Run the tests that CI runs, on up to four cores
	$(PYTEST) -m 'not slow'

test-all: .venv/test ## Run all tests, also those of clusters, crashes, unusual systems and remotes
	$(PYTEST)

lint: .venv/test ## Check the code (Ruff, format, types), the imports between packages, and the files that GitHub reads
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

format: .venv/test ## Format the code as `make lint` expects it
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
