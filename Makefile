# make book      execute the chapters, build the pages and check them
# make test      lint, types and tests
# Both set up .venv by themselves. The work is done by the modules in tools/.

VENV   ?= .venv
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
            $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && echo $$name && break; done)
RUN     = $(VENV)/bin/python -m
READY   = $(VENV)/.installed

# Parameters of the chapters: FIELD and PRESET from anywhere, any other from the command line, so
# that a misspelt one is seen by the tool, which refuses it.
OWN        = VENV=% PYTHON=% FIELD=% PRESET=%
PARAMETERS = $(if $(FIELD),FIELD=$(FIELD)) $(if $(PRESET),PRESET=$(PRESET)) \
             $(filter-out $(OWN),$(MAKEOVERRIDES))

# Namespaces and SLURM's daemons want root; without it those tests are skipped, with the reason.
AS_ROOT = $(if $(filter 0,$(shell id -u)),,$(if $(shell sudo -n true 2>/dev/null && echo yes),sudo -n))

.PHONY: help book write test cluster-test lint sync clean
.DEFAULT_GOAL := help

help:
	@echo "make book                   build the book: live chapters on the surrogate field"
	@echo "make book FIELD=6_6_2       the same on a real field; PRESET=smoke|quick|paper sets the effort"
	@echo "make test                   lint, types and tests"
	@echo "make cluster-test           a SLURM of one node and Dask over several hosts; Debian, root"
	@echo "make write                  quick build for writing: only what changed, warnings allowed"
	@echo "make sync                   write notebooks/*.ipynb and book/api.md from their sources"
	@echo "make lint                   only ruff, mypy and which room imports from which"
	@echo "make clean                  remove what was built (.venv stays)"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@echo "Setting up $(VENV), once: about two minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) pip install -q --disable-pip-version-check -c constraints.txt -e '.[book,cluster,microns,test,worm]'
	@touch $@

book: $(READY)
	@$(RUN) tools.build_book $(PARAMETERS)

write: $(READY)
	@$(RUN) tools.sync_notebooks
	@$(RUN) tools.build_book --draft $(PARAMETERS)

test: lint
	@$(RUN) pytest -q

cluster-test: $(READY)
	@sh tests/cluster/install.sh
	@$(AS_ROOT) $(RUN) pytest -q -rs -p no:cacheprovider tests/cluster

lint: $(READY)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy cortexrnn tools
	@$(VENV)/bin/lint-imports --no-logo --no-cache

sync: $(READY)
	@$(RUN) tools.sync_notebooks
	@$(RUN) tools.write_api

clean:
	rm -rf _build
