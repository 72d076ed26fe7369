# pfmbench: `make bench` and `make test` do all the set-up themselves.

PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
comma  := ,
# one name stays a name, several become Hydra's list
list    = $(if $(findstring $(comma),$(1)),[$(1)],$(1))

COMMON    = $(if $(SUITE),'suite=$(SUITE)') \
            $(if $(DATA),'data=$(DATA)') \
            $(if $(RESULTS),'results=$(RESULTS)') \
            $(if $(CACHE),'cache=$(CACHE)') \
            $(if $(SITE),'site=$(SITE)') \
            $(if $(MARGIN),'margin=$(MARGIN)')

OVERRIDES = $(if $(MODEL),'model=$(call list,$(MODEL))') $(if $(TASK),'task=$(call list,$(TASK))') $(COMMON) $(ARGS)
# of a sweep: commas separate jobs, and brackets join models that share one, MODEL='[uni,gpfm],virchow2'
SWEPT     = $(if $(MODEL),'model=$(MODEL)') $(if $(TASK),'task=$(TASK)') $(COMMON) $(if $(SHARDS),'shards=$(SHARDS)') $(ARGS)

# A misspelt variable would be ignored by make, and another run than the one that was meant would start.
VARIABLES_KNOWN := MODEL TASK SUITE DATA RESULTS OUT CACHE SITE MARGIN SHARDS SWEEP BOARD ARGS PYTHON VENV PIP_ARGS ROOM N SEED
VARIABLES_SET   := $(foreach v,$(.VARIABLES),$(if $(findstring command,$(origin $(v))),$(v)))
UNKNOWN         := $(firstword $(filter-out $(VARIABLES_KNOWN),$(VARIABLES_SET)))
ifneq ($(UNKNOWN),)
NEAR := $(shell $(PYTHON) -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1))' \
          $(UNKNOWN) $(VARIABLES_KNOWN) 2>/dev/null)
$(error There is no variable $(UNKNOWN)$(if $(NEAR),: is $(NEAR) meant?,.) Those there are: $(VARIABLES_KNOWN))
endif

.DEFAULT_GOAL := help
.PHONY: help bench plan audit sweep test test-slow mutants lint types status leaderboard passport multiverse reproduce \
        published models setup clean

help:  ## list the targets
	@echo 'make bench MODEL=uni TASK=tiles DATA=/my/tiles   (also SUITE= RESULTS= CACHE= SITE= MARGIN= ARGS="any=override")'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

bench: $(VENV)/.installed  ## run models on tasks and print the leaderboard; alone: the built-in suite on the default model
	@$(PY) -m bench $(OVERRIDES)

plan: $(VENV)/.installed  ## say what make bench would do, what stands and what it costs; takes the same variables
	@$(PY) -m bench plan $(OVERRIDES)

audit: $(VENV)/.installed  ## can this task tell models apart? controls, random networks, power: TASK= DATA= RESULTS= ARGS="random=20"
	@$(PY) -m bench audit $(if $(TASK),'task=$(call list,$(TASK))') $(COMMON) $(ARGS)

sweep: $(VENV)/.installed-sweep  ## bench as jobs: MODEL=uni,gpfm TASK=pcam,mhist SITE=laptop, local or slurm, SHARDS=4 jobs a dataset
	@$(PY) -m bench sweep $(SWEPT)

status: $(VENV)/.installed  ## which jobs of a sweep are done, running, failed or lost, and why: RESULTS= SWEEP=
	@$(PY) -m bench status $(if $(RESULTS),'results=$(RESULTS)') $(if $(SWEEP),'sweep=$(SWEEP)') $(ARGS)

leaderboard: $(VENV)/.installed  ## rebuild the tables from the saved rows; RESULTS=a,b OUT=DIR: one table of several results folders
	@$(PY) -m bench report $(if $(RESULTS),'results=$(RESULTS)') $(if $(OUT),'out=$(OUT)') $(if $(MARGIN),'margin=$(MARGIN)') $(ARGS)

reproduce: $(VENV)/.installed  ## run a published board's own protocol and compare: BOARD=eva MODEL= DATA= TASK=; alone: which there are
	@$(PY) -m bench $(if $(BOARD),reproduce 'board=$(BOARD)',published list) $(if $(MODEL),'model=$(call list,$(MODEL))') \
	  $(if $(TASK),'task=$(call list,$(TASK))') $(if $(DATA),'data=$(DATA)') $(if $(RESULTS),'results=$(RESULTS)') \
	  $(if $(CACHE),'cache=$(CACHE)') $(ARGS)

