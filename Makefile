# Each target sets up what it needs. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNING := $(VENV)/.running
DEVELOPING := $(VENV)/.developing
PAGE_TOOLS := $(VENV)/page-tools/.installed
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes

export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help demo test e2e quality bench bench-api bench-staff chaos mutants fuzz-api api-client api-client-test lint format lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(RUNNING)  ## run the shop with a Stripe sandbox on http://127.0.0.1:8000 (PORT)
	@exec $(BIN)/python -m config.demo

test: $(DEVELOPING)  ## run every test but the browser's, on a PostgreSQL of their own
	@$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

e2e: $(DEVELOPING) $(PAGE_TOOLS)  ## run the browser tests, with the system's Chromium
	@$(BIN)/python -m pytest e2e $(PYTEST_ARGS)

quality: $(DEVELOPING) $(PAGE_TOOLS)  ## judge every page by axe, Nu and Lighthouse; reports in var/quality
	@exec $(BIN)/python -m e2e.quality

bench: $(RUNNING)  ## measure the shop beside a bare view, with wrk (BENCH_SECONDS, BENCH_BESIDE)
	@exec $(BIN)/python -m bench

bench-api: $(DEVELOPING)  ## fifty clients at once on pages and on the API that shows the same (BENCH_CLIENTS, BENCH_ROUNDS)
	@exec $(BIN)/python -m bench.api

bench-staff: $(RUNNING)  ## pages of staff in a large shop beside a small one (BENCH_PRODUCTS, BENCH_ORDERS, BENCH_ROUNDS)
	@exec $(BIN)/python -m bench.staff

chaos: $(DEVELOPING)  ## load the shop in bad weather, kill its processes, compare the books (CHAOS_SECONDS, SEED)
	@exec $(BIN)/python -m chaos

mutants: $(DEVELOPING)  ## take one guard away after the other; a test must notice each (MUTANT)
	@exec $(BIN)/python -m mutants

fuzz-api: $(DEVELOPING)  ## call the API as its document allows and as it does not (FUZZ_EXAMPLES, SEED)
	@exec $(BIN)/python -m fuzz

# What the settings ask for; nothing here talks to Stripe, and mypy reads no database.
lint: export DATABASE_URL := postgres://127.0.0.1/none
lint: export SECRET_KEY := lint-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789
lint: export SITE_URL := https://shop.example
lint: export STRIPE_SECRET_KEY := sk_test_aaaaaaaaaaaaaaaaaaaaaaaa
lint: export STRIPE_PUBLISHABLE_KEY := pk_test_aaaaaaaaaaaaaaaaaaaaaaaa
lint: export EMAIL_URL := smtp://127.0.0.1
lint: export STAFF_EMAIL := staff@shop.example
lint: export TRUSTED_PROXY_COUNT := 1
lint: $(DEVELOPING)  ## check format, style, types, imports, containers, migrations and deployment settings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/python -m config.embedded_postgres run $(BIN)/python manage.py makemigrations --check
	$(BIN)/python -m config.embedded_postgres run $(BIN)/python manage.py check --deploy --fail-level WARNING

api-client: export DATABASE_URL := postgres://127.0.0.1/none
api-client: export SECRET_KEY := lint-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789
api-client: export STRIPE_SECRET_KEY := sk_test_aaaaaaaaaaaaaaaaaaaaaaaa
api-client: export SITE_URL := https://shop.example
api-client: $(RUNNING)  ## write the API's document and its requests, docs/openapi.json and docs/api.http
	@$(BIN)/python manage.py api_client

api-client-test: $(DEVELOPING)  ## do the main job by docs/api.md's walk, and by a client in Node (jq, node)
	@$(BIN)/python -m pytest e2e/test_api_clients.py $(PYTEST_ARGS)

format: $(DEVELOPING)  ## format the code and mend what can be mended
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python -m config.variables

# Resolved by the oldest Python that is supported, so that nothing it needs is left out.
lock: $(DEVELOPING)  ## write the lock files anew after a change of a .in file
	@for name in requirements requirements-demo requirements-dev; do \
	  echo "Resolving $$name.in ..."; \
	  CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	    --allow-unsafe --no-emit-options --output-file=$$name.txt $$name.in || exit 1; \
	done

clean:  ## end a running demo's database and delete everything that was made here
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m config.embedded_postgres remove var; \
	  else $(PYTHON) -m config.embedded_postgres remove var; fi
	rm -rf $(VENV) var staticfiles .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov

# Two stamps, so that the demo is there sooner than the developers' tools.
$(RUNNING): requirements.txt requirements-demo.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is missing: install the Debian packages python3 and python3-venv." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11; name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv is missing: install the Debian package python3-venv." >&2; exit 1; }
	@echo "Installing what the shop runs on in $(VENV) (half a minute the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements.txt -r requirements-demo.txt
	@touch $@

$(DEVELOPING): $(RUNNING) requirements-dev.txt requirements-spec.txt
	@echo "Installing what the tests need (half a minute the first time) ..."
	@$(INSTALL) -r requirements-dev.txt
	@$(INSTALL) --no-deps -r requirements-spec.txt
	@touch $@

$(PAGE_TOOLS): e2e/package.json e2e/package-lock.json $(RUNNING)
	@command -v npm >/dev/null || { echo "npm is missing: install the Debian package npm." >&2; exit 1; }
	@command -v java >/dev/null || \
	  { echo "Java is missing: install the Debian package default-jre-headless." >&2; exit 1; }
	@echo "Installing what judges the pages in $(@D) (a quarter of a minute the first time) ..."
	@mkdir -p $(@D) && cp e2e/package.json e2e/package-lock.json $(@D)
	@cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
