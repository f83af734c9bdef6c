# Owlt. `make help` lists the targets. A recipe of more than three lines is a script.
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
ifeq ($(origin CC),default)
CC := gcc
endif
V       ?= release
BUILD   ?= build
O       := $(BUILD)/$(V)
BIN     := $(if $(filter release,$(V)),$(BUILD),$(O))/bin
Q       := $(if $(VERBOSE),,@)
comma   := ,

WARN    := -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wmissing-prototypes -Wvla -Werror
WARN_SRC := -Wconversion
OPT_release := -O2 -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_cover   := -O0 -g --coverage
NLFLAGS := $(shell pkg-config --cflags libnl-route-3.0 2>/dev/null)
CFLAGS  := $(WARN) $(OPT_$(V)) $(EXTRA_CFLAGS) -I. -ffile-prefix-map=$(CURDIR)=. $(NLFLAGS) -MMD -MP
LDFLAGS := $(OPT_$(V)) $(EXTRA_CFLAGS) -Wl,--as-needed
LIBS    := -lcjson -llmdb -lcrypto -lpcap -lnl-route-3 -lnl-3 -lm -lpthread

# Folders of the layer table. Everything in them but programs goes into one archive.
FOLDERS := bundle/base bundle dtn/plan convergence dtn/store dtn/client dtn/route dtn/agent dtn/dataset \
	dtn/node dtn/sim dtn/io netns
SRC     := $(wildcard $(addsuffix /*.c,$(FOLDERS)))
OWLTD   := $(wildcard dtn/daemon/*.c)
OWLT    := $(wildcard tools/*.c)
obj      = $(patsubst %.c,$(O)/%.o,$(1))
ARCHIVE := $(O)/libowlt-all.a
# libowlt: what an application links.
LIBSRC  := $(wildcard bundle/base/*.c bundle/*.c dtn/client/*.c)
UNIT    := $(patsubst tests/unit/%,$(O)/unit/%,$(sort $(patsubst %/,%,$(dir $(wildcard tests/unit/*/*.c tests/unit/*/*/*.c)))))

RUNS_UNIT := $(addsuffix .run,$(UNIT))

.PHONY: $(RUNS_UNIT) help all check unit scenario lab-test fuzz sim explore demo bench torture long asan cover style conformance deps install man clean

help: ## this list
	$(Q)sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

all: $(BIN)/owlt $(BIN)/owltd $(O)/libowlt.a ## build the programs into build/bin
check: ## everything that can be tested here (installs what is missing first)
	$(Q)tests/check
unit: $(RUNS_UNIT) ## unit tests
scenario: all ## scenario files against their expected traces
	$(Q)tests/run-scenarios
lab-test: all ## labs in network namespaces
	$(Q)tests/run-labs
fuzz: ## fuzz every parser for SECONDS=n each (default 10)
	$(Q)tests/run-fuzz $(or $(SECONDS_EACH),$(SECONDS),10)
sim: all ## random simulations, RUNS=n
	$(Q)tests/run-sim $(or $(RUNS),100)
explore: all ## every set of up to DEPTH=n faults in a custody hand-over (default 2)
	$(Q)tests/run-explore $(or $(DEPTH),2) $(or $(LIMIT),300s)
demo: ## Earth, a relay and Mars: FILE=path sends your own file
	$(Q)tests/need-deps build && $(MAKE) -s all && tools/demo.sh $(FILE)
bench: all ## what things cost here, beside the machine's own limits
	$(Q)tests/run-bench
torture: ## nodes killed and links cut under custody traffic, until 1800 kills (KILLS, CUTS, BUNDLES)
	$(Q)tests/run-torture
long: ## make check with far more simulations, kills, fuzzing and memcheck
	$(Q)tests/run-long
asan: ## unit tests with address and undefined-behaviour sanitizers
	$(Q)$(MAKE) -s unit V=asan
cover: ## line coverage of the unit tests
	$(Q)tests/run-cover
style: ## layers, budgets, formatting
	$(Q)tests/style/check
conformance: ## docs/conformance.md from the rules and the tags
	$(Q)/usr/bin/python3 tests/style/conformance.py
deps: ## install what is missing from Debian's packages
	$(Q)tests/need-deps all install
man: all ## man pages from the tables
	$(Q)docs/man/generate $(BUILD)
install: all man ## into PREFIX (default /usr/local)
	$(Q)tools/install.sh $(BUILD) $(or $(PREFIX),/usr/local)
clean: ## forget everything that was built
	rm -rf $(BUILD)

$(BIN)/owltd: $(call obj,$(OWLTD)) $(ARCHIVE)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BIN)/owlt: $(call obj,$(OWLT)) $(ARCHIVE)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(ARCHIVE): $(call obj,$(SRC))
	$(Q)rm -f $@ && ar rcs $@ $^
$(O)/libowlt.a: $(call obj,$(LIBSRC))
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/tests/%.o: tests/%.c
	@echo "  CC $<"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) -c -o $@ $<
$(O)/%.o: %.c
	@echo "  CC $<"
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(WARN_SRC) -c -o $@ $<

# One test program a folder of tests/unit, run with its results in build/results.
.SECONDEXPANSION:
$(O)/unit/%: $$(call obj,$$(wildcard tests/unit/$$*/*.c)) $(ARCHIVE)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(LIBS)
$(O)/unit/alloc: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc reallocarray aligned_alloc strdup free)
$(RUNS_UNIT): %.run: %
	$(Q)tests/run-unit $< $(V)

# An application for labs, and a slow disk for the nodes in them.
$(O)/tests/lab/torture_talker: $(O)/tests/lab/torture_talker.o $(O)/libowlt.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcjson -lcrypto -lm
$(O)/tests/lab/slow_disk.so: tests/lab/slow_disk.c
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(LDFLAGS) -shared -fPIC -o $@ $<

# A fuzz target without libFuzzer, to replay inputs.
$(O)/replay/%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(ARCHIVE)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.PRECIOUS: $(O)/%.o $(O)/tests/%.o $(O)/unit/%
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
