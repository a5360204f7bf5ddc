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

.PHONY: help run miniprogram test test-all test-drills lint bench soak stress alarms drill canary-drill docs lock image clean

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

miniprogram: ## Build the buyers' pages for WeChat and for browsers (Node.js 20); VITE_API_URL=https://… says where the API is
	@$(PYTHON) miniprogram/scripts/make.py build

test: $(VENV)/.services ## All quick tests: on SQLite, and again on MariaDB/MySQL, Redis and RabbitMQ where they answer
	@$(BIN)/python tests/run.py

test-all: $(VENV)/.services ## What `make test` leaves out: browser, chaos, backup and restore, the services with every value
	@$(BIN)/python tests/run.py --all

test-drills: $(VENV)/.services ## Image, alarms, releases, stores taken away: twenty minutes, needs root and the packages of .ci/run
	@$(BIN)/python tests/run.py --drills

lint: $(VENV)/.dev ## ruff, mypy, layering, migrations; types and style of the mini-program where there is Node.js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m deploy.releases.lint
	@$(BIN)/python miniprogram/scripts/make.py lint

bench: $(VENV)/.services ## The benchmarks of benchmarks/README.md (ORDERS=20000 unless set)
	@$(BIN)/python -m benchmarks.run

soak: $(VENV)/.services ## The whole program under load with a trouble every 30 s (SOAK_MINUTES=20); exit 1 if it lost or grew anything
	@$(BIN)/python -m benchmarks.soak

stress: $(VENV)/.services ## The database under rising numbers of clients, to the knee
	@$(BIN)/python -m benchmarks.stress

alarms: $(VENV)/.services ## Kill each part of a running shop under Prometheus and Alertmanager: who is called, and how soon (45 min)
	@$(BIN)/python -m deploy.alarms

lock: $(VENV)/.dev ## Write requirements.lock, which the image installs, from the newest that requirements.txt allows
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate --no-emit-options \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock deploy/image/requirements.in

image: $(VENV)/.dev ## Build the image without a Docker engine, and run each role from it (needs root, buildah, podman, runc, debootstrap, kubectl)
	deploy/image/build.sh
	$(BIN)/python -m deploy.image.try

canary-drill: $(VENV)/.services ## Bring good and bad versions out under load, and take them back (needs nginx, prometheus and the services)
	@$(BIN)/python -m deploy.release.drill

drill: $(VENV)/.services ## Lose a private database under load and restore it from its backup (ORDERS=1000 unless set; needs mariabackup, restic)
	@$(BIN)/python -m deploy.backup.drill --orders $(or $(ORDERS),1000)

docs: $(VENV)/.dev ## Refresh the parts of docs/ that are made from the code
	@$(BIN)/python -m docs.build
	@$(BIN)/python -m deploy.grafana

clean: ## Forget the demo's data, the virtual environment, and what npm and the builder made
	rm -rf var $(VENV) miniprogram/dist miniprogram/node_modules
