# `make` lists what there is. `make run` and `make test` set up all that they need by themselves.

CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
COMPONENT := $(TARGET_DIR)/wasm32-wasip2/component/friends_chat.wasm
DEEDS := $(TARGET_DIR)/wasm32-wasip2/debug/examples/deeds.wasm
HARNESS := $(TARGET_DIR)/debug/host-harness
WASM := --target wasm32-wasip2
GUEST := --package friends-chat --package channel-plugin --package wasi-sqlite
# Always together: another choice of packages is another choice of features, and Wasmtime would be compiled again.
NATIVE := --package cluster --package host-harness --package friends-chat-tests --package wasm-runner
PLAY := MEASURE=1 node hosts/play.mjs
BUN := $(TARGET_DIR)/bun/node_modules/.bin/bun
DIST := $(abspath $(TARGET_DIR))/dist
BRIDGE := $(abspath $(TARGET_DIR))/bridge
BRIDGED := BRIDGED=$(BRIDGE)/bridged.wasm WASMTIME=$(BRIDGE)-host/bin/wasmtime WASH=$(BRIDGE)-host/bin/wash
# What `make fuzz` looks at, and how long at each.
TARGET ?= requests front vfs
FUZZ_SECONDS ?= 60
# Tests that were built for WebAssembly run with this.
export CARGO_TARGET_WASM32_WASIP2_RUNNER := $(abspath $(TARGET_DIR))/debug/wasm-runner
# Programs for cargo that `setup` installs for this project alone.
export PATH := $(abspath $(TARGET_DIR))/tools/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run build test test-cluster test-hosts bridge test-bridge screenshots crashes soak bench fuzz miri deny dist sbom lint clean setup component fixtures examples

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: build ## Serve the chat on http://localhost:3001, with the data in data/
	@$(HARNESS) serve --first-friend friend

build: component fixtures examples ## Build the component, the harness, the examples and the hostile plugins of the tests
	@$(CARGO) build --quiet $(NATIVE) --bins

test: build ## Run every test
	@./setup test
	$(CARGO) test $(GUEST)
	$(CARGO) test $(WASM) $(GUEST)
	$(CARGO) test $(NATIVE)

test-hosts: export FRIENDS_CHAT_COMPONENT := $(abspath $(COMPONENT))
test-hosts: component ## Play what owner and friend do in Node, Bun, Python and as a plugin of TinyClaw
	@./setup hosts
	@npm --prefix hosts/tinyclaw run --silent build >/dev/null
	$(PLAY) node hosts/node/host.js
	$(PLAY) $(BUN) hosts/node/host.js
	$(PLAY) $(TARGET_DIR)/python-host/bin/python hosts/python/host.py
	WHOLE_ANSWERS=1 $(PLAY) $(BUN) hosts/tinyclaw/driver.js
	$(BUN) hosts/tinyclaw/moving-in.js
	@echo "left out: wasmtime serve and wasmCloud, which make test-bridge plays, for the time that it takes to install them"

bridge: component ## Compose the component with what lets it run where there is only wasi:http, in target/bridge/
	@./setup bridge
	@mkdir -p $(BRIDGE)
	@hosts/bridge/build $(abspath $(COMPONENT)) $(BRIDGE)/bridged.wasm

test-bridge: bridge ## Play the same in wasmtime serve and in wasmCloud, behind Pushpin
	@$(CARGO) test --quiet --manifest-path hosts/bridge/Cargo.toml --target-dir $(BRIDGE)/parts
	$(BRIDGED) node --test hosts/bridge/bridge.test.mjs
	$(BRIDGED) $(PLAY) node hosts/bridge/serve.mjs
	WHOLE_ANSWERS=1 CLIENTS=1 $(BRIDGED) $(PLAY) node hosts/bridge/serve.mjs wasmcloud

screenshots: build ## Take pictures of each view of the page into target/screenshots/
	@./setup test
	SCREENSHOTS=$(abspath $(TARGET_DIR))/screenshots $(CARGO) test $(NATIVE) --test browser_views

crashes: CRASHES ?= 2000
crashes: build ## Kill the harness 2000 times, or CRASHES=number, and look for what was lost
	@./setup test
	CRASHES=$(CRASHES) $(CARGO) test $(NATIVE) --test crashes -- --nocapture

