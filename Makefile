# make install   a virtual environment in .venv with everything in it
# make demo      the demonstration: made-up sensors, real model, alerts in the terminal
# make test      format, lint, types and tests (those over a few seconds are left to the next)
# make slow      the tests that take minutes: whole runs, real servers, real time
#
# PYTHON=python3.12     another Python (3.10 or newer)
# TORCH_INDEX=URL       another build of torch, e.g. https://download.pytorch.org/whl/cpu
# TESTS="-k config"     what pytest is given
# WORKERS=0             no test beside another; else two files at a time, or as many as it says

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
TESTS ?=
WORKERS ?= 2

BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: install demo test slow clean
.DEFAULT_GOAL := install

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "bindstream needs Python 3.10 or newer: make install PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Cannot make a virtual environment: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (torch is large: this can take minutes)"
	@$(PIP) install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  -c constraints.txt -e '.[all,train,eval,test]'
	@touch $@
	@echo "Done. Try: $(BIN)/bindstream --help"

demo: install
	@$(BIN)/bindstream demo

test: install
	@deploy/install-debian-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow" $(TESTS)

slow: install
	@deploy/install-debian-packages
	$(PYTEST) -m slow $(TESTS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