published: $(VENV)/.installed  ## set saved rows beside published figures: RESULTS= BOARD= MODEL= TASK=
	@$(PY) -m bench published $(if $(RESULTS),'results=$(RESULTS)') $(if $(BOARD),'board=$(BOARD)') \
	  $(if $(MODEL),'model=$(call list,$(MODEL))') $(if $(TASK),'task=$(call list,$(TASK))') $(ARGS)

multiverse: $(VENV)/.installed  ## all published protocols on the same features: does the ranking of models depend on them? MODEL=a,b TASK= DATA=
	@$(PY) -m bench multiverse $(OVERRIDES)

passport: $(VENV)/.installed  ## a page of one encoder behind corruptions and restorers, from the saved rows: MODEL= RESULTS= DATA=
	@$(PY) -m bench passport $(if $(MODEL),'model=$(call list,$(MODEL))') $(if $(RESULTS),'results=$(RESULTS)') \
	  $(if $(DATA),'data=$(DATA)') $(if $(CACHE),'cache=$(CACHE)') $(ARGS)

models: $(VENV)/.installed  ## list the models of the registry
	@$(PY) -m registry $(ARGS)

# a thread a process; and the many processes that tests start read modules that are compiled already
OF_TESTS = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=

test: $(VENV)/.installed-dev  ## run the fast tests (under five minutes on two cores)
	@$(OF_TESTS) $(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(VENV)/.installed-dev  ## run the tests that take over a second or two each (20 minutes)
	@$(OF_TESTS) $(PY) -m pytest -n auto --maxprocesses 2 --dist loadfile -m slow $(ARGS)

mutants: $(VENV)/.installed-dev  ## plant faults in code and count those its tests catch (hours): ROOM=bench/embed N=40 SEED=0
	@$(PY) tests/mutants.py $(or $(ROOM),bench/embed) -n $(or $(N),40) --seed $(or $(SEED),0) $(ARGS)

lint: $(VENV)/.installed-dev  ## check style (ruff)
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types: $(VENV)/.installed-dev  ## check types (mypy)
	@$(PY) -m mypy

setup: $(VENV)/.installed  ## install only; PIP_ARGS="--index-url URL" takes the wheels from elsewhere (a CPU or CUDA build of torch)

clean:  ## remove the virtual environment
	$(OF_THIS_CHECKOUT)
	rm -rf $(VENV)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "pfmbench needs Python 3.11 or newer and '$(PYTHON)' is not: name one, make PYTHON=python3.12 bench" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "'$(PYTHON) -m venv' failed: install the venv module of your Python (on Debian: python3-venv)" >&2; exit 2; }

# An environment holds the install of one checkout: installing this one into that of another would repoint it.
OWNER := import json, sys, importlib.metadata as m, os.path as p, urllib.request as u; \
  url = json.loads(m.distribution("pfmbench").read_text("direct_url.json") or "{}").get("url", ""); \
  place = u.url2pathname(url.removeprefix("file://")); \
  url.startswith("file://") and p.realpath(place) != p.realpath(sys.argv[1]) and sys.exit("the pfmbench in " + sys.argv[2] \
  + " is that of the checkout " + place + ", which this would repoint: leave VENV out, or name a folder of this checkout")
OF_THIS_CHECKOUT = @! $(PY) -I -c 'import importlib.metadata as m; m.distribution("pfmbench")' 2>/dev/null \
  || $(PY) -I -c '$(OWNER)' '$(CURDIR)' '$(VENV)'

# with the extra that is named, or with none
install = $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS) --editable '.$(1)' || \
  { echo "pip could not install into $(VENV), for the reason above; if an earlier installation was interrupted, remove that folder and try again" >&2; exit 2; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(PY)
	$(OF_THIS_CHECKOUT)
	@echo 'Installing into $(VENV) (once) ...' >&2
	@$(call install,)
	@touch $@

$(VENV)/.installed-sweep: $(VENV)/.installed
	$(OF_THIS_CHECKOUT)
	@$(call install,[sweep])
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(OF_THIS_CHECKOUT)
	@$(call install,[dev])
	@touch $@