test-cluster: CLUSTER_SECONDS ?= 120
test-cluster: CLUSTER_FRIENDS ?= 200
test-cluster: build ## Let everything in a cluster fail for CLUSTER_SECONDS (120) while CLUSTER_FRIENDS (200) chat
	@./setup test
	$(CARGO) test --package cluster
	CLUSTER_SECONDS=$(CLUSTER_SECONDS) CLUSTER_FRIENDS=$(CLUSTER_FRIENDS) $(CARGO) test $(NATIVE) --test cluster -- --nocapture

soak: SOAK_SECONDS ?= 600
soak: build ## Replace the plugin under fifty friends, then let all go wrong for SOAK_SECONDS (600)
	@./setup test
	@./setup soak
	UPGRADES=60 UPGRADE_FRIENDS=50 $(CARGO) test $(NATIVE) --test upgrades crowd -- --nocapture
	SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test $(NATIVE) --test crashes soak -- --nocapture

# `CASES=status,chat make bench` measures some cases; BENCH_SECONDS is the time for each figure.
bench: component fixtures ## Measure what requests, streams and starts cost, into target/bench/
	@./setup bench
	@$(CARGO) build --quiet --release --package host-harness --package friends-chat-bench --bins
	@$(TARGET_DIR)/release/bench

# Sanitizers need Rust's nightly build, and there is little to gain: unsafe code runs in WebAssembly, which is its sandbox.
fuzz: component examples ## Look for what breaks each TARGET (requests front vfs), for FUZZ_SECONDS (60)
	@./setup fuzz
	@cp Cargo.lock fuzz/Cargo.lock
	@for target in $(TARGET); do \
		mkdir -p fuzz/corpus/$$target; \
		FRIENDS_CHAT_COMPONENT=$(abspath $(COMPONENT)) WASI_SQLITE_DEEDS=$(abspath $(DEEDS)) \
			$(CARGO) fuzz run --sanitizer none --target-dir $(TARGET_DIR)/fuzz \
			$$target fuzz/corpus/$$target fuzz/seeds/$$target -- -dict=fuzz/$$target.dict -max_total_time=$(FUZZ_SECONDS) \
			|| exit 1; \
	done

miri: ## Look at every pointer that passes between SQLite's wrapper and SQLite
	@./setup miri
	$(CARGO) +nightly miri test --package wasi-sqlite --lib

deny: ## Check the licences, sources and known faults of dependencies
	@./setup deny
	$(CARGO) deny --locked check --hide-inclusion-graph licenses bans sources
	@if $(CARGO) deny --log-level off fetch db; then \
		$(CARGO) deny --locked check advisories; \
	else \
		echo "the list of known faults cannot be reached from here, so nothing was looked up in it"; \
	fi

dist: setup wit/deps sbom ## Make what is published, in target/dist/: components, WIT, an OCI layout, what they are made of, checksums
	@./setup wkg
	@./dist/build "$(DIST)"

sbom: ## List what the program and the component are made of, in target/sbom/
	@./setup sbom
	@mkdir -p $(TARGET_DIR)/sbom
	@for package in host-harness friends-chat; do \
		$(CARGO) sbom --cargo-package $$package --output-format cyclone_dx_json_1_6 > $(TARGET_DIR)/sbom/$$package.cdx.json; \
	done

lint: setup ## Check format and lints
	$(CARGO) fmt --all --check
	rustfmt --check fuzz/fuzz_targets/*.rs
	$(CARGO) fmt --check --manifest-path tests/fixtures/Cargo.toml
	$(CARGO) fmt --check --manifest-path hosts/bridge/Cargo.toml --all
	@$(MAKE) --no-print-directory component
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) clippy $(WASM) $(GUEST) --all-targets -- --deny warnings

clean: ## Remove what was built; the data stays
	$(CARGO) clean
	rm -rf wit/deps

component: setup wit/deps
	@$(CARGO) build --quiet $(WASM) --profile component --package friends-chat

# The example of a plugin, and what arbitrary scripts are carried out by, over the virtual file system.
examples: setup wit/deps
	@$(CARGO) build --quiet $(WASM) --package webhook-channel
	@$(CARGO) build --quiet $(WASM) --package friends-chat --package wasi-sqlite --example deeds

# The same versions as everywhere else.
fixtures: setup wit/deps
	@cp Cargo.lock tests/fixtures/Cargo.lock
	@$(CARGO) build --quiet $(WASM) --manifest-path tests/fixtures/Cargo.toml --target-dir $(TARGET_DIR)/fixtures

setup:
	@./setup

# The packages of WASI 0.2 come from the crate that holds them, the others of the standard from wit/wasi/.
wit/deps: Cargo.lock $(wildcard wit/wasi/*.wit)
	@./setup wit
