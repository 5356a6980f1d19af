# One command each: `make check` is what pre-commit and CI run.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install check lint test slow gpu format search clean

help:
	@echo "make search   install into .venv and search pvt_v1 under ResNet-50's budget"
	@echo "make test     install for development and run the tests"
	@echo "make check    format check, lint, types, import contracts, tests"
	@echo "make slow     the tests that take minutes"
	@echo "make gpu      what only a CUDA device can tell, in under 8 minutes; needs torch, torchvision, numpy alone"

install: $(BIN)/.dev

$(BIN)/.dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -e '.[dev]'
	@touch $@

search:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install .
	$(BIN)/pvtsearch search pvt_v1 --budget resnet50 --out runs/resnet50

check: lint test

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: install
	$(BIN)/python -m pytest -n auto

slow: install
	$(BIN)/python -m pytest -m slow

gpu:
	$(PYTHON) -m pvtsearch.device_check $(ARGUMENTS)

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
