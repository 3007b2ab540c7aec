# make run     a picture from a prompt, in a real ComfyUI, on any machine
# make serve   the same ComfyUI for the browser
# make test    everything that is promised here, tested
# make quick   style, contracts and the quick tests of core, nodes and page: under three minutes
# make gpu     tests that need a GPU
# make check   style, types (Python and JavaScript), import contracts: under a minute
# make chromium  install the browser the browser tests drive (Debian and Ubuntu, as root)
# make fix     let ruff fix style
# make nano    train the built-in model again (about four hours on two CPU cores)
# make judge   measure the built-in model
# make gate    are nano's pictures as good as recorded (bench/gate.json): drawing, edits, and every lossy lever
# make bench   ours, diffusers and ComfyUI's native code on the same work, for ten minutes
# make count   operations, bytes and syncs of the same work instead of seconds
# make pictures FONT=…  draw nano's pictures, the README's animation and the thumbnails again, with a font that has Chinese
# make help-pictures  draw the help pages' pictures again, with nano on a real ComfyUI, in about ten minutes
# make screens   take the README's screenshots again
# make clean   remove what the above created, but not the download cache

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CACHE  ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/zimage-nodes
export COMFYUI_DIR ?= $(CACHE)/ComfyUI-0.30.0
export COMFYUI_CACHE := $(CACHE)

BIN      := .venv/bin
OLDER    := 0.16.3 0.24.0
WORKFLOW ?= workflows/Z-Image Nano - text to image.json

.PHONY: run serve test quick gpu check fix chromium nano judge gate bench count pictures help-pictures screens setup dev clean

run: setup
	@$(BIN)/python -m tools.run_workflow "$(WORKFLOW)"

serve: setup
	@$(BIN)/python -m tools.serve

test: dev
	$(BIN)/pytest --numprocesses 3 --dist loadfile

quick: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/lint_imports.py
	node --test tests/js/*.test.mjs
	$(BIN)/pytest tests/core tests/nodes -m "not slow"

gpu: dev
	$(BIN)/python tests/gpu/run_all.py

check: dev tests/js/node_modules/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python tools/lint_imports.py
	npm --prefix tests/js run --silent check

fix: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

nano: setup
	$(BIN)/python -m zimage_core.nano.make

judge: setup
	$(BIN)/python -m zimage_core.nano.judging.judge

gate: setup
	$(BIN)/python -m bench.gate

bench: dev
	$(BIN)/pip install --quiet --editable ".[bench]"
	$(BIN)/python -m bench --plot docs/bench.png

count: dev
	$(BIN)/python -m bench --count

pictures: setup
	$(BIN)/python -m tools.pictures.draw_thumbnails --font "$(FONT)"
	$(BIN)/python -m tools.pictures.draw_animation --font "$(FONT)"

help-pictures: setup
	$(BIN)/python -m tools.pictures.draw_help

screens: dev
	$(BIN)/python -m tools.pictures.draw_screens

setup: .venv/ready
dev: .venv/dev-ready

$(COMFYUI_DIR)/main.py:
	$(PYTHON) tools/fetch_comfyui.py 0.30.0 $(COMFYUI_DIR)

$(CACHE)/ComfyUI-%/main.py:
	$(PYTHON) tools/fetch_comfyui.py $* $(@D)

# torch is pinned to the newest release whose torchvision and torchaudio are on PyPI in builds that match it.
.venv/ready: pyproject.toml $(COMFYUI_DIR)/main.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0
	$(BIN)/pip install --quiet --requirement $(COMFYUI_DIR)/requirements.txt torch==2.11.0
	$(BIN)/pip install --quiet --editable ".[run]"
	@touch $@

.venv/dev-ready: .venv/ready $(OLDER:%=$(CACHE)/ComfyUI-%/main.py)
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

tests/js/node_modules/.ready: tests/js/package-lock.json
	npm --prefix tests/js ci --silent --no-audit --no-fund
	@touch $@

# The browser of the browser tests, which are skipped without one; a system package, so asked for by name.
chromium:
	command -v chromium || command -v google-chrome || { apt-get update -qq && apt-get install --yes -qq chromium; }

clean:
	rm -rf .venv tests/js/node_modules build output *.egg-info
