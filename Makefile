# The front door; CMake does the work. Everything is built in build/ (BUILD=... for another place).
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
ZRUN = $(BUILD)/runtime-cli/zrun
CONFIGURE = cmake -S . -G Ninja
ifneq ($(shell command -v ccache),)
CONFIGURE += -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
endif

.PHONY: all build run test test-long bench bench-riscv64 install format tidy asan ubsan tsan fuzz ci clean help

all: build

help:
	@echo 'make            build zrun ($(ZRUN))'
	@echo 'make run        set up, build, make the debian-gcc image, compile and run examples/hello/hello.c in it'
	@echo 'make test       set up, build, run all tests (TESTS=REGEX for some)'
	@echo 'make test-long  soaks, MINUTES (10) each: stress, tests again and again, fuzzers (TESTS=REGEX for some)'
	@echo 'make bench      measure zrun beside native and what else is installed (ARGS=...)'
	@echo 'make bench-riscv64  the same for the riscv64 machine, beside Linux in the same QEMU (ARGS=...)'
	@echo 'make install    install to PREFIX ($(PREFIX))'
	@echo 'make asan, tsan unit tests with AddressSanitizer and UBSan, with ThreadSanitizer'
	@echo 'make fuzz       run each fuzzer for SECONDS (60)'
	@echo 'make format     format the sources; make tidy runs clang-tidy'
	@echo 'make ci         all that CI does'

build:
	@tools/setup.sh build
	@$(CONFIGURE) -B $(BUILD) -DZRUN_TESTS=$(if $(wildcard /usr/include/gtest/gtest.h),ON,OFF) >/dev/null
	@cmake --build $(BUILD) --target zrun -j $(JOBS)

run: build
	@tools/run_example.sh $(ZRUN)

test:
	@tools/setup.sh test
	@$(CONFIGURE) -B $(BUILD) -DZRUN_TESTS=ON >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/run_tests.sh $(BUILD) '$(TESTS)' $(JOBS)

test-long:
	@tools/setup.sh test
	@$(CONFIGURE) -B $(BUILD) -DZRUN_TESTS=ON >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@tools/configure_tests.sh $(BUILD) $(JOBS)
	@tools/run_long_tests.sh $(BUILD) $(or $(MINUTES),10) '$(TESTS)'

bench: build
	@$(CONFIGURE) -B $(BUILD) >/dev/null
	@cmake --build $(BUILD) --target zbench -j $(JOBS)
	@python3 bench/run.py --zbench $(BUILD)/bench/zbench --zrun $(ZRUN) \
	  --image "$$($(ZRUN) images build debian-gcc)" $(ARGS)

bench-riscv64: build
	@tools/setup.sh test
	@$(CONFIGURE) -B $(BUILD) >/dev/null
	@cmake --build $(BUILD) --target bench_riscv64_tools -j $(JOBS)
	@python3 bench/riscv64.py --zrun $(ZRUN) --zbench $(BUILD)/bench/zbench-riscv64 \
	  --init $(BUILD)/bench/riscv64-init $(ARGS)

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

format:
	@tools/setup.sh check
	@git ls-files '*.h' '*.cc' '*.c' | xargs clang-format -i

tidy:
	@tools/setup.sh check
	@tools/sanitized.sh address configure
	@tools/tidy.sh build-address $(JOBS)

asan ubsan:
	@tools/setup.sh check
	@tools/sanitized.sh address test

tsan:
	@tools/setup.sh check
	@tools/sanitized.sh thread test

fuzz:
	@tools/setup.sh check
	@tools/sanitized.sh address build-fuzzers
	@tools/fuzz.sh build-address $(or $(SECONDS),60) $(JOBS)

ci:
	@.ci/run

clean:
	@rm -rf $(BUILD) build-address build-thread
