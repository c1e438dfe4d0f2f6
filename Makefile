# `make install` first; everything else depends on it. Needs make and a Python of 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := plot,web,tables,test,check,docs

# One thread a process: the tests run in two processes, and small networks gain nothing from more.
test test-all docs bench demo: export OMP_NUM_THREADS := 1

.PHONY: install demo test test-all check docs bench

install: .venv/.installed

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	touch $@

# Tries remedies on a network that does not learn, and says which change helps.
demo: install
	$(BIN)/fallline fix examples/deep_sigmoid.py

test: install
	$(BIN)/pytest -n 2

# The slow ones too.
test-all: install
	$(BIN)/pytest -n 2 -m ""

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

# The pages must load nothing from the network, and their Python blocks must run.
docs: install
	$(BIN)/mkdocs build --strict
	! grep -rE '(src=|<link[^>]*href=|url\()["'\'']?(https?:)?//' site --include='*.html' --include='*.css'
	$(BIN)/pytest $(wildcard README.md) docs

# Installs the tools fallline is measured against.
bench: .venv/.installed-bench

.venv/.installed-bench: .venv/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS),bench]"
	touch $@
