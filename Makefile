# Every command of the project. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)

.PHONY: help
help:
	@echo 'make run     install what is missing, build a release, serve uploads from ./data (more flags: ARGS="-port 8080")'
	@echo 'make build   the release binary: build/release/tusd'
	@echo 'make check   the quick inner loop: dev build (ASan, UBSan), unit and contract tests, layers and style'
	@echo 'make test    everything, as CI runs it'
	@echo 'make bench   CPU, rate and memory of the release against a bare loop (more flags: ARGS="--dir /dev/shm")'
	@echo 'make deb     the Debian package of the server: build/release/packages/tusd_*.deb'
	@echo 'make soak    the long tests: more than an hour, to be run by hand (FUZZ_SECONDS=600 for each fuzz target)'
	@echo 'make format  clang-format over all sources'
	@echo 'make clean   remove build/'

.PHONY: run
run: build
	@mkdir -p data
	@echo '== starting build/release/tusd, uploads go to ./data'
	@exec build/release/tusd -dir ./data $(ARGS)

.PHONY: build
build:
	@tools/install_deps build
	@tools/build release

# Only the lint tests that answer in a second; formatting, clang-tidy and the header check belong to `make test`.
.PHONY: check
check:
	@tools/install_deps build package test
	@tools/build dev
	@ctest --preset dev -j $(JOBS) -L '^(unit|contract|lint)$$'

.PHONY: test
test:
	@tools/install_deps build package test
	@tools/run_all_tests

.PHONY: bench
bench: build
	@bench/run $(ARGS)

.PHONY: deb
deb:
	@tools/install_deps build package
	@tools/build release tusd tusd_documents
	@cpack --config build/release/CPackConfig.cmake
	@ls -l build/release/packages/*.deb

.PHONY: soak
soak:
	@tools/install_deps build package test
	@tools/soak

.PHONY: format
format:
	@tools/format

.PHONY: clean
clean:
	rm -rf build
