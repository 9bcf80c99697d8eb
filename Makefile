.DEFAULT_GOAL := help
.PHONY: help demo serve test lint fix openapi bench lock package deploy smoke clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made last when everything is installed; made anew when the lock changes.
READY := $(VENV)/.ready
PORT ?= 8000
AWS_PORT ?= 8001
STAGE ?=
ARCH ?= arm64
# The Python that Lambda will run; a 3.13 is looked for when none is named.
PYTHON313 ?=
CONFIRM ?=
URL ?=

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Play the whole journey in the terminal on the local AWS, then stay up (ONCE=1: end after it)
	@$(BIN)/python -m sandbox.demo --port $(PORT) $(if $(ONCE),--once)

serve: $(READY) ## Serve Rolecall on the local AWS and print its address and a token (PORT=8000, AWS_PORT=8001)
	@$(BIN)/python -m sandbox --port $(PORT) --aws-port $(AWS_PORT)

test: $(READY) ## Run all tests (ARGS="-k name" for some)
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(READY) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(READY) ## Mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

openapi: $(READY) ## Write chalicelib/web/openapi.json anew from the routes that serve
	@$(BIN)/python -m tools.openapi

bench: $(READY) ## Measure against raw boto3 and print the table (ROWS=1,3 for some; README=1: into README.md)
	@$(BIN)/python -m bench $(if $(ROWS),--rows $(ROWS)) $(if $(README),--readme)

lock: $(READY) ## Resolve the dependencies of pyproject.toml anew into the two requirements files
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --custom-compile-command "make lock" \
		pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --custom-compile-command "make lock" \
		pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt

package: $(READY) ## Make the deployment package and the stack in build/STAGE (STAGE=prod, ARCH=arm64)
	@$(BIN)/python -m tools.package --stage "$(STAGE)" --arch "$(ARCH)" --python "$(PYTHON313)"

deploy: $(READY) ## Package, upload, show what would change in AWS, and change it (STAGE=prod, CONFIRM=yes: don't ask)
	@$(BIN)/python -m tools.deploy --stage "$(STAGE)" --arch "$(ARCH)" --python "$(PYTHON313)" --confirm "$(CONFIRM)"

smoke: $(READY) ## Check a deployment from outside (URL=https://..., ROLECALL_TOKEN in the environment, ARGS="--help")
	@$(BIN)/python -m tools.smoke --url "$(URL)" $(ARGS)

clean: ## Remove what make made
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build

# Debian's python3 may come without venv; virtualenv then does the same.
$(READY): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Rolecall needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, say.") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m pip install --quiet --user virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@
