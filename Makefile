# Needs Go, make and git; sets up everything else itself. `make` lists the targets.

# One binary without C: what is built here runs anywhere. Only the race detector
# needs a C compiler.
export CGO_ENABLED := 0

TOOL      := go tool -modfile=deploy/tools/go.mod
PACKAGES  ?= ./...
TESTFLAGS ?= -timeout=40m
BENCH     ?= .
FUZZTIME  ?= 30s

# The race detector needs a C compiler that finds its headers.
RACE := $(shell echo '\#include <stdlib.h>' | $$(go env CC) -E - >/dev/null 2>&1 && echo -race)

# $(call watched,what,command) runs command, and says every 10 seconds that it
# still does: Go compiles in silence, for minutes on a machine that is new to it.
# The loop ends with this shell, even a killed one; sleep, which may outlive both,
# must not hold our output open.
define watched
@began=$$(date +%s); seconds() { echo "$$(( $$(date +%s) - began )) s"; }; \
( while sleep 10 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do echo "  … $(1): $$(seconds)"; done ) & beat=$$!; \
trap 'kill $$beat 2>/dev/null' EXIT; \
$(2) && echo "$(1): done in $$(seconds)"
endef

.DEFAULT_GOAL := help
.PHONY: help demo crash deadman halting dev build test attacks check format tidy vet staticcheck workflowcheck bench benchmarks histories fuzz release temporal clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: temporal ## show governed executions, from a request to a proof
	$(call watched,compiling the demo,go build -o bin/demo ./deploy/demo)
	@bin/demo

crash: temporal ## kill Interlock at every point between asked and sealed (CRASH='-victim frozen', CRASH='-store postgres')
	$(call watched,compiling the trial,go build -tags trial -o bin/crash ./deploy/trial/crash)
	@bin/crash $(CRASH)

deadman: temporal ## measure how long a step outlives what keeps it under control
	$(call watched,compiling the trial,go build -tags trial -o bin/deadman ./deploy/trial/deadman)
	@bin/deadman

halting: temporal ## measure how fast an order stops what runs (HALTING=-postgres)
	$(call watched,compiling the trial,go build -tags trial -o bin/halting ./deploy/trial/halting)
	@bin/halting $(HALTING)

dev: temporal build ## run everything here, on out/dev: Temporal, control plane, step worker
	@[ -f out/dev/interlock.yaml ] || { mkdir -p out && bin/interlock init out/dev; }
	@bin/interlockd dev --config out/dev

build: ## build interlockd and interlock into bin/
	$(call watched,building,go build -o bin/ ./worker/cmd/interlockd ./starter/cmd/interlock)

release: ## build both programs so that others get the same bytes, with checksums and bills of materials
	$(call watched,compiling the release,go build -o bin/release ./deploy/release)
	@bin/release $(RELEASE)

test: temporal ## run all tests, with the race detector if there is a C compiler
	@echo "$(if $(RACE),testing with the race detector,testing without the race detector: there is no C compiler)"
	$(call watched,testing,CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) $(TESTFLAGS) $(PACKAGES))

attacks: temporal ## run each attack with and without the defence that stops it
	$(call watched,attacking,go test -tags undefended -run '^Test(T[0-9]|Lower)' $(TESTFLAGS) ./internal/defence/... ./activities ./worker)

check: format tidy vet staticcheck workflowcheck ## check formatting, go.mod, and what linters find

format: ## check that every file is as gofmt leaves it
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "run gofmt -w on:"; echo "$$bad"; exit 1; }
	@echo "gofmt: done"

tidy: ## check that every go.mod is as go mod tidy leaves it
	@for dir in . deploy/temporal deploy/tools; do \
		( cd $$dir && go mod tidy -diff ) || { echo "run go mod tidy in $$dir"; exit 1; }; \
	done
	@echo "go mod tidy: done"

vet: ## run go vet
	$(call watched,go vet,go vet $(PACKAGES) && go vet -tags undefended ./internal/defence/...)

staticcheck: ## run staticcheck
	$(call watched,staticcheck,$(TOOL) staticcheck $(PACKAGES))

workflowcheck: ## check that workflow code is deterministic
	$(call watched,workflowcheck,$(TOOL) workflowcheck ./workflows/... ./evidence/...)

bench: temporal ## compare governed with ungoverned executions: latency, throughput, history
	$(call watched,compiling the benchmark,go test -c -o bin/worker.test ./worker)
	@cd worker && ../bin/worker.test -test.run '^$$' -test.bench 'Governance/latency' -test.benchtime 100x
	@cd worker && ../bin/worker.test -test.run '^$$' -test.bench 'Governance/throughput' -test.benchtime 4x
	@cd worker && ../bin/worker.test -test.run '^$$' -test.bench 'Governance/history' -test.benchtime 1x

benchmarks: temporal ## run every benchmark (BENCH=pattern, PACKAGES=./evidence)
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout=60m $(PACKAGES)

histories: temporal ## record the histories again that replay is tested with
	@go test ./workflows -run '^TestRecord' -record -count=1

# `go test -list` prints the names of a package's targets, then the package.
fuzz: ## fuzz every target for FUZZTIME=30s
	@list=$$(go test -list '^Fuzz' $(PACKAGES)) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { names[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print names[i], $$2; n = 0 }' | \
	while read -r name package; do \
		echo "fuzzing $$name in $$package for $(FUZZTIME)"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	done

temporal: ## find the Temporal CLI, or build it once (minutes)
	$(call watched,compiling the search for Temporal,go build -o bin/find-temporal ./deploy/devserver/internal/find)
	@path=$$(bin/find-temporal) && echo "Temporal: $$path"

clean: ## remove what was built
	rm -rf bin out
