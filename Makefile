# What one types here. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := .venv/bin
STAMP := .venv/.installed
BUILDING := "$(PYTHON)" journeys/workflows/temporal_build.py
PROMETHEUS := github.com/prometheus/prometheus
PROMTOOL := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/journeys/promtool
# Where it is set, as in many containers, each of the processes that the tests start compiles every library anew.
unexport PYTHONDONTWRITEBYTECODE
PURE := tests/canvas tests/content $(addprefix tests/engine/,core audience intake)

.PHONY: help demo test server check coverage format bench fuzz fuzz-api readings kills exports outages upgrades metrics promtool ruby mutants proofs golden schema docs lock wheel clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "Python 3.11 or later is needed"; exit 1; }
	@echo "setting up .venv (once, about half a minute)"
	@"$(PYTHON)" -m venv .venv
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(RUN)/uv pip install --quiet --python $(RUN)/python --require-hashes -r requirements.lock
	@$(RUN)/uv pip install --quiet --python $(RUN)/python --no-deps -e .
	@touch $@

# The server is built beside the installation: the demo finds it half done, and waits for the rest.
demo:  ## Mel's story: real people, real mail, a real Temporal server and database
	@(test -n "$$TEMPORAL_ADDRESS" || exec $(BUILDING) --if-needed >/dev/null 2>&1) & \
	trap "kill $$! 2>/dev/null; true" EXIT; \
	$(MAKE) --no-print-directory $(STAMP) && $(RUN)/journeys demo

test:  ## install what the tests need and run all of them
	@$(MAKE) --no-print-directory -j2 $(STAMP) server
	@$(RUN)/python -m pytest -n 3 --dist loadgroup $(TESTS)

server:  ## build the Temporal server that the tests run, once
	@test -n "$$TEMPORAL_ADDRESS" || $(BUILDING)

check: $(STAMP)  ## format, lint, types, import contracts
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

coverage: $(STAMP)  ## every branch of the pure part is taken by a test of it
	@$(RUN)/python -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup --hypothesis-seed=0 --cov --cov-report=term-missing $(PURE)

format: $(STAMP)  ## format and mend what can be mended
	@$(RUN)/ruff check --fix --quiet . || true
	@$(RUN)/ruff format .

fuzz: $(STAMP)  ## twenty thousand spoilt definitions, audiences and links each, none of which may give a stack trace
	@$(RUN)/python -m tests.mutation 20000

fuzz-api: $(STAMP)  ## twenty thousand cases at each door: routes, audiences, links, CSV files
	@$(RUN)/python -m tests.fuzzing 20000

readings: $(STAMP)  ## twenty thousand templates, each by the function that is made of it and by the tree
	@JOURNEYS_READINGS=20000 $(RUN)/python -m pytest -q --timeout 7200 -n 2 tests/content/test_codegen.py

kills: $(STAMP)  ## the long forms of what kills workers, database and Temporal, of crashes in runs, of merges, and of writers beside bursts: minutes of each
	@JOURNEYS_KILLS=40 JOURNEYS_ROUNDS=500 JOURNEYS_PEOPLE=5000 JOURNEYS_TRIGGERS=20000 JOURNEYS_MEMBERS=20000 JOURNEYS_CRASHES=1 JOURNEYS_MERGES=1000 JOURNEYS_INGESTION_KILLS=60 $(RUN)/python -m pytest -q -s --timeout 7200 -n 0 tests/workflows/test_kills.py tests/workflows/test_kills_of_runs.py tests/workflows/test_kills_of_merges.py tests/workflows/test_kills_of_ingestion.py tests/engine/entries/test_run_crashes.py tests/engine/entries/test_contention.py tests/engine/entries/test_gates.py tests/engine/people/test_writers.py

exports: $(STAMP)  ## an export of six hundred thousand people
	@JOURNEYS_EXPORT_PEOPLE=900000 $(RUN)/python -m pytest -q -s --timeout 7200 -n 0 tests/engine/exports/test_exporting.py -k "files_and_the_callback or worker_that_is_killed"

outages: $(STAMP)  ## the database, Temporal and the mail server away for ten minutes each
	@JOURNEYS_OUTAGE=600 $(RUN)/python -m pytest -q -s --timeout 7200 -n 0 tests/workflows/test_outages.py

upgrades: $(STAMP)  ## an upgrade without a stop: processes of a former version, built of its commit, beside this one's
	@JOURNEYS_UPGRADES=200 $(RUN)/python -m pytest -q -s --timeout 7200 -n 0 tests/workflows/test_side_by_side.py

metrics: $(STAMP)  ## two thousand journeys by real processes, whose metrics agree with the store to the last one
	@JOURNEYS_RUN=2000 $(RUN)/python -m pytest -q -s --timeout 7200 -n 0 tests/workflows/test_metrics_of_a_run.py

promtool: $(PROMTOOL)  ## build Prometheus' own checker with Go, once: the tests of the alert rules use it where it is

$(PROMTOOL):
	@echo "building promtool (once, about four minutes)"
	@command -v go >/dev/null || { echo "Go is needed"; exit 1; }
	@mkdir -p "$(@D)"
	@at=$$(mktemp -d) && trap 'rm -rf "$$at"' EXIT && cd "$$at" && export CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=mod && \
	go mod init checks 2>/dev/null && go get $(PROMETHEUS)/cmd/promtool@v0.311.3 2>/dev/null && \
	go build -trimpath -ldflags="-s -w" -tags remove_all_sd -o "$@.new" $(PROMETHEUS)/cmd/promtool && mv "$@.new" "$@"

ruby: $(STAMP)  ## five thousand templates beside Ruby's own Liquid (apt-get install ruby ruby-liquid ruby-activesupport)
	@JOURNEYS_RUBY_TEMPLATES=5000 JOURNEYS_RUBY_SEED=$$RANDOM$$RANDOM $(RUN)/python -m pytest -q -s --timeout 3600 -n 0 tests/content/test_ruby.py

mutants: $(STAMP)  ## how many small faults in the machine its tests find
	@$(RUN)/python -m tests.mutants

proofs: $(STAMP)  ## break each rule: do its tests say so? (PROOFS="DLY-3 --seed 2" for some of them)
	@$(RUN)/python -m tests.proofs $(PROOFS)

golden: $(STAMP)  ## write the golden traces anew
	@$(RUN)/python -m tests.golden

schema: $(STAMP)  ## write the schema for editors anew
	@$(RUN)/journeys schema > journeys.schema.json

docs: $(STAMP)  ## write the pages that are generated
	@$(RUN)/python -m tests.pages

bench: $(STAMP)  ## measure, and write bench/results.json
	@$(RUN)/python -m bench

wheel: $(STAMP)  ## build the wheel
	@$(RUN)/python -m build --no-isolation

lock: $(STAMP)  ## renew requirements.lock
	@$(RUN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra otel --extra s3 --group dev pyproject.toml -o requirements.lock

clean:  ## remove what was built here (the user's cache folder stays)
	rm -rf .venv dist build mutants .proofs .mypy_cache .ruff_cache .pytest_cache .hypothesis
