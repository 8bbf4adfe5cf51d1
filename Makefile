# GNU make and bash. `make help` lists what there is.
SHELL := bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PORT ?= 8000
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := $(wildcard app bench tests examples migrations hatch_build.py)
NODE := web/with-node
NPM := $(NODE) npm --prefix web
CONSOLE := web/console/dist/index.html
TYPES_FILE := web/client/src/openapi.ts
TYPES := $(NODE) web/node_modules/.bin/openapi-typescript --default-non-nullable=false --output $(TYPES_FILE)
MINIMUM_COVERAGE := 90

# Tests and checks start hundreds of processes, which would each compile everything: `make clean` removes what they keep.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# Sets $python to the first Python that is new enough and can make a virtual environment, or ends with what to do.
# Each candidate is run, not only looked up: a version manager may put a name on the path with nothing behind it.
define find_python
found=; without_venv=; python=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	found="$$found$${found:+, }$$candidate is $$version"; \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue; \
	if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi; \
	without_venv=$${without_venv:-$$version}; \
done; \
if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
	echo "Python $$without_venv is here without its venv module: install it (Debian, Ubuntu: apt-get install python$$without_venv-venv), or name another Python: make PYTHON=/path/to/python3" >&2; exit 1; \
elif [ -z "$$python" ]; then \
	echo "Tocsin needs Python 3.11 or newer, but $${found:-there is none here}: install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
fi
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "PYTHON= names the interpreter, PORT= the demo's port; ARGS= goes to the command behind demo, test and lock."

