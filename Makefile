# kfetch. `make` builds the libraries and the command into target/release and the examples into
# target/ffi-examples; it needs Rust, a C compiler and make. `make install` copies them to PREFIX.
# `make demo` writes some million records into a log directory and reads them back through the C
# library, and shows a consumer group at work. `make test` runs all tests.

CARGO ?= cargo
PREFIX ?= /usr/local
ifeq ($(origin CXX),default)
CXX := c++
endif

# Where things are built does not depend on the user's configuration of cargo.
export CARGO_TARGET_DIR := $(CURDIR)/target
RELEASE := target/release
EXAMPLES := target/ffi-examples
KAFKA := target/kafka

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
MAJOR := $(firstword $(subst ., ,$(VERSION)))
SONAME := libkfetch.so.$(MAJOR)

C_EXAMPLES := $(patsubst ffi-examples/c/%.c,$(EXAMPLES)/%,$(wildcard ffi-examples/c/*.c))
CPP_EXAMPLES := $(patsubst ffi-examples/cpp/%.cpp,$(EXAMPLES)/%_cpp,$(wildcard ffi-examples/cpp/*.cpp))
HAS_CXX := $(shell command -v $(firstword $(CXX)) 2>/dev/null)

# An example finds the library beside its own directory, from wherever it is started.
LINK := -L$(RELEASE) -lkfetch -pthread -Wl,-rpath,'$$ORIGIN/../release'
WARNINGS := -Wall -Wextra -Wpedantic

.PHONY: all build examples demo install uninstall kafka venv test test-steps campaign clean
.DELETE_ON_ERROR:

all: build examples

# Cargo knows best what is out of date. Its static library holds some hundred objects with all the
# symbols of Rust's standard library and of the C code of zstd; the one that is shipped takes its
# place: a single object, linked in advance without what is not reached from kfetch's functions,
# whose only global symbols are those functions. A plain `cargo build` puts cargo's own back.
build:
	$(CARGO) build --locked --release
	@ln -sf libkfetch.so $(RELEASE)/$(SONAME)
ifneq ($(wildcard include/kfetch.h),)
	@.ci/prelink $(RELEASE)/libkfetch.a target/static
endif

examples: $(C_EXAMPLES) $(if $(HAS_CXX),$(CPP_EXAMPLES))
ifeq ($(HAS_CXX),)
	@echo "No C++ compiler ($(CXX)): the C++ examples are left out."
endif

$(EXAMPLES):
	@mkdir -p $@

$(C_EXAMPLES): $(EXAMPLES)/%: ffi-examples/c/%.c include/kfetch.h | build $(EXAMPLES)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -Iinclude -o $@ $< $(LDFLAGS) $(LINK)

$(EXAMPLES)/verifiable_consumer: ffi-examples/c/json_events.h

$(CPP_EXAMPLES): $(EXAMPLES)/%_cpp: ffi-examples/cpp/%.cpp include/kfetch.h | build $(EXAMPLES)
	$(CXX) -std=c++17 -O2 -g $(WARNINGS) $(CPPFLAGS) $(CXXFLAGS) -Iinclude -o $@ $< $(LDFLAGS) $(LINK)

# A topic of DEMO_RECORDS records, written, checked by the command, and read back and verified by
# a C program; then a consumer group.
DEMO := target/demo
DEMO_RECORDS ?= 5000000
demo: all
	@rm -rf $(DEMO)
	@echo
	@echo "==> Writing a topic of 4 partitions into $(DEMO)"
	$(RELEASE)/kfetch log generate -t demo --partitions 4 --records $(DEMO_RECORDS) $(DEMO)
	@echo
	@echo "==> Its first records"
	$(RELEASE)/kfetch cat --log-dirs $(DEMO) -t demo -p 0 -c 3 -q -f '%t-%p @%o  %k  %s\n'
	@echo
	@echo "==> Reading it back from C, and verifying every record"
	$(EXAMPLES)/verify_generated $(DEMO) demo 4 $(DEMO_RECORDS)
	@echo
	@echo "==> A consumer group that shares a topic"
	$(RELEASE)/kfetch demo groups
	@rm -rf $(DEMO)

# Does not build, so that root needs no Rust.
install:
	@for built in $(RELEASE)/libkfetch.so target/static/libkfetch.a $(RELEASE)/kfetch; do \
	    test -e $$built || { echo "There is no $$built: run make first." >&2; exit 1; }; \
	done
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/include' \
	    '$(DESTDIR)$(PREFIX)/lib/pkgconfig'
	install -m 755 $(RELEASE)/kfetch '$(DESTDIR)$(PREFIX)/bin/kfetch'
	install -m 644 include/kfetch.h '$(DESTDIR)$(PREFIX)/include/kfetch.h'
	install -m 755 $(RELEASE)/libkfetch.so '$(DESTDIR)$(PREFIX)/lib/libkfetch.so.$(VERSION)'
	ln -sf libkfetch.so.$(VERSION) '$(DESTDIR)$(PREFIX)/lib/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(PREFIX)/lib/libkfetch.so'
	install -m 644 target/static/libkfetch.a '$(DESTDIR)$(PREFIX)/lib/libkfetch.a'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' kfetch.pc.in \
	    > '$(DESTDIR)$(PREFIX)/lib/pkgconfig/kfetch.pc'
	chmod 644 '$(DESTDIR)$(PREFIX)/lib/pkgconfig/kfetch.pc'

uninstall:
	cd '$(DESTDIR)$(PREFIX)' && rm -f bin/kfetch include/kfetch.h lib/libkfetch.a \
	    lib/libkfetch.so lib/$(SONAME) lib/libkfetch.so.$(VERSION) lib/pkgconfig/kfetch.pc

# What the tests run beside the crate: the jars of a broker, the Java code that drives it, Python.
# Each stamp is older than what it was made from when that has changed.
kafka: $(KAFKA)/classes.stamp
venv: target/venv.stamp

$(KAFKA)/libs.stamp: tests/kafka/pom.xml
	@rm -rf $(KAFKA)/libs $(KAFKA)/messages
	mvn -B -ntp -f $< dependency:copy-dependencies@broker dependency:copy@messages \
	    -Dkafka.home='$(CURDIR)/$(KAFKA)'
	@touch $@

$(KAFKA)/classes.stamp: $(KAFKA)/libs.stamp $(wildcard tests/kafka/src/kfetch/*.java)
	@rm -rf $(KAFKA)/classes
	$(if $(JAVA_HOME),'$(JAVA_HOME)/bin/javac',javac) -Xlint:all -Werror -proc:none --release 17 \
	    -cp '$(KAFKA)/libs/*' -d $(KAFKA)/classes $(filter %.java,$^)
	@touch $@

target/venv.stamp: tests/requirements.txt
	@rm -rf target/venv
	python3 -m venv target/venv
	target/venv/bin/python -m pip install --quiet -r $<
	@touch $@

test:
	@.ci/step 'make test' $(MAKE) --no-print-directory test-steps

# One after another, whatever -j says; the first that fails is the last.
test-steps:
	@.ci/step 'tools' .ci/tools
	@.ci/step 'Kafka and Java code of the tests' $(MAKE) --no-print-directory kafka
	@.ci/step 'Python packages' $(MAKE) --no-print-directory venv
	@if $(CARGO) fmt --version >/dev/null 2>&1; \
	    then .ci/step 'format' $(CARGO) fmt --check; \
	    else echo '==> format: left out, there is no rustfmt'; fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; \
	    then CLIPPY_CONF_DIR=.ci .ci/step 'lints' \
	        $(CARGO) clippy --locked --all-targets -- -D warnings; \
	    else echo '==> lints: left out, there is no clippy'; fi
	@.ci/step 'libraries, command and examples' $(MAKE) --no-print-directory all
	@.ci/step 'tests' $(CARGO) test --locked
	@.ci/step 'loom models' .ci/loom
ifneq ($(wildcard benches/*.rs),)
	@.ci/step 'benches, each once' $(CARGO) test --locked --bench '*'
endif
	@RUSTDOCFLAGS='-D warnings' .ci/step 'documentation' $(CARGO) doc --locked --no-deps

# Long runs of what `make test` runs briefly. KFETCH_SEED=n replays a seed that failed.
SEEDS ?= 200000
KILLS ?= 2000
campaign:
	@.ci/step 'simulations, $(SEEDS) seeds each' env KFETCH_SEEDS=$(SEEDS) $(CARGO) test --locked \
	    --release --test fetch_simulation --test group_simulation -- --nocapture
	@.ci/step 'groups of a log directory, $(KILLS) processes killed' env KFETCH_KILLS=$(KILLS) \
	    $(CARGO) test --locked --release --test local_group_faults -- --nocapture

clean:
	$(CARGO) clean
