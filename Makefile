# Every target sets up what it needs. On a fresh machine: Python 3.11 or newer, make and git are enough.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/set-up-for
ARGS ?=
SEEDS ?= 5000

# Rules and routes are tested with Prometheus' own tools, pages with a browser, the compiled wheel by building it. CI must have
# what that needs; a laptop may do without.
TOOLS := $(shell command -v promtool >/dev/null && command -v amtool >/dev/null && echo yes)
CHROMIUM := $(shell command -v chromium >/dev/null && echo yes)
COMPILER := $(shell command -v cc >/dev/null && echo yes)
LEFT_OUT := and not desk
ifeq ($(TOOLS)$(CI),)
LEFT_OUT += and not promtool
endif
ifeq ($(CHROMIUM)$(CI),)
LEFT_OUT += and not browser
endif
ifeq ($(COMPILER)$(CI),)
LEFT_OUT += and not compiler
endif
DESELECT := $(if $(LEFT_OUT),-m "$(wordlist 2,20,$(LEFT_OUT))")

.DEFAULT_GOAL := help
.PHONY: help setup demo unit test-short coverage test desks chaos simulate check pictures bench schemas wheel compile manifests lock clean

help: ## List the targets
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Make .venv with everything in it; does nothing when it is current

demo: $(STAMP) ## See it all run on an embedded Kafka broker, in under two minutes (ARGS=--stack: with alerts)
	@$(BIN)/python -m stream demo $(ARGS)

unit: $(STAMP) ## Run the unit tests and the stories, in about half a minute
	@# Three processes on two cores: some of the tests wait for sockets and timers.
	$(BIN)/pytest -q -n 3 $(DESELECT) tests/unit tests/stories $(ARGS)

test-short: $(STAMP) ## Run what needs no broker, compiler or browser, with a fifth of the random examples, in about a minute
	BREACHWATCH_EXAMPLES=0.2 $(BIN)/pytest -q -n 2 -m "not broker and not promtool and not browser and not compiler" $(ARGS)

coverage: $(STAMP) ## Measure the branches of the core that unit tests, stories and properties take, in about two minutes
	$(BIN)/pytest -q -n 2 --cov=stream.sla --cov-report=term-missing:skip-covered tests/unit/sla tests/stories \
		tests/properties $(ARGS)

test: check ## Check, then run all tests: unit, project, properties, stories, simulation, commands, broker, observability, chaos
ifneq ($(findstring promtool,$(LEFT_OUT)),)
	@echo "promtool or amtool is missing (Debian: apt install prometheus prometheus-alertmanager):" \
		"the tests of rules and routes are left out."
endif
ifneq ($(findstring browser,$(LEFT_OUT)),)
	@echo "chromium is missing (Debian: apt install chromium): the tests of pages in a browser are left out."
endif
ifneq ($(findstring compiler,$(LEFT_OUT)),)
	@echo "a C compiler is missing (Debian: apt install gcc libc6-dev): the tests of the compiled wheel are left out."
endif
	@# Three processes on two cores: the tests on brokers wait more than they work.
	$(BIN)/pytest -n 3 --dist loadgroup $(DESELECT) $(ARGS)

desks: $(STAMP) ## Boot real helpdesks of Debian's packages, play stories on them and pull them, in some minutes
	$(BIN)/pytest -q -m desk tests/desks $(ARGS)

chaos: $(STAMP) ## Break a running cluster, seed after seed, and check its effects (ARGS="--seeds 20 --seed 1")
	@$(BIN)/python -m tests.chaos $(ARGS)

simulate: $(STAMP) ## Break simulated clusters, thousands of them, each repeatable (SEEDS=20000, or a range: SEEDS=500-999)
	@$(BIN)/python -m tests.simulation $(SEEDS)

check: $(STAMP) ## Lint, format, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

pictures: $(STAMP) ## Draw the dashboards into docs/images; wants prometheus, chromium, node and npm, and takes minutes
	$(BIN)/python grafana/render/pictures.py

bench: $(STAMP) $(if $(COMPILER),wheel) ## Run every benchmark and write docs/internals/benchmarks.md, in some 20 minutes (ARGS=--quick: a trial)
	$(BIN)/python benchmarks/run.py $(if $(COMPILER),--wheel dist/breachwatch-*.whl) $(ARGS)

schemas: $(STAMP) ## Make the JSON schemas of the topics from the structs that read and write them
	$(BIN)/python -m schemas.build

# Of a copy: while it works, mypyc takes pyproject.toml away, and what is edited meanwhile is not in the wheel. The copy is its
# own, so that two builds at once do not meet. $(1) is done with the copy at $$copy and the wheel in $$copy/dist.
define build
	@set -e; copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; trap 'exit 1' INT TERM; \
	cp -r stream pyproject.toml README.md LICENSE NOTICE "$$copy"; \
	HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps \
		--wheel-dir "$$copy/dist" "$$copy"; \
	$(1)
endef

wheel: $(STAMP) ## Build dist/*.whl with the hot path as machine code: twice as fast; needs a C compiler
	@echo "Compiling the hot path; this takes two minutes of CPU."
	$(call build,rm -rf dist; mkdir dist; mv "$$copy"/dist/*.whl dist; ls dist/*.whl)

compile: $(STAMP) ## Build the hot path for this checkout: its commands then take half the CPU; needs a C compiler and some minutes
ifeq ($(COMPILER),)
	@echo "a C compiler is missing (Debian: apt install gcc libc6-dev): the source is interpreted, which takes twice the CPU."
else
	@echo "Compiling the hot path; this takes two minutes of CPU."
	$(call build,$(BIN)/python -P stream/compiled.py "$$copy"/dist/*.whl "$$copy")
endif

manifests: $(STAMP) ## Render and validate deploy/kubernetes from the Helm chart; wants helm
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'kubernetes-validate>=1.31'
	@$(BIN)/python deploy/render.py

lock: $(STAMP) ## Pin the newest versions that pyproject.toml allows into requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --python-version 3.11 --extra broker --group dev \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

clean: ## Remove .venv and caches; Kafka's jars stay in ~/.cache/breachwatch
	rm -rf $(VENV) .compiled grafana/render/node_modules dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "breachwatch needs Python 3.11 or newer; $$(python3 --version 2>&1) is what" \
		"python3 is here. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "breachwatch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version); this takes a minute or two, once."
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment; on Debian and Ubuntu:" \
		"apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@cp requirements.lock $@
	@echo "The source is interpreted. \`make compile\` builds the hot path as machine code, which takes half the CPU" \
		"(needs a C compiler, and two minutes of CPU)."
