# Needs git, make and Python 3.11 or newer, nothing else; tests that talk to Kafka also need
# Java 17, Maven and openssl, those on PostgreSQL its server programs, and are skipped without
# them. `make help` lists the targets.
.DEFAULT_GOAL := help
.NOTPARALLEL:
ARGS =
BIN = .venv/bin

# Tests start the program often: what Python compiled is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test lint lock broker-lock notebooks docs bench clean

help: ## list the targets
	@echo 'make TARGET [ARGS="..."] [PYTHON=/path/to/python]'
	@sed -n 's/^\([a-z-]*\): ## /\1	/p' Makefile | while IFS='	' read -r name text; do \
		printf '  %-11s %s\n' "$$name" "$$text"; done

run: ## try Vedette on a demo stream; ARGS="--for 30s" stops by itself
	@sh requirements/setup.sh run
	@exec $(BIN)/python requirements/foreground.py $(BIN)/vedette demo $(ARGS)

test: ## run the tests, four at a time; ARGS goes to pytest: ARGS="-n0 tests/api" runs one by one
	@sh requirements/setup.sh test
	@exec $(BIN)/python -m pytest --numprocesses=4 --dist=worksteal $(ARGS)

lint: ## check style, types and the direction of imports
	@sh requirements/setup.sh test
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

lock: ## work out requirements/*.txt anew; ARGS=--upgrade takes the newest versions
	@sh requirements/lock.sh $(ARGS)

broker-lock: ## list anew the jars of the Kafka that tests start, after a change of its pom.xml
	@sh requirements/setup.sh test
	@exec $(BIN)/python -m tests.broker.jars --lock

notebooks: ## open the notebooks in JupyterLab
	@sh requirements/setup.sh notebooks
	@exec $(BIN)/python requirements/foreground.py $(BIN)/jupyter lab notebooks $(ARGS)

docs: ## build the documentation as a site in build/site; a broken link is an error
	@sh requirements/setup.sh docs
	@$(BIN)/python -m docs.website $(ARGS)
	@echo 'build/site/index.html is where it begins'

bench: ## measure scan and normalise against a bare reading of the same lines
	@sh requirements/setup.sh test
	@exec $(BIN)/python -m bench $(ARGS)

clean: ## remove .venv, caches and build results
	@rm -rf .venv .venv-lock build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache .broker
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
