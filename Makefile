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
MINIMUM_COVERAGE := 90

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
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
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

.PHONY: demo
demo: install ## start a server with a ward to look at, until Ctrl-C (PORT=8000)
	@exec $(BIN)/tocsin demo --port $(PORT) $(ARGS)

.PHONY: test
test: install ## run every test (ARGS= picks tests)
	@$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

# Apart from the tests, because it takes twice as long as they do.
.PHONY: coverage
coverage: install ## run every test, and hold the coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses=auto --dist=worksteal
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --fail-under=$(MINIMUM_COVERAGE)

.PHONY: check
check: install ## check format, lint, types and who imports whom
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict $(CODE)
	@$(BIN)/lint-imports --no-logo

# The peers come from elsewhere: what is missing is named, with the line that installs it.
.PHONY: bench
bench: install ## measure delivery against other servers (ARGS=fanout for one of the measurements; minutes)
	@$(BIN)/python -m bench $(or $(ARGS),all --json bench-results.json)

.PHONY: format
format: install ## format, and mend what can be mended without judgement
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Keeps the versions that the lock has already, unless told otherwise.
.PHONY: lock
lock: ## write requirements.lock from pyproject.toml (ARGS=--upgrade for newer versions)
	@set -e; $(find_python); \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	"$$python" -m venv "$$scratch"; "$$scratch/bin/python" -m pip install -qq uv; \
	"$$scratch/bin/uv" pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url $(ARGS) -o requirements.lock; \
	if grep -n '://' requirements.lock; then echo "The lock must name no addresses." >&2; exit 1; fi; \
	{ echo "# Made by \`make lock\` from pyproject.toml: the default install and the extra dev."; cat requirements.lock; } > "$$scratch/lock"; \
	cat "$$scratch/lock" > requirements.lock

.PHONY: clean
clean: ## remove .venv, caches, build output and the demo's data
	@rm -rf $(VENV) build dist *.egg-info tocsin-data htmlcov .coverage .coverage.*
	@rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name node_modules -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
