# Everything a person types. Tools, venv and clusters live outside the repository (PENSTOCK_CACHE, PENSTOCK_STATE).
SHELL := /bin/bash
PENSTOCK_CACHE ?= $(HOME)/.cache/penstock
PYTHON3 ?= python3
VENV := $(PENSTOCK_CACHE)/venv-$(shell sha256sum < requirements-dev.lock | cut -c1-12)
PY := $(VENV)/bin/python
SBOM ?= dist/sbom.json
export PENSTOCK_CACHE
export PYTHONPATH := operator:.

.PHONY: help up down demo test verify unit meta simulation contract integration faults e2e lint nightly bench generate lock sbom scan venv

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(VENV)/done
$(VENV)/done:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "penstock: needs Python 3.11 or newer; on Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON3) -c 'import ensurepip' 2>/dev/null || { test $$(id -u) = 0 && apt-get update -qq >/dev/null && apt-get install -y -qq python3-venv >/dev/null; } || \
	  { echo "penstock: Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@command -v openssl >/dev/null || { test $$(id -u) = 0 && apt-get update -qq >/dev/null && apt-get install -y -qq openssl >/dev/null; } || \
	  { echo "penstock: the program openssl is missing; on Debian: apt-get install openssl"; exit 1; }
	@echo "venv: installing pinned Python packages into $(VENV)"
	@rm -rf $(VENV).new && $(PYTHON3) -m venv $(VENV).new
	@$(VENV).new/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@rm -rf $(VENV) && mv $(VENV).new $(VENV) && sed -i "s|$(VENV).new|$(VENV)|g" $(VENV)/bin/* 2>/dev/null; touch $@

up: ## a Kubernetes with gateway and Prometheus (CLUSTER=local|kind|current)
	@$(PYTHON3) -m cluster up
	@$(PYTHON3) -m cluster.addons

down: ## stop it and leave no trace
	@$(PYTHON3) -m cluster down

demo: venv ## the main job: v1 serves, v2 is promoted, v3 is rolled back, v4 never gets ready
	@$(PY) -m examples.demo $(DEMO)

test: venv ## everything that proves it; what needs no cluster runs beside what waits for one
	@$(MAKE) --no-print-directory -j3 -Otarget integration simulation meta contract faults unit lint
	@$(MAKE) --no-print-directory e2e

verify: lint unit meta simulation ## what needs no cluster: format, types, layers, units, simulation

lint: venv
	@$(VENV)/bin/ruff format --check -q . && $(VENV)/bin/ruff check -q .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo 2>&1 | tail -4

unit: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/unit

meta: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/golden tests/meta

simulation: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/sim

contract: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/contract

integration: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/integration

faults: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/faults

e2e: venv
	@$(PY) -m pytest -q -p no:cacheprovider tests/e2e

nightly: venv ## the long proofs; the report goes to docs/reports/
	@$(PY) -m pytest -q -p no:cacheprovider tests/nightly
	@STORIES=all STORIES_REPORT=docs/reports/stories.md $(PY) -m pytest -q -p no:cacheprovider tests/e2e/test_stories.py

bench: venv ## false rollbacks and detection, simulated; speed, idleness and memory beside rivals (about three hours)
	@$(PY) -m bench.evidence
	@$(PY) -m bench.speed

generate: venv ## CRDs and reference pages from the code
	@$(PY) -m penstock.api.crd crds
	@$(PY) helm/copy_files.py
	@$(PY) -m docs.generate

lock: venv ## pin every package again
	@$(VENV)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --strip-extras -o requirements.lock pyproject.toml
	@$(VENV)/bin/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --strip-extras --allow-unsafe --extra dev --extra demo -c requirements.lock -o requirements-dev.lock pyproject.toml

sbom: venv ## what the operator's image holds, as CycloneDX: dist/sbom.json
	@mkdir -p $(dir $(SBOM)) && PYTHONWARNINGS=ignore $(VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --short-PURLs \
	  --output-reproducible --validate -o $(SBOM) requirements.lock

scan: venv ## known vulnerabilities of what the image holds; fails where the advisory service does not answer
	@$(VENV)/bin/pip-audit --strict --progress-spinner off --require-hashes --disable-pip -r requirements.lock || { \
	  echo "scan: a package is vulnerable, or the advisory service did not answer for it: nothing is shown to be safe"; exit 1; }
