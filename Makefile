# Every target is one command that works on a fresh clone. Tools that are no part of the product are pinned in tools/go.mod.
GO ?= go
# A workspace and -modfile exclude each other; lab finds the library through its replace directive.
LINT = GOWORK=off $(GO) tool -modfile=$(CURDIR)/tools/go.mod golangci-lint

.PHONY: help test race lint bench demo build

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/havoq
	$(GO) build -o bin/havoq ./lab/cmd/havoq

test: ## all tests of both modules
	$(GO) test work

race: ## all tests under the race detector
	$(GO) test -race work

lint: ## golangci-lint over both modules
	$(LINT) run ./...
	cd lab && $(LINT) run --config ../.golangci.yml ./...

bench: ## benchmarks, and a closed loop through a real 3-node cluster
	$(GO) test -run '^$$' -bench . -benchmem ./queue/... ./history ./oracle
	$(GO) run ./lab/cmd/havoq bench

demo: ## the two runs that show what havoq is for
	$(GO) run ./lab/cmd/havoq run
	$(GO) run ./lab/cmd/havoq run early-ack
