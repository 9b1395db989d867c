# The daily commands; scripts/ holds what they do. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
export PYTHON VENV

.PHONY: help setup run run-distributed test test-long unit bench requests soak check fix clean dashboards rules image

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## Make the virtual environment from the hashed lock file
	@scripts/setup

run: setup ## Install, crawl the demo registry, serve it on 127.0.0.1:8080
	@# Ctrl-C is how it ends. The trap keeps the shell until the program is through.
	@trap : INT; $(VENV)/bin/weighbridge up --demo || [ $$? -eq 130 ]

run-distributed: setup ## The same as several processes over PostgreSQL and Redis
	@trap : INT; $(VENV)/bin/python scripts/run-distributed

test: setup ## Run all tests, with the servers that they need
	@scripts/servers
	@# Tests that start servers wait for them half of the time: two processes a core.
	@scripts/test --numprocesses $$(( $$(nproc) * 2 )) --dist loadscope \
		--no-loadscope-reorder --databases sqlite,postgresql -m 'not long' \
		tests/integration tests/e2e tests/unit

test-long: setup ## Run what takes long: recorded images, kills, faults, a million tags
	@scripts/servers
	@scripts/test --databases sqlite,postgresql --hypothesis-profile many \
		-m 'long or hypothesis'
	@# Large databases, and how long things take: on a disk, as in real use.
	@TMPDIR=$${TMPDIR:-/tmp} scripts/test --databases sqlite,postgresql \
		--timeout 7200 tests/load

bench: setup ## Compare with wrk, skopeo and httpx: make bench ROUNDS=3 ONLY=cold-crawl
	@scripts/servers
	@scripts/bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(ONLY:%=--only %) $(if $(WRITE),--write) $(ARGS)

requests: setup ## Count what crawls ask of each kind of registry: make requests WRITE=1
	@scripts/requests $(if $(WRITE),--write) $(ARGS)

soak: setup ## A quarter of an hour of kills, or --steady: make soak ARGS=--steady SOAK_MINUTES=2
	@scripts/servers
	@scripts/soak $(ARGS)

unit: setup ## Run the quick tests: no sockets, under a minute on two cores
	@scripts/test --numprocesses auto -m 'not slow and not long' tests/unit

check: setup ## Format, lint, types, import contracts
	@scripts/check

fix: setup ## Let ruff repair what it can
	@scripts/fix

image: setup ## Assemble both variants of the image (as root) and weigh them
	@scripts/image

dashboards: ## Write the Grafana dashboards again
	@$(PYTHON) deploy/grafana/generate.py

rules: ## Write the rules for the Prometheus operator again
	@$(PYTHON) deploy/kubernetes/generate.py

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .image .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
