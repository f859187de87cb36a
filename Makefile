# The commands of this project; CI calls nothing else. `make help` lists them.

CARGO      ?= cargo
PREFIX     ?= /usr/local
TARGET_DIR  = $(or $(CARGO_TARGET_DIR),target)
# Features of the build that are checked and tested beside the others.
FEATURES    = --features quorate/otlp
# Apache's scripts, without .sh, by whose names the program answers (src/cli/mod.rs SCRIPTS).
SCRIPTS     = zkCleanup zkCli zkServer zkSnapShotToolkit zkSnapshotComparer zkSnapshotRecursiveSummaryToolkit zkTxnLogToolkit
DIST        = CARGO="$(CARGO)" SCRIPTS="$(SCRIPTS)" tests/dist/dist.sh
# Arguments for the command behind a target: make run ARGS="--servers 5"
ARGS       ?=
SEEDS      ?= 1..1001
SEED       ?= 1
FUZZ_SECONDS ?= 60
SCENARIOS  ?= scenarios/chaos/chaos.toml scenarios/chaos/plain.toml
SIM         = $(CARGO) run --release -p quorate-sim --

.DEFAULT_GOAL := help
.PHONY: help run test check fix sim hunt museum replay bench bench-sim bench-instructions interop torture browser
.PHONY: fuzz advisories install dist deb

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: ## an ensemble of three on this machine; Ctrl-C ends it
	$(CARGO) build --release -p quorate
	$(TARGET_DIR)/release/quorate up $(ARGS)

test: ## every test of the workspace
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    echo "$(CARGO) nextest run --workspace $(FEATURES) $(ARGS)"; \
	    $(CARGO) nextest run --workspace $(FEATURES) $(ARGS); \
	else \
	    echo "$(CARGO) test --workspace $(FEATURES) $(ARGS)"; \
	    $(CARGO) test --workspace $(FEATURES) $(ARGS); \
	fi

check: ## format, lints, house rules, dependencies; writes nothing
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets $(FEATURES) -- -D warnings
	$(CARGO) test -p quorate --test layers --test tidy --test signposts --test glossary --test architecture
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	    $(CARGO) deny check bans licenses sources; \
	else \
	    echo "cargo-deny is not installed: bans, licenses and sources were not checked"; \
	fi

fix: ## what can be mended by machine
	$(CARGO) fmt --all
	$(CARGO) clippy --workspace --all-targets --fix --allow-dirty --allow-staged

sim: ## every scenario with a few seeds, chaos with some more, and what catches each historic bug
	$(SIM) hunt $(wildcard scenarios/*/*.toml) --seeds 1..3 $(ARGS)
	$(SIM) hunt scenarios/chaos/chaos.toml --seeds 1..41 $(ARGS)
	$(SIM) hunt scenarios/chaos/contract.toml --seeds 1..41 $(ARGS)
	$(SIM) hunt scenarios/chaos/plain.toml --seeds 1..101 $(ARGS)
	$(SIM) museum

hunt: ## a minute of chaos, and the plain hunt, under 1,000 seeds: make hunt SEEDS=1..1001 SCENARIOS=FILE
	$(SIM) hunt $(SCENARIOS) --seeds $(SEEDS) $(ARGS)

museum: ## the plain hunt against each historic bug; what it finds is shrunk: make museum ARGS="4643"
	$(SIM) museum --plain 5000 --shrink $(ARGS)

replay: ## one seed of one scenario again: make replay FILE=scenarios/... SEED=42
	@test -n "$(FILE)" || { echo "which scenario? make replay FILE=scenarios/... SEED=42"; exit 2; }
	$(SIM) run $(FILE) --seed $(SEED) $(ARGS)

bench: ## Quorate beside Apache 3.9; writes docs/performance.md. ONLY=set-60x16 ROUNDS=1: a part; SCALE=1: how it scales
	ONLY=$(ONLY) ROUNDS=$(ROUNDS) SCALE=$(SCALE) tests/bench/run.sh $(ARGS)

bench-sim: ## how fast a simulated run is: the chaos scenario, and a short one with 3 to 9 servers
	$(SIM) bench $(ARGS)

bench-instructions: ## instructions of each operation beside a baseline, 5 % at most; ARGS=--record renews it
	CARGO="$(CARGO)" tests/bench/instructions.py $(ARGS)

interop: ## clients of five languages, kazoo's own suite, Apache asked the same, mixed ensembles, recipes for tests; SHORT=1: fewer rounds
	SHORT=$(SHORT) tests/interop/run.sh $(ARGS)

torture: ## servers killed, stopped, cut off, disks full or slow, clocks that jump; hostile clients; SHORT=1: five minutes
	tests/interop/run.sh $(if $(filter-out 0,$(SHORT)),torture_short attacks_short,torture attacks)

browser: ## pages in headless Chromium: timelines, and the admin port's of servers that run; ARGS=page: one of them
	tests/browser/run.sh $(ARGS)

fuzz: ## every decoder, FUZZ_SECONDS (60) each; one of them: make fuzz TARGET=clients
	@cd fuzz && for target in $(or $(TARGET),$(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))); do \
	    echo "fuzz: $$target"; \
	    $(CARGO) +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=4096 $(ARGS) || exit 1; \
	done

advisories: ## known vulnerabilities in dependencies; needs the network
	$(CARGO) deny check advisories

install: ## into PREFIX (/usr/local), with manuals, completions, a unit for systemd, and links for Apache's scripts
	$(DIST) stage $(DESTDIR)$(PREFIX) $(PREFIX)/bin

dist: ## target/dist/quorate-VERSION-ARCH-linux.tar.gz, the same bytes however often
	$(DIST) tarball

deb: ## target/dist/quorate_VERSION-1_ARCH.deb; needs cargo-deb
	$(DIST) deb
