# Everything runs in .venv of this checkout, which the first target that needs it makes.
PYTHON = .venv/bin/python
ARGS =

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint format docs pyz bench engines engine-test engine-bench browser-test deep clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## set up the development environment in .venv
	@sh scripts/setup.sh dev

demo: ## capture a small environment, write three container specs, check this machine against it
	@sh scripts/setup.sh demo
	@sh scripts/demo.sh

test: ## run the tests that need no network, container engine or GPU (ARGS="-k name")
	@sh scripts/setup.sh test
	@$(PYTHON) -m pytest $(ARGS)

check: lint test ## lint, formatting, types and tests: what a change must pass

lint: setup ## lint, formatting and types alone
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy

format: setup ## format the code and mend what the linter can mend
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

docs: setup ## write docs/ and the examples of `envsnap explain` from the rules and their cases
	$(PYTHON) scripts/rule_book.py
	$(PYTHON) -m envsnap lint --rules > docs/lint.md
	$(PYTHON) scripts/base_images.py

pyz: ## build dist/envsnap.pyz: one file that runs on a plain Python 3.10 or newer
	@sh scripts/setup.sh demo
	@$(PYTHON) scripts/pyz.py dist/envsnap.pyz

bench: ## time capture, check, lock and check --verify beside their peers (ARGS="--environment DIR --runs N")
	@sh scripts/setup.sh demo
	@failed=; for each in run compare matrix lock verify; do \
		echo "bench/$$each.py"; $(PYTHON) bench/$$each.py $(ARGS) || failed=1; echo; \
	done; test -z "$$failed"

engines: ## bring up Docker and rootless Apptainer for the engine tests (root, Debian)
	@bash tests/engines/up.sh

engine-test: ## run the tests that build real images (after make engines)
	@sh scripts/setup.sh dev
	@eval "$$(bash tests/engines/env.sh)" && $(PYTHON) -m pytest -m engine $(ARGS)

engine-bench: ## time and prove images of a large environment beside uv's and pip's (after make engines; ARGS="--environment DIR")
	@sh scripts/setup.sh dev
	@eval "$$(bash tests/engines/env.sh)" && failed=; for each in "image.py --prune" "sif.py --prune" large_images.py; do \
		echo "bench/$$each"; $(PYTHON) bench/$$each $(ARGS) || failed=1; echo; \
	done; test -z "$$failed"

browser-test: ## run the tests of the HTML page in Chromium (installs it: root, Debian)
	@sh scripts/setup.sh dev
	@bash tests/browser/up.sh && ENVSNAP_TEST_BROWSER=1 $(PYTHON) -m pytest -m browser $(ARGS)

deep: setup ## every test that this machine can run, network and thousands of generated cases included
	ENVSNAP_TEST_NETWORK=1 ENVSNAP_TEST_SLOW=1 HYPOTHESIS_PROFILE=deep $(PYTHON) -m pytest --cov $(ARGS)

clean: ## remove what these targets made; .venv stays
	rm -rf build demo dist htmlcov .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
