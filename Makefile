# `make demo` and `make test` do everything on a machine that has Python 3.11 and make.
VENV := .venv
PYTHON := $(VENV)/bin/python
FIND_PYTHON = $(or $(shell command -v python3.11 2>/dev/null),$(shell python3 -c 'import sys; sys.version_info[:2] == (3, 11) and print(sys.executable)' 2>/dev/null))

.PHONY: help setup demo test test-all lint bench lock clean

help:
	@echo 'make demo    set up, then evaluate the bundled example'
	@echo 'make test    set up, then run every check and test'
	@echo 'make test-all  the same, and the tests that take many minutes'
	@echo 'make bench   set up, then measure speed and memory'
	@echo 'make lock    resolve the dependencies again (needs uv)'
	@echo 'make clean   remove the environment and caches, never runs/'

setup: $(VENV)/.installed

# Without bytecode: it is made of what is imported, and most never is. It is kept then, or every process of a test
# would compile TensorFlow's Python anew, which takes three times as long as importing it.
unexport PYTHONDONTWRITEBYTECODE

$(VENV)/.installed: requirements.lock pyproject.toml
	@found="$(FIND_PYTHON)"; \
	if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python 3.11 $(VENV) && \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r requirements.lock && \
		VIRTUAL_ENV=$(VENV) uv pip install --quiet --no-deps --no-build-isolation -e .; \
	elif [ -n "$$found" ]; then \
		echo "setting up $(VENV) with $$found (a few minutes the first time)"; \
		"$$found" -m venv $(VENV) && \
		$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock && \
		$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	else \
		echo 'error: Python 3.11 not found: TensorFlow 2.15 needs it. Get it with one of'; \
		echo '  pyenv install 3.11        (https://github.com/pyenv/pyenv)'; \
		echo '  apt install python3.11-venv   brew install python@3.11   uv python install 3.11'; \
		exit 1; \
	fi
	@touch $@

demo: setup
	$(VENV)/bin/evalharness demo

lint: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: lint
	$(VENV)/bin/pytest -n 2 --dist loadfile

test-all: test
	$(VENV)/bin/pytest -m "exhaustive or cluster"

bench: setup
	$(PYTHON) -m tests.bench

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
