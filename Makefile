# What there is to do with this tree. "make run" and "make test" need nothing
# but Go, and set up the rest themselves.

GO       ?= go
FUZZTIME ?= 30s
CHAOS    ?= 15m
BENCH    ?= .
COUNT    ?= 1
IMAGE    ?= sidestream:0.1.0

# Tools are built from their Go modules, at these versions, outside the tree.
GOLANGCI_VERSION := v2.15.0

CACHE    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sidestream
GOLANGCI := $(CACHE)/bin/golangci-lint-$(GOLANGCI_VERSION)

.PHONY: help run build image test setup lint unit e2e e2e-cluster chaos fuzz bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build and run the demonstration; open the address that it prints
	./bin/sidestream demo

build: ## Build bin/sidestream
	@command -v $(GO) >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/dl/" >&2; exit 1; }
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags=-buildid= -o bin/sidestream ./cmd/sidestream

image: ## Build the container image IMAGE (sidestream:0.1.0), whose tag is the version
	docker build -t $(IMAGE) --build-arg VERSION=$(lastword $(subst :, ,$(IMAGE))) --build-arg REVISION=$$(git rev-parse HEAD) .

test: setup lint unit e2e ## Set up what tests need, and run all of them

setup: ## Install what end-to-end tests need: servers, proxies, browsers, clients, Docker
	./e2e/setup.sh

lint: $(GOLANGCI) ## Run the linters over both modules
	$(GOLANGCI) run ./...
	cd e2e && $(GOLANGCI) run --config ../.golangci.yml ./...

unit: ## Run the unit and conformance tests under the race detector
	$(GO) test -race ./...
	$(GO) vet -tags sidestream_noembed ./...
	$(GO) test -tags sidestream_noembed ./adapters/history/embedded

e2e: ## Run the end-to-end tests against the built program
	cd e2e && $(GO) test -count=1 -timeout 25m ./...

e2e-cluster: ## Install the charts in the cluster that KUBECONFIG names, with IMAGE, and try them there
	cd e2e && $(GO) test -count=1 -timeout 40m -v ./cluster -cluster -cluster.image '$(IMAGE)'

chaos: setup ## Kill, cut and restart for CHAOS (15m), and check what every client got
	cd e2e && $(GO) test -count=1 -timeout 0 -v -run '^Test(Kafka|History)?Chaos$$' -chaos.duration $(CHAOS) .

fuzz: ## Run each fuzzer for FUZZTIME (30s)
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' adapters proxy cmd); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$target in $$(dirname $$file)"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
		done; \
	done

bench: ## Run the benchmarks; BENCH selects, COUNT repeats (for benchstat)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...
	cd e2e && $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -count $(COUNT) -timeout 30m .

clean: ## Remove what was built
	rm -rf bin e2e/node/node_modules

$(GOLANGCI):
	GOBIN=$(CACHE)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv $(CACHE)/bin/golangci-lint $@
