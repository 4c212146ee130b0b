# Two commands matter: `make demo` shows the main job, `make test` runs all tests. Both first set up what is
# missing, into .venv and js/node_modules, and do nothing twice: stamps in .venv say what was done.

PYTHON ?= python3
EXTRAS ?= rehearsal,plots,arrow,otel,tools,dev

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
BUNDLE := src/gip_nb/notebook/static/widget.js
NODE = PATH="$$(cat $(STAMPS)/node):$$PATH" node
NPM = PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix js
PYTEST = $(BIN)/python -m pytest
# What is neither slow nor wants a key or a network.
QUICK := not live and not soak and not registry and not matrix

JS_SOURCES := $(shell find js/src js/*.mjs js/*.json -type f 2>/dev/null)

# Kernels and servers start by the dozen in the tests: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo dev test test-fast test-js test-browser test-wheel test-matrix soak soak-talk bench lint lint-js format js wheel \
  clean distclean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 24

demo: $(STAMPS)/python $(BUNDLE) ## one spoken round trip, then JupyterLab on the tutorial (HEADLESS=1: no JupyterLab)
	@$(BIN)/gip-nb demo

dev: setup ## JupyterLab in which open widgets follow each change of js/src
	@$(NODE) js/build.mjs --watch & watch=$$!; trap 'kill $$watch 2>/dev/null' EXIT INT TERM; \
	ANYWIDGET_HMR=1 $(BIN)/jupyter lab --notebook-dir=notebooks $(LAB_OPTIONS)

# The JavaScript tests wait for sound and timers most of the time: they run beside the Python tests without a browser,
# which two processes share and which give way to them. The browser tests hear and speak: they run alone.
test: setup lint ## everything: linters, types, JavaScript, Python, a real JupyterLab in a real browser
	@$(MAKE) --no-print-directory test-js >$(STAMPS)/test-js.log 2>&1 & js=$$!; \
	nice -n 10 $(PYTEST) -n 2 --dist loadfile -m "$(QUICK) and not browser"; python=$$?; \
	wait $$js; js=$$?; cat $(STAMPS)/test-js.log; exit $$((python || js))
	$(PYTEST) -m "$(QUICK) and browser"

test-fast: $(STAMPS)/python $(BUNDLE) ## Python tests that need no browser
	$(PYTEST) -m "$(QUICK) and not browser"

test-browser: setup ## only the tests in a real JupyterLab
	$(PYTEST) -m "$(QUICK) and browser"

test-wheel: $(STAMPS)/python $(BUNDLE) ## the wheel in an environment of its own, its dependencies fetched by pip
	$(PYTEST) -m registry

test-matrix: $(STAMPS)/python ## a whole conversation on the oldest and the newest openai package, each fetched by pip
	$(BIN)/python .ci/matrix.py

soak: setup ## the longest tests, and what the others do a few times, many times over
	$(PYTEST) -m soak

soak-talk: $(STAMPS)/python ## an hour of talk in compressed time over a line that fails, then ten minutes in real time
	$(BIN)/python -m bench.soak

bench: setup ## how long things take and what a session costs; wants a machine with nothing else to do
	$(BIN)/python -m bench.opening
	$(BIN)/python -m bench.mic_path
	$(BIN)/python -m bench.interruption
	$(BIN)/python -m bench.client_overhead
	$(BIN)/python -m bench.tables
	$(BIN)/python -m bench.recording

test-js: $(STAMPS)/js $(STAMPS)/browser ## JavaScript tests
	GIP_CHROMIUM="$$(cat $(STAMPS)/browser)" $(NPM) test

lint: $(STAMPS)/python $(STAMPS)/js ## ruff, mypy, and what js/ checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NPM) run check

lint-js: $(STAMPS)/js
	$(NPM) run check

format: $(STAMPS)/python ## let ruff write the Python files its way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

js: $(BUNDLE) ## the page bundle, rebuilt where its sources changed

wheel: $(STAMPS)/python $(BUNDLE) ## a wheel and an sdist in dist/
	$(BIN)/python -m build

setup: $(STAMPS)/python $(STAMPS)/js $(STAMPS)/browser $(BUNDLE) ## what the other targets need: environment, Node, bundle, browser

clean: ## remove what was built and cached
	rm -rf dist src/gip_nb/notebook/static tests/.artifacts .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests .ci bench -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove the environment and node_modules too
	rm -rf $(VENV) .venv-matrix js/node_modules

# What stands where --------------------------------------------------------------------------------------------

$(STAMPS)/python: pyproject.toml .ci/constraints.txt
	$(PYTHON) .ci/machine.py environment --extras "$(EXTRAS)"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/node: $(STAMPS)/python
	@$(BIN)/python .ci/machine.py node > $@

$(STAMPS)/browser: $(STAMPS)/python
	@$(BIN)/python .ci/machine.py browser > $@

# Not `npm ci`: it refuses a lock whose optional packages for other platforms the registry at hand did not have, and
# a mirror may lack some. `install --no-save` takes the lock's versions too and leaves the lock as it is.
$(STAMPS)/js: js/package-lock.json js/package.json $(STAMPS)/node
	$(NPM) install --no-save --no-audit --no-fund
	@touch $@

$(BUNDLE): $(JS_SOURCES) $(STAMPS)/js
	$(NPM) run build
	@touch $@
