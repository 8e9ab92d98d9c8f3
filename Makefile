# make bench: the main job on this machine. make report: stored runs as a page, report.html.
# make test: all checks and tests. make asv: asv run.
# make gpu-check: all that needs a card, in ten minutes: doctor, gpu tests, roofline, three sweeps.
# All create .venv with pinned versions on the first call and reuse it afterwards.
# PYTHON=/path/to/python uses that interpreter and its packages instead.

ifdef PYTHON
  PY := $(PYTHON)
  READY :=
  export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
else
  PY := .venv/bin/python
  READY := .venv/ready
endif

.PHONY: asv bench gpu-check report test format clean

bench: $(READY)
	$(PY) -m gconvbench run --sweep forum --sweep quick --rounds 5 --aa native

asv: $(READY)
	$(PY) -m asv run

report: $(READY)
	$(PY) -m gconvbench report -o report.html

test: $(READY)
	$(PY) -m tests.check

gpu-check: $(READY)
	$(PY) -m tests.gpu_check

format: $(READY)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

.venv/ready: constraints.txt pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