# The stamp says where and from what the environment was made, and is written last: a changed lock installs again,
# and a moved folder, a vanished interpreter or an interrupted run makes the environment anew.
.PHONY: install
install: ## make .venv from the lock, and nothing when it is up to date
	@set -e; \
	here=$$(pwd); sources=$$(cat pyproject.toml requirements.lock | cksum); \
	{ read -r made_here && read -r made_from; } 2>/dev/null < $(STAMP) || made_here=; \
	[ "$$made_here" = "$$here" ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || made_here=; \
	if [ -n "$$made_here" ] && [ "$$made_from" = "$$sources" ] && [ -x $(BIN)/tocsin ]; then exit 0; fi; \
	if [ -z "$$made_here" ]; then \
		$(find_python); \
		echo "Making $(VENV) with Python $$version"; \
		rm -rf $(VENV); "$$python" -m venv $(VENV); \
	fi; \
	rm -f $(STAMP); \
	echo "Installing the locked packages"; \
	$(BIN)/python -m pip install -qq --require-hashes -r requirements.lock; \
	echo "Installing tocsin"; \
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .; \
	printf '%s\n' "$$here" "$$sources" > $(STAMP)

# Two stamps, each written last: of what the packages were installed from, and the web was built from.
WEB_PACKAGES := web/node_modules/.installed-from
WEB_BUILT := web/node_modules/.built-from
WEB_MANIFESTS = web/package.json web/package-lock.json $(wildcard web/*/package.json)

.PHONY: web
web: install ## build the web console, and nothing when it is up to date
	@set -e; \
	packages=$$(cat $(WEB_MANIFESTS) | cksum); \
	sources=$$(find web -name node_modules -prune -o -name dist -prune -o -name test -prune -o -type f -print0 \
		| LC_ALL=C sort -z | xargs -0 cksum | cksum); \
	if [ "$$packages" != "$$(cat $(WEB_PACKAGES) 2>/dev/null)" ]; then \
		rm -f $(WEB_PACKAGES) $(WEB_BUILT); \
		echo "Installing the packages of the web"; \
		$(NPM) ci --loglevel=error --fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=5000 >/dev/null; \
		echo "$$packages" > $(WEB_PACKAGES); \
	fi; \
	if [ "$$sources" != "$$(cat $(WEB_BUILT) 2>/dev/null)" ] || [ ! -f $(CONSOLE) ]; then \
		rm -f $(WEB_BUILT); \
		echo "Building the web console"; \
		built=$$($(NPM) run build 2>&1) || { echo "$$built"; exit 1; }; \
		echo "$$sources" > $(WEB_BUILT); \
	fi

# Whoever has no Node, and no network to get one, still sees the ward in the terminal.
.PHONY: demo
demo: install ## start a server with a ward to look at, until Ctrl-C (PORT=8000)
	@$(MAKE) web 2>/dev/null || \
		if [ -f $(CONSOLE) ]; then echo "The web console could not be built anew, and is shown as it was (make web says why)."; \
		else echo "The web console is left out, because it could not be built (make web says why)."; fi
	@exec $(BIN)/tocsin demo --port $(PORT) $(ARGS)

# One more than there are cores, because tests wait for servers and browsers.
TESTERS = $$(($$(getconf _NPROCESSORS_ONLN) + 1))

# Those of the web run beside the others, because they mostly wait; what fails in one keeps none from running.
# Whatever failed is named at the end: of the web nothing is shown but its counts when all of it passed.
.PHONY: test
test: install ## run every test, of the server and of the web (ARGS= picks tests of the server)
	@failed=0; beside=; said=$$(mktemp); trap 'rm -f "$$said"' EXIT; \
	$(MAKE) web || failed=1; \
	$(if $(ARGS),,[ $$failed = 1 ] || { $(NPM) test > "$$said" 2>&1 & beside=$$!; };) \
	$(BIN)/python -m pytest --numprocesses=$(TESTERS) --dist=worksteal $(ARGS) || failed=$$?; \
	if [ -z "$$beside" ]; then exit $$failed; fi; \
	if wait $$beside; then grep -a ' passed' "$$said"; else failed=1; cat "$$said"; fi; \
	exit $$failed

# Apart from the tests, because it takes twice as long as they do.
.PHONY: coverage
coverage: install ## run every test, and hold the coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses=auto --dist=worksteal
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --fail-under=$(MINIMUM_COVERAGE)

.PHONY: check
check: install web ## check format, lint, types, who imports whom, and that the client knows the interface
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(NPM) run --silent check
	@$(BIN)/tocsin openapi | $(TYPES) --check >/dev/null 2>&1 \
		|| { echo "$(TYPES_FILE) is not what the interface is now: make types writes it" >&2; exit 1; }

.PHONY: types
types: install web ## write the types of the client from the interface that the server describes
	@$(BIN)/tocsin openapi | $(TYPES) >/dev/null

# The peers come from elsewhere: what is missing is named, with the line that installs it.
.PHONY: bench
bench: install ## measure delivery against other servers (ARGS=fanout for one of the measurements; minutes)
	@$(BIN)/python -m bench $(or $(ARGS),all --json bench-results.json)

.PHONY: figures
figures: install web ## measure the console in a browser: sizes, frames, delays, axe (ARGS="--json PATH")
	@$(BIN)/python -m tests.browser.figures $(ARGS)

# After five minutes something of everything has happened on the demo's ward.
.PHONY: screenshots
screenshots: install web ## take the pictures of the README anew (six minutes)
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

.PHONY: format
format: install web ## format, and mend what can be mended without judgement
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(NPM) run --silent format

# Keeps the versions that the locks have already, unless told otherwise.
.PHONY: lock
lock: ## write the requirements' locks from pyproject.toml (ARGS=--upgrade for newer versions)
	@set -e; $(find_python); \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	"$$python" -m venv "$$scratch"; "$$scratch/bin/python" -m pip install -qq uv; \
	lock() { \
		what=$$1 into=$$2; shift 2; \
		"$$scratch/bin/uv" pip compile -q "$$@" --universal --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url $(ARGS) -o "$$into"; \
		if grep -n '://' "$$into"; then echo "A lock must name no addresses." >&2; exit 1; fi; \
		{ echo "# Made by \`make lock\` from pyproject.toml: $$what."; cat "$$into"; } > "$$scratch/lock"; \
		cat "$$scratch/lock" > "$$into"; \
	}; \
	lock "the default install and the extra dev" requirements.lock pyproject.toml --extra dev; \
	lock "the group node, for those who have no Node" requirements-node.lock --group node

.PHONY: clean
clean: ## remove .venv, the packages of the web, caches, build output and the demo's data
	@rm -rf $(VENV) build dist *.egg-info tocsin-data htmlcov .coverage .coverage.*
	@rm -rf web/node_modules web/*/node_modules web/*/dist
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name node_modules -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
