# make demo    set everything up, then turn the example clip into a trotting robot
# make test    set everything up, then run the fast tests
#
# A torch that is in .venv already stays: put a CPU build there first where pip would bring a CUDA one.
#
# PYTHON=python3.12 the interpreter to make the environment from (3.11 or newer)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS := 1
# Clips that may be measured on but not published lie beside the checkout, where they lie at all.
ifneq ($(wildcard ../shared/clips),)
export V2R_CLIPS ?= $(abspath ../shared/clips)
endif

.PHONY: setup demo test test-slow lint bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: setup.sh pyproject.toml constraints.txt
	PYTHON=$(PYTHON) VENV=$(VENV) sh setup.sh
	touch $@

demo: setup
	$(BIN)/video2reward run examples/dog_trot.mp4 --robot go1

test: setup
	$(BIN)/pytest -q -n 2 -m "not slow and not gpu and not live"

test-slow: setup
	$(BIN)/pytest -q -m "slow and not gpu and not live"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: setup
	$(BIN)/video2reward bench

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
