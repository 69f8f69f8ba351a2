# labkit: a fresh clone needs nothing but `make demo`.
#
#   PYTHON=python3.12   the Python that .venv is built on
#   ARGS='...'          words handed on to the command, e.g. make test ARGS='tests/slicing -x'

BIN := .venv/bin
CODE = $(wildcard labkit tests notebooks sample_data benchmarks)
ARGS ?=
# Tests that run beside the others: the whole chain, again and again; pages; what waits for servers.
WHOLE := tests/acceptance
PAGES := tests/browser
WAITING := tests/pacs tests/printing
ASIDE := $(WHOLE) $(PAGES) $(WAITING)
export PYTHON
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo lab test lint bench setup setup-tests

help: ## these lines
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST))

demo: setup ## the whole chain on the sample scan, with a practice printer
	@$(BIN)/labkit demo $(ARGS)

lab: setup ## JupyterLab at the first notebook
	@$(BIN)/labkit lab $(ARGS)

test: setup-tests lint ## style, types and all tests
	@echo 'test: pytest'
ifdef ARGS
	@$(BIN)/pytest $(ARGS)
else
	@echo 'test: four runs side by side; those of $(ASIDE) are shown at the end'
	@logs=$$(mktemp -d); status=0; \
	$(BIN)/pytest $(WHOLE) >"$$logs/whole" 2>&1 & whole=$$!; \
	$(BIN)/pytest $(PAGES) >"$$logs/pages" 2>&1 & pages=$$!; \
	$(BIN)/pytest $(WAITING) >"$$logs/waiting" 2>&1 & waiting=$$!; \
	$(BIN)/pytest $(ASIDE:%=--ignore=%) || status=$$?; \
	for part in $$whole $$pages $$waiting; do wait $$part || status=$$?; done; \
	cat "$$logs/whole" "$$logs/pages" "$$logs/waiting"; rm -rf "$$logs"; exit $$status
endif

lint: setup ## style and types only
	@echo 'test: ruff'
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/ruff format --quiet --check $(CODE)
	@echo 'test: mypy'
	@$(BIN)/mypy --no-error-summary

bench: setup ## the figures of the README, measured again
	@set -e; for script in benchmarks/*.py; do \
		echo "bench: $$script"; $(BIN)/python "$$script" $(ARGS); \
	done

setup: ## .venv with all that is needed; nothing to do when nothing changed
	@setup/install.sh

setup-tests:
	@setup/install.sh --tests
