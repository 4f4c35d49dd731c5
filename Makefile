# Thin: what a target does is what it lists; the README names those that a visitor needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test quick parity properties check audit chaos chaos-orders races scale live-walk docs screenshots story setup setup-dev lock clean
.DEFAULT_GOAL := run
# Where it is set, each process would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

# A folder of Parquet candles for the sandbox; relative to here.
ifdef SANDBOX_DATA
export SANDBOX_DATA := $(abspath $(SANDBOX_DATA))
endif

# What production must at least be given; random, so that no check is passed by a value that is public.
random = $(shell $(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(48))')
PRODUCTION_LIKE = COPILOT_ENV=production SECRET_KEY=$(random) TELEGRAM_BOT_TOKEN=$(random) \
	TELEGRAM_WEBHOOK_SECRET=$(random) METRICS_TOKEN=$(random) GOOGLE_CLIENT_ID=check GOOGLE_CLIENT_SECRET=$(random) \
	ADMIN_EMAILS=admin@example.org PUBLIC_URL=https://copilot.example.org ALLOWED_HOSTS=copilot.example.org \
	DATABASE_URL=postgresql://check:$(random)@localhost/check REDIS_URL=redis://:$(random)@localhost/0 \
	CACHE_URL=redis://:$(random)@localhost/1
# Without the constraint the resolver takes the newest torch, with CUDA.
COMPILE = $(BIN)/python -m uv pip compile --system-certs --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28
LOCK = $(COMPILE) -c constraints-lock.txt

run: setup
	@$(BIN)/python manage.py up $(ARGS)

test: setup-dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 5 $(ARGS)

# What needs no database, no processes, no browser and little time; for while one writes.
quick: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not database and not process and not browser and not slow" $(ARGS)

# Whole months, simulated and recorded, through services and paper broker and through the simulator; every constant
# of either side changed by itself must be seen. About ten minutes.
parity: setup-dev
	WHOLE_MONTH=1 $(BIN)/python -m pytest -n 0 tests/autopilot/test_parity.py $(ARGS)

# The property tests of `make test` at fifty times its length, on cases of their own; about an hour.
properties: setup-dev
	PROPERTY_LIVES=10000 FUZZED_BODIES=100000 PROPERTY_LENGTH=20 $(BIN)/python -m pytest -n 2 -rP \
		-k "no_life_breaks or whatever_is_posted or nothing_is_seen_before or every_subscriber_is_judged" \
		tests/notifications $(ARGS)

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run  # needs no database
	@$(PRODUCTION_LIKE) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python deploy/check_links.py
	$(BIN)/mkdocs build --quiet --strict --site-dir .site && rm -rf .site

# Known vulnerabilities of what is pinned; asks the outside, so it is no part of check.
audit: setup-dev
	$(BIN)/pip-audit --no-deps --disable-pip -r requirements.hashed.txt

# Kills real processes and counts what came of it; the figures go to docs/reliability.md.
chaos: setup-dev
	$(BIN)/python -m tests.chaos.delivery --write $(DELIVERY)
	$(BIN)/python -m tests.chaos.evaluation --write $(EVALUATION)
	$(BIN)/python -m tests.chaos.storm --write $(STORM)
	$(BIN)/python -m tests.chaos.stopped --write $(STOPPED)

# docs/ as a site of static pages in site/.
docs: setup-dev
	$(BIN)/mkdocs build --strict

# Orders against an exchange that lies, an executor killed at named points; about twenty minutes.
chaos-orders: setup-dev
	$(BIN)/python -m tests.chaos.orders --write $(ORDERS)

# Sixteen threads on kill switch, daily limit and balance, 1,000 rounds of each; `make test` does three.
races: setup-dev
	RACE_ROUNDS=1000 RACE_PARTS=4 $(BIN)/python -m pytest -n 2 --timeout 3600 tests/autopilot/services/executor/test_races.py $(ARGS)

# Two webs, workers, senders and one beat over one Postgres, Redis and RabbitMQ, of which half are killed.
scale: setup-dev
	$(BIN)/python -m tests.chaos.scale --write $(SCALE)

# Live trading in `manage.py up` and Chromium: arm, trade, halt, reconcile; canary keys looked for. Pictures in docs/.
live-walk: setup-dev
	$(BIN)/python -m tests.walks.live

# One trade from signal to exit, told in a chat: `make story ARGS="--data FOLDER"`, `ARGS=--once`.
story: setup
	@$(BIN)/python manage.py demo --story $(ARGS)

# The console's pictures in docs/console, drawn anew.
screenshots: setup-dev
	$(BIN)/python -m pytest -n 0 --timeout 1800 tests/screenshots.py
	BOT_PICTURES=docs/bot $(BIN)/python -m pytest -n 0 --timeout 1800 tests/notifications/test_dialogue.py

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.development

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install -y python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: apt-get install -y python3.11-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt deploy/install_torch.sh deploy/install.sh | $(VENV)/bin/python
	deploy/install.sh $(BIN)/python requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	deploy/install.sh $(BIN)/python requirements-dev.txt
	# Read by tests of pages, which are skipped without it.
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix $(VENV)/axe axe-core@4.10.3 || echo "axe-core could not be fetched: its tests are skipped"
	@touch $@

lock: setup-dev
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -c requirements.txt -o requirements-dev.txt
	# Any build of torch satisfies the lock; deploy/install_torch.sh chooses one.
	sed -i 's/^torch==\([0-9.]*\)+cpu/torch==\1/' requirements.txt requirements-dev.txt
	# The same pins with the hash of each file, for the image.
	$(COMPILE) --no-deps --no-annotate --no-header requirements.txt --generate-hashes -o requirements.hashed.txt

clean:
	rm -rf $(VENV) site .site staticfiles .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
