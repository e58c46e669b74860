# Muster. Two targets do everything on a fresh Debian 12 with git and make:
#   make run    install what is missing, build, show the main job on a cluster
#   make test   the same set-up, then every test
# `make help` lists the rest.

VERSION := 0.1.0
BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
# V=1 shows the commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)")

W := -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla \
     -Wstrict-prototypes -Wmissing-prototypes -Werror
ALLFLAGS = $(W) -fPIC -fvisibility=hidden -DMU_VERSION='"$(VERSION)"' $(CFLAGS)

# The C++ compiler of the same house, for the one file that needs it.
ifeq ($(origin CXX),default)
CXX := $(subst gcc,g++,$(subst clang,clang++,$(if $(filter cc,$(CC)),g++,$(CC))))
endif
WXX := -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror

# ---- what is built from what ------------------------------------------------

objs = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
lib_objs = $(filter-out %/main.o,$(call objs,$(1)))

CORE   := $(call objs,agent/core)
IO     := $(call objs,agent/io)
CLIENT := $(call objs,agent/client)
PROGRAMS := $(addprefix $(BUILD)/,muster-broker muster-agent muster-runner muster)
PLUGINS  := $(patsubst plugins/%,$(BUILD)/plugins/%.so,$(filter-out plugins/lib,$(wildcard plugins/*)))
LIBS     := $(BUILD)/libmuster.so $(BUILD)/libmuster.a $(BUILD)/muster.pc
ARCHIVES := $(foreach l,core io broker host runner client cli,$(BUILD)/libmu$(l).a)

all: $(PROGRAMS) $(PLUGINS) $(LIBS)

# Who may include whom is who has which -I (see also `make lint`).
SHELL_FLAGS := -D_GNU_SOURCE
$(BUILD)/agent/core/%.o:   I := -Iinclude -Iagent/core
$(BUILD)/agent/io/%.o:     I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io
$(BUILD)/agent/broker/%.o: I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io -Iagent/broker
$(BUILD)/agent/host/%.o:   I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io -Iagent/host
$(BUILD)/agent/runner/%.o: I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io -Iagent/runner
$(BUILD)/agent/client/%.o: I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io -Iagent/client
$(BUILD)/agent/cli/%.o:    I := $(SHELL_FLAGS) -Iinclude -Iagent/core -Iagent/io -Iagent/cli
$(BUILD)/plugins/%.o:      I := $(SHELL_FLAGS) -Iinclude -Iplugins/lib
# -iquote: <limits.h> and <check.h> are not ours.
$(BUILD)/tests/%.o:        I := $(SHELL_FLAGS) -Iinclude $(addprefix -iquote agent/,core io broker host runner client cli) \
                                -Iplugins/lib -Itests/lib -Itests/semantics -DMU_BUILD='"$(abspath $(BUILD))"' -DMU_SOURCE='"$(CURDIR)"'
# Check's macros are variadic in a way that -Wpedantic minds.
$(BUILD)/tests/%.o:        W := $(filter-out -Wpedantic,$(W))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc    $<)
	$(Q)$(CC) $(ALLFLAGS) $(I) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,c++   $<)
	$(Q)$(CXX) $(WXX) -fPIC -fvisibility=hidden $(CFLAGS) $(I) -MMD -MP -c -o $@ $<

$(BUILD)/libmucore.a:   $(CORE)
$(BUILD)/libmuio.a:     $(IO)
$(BUILD)/libmubroker.a: $(call lib_objs,agent/broker)
$(BUILD)/libmuhost.a:   $(call lib_objs,agent/host)
$(BUILD)/libmurunner.a: $(call lib_objs,agent/runner)
$(BUILD)/libmuclient.a: $(CLIENT)
$(BUILD)/libmucli.a:    $(call lib_objs,agent/cli)
$(ARCHIVES):
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# What each outside library is linked for; --as-needed drops the rest.
OUTSIDE := -Wl,--as-needed -lzmq -luv -lconfig -ljansson -lnettle -lzstd -lpthread -ldl
link = $(CC) $(CFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(OUTSIDE)

$(PROGRAMS):
	$(call say,link  $@)
	$(Q)$(link)
$(BUILD)/muster-broker: $(BUILD)/agent/broker/main.o $(addprefix $(BUILD)/libmu,broker.a io.a core.a)
$(BUILD)/muster-agent: $(BUILD)/agent/host/main.o $(addprefix $(BUILD)/libmu,host.a client.a io.a core.a)
$(BUILD)/muster-runner: $(BUILD)/agent/runner/main.o $(addprefix $(BUILD)/libmu,runner.a io.a core.a)
$(BUILD)/muster: $(BUILD)/agent/cli/main.o $(addprefix $(BUILD)/libmu,cli.a client.a io.a core.a)

# The client library: only what muster/client.h declares is visible outside.
$(BUILD)/libmuster.so.0: $(CLIENT) $(BUILD)/libmuio.a $(BUILD)/libmucore.a agent/client/libmuster.map
	$(call say,link  $@)
	$(Q)$(CC) $(CFLAGS) -shared -Wl,-soname,libmuster.so.0 -Wl,--version-script=agent/client/libmuster.map \
	  -o $@ $(CLIENT) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -Wl,--as-needed -lzmq
$(BUILD)/libmuster.so: $(BUILD)/libmuster.so.0
	$(Q)ln -sf $(<F) $@
# The static one: one object, with all but its public names made local.
$(BUILD)/libmuster.a: $(CLIENT) $(BUILD)/libmuio.a $(BUILD)/libmucore.a
	@rm -f $@ $(BUILD)/libmuster.o
	$(call say,link  $@)
	$(Q)$(CC) -r -nostdlib $(filter-out -fsanitize%,$(CFLAGS)) -o $(BUILD)/libmuster.o $(CLIENT) \
	  -Wl,--start-group $(filter %.a,$^) -Wl,--end-group
	$(Q)objcopy --localize-hidden $(BUILD)/libmuster.o
	$(Q)$(AR) rcs $@ $(BUILD)/libmuster.o
$(BUILD)/muster.pc: packaging/muster.pc.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' $< > $@

# All that is in plugins/<name>, with what the shipped ones share, and the
# libraries that each is about.
PLUGIN_LIB := $(call objs,plugins/lib)
cxx_objs = $(patsubst %.cc,$(BUILD)/%.o,$(wildcard $(1)/*.cc))
$(BUILD)/plugins/template.so: PLUGIN_OUTSIDE := -ljansson -lstdc++
$(BUILD)/plugins/webhook.so:  PLUGIN_OUTSIDE := -lcurl -ljansson
.SECONDEXPANSION:
$(PLUGINS): $(BUILD)/plugins/%.so: $$(call objs,plugins/$$*) $$(call cxx_objs,plugins/$$*) $(PLUGIN_LIB)
	$(call say,link  $@)
	$(Q)$(CC) $(CFLAGS) -shared -o $@ $^ $(PLUGIN_OUTSIDE)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec \
	  $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/lib/muster/plugins \
	  $(DESTDIR)$(PREFIX)/include/muster $(DESTDIR)$(PREFIX)/share/muster/plugins
	install $(BUILD)/muster $(DESTDIR)$(PREFIX)/bin/
	install $(BUILD)/muster-broker $(BUILD)/muster-agent $(DESTDIR)$(PREFIX)/sbin/
	install $(BUILD)/muster-runner $(DESTDIR)$(PREFIX)/libexec/
	install -m 644 $(BUILD)/libmuster.a $(BUILD)/libmuster.so.0 $(DESTDIR)$(PREFIX)/lib/
	ln -sf libmuster.so.0 $(DESTDIR)$(PREFIX)/lib/libmuster.so
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' packaging/muster.pc.in \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/muster.pc
	install -m 644 $(PLUGINS) $(DESTDIR)$(PREFIX)/lib/muster/plugins/
	install -m 644 include/muster/*.h $(DESTDIR)$(PREFIX)/include/muster/
	install -m 644 conf/*.conf $(DESTDIR)$(PREFIX)/share/muster/
	for p in $(basename $(notdir $(PLUGINS))); do \
	  sed -e '/^ \*\//Q' -e 1d -e 's/^ \* \{0,1\}//' plugins/$$p/$$p.c \
	    > $(DESTDIR)$(PREFIX)/share/muster/plugins/$$p.txt; done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in broker agent; do \
	  sed 's|@PREFIX@|$(PREFIX)|g' packaging/systemd/muster-$$unit.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/muster-$$unit.service; done
	$(if $(DESTDIR),,-ldconfig)

# ---- tests --------------------------------------------------------------------

TESTLIB := $(filter-out %/fault_mem.o %/crash_shim.o,$(call objs,tests/lib))
tests_of = $(patsubst tests/$(1)/%.c,$(BUILD)/tests/$(1)/%,$(wildcard tests/$(1)/test_*.c))
UNIT    := $(call tests_of,unit)
IOTEST  := $(call tests_of,io)
SIM     := $(call tests_of,sim)
PLUGIN  := $(call tests_of,plugins)
SYSTEM  := $(call tests_of,system)
INTEROP := $(call tests_of,interop)
# A plugin and a host of each revision of the ABI; see tests/abi/README.
ABI     := $(foreach r,1 2 future other,$(BUILD)/tests/abi/$(r)/abi.so $(BUILD)/tests/abi/$(r)/host.so)
LIES    := $(patsubst tests/plugins/lies/%.c,$(BUILD)/tests/lies/%.so,$(wildcard tests/plugins/lies/*.c)) $(ABI)
CHECK   := -lcheck_pic -lsubunit -lm -lrt -lpthread

# A unit test links the core, the allocator that refuses, and no shell code but
# bug.c: a core that needs more than that does not link.
$(UNIT): %: %.o $(BUILD)/tests/lib/fault_mem.o $(BUILD)/agent/io/bug.o $(BUILD)/libmucore.a
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CHECK)
# The semantics are one suite on three beds: the store, and a broker over each
# of its carriers.
SEMANTICS := $(call objs,tests/semantics)
SEMANTICS_IO := $(filter %/test_semantics_native %/test_semantics_tcp,$(IOTEST))
$(BUILD)/tests/unit/test_semantics: $(SEMANTICS) $(BUILD)/tests/unit/store_bed.o
$(filter $(BUILD)/tests/unit/test_store_%,$(UNIT)): $(addprefix $(BUILD)/tests/,semantics/bed.o unit/store_bed.o)
$(filter $(BUILD)/tests/unit/test_mirror_%,$(UNIT)): $(BUILD)/tests/unit/mirror_bed.o
$(SEMANTICS_IO): %: %.o $(SEMANTICS) $(BUILD)/tests/io/carrier_bed.o $(addprefix $(BUILD)/tests/lib/,peer.o program.o raw_tcp.o) $(ARCHIVES)
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(OUTSIDE) $(CHECK)
$(filter $(BUILD)/tests/io/test_client%,$(IOTEST)): $(BUILD)/tests/io/client_bed.o
$(addprefix $(BUILD)/tests/plugins/test_,abi_matrix config_file exec service template webhook): $(BUILD)/tests/plugins/plugin_bed.o
# The simulation runs the same core, with the ordinary allocator, and the same
# journal and snapshots, on a disk of its own.
SIMLIB := $(filter-out $(addsuffix .o,$(SIM)),$(call objs,tests/sim)) \
  $(patsubst agent/%.c,$(BUILD)/agent/%.o,$(wildcard agent/io/segments*.c) agent/io/snapfile.c agent/io/bug.c agent/io/mem.c)
$(SIM): %: %.o $(SIMLIB) $(BUILD)/libmucore.a
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CHECK)
# The TCP carrier on sockets, a clock and a log of the test's own: nothing of
# agent/io is linked but memory.
TCP_CORPUS := $(BUILD)/tests/io/test_tcp_corpus
$(TCP_CORPUS): %: %.o $(patsubst %,$(BUILD)/agent/broker/%.o,tcp tcp_link tcp_read tcp_send tcp_out idmap places) \
  $(BUILD)/agent/io/bug.o $(BUILD)/agent/io/line_rate.o $(BUILD)/agent/io/mem.o $(BUILD)/libmucore.a
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(CHECK)
# The allocator that refuses stands before the archive with the ordinary one.
$(addprefix $(BUILD)/tests/,$(addprefix io/test_,tcp_alloc keep_alloc ephemerals_alloc host_notice host_pipe) plugins/test_upgrade): $(BUILD)/tests/lib/fault_mem.o
$(filter-out $(TCP_CORPUS) $(SEMANTICS_IO),$(IOTEST)) $(PLUGIN) $(SYSTEM) $(INTEROP): %: %.o $(TESTLIB) $(ARCHIVES)
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(OUTSIDE) $(CHECK)
$(BUILD)/tests/lies/soak.so: tests/lib/soak_line.h
$(BUILD)/tests/lies/%.so: tests/plugins/lies/%.c tests/plugins/lies/lie.h include/muster/plugin.h
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -fPIC -g -shared -Iinclude -o $@ $<
$(ABI): $$(wildcard tests/abi/*.[ch] tests/abi/$$(notdir $$(@D))/muster/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -fPIC -fvisibility=hidden -g -shared \
	  -Itests/abi/$(notdir $(@D)) -o $@ tests/abi/$(basename $(@F)).c
# Preloaded into the broker: kills it, tears its writes, or says no.
SHIM := $(BUILD)/tests/lib/crash_shim.so
$(SHIM): $(BUILD)/tests/lib/crash_shim.o
	$(Q)$(CC) $(CFLAGS) -shared -o $@ $^
.PRECIOUS: $(BUILD)/%.o

RUN := tests/lib/run.sh $(BUILD)
unit: $(UNIT)
	@$(RUN) unit $(UNIT)
io: $(IOTEST)
	@$(RUN) io $(IOTEST)
# make sim SEEDS=20000 FROM=1: so many clusters, each with a seed of its own.
sim: $(SIM)
	@$(if $(SEEDS),tests/sim/many.sh $(BUILD)/tests/sim/test_sim $(SEEDS) $(FROM),$(RUN) sim $(SIM))
# Mistakes made on purpose in a copy of the source: each must be noticed.
plant:
	@tests/sim/plant.sh $(PLANTS)
plugins: all $(LIES) $(PLUGIN)
	@$(RUN) plugins $(PLUGIN)
system: all $(LIES) $(SHIM) $(SYSTEM)
	@$(RUN) system $(SYSTEM)
# The same programs against our own ZooKeeper port, and against a real ZooKeeper.
BACKEND := $(filter %/test_agent %/test_agent_again %/test_agent_keep %/test_agent_supervisor %/test_agent_tick %/test_cli %/test_cli_watch %/test_cli_export,$(SYSTEM))
system-tcp system-zookeeper: all $(LIES) $(BACKEND)
	@MUSTER_TEST_BACKEND=$(@:system-%=%) $(RUN) $@ $(BACKEND)
# The broker killed at each system call by which it writes, and at random: many
# times more than in `make test`. CRASH_SEED=N CRASH_CYCLES=N replay what failed.
CRASH_CYCLES ?= 1000
crash: all $(SHIM) $(BUILD)/tests/system/test_crash
	@CRASH_CYCLES=$(CRASH_CYCLES) CRASH_SEED=$(CRASH_SEED) $(BUILD)/tests/system/test_crash
# Connections cut and programs killed under a writer with a journal of its own: as
# many as nobody has in a year. SOAK_SEED=N SOAK_CUTS=N SOAK_KILLS=N replay what
# failed; SOAK_KEEP=DIR keeps what was written down.
SOAK_CUTS  ?= 10000
SOAK_KILLS ?= 500
soak: all $(LIES) $(BUILD)/tests/system/test_soak
	@SOAK_CUTS=$(SOAK_CUTS) SOAK_KILLS=$(SOAK_KILLS) SOAK_SEED=$(SOAK_SEED) SOAK_KEEP=$(SOAK_KEEP) \
	  $(BUILD)/tests/system/test_soak
interop: all $(LIES) $(INTEROP)
	@$(RUN) interop $(INTEROP)

SAN := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
# Results of all stages are added up by the last line, which CI reads.
test:
	@packaging/deps.sh test
	@rm -rf $(BUILD)/results build-asan/results build-cov/results
	@$(MAKE) --no-print-directory -j2 all $(UNIT) $(IOTEST) $(SIM) $(PLUGIN) $(SYSTEM) $(INTEROP) $(LIES)
	@$(MAKE) --no-print-directory -k lint purity test-clang unit io sim plugins system \
	    system-tcp system-zookeeper interop test-asan coverage; \
	  tests/lib/total.sh $$? $(BUILD)/results build-asan/results build-cov/results
test-clang:
	@if command -v clang >/dev/null; then $(MAKE) --no-print-directory -j2 BUILD=build-clang CC=clang all; \
	  else echo 'clang is not installed: NOT compiled with it'; fi
test-asan:
	@$(MAKE) --no-print-directory -j2 BUILD=build-asan CFLAGS='$(SAN) -fsanitize=address,undefined' asan-build
	@$(MAKE) --no-print-directory -k BUILD=build-asan CFLAGS='$(SAN) -fsanitize=address,undefined' unit io plugins
asan-build: all $(UNIT) $(IOTEST) $(PLUGIN) $(LIES)
# Sanitizers make a test several times slower than its time limit foresees.
test-asan test-tsan: export CK_TIMEOUT_MULTIPLIER = 5
test-tsan: export TSAN_OPTIONS = suppressions=$(CURDIR)/tests/lib/tsan.supp
test-tsan:
	@$(MAKE) --no-print-directory -j2 BUILD=build-tsan CFLAGS='$(SAN) -fsanitize=thread' tsan-build
	@$(MAKE) --no-print-directory -k BUILD=build-tsan CFLAGS='$(SAN) -fsanitize=thread' unit io
tsan-build: $(UNIT) $(IOTEST)
coverage:
	@$(MAKE) --no-print-directory -j2 BUILD=build-cov CFLAGS='-O0 -g --coverage' cov-build
	@$(MAKE) --no-print-directory BUILD=build-cov CFLAGS='-O0 -g --coverage' unit
	@tests/lib/coverage.sh build-cov 90
cov-build: $(UNIT)
# Figures, not tests: what the README quotes. bench-zk: held against a real
# ZooKeeper and Redis (packaging/deps.sh bench installs them).
bench: all $(BUILD)/tests/bench/bench $(BUILD)/tests/bench/stopwatch.so
	@$(BUILD)/tests/bench/bench
	@$(MAKE) --no-print-directory bench-journal
	@$(MAKE) --no-print-directory bench-restart
	@$(MAKE) --no-print-directory bench-pressure
	@$(MAKE) --no-print-directory bench-neighbours
	@$(MAKE) --no-print-directory bench-zk
bench-zk: all $(BUILD)/tests/bench/zk
	@$(BUILD)/tests/bench/zk
# MU_BENCH_DIR: on which disk; otherwise that of /var/tmp.
bench-journal: $(BUILD)/tests/bench/bench_journal
	@$(BUILD)/tests/bench/bench_journal
# A snapshot of a million nodes, and a start from it.
bench-restart: all $(BUILD)/tests/bench/bench_restart
	@$(BUILD)/tests/bench/bench_restart
# A bystander's reads while others ask for too much.
bench-pressure: all $(SHIM) $(BUILD)/tests/bench/bench_pressure
	@$(BUILD)/tests/bench/bench_pressure
# The plugins of an agent while one of them does its worst.
bench-neighbours: all $(LIES) $(BUILD)/tests/bench/bench_neighbours $(BUILD)/tests/bench/stopwatch.so
	@$(BUILD)/tests/bench/bench_neighbours
$(BUILD)/tests/bench/bench: $(BUILD)/tests/bench/bench.o
$(BUILD)/tests/bench/bench_neighbours: $(BUILD)/tests/bench/bench_neighbours.o
$(BUILD)/tests/bench/bench_pressure: $(BUILD)/tests/bench/bench_pressure.o
$(BUILD)/tests/bench/bench_journal: $(BUILD)/tests/bench/bench_journal.o
$(BUILD)/tests/bench/bench_restart: $(addprefix $(BUILD)/tests/bench/,bench_restart.o zk_pipe.o zk_sides.o)
$(BUILD)/tests/bench/zk: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/zk*.c))
$(addprefix $(BUILD)/tests/bench/,bench bench_journal bench_restart bench_pressure bench_neighbours zk): $(BUILD)/tests/bench/measure.o $(TESTLIB) $(ARCHIVES)
	$(Q)$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(OUTSIDE) $(CHECK)
$(BUILD)/tests/bench/stopwatch.so: $(BUILD)/tests/bench/stopwatch.o
	$(Q)$(CC) $(CFLAGS) -shared -o $@ $^
fuzz:
	@tests/fuzz/fuzz.sh

# The core may ask the world for memory, strings and mu_bug, and nothing else.
PURE := ^(mu_|mem|str|vsnprintf$$|__stack_chk_fail$$|__asan|__ubsan|__tsan|__gcov|_GLOBAL_)
purity: $(CORE)
	@$(LD) -r -o $(BUILD)/core.o $^ && ! nm -u $(BUILD)/core.o | awk '{print $$2}' | grep -Ev '$(PURE)'
lint:
	@tests/lib/lint.sh
format:
	clang-format -i $$(git ls-files -co --exclude-standard '*.[ch]' '*.cc')

# ---- people ---------------------------------------------------------------------

deps:
	@packaging/deps.sh
run: deps
	@$(MAKE) --no-print-directory -j2 all
	@tests/lib/demo.sh $(BUILD) $(if $(KEEP),--keep)
help:
	@echo 'make run [KEEP=1]   a small cluster on this machine, and the main job shown on it'
	@echo 'make test           every test: lint, unit, io, sim, plugins, system, sanitizers, coverage'
	@echo 'make all            build into $(BUILD)/'
	@echo 'make install        PREFIX=$(PREFIX), DESTDIR='
	@echo 'make unit|io|sim|plugins|system|interop   one layer of the tests'
	@echo 'make sim SEEDS=20000 [FROM=1]   more simulated clusters; make plant: mistakes that they must notice'
	@echo 'make crash          the broker killed 1,000 times: CRASH_CYCLES=, CRASH_SEED='
	@echo 'make soak           10,000 cut connections, 500 kills, and no change lost: SOAK_CUTS=, SOAK_KILLS=, SOAK_SEED='
	@echo 'make test-asan test-tsan coverage fuzz bench bench-journal bench-restart bench-pressure bench-neighbours bench-zk lint purity format clean'
clean:
	rm -rf build build-*
.PHONY: all install unit io sim plant plugins system system-tcp system-zookeeper interop crash soak test test-clang test-asan asan-build test-tsan tsan-build coverage cov-build bench bench-journal bench-restart bench-pressure bench-neighbours bench-zk fuzz \
        purity lint format deps run help clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
