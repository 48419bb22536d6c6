# `make run` opens the app with a working demo, `make test` passes the tests; both set up everything by themselves.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test check bench shots fuzz powercut torture setup man native clean

run:
	@.ci/setup run
	@$(PYTHON) -m tuidock demo --quiet
	@$(PYTHON) -m tuidock

setup:
	@.ci/setup test

test:
	@.ci/setup test
	$(PYTHON) -m pytest -q -n 2 --dist loadfile $(PYTEST_ARGS)

# C warnings as errors with both compilers, types, style, and the arrow rule
check:
	@.ci/setup test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.ci/check-native

bench:
	@.ci/setup test
	$(PYTHON) bench/run.py $(BENCH_ARGS)

# screenshots/*.svg from the real app over real containers
shots:
	@.ci/setup run
	$(PYTHON) bench/shots.py

# the extractor and the launch record under mutated input, FUZZ_SECONDS each (as root, with clang and its runtime)
fuzz:
	@tests/fuzz/run

# 200 cuts of the power during each operation on images (as root; POWERCUT_ARGS="--cuts 20 --only pull")
powercut:
	@.ci/setup test
	$(PYTHON) -m tests.failure.power_cut $(POWERCUT_ARGS)

# kills and faults at random places of every operation (as root; TORTURE_ARGS="--rounds 2000 --only stop,rm")
torture:
	@.ci/setup test
	$(PYTHON) -m tests.failure.torture $(TORTURE_ARGS)

# build/tuidock.1, to be put below /usr/local/share/man/man1
man:
	@mkdir -p build && $(PYTHON) -m tuidock man > build/tuidock.1 && echo build/tuidock.1

native:
	@cmake --build tuidock/native

clean:
	rm -rf .venv build dist tuidock/native/CMakeFiles tuidock/native/CMakeCache.txt tuidock/native/*.so tuidock/native/tuidock-shim tuidock/native/_kernel.c
