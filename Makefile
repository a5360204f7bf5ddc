# Every command of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
SANDBOX_PORT ?= 8001
export PORT SANDBOX_PORT
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help run test test-all lint bench docs clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: $(BIN)/python requirements-base.txt requirements-local.txt
	$(PIP) -r requirements-local.txt
	@touch $@

$(VENV)/.dev: $(BIN)/python requirements-base.txt requirements-local.txt requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $(VENV)/.local $@

# mysqlclient has no wheels: it is built where the headers are, and its absence is said, not hidden.
$(VENV)/.services: $(VENV)/.dev requirements.txt
	@if $(PIP) -r requirements.txt >/dev/null 2>&1; then touch $@; else \
	  if [ "$$REQUIRE_SERVICES" = 1 ]; then $(PIP) -r requirements.txt; exit 1; fi; \
	  echo "mysqlclient could not be built here (needs libmariadb-dev, pkg-config, gcc): tests run on SQLite only."; fi

run: $(VENV)/.local ## Start the demo shop on 127.0.0.1 (PORT=8000 SANDBOX_PORT=8001); Ctrl-C stops everything
	@$(BIN)/python -m frozenshop.bootstrap local
	@$(BIN)/python manage.py prepare_local
	@exec $(BIN)/honcho -f Procfile start

test: $(VENV)/.services ## All quick tests: on SQLite, and again on MariaDB/MySQL, Redis and RabbitMQ where they answer
	@$(BIN)/python tests/run.py

test-all: $(VENV)/.services ## What `make test` leaves out: browser, image, chaos
	@$(BIN)/python tests/run.py --all

lint: $(VENV)/.dev ## ruff, mypy, layering, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/.services ## The benchmarks of benchmarks/README.md (ORDERS=20000 unless set)
	@$(BIN)/python -m benchmarks.run

docs: $(VENV)/.dev ## Refresh the parts of docs/ that are made from the code
	@$(BIN)/python -m docs.build

clean: ## Forget the demo's data and the virtual environment
	rm -rf var $(VENV)
