# SPDX-License-Identifier: BSD-3-Clause
# lightsout: `make demo` shows it, `make test` proves it, `make` builds build/lightsout.
#
#   make                      build/lightsout (V=1 shows the compiler's lines)
#   make demo                 install what is missing, build, replay the sample, read the events back from Redis
#   make test                 install what is missing, build, run every test; also `make asan` and `make tsan`
#   make coverage             the same, and which lines of the three rooms no test has run
#   make valgrind             the unit tests, and some of the whole program, under memcheck
#   make bench                what a replay costs, beside tcpdump and a libpcap loop that does nothing
#   make bench-detect         how close the detector comes to the optimum, beside the rules of the field
#   make bench-fuse           how many sensors, and bins a second, one fuser carries
#   make bench-flood          is the truth told under a flood of forged SYNs, and does memory stay where it is
#   make bench-verdict        the history as a test: is the verdict right at every tap that can tell
#   make fuzz FUZZ_S=60       every fuzzer for so many seconds (clang's libFuzzer); the totals of all such runs
#   make fuzz-coverage        which lines what they have learned reaches
#   make mutate MUTANTS=100000  so many damaged captures through the whole program, under the sanitizers
#   make bench-faults         programs, servers, links and disks that fail: is each event delivered once, and how soon
#   make soak SOAK_S=3600     live traffic with outages of known truth, faults of everything else at random, memory recorded
#                             (root; SOAK_SEED=N plays one again, MODE=asan under the sanitizer)
#   make starve               every piece of memory refused once, and from there on; threads and files too: what comes of it
#   make walls                hold the plan of the house: who may include and call what
#   make format, format-check clang-format 14
#   make samples              the captures in samples/ from their scripts, and their pictures
#   make deps                 install the packages that building and testing need (the list is in .ci/deps)
#   make install, uninstall   below $(DESTDIR)$(PREFIX)
#   make deb                  a Debian package in build/
#   make test-package         that package installed, run, upgraded and removed on Debian 12 and 13 (root, debootstrap)

CC      ?= cc
CFLAGS  ?= -O2 -g
PYTHON  ?= /usr/bin/python3
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
# release, asan, tsan, coverage or reached (by fuzzing): each with a folder of its own, so that they do not build over each other.
MODE    ?= release
V       ?= 0

VERSION  := 0.1.0
OUT      := $(if $(filter release,$(MODE)),build,build/$(MODE))
OBJ      := $(OUT)/obj
Q        := $(if $(filter 0,$(V)),@)
say       = $(if $(filter 0,$(V)),@printf '%-4s %s\n' $(1) $(2))

WARNINGS      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror
FLAGS_release :=
FLAGS_asan    := -fsanitize=address,undefined,float-cast-overflow -fno-omit-frame-pointer -fno-sanitize-recover=all
FLAGS_tsan    := -fsanitize=thread
FLAGS_coverage := -O0 --coverage -fprofile-update=atomic -DCOVERAGE_FOLDER=\"$(abspath $(OBJ))\"
FLAGS_reached := -fprofile-instr-generate -fcoverage-mapping
FLAGS          = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CPPFLAGS) $(CFLAGS) $(FLAGS_$(MODE))
# A room sees its own headers and the hall's, nobody else's; a test sees into all.
ROOM_FLAGS    := -Iinclude -DLIGHTSOUT_VERSION=\"$(VERSION)\"
TEST_FLAGS    := -Iinclude -Icapture -Ianalysis -Ianalysis/publish -Itests/fuzz

# TLS for Redis needs hiredis 1.x, which brings it (Debian 13; not 12), and OpenSSL to look at host names.
REDIS_TLS     := $(shell $(CC) $(CPPFLAGS) -E -include hiredis/hiredis_ssl.h -include openssl/ssl.h -x c /dev/null >/dev/null 2>&1 && echo yes)
ROOM_FLAGS    += $(if $(REDIS_TLS),-DREDIS_TLS)
LIBS          := -lpcap -lndpi $(if $(REDIS_TLS),-lhiredis_ssl -lssl -lcrypto) -lhiredis -lmicrohttpd -lsystemd -ljansson -linih -lzstd -lz -lseccomp -lcap-ng -lm -lpthread
SYNTH_LIBS    := -ljansson -linih -lzstd -lm

SOURCES := $(sort $(foreach room,capture analysis analysis/publish,$(wildcard $(room)/*.c)))
PAGE    := $(OBJ)/analysis/publish/page_files
OBJECTS := $(SOURCES:%.c=$(OBJ)/%.o) $(PAGE).o
MAIN    := $(OBJ)/capture/main.o
LIBRARY := $(OBJ)/liblightsout.a
PROGRAM := $(OUT)/lightsout

SYNTH_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(sort $(wildcard tests/synth/*.c)))
SYNTH         := $(OUT)/synth
TEST_SOURCES  := $(sort $(shell find tests -name 'test_*.c' -o -name 'drive_*.c'))
TEST_OBJECTS  := $(TEST_SOURCES:%.c=$(OBJ)/%.o)
TESTS         := $(TEST_SOURCES:%.c=$(OUT)/%)
TARGETS       := $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAYS       := $(TARGETS:%.c=$(OUT)/%)
FORMATTED      = $(shell find capture analysis include tests -name '*.[ch]')
BENCH         := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(sort $(wildcard tests/bench/*.c)))
DETECT        := $(OUT)/bench-detect
DETECT_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(sort $(wildcard tests/bench/detect/*.c)))
DETECT_LIBS   := -lndpi -ljansson -lm
STARVE        := $(OUT)/starve.so
SET_CLOCK     := $(OUT)/set_clock.so
FOLDERS       := $(sort $(dir $(OBJECTS) $(SYNTH_OBJECTS) $(TEST_OBJECTS) $(DETECT_OBJECTS) $(TESTS) $(BENCH) $(OBJ)/))

.PHONY: all demo test bench bench-detect bench-fuse bench-flood bench-verdict bench-faults starve asan tsan fuzz test-programs bench-programs coverage valgrind soak fuzz-coverage replays mutate mutants walls format format-check deps install uninstall deb test-package clean force
all: $(PROGRAM)

$(PROGRAM): $(MAIN) $(LIBRARY) $(OBJ)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

# Everything but main, so that the program, the unit tests and the fuzzers link the same code.
$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS)) $(OBJ)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(SYNTH): $(SYNTH_OBJECTS) $(OBJ)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(SYNTH_LIBS)

$(TESTS): $(OUT)/%: $(OBJ)/%.o $(LIBRARY) $(OBJ)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -lcmocka $(LIBS)

# The study alone, without capture and publishing.
$(DETECT): $(DETECT_OBJECTS) $(filter $(OBJ)/analysis/%,$(filter-out $(OBJ)/analysis/publish/%,$(OBJECTS))) $(OBJ)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(FLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(DETECT_LIBS)

$(OBJECTS): INCLUDES := $(ROOM_FLAGS)
$(SYNTH_OBJECTS) $(DETECT_OBJECTS): INCLUDES := -Iinclude
$(TEST_OBJECTS): INCLUDES := $(TEST_FLAGS)
$(OBJ)/%.o: %.c $(OBJ)/flags | $(FOLDERS)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

# Style and script of the pages, as bytes.
$(PAGE).c: analysis/publish/page_files.sh analysis/publish/page.css analysis/publish/page.js | $(FOLDERS)
	$(Q)$^ >$@

$(PAGE).o: $(PAGE).c $(OBJ)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) $(ROOM_FLAGS) -Ianalysis/publish -c -o $@ $<

# Written only when what they say has changed: other flags, and a source that is gone, rebuild what they must.
$(OBJ)/flags: SAYS = $(CC) $(FLAGS) $(ROOM_FLAGS) $(LDFLAGS) $(LIBS)
$(OBJ)/sources: SAYS = $(SOURCES)
$(OBJ)/flags $(OBJ)/sources: force | $(FOLDERS)
	@printf '%s\n' '$(SAYS)' | cmp -s - $@ || printf '%s\n' '$(SAYS)' >$@

$(FOLDERS):
	@mkdir -p $@

-include $(patsubst %.o,%.d,$(OBJECTS) $(SYNTH_OBJECTS) $(TEST_OBJECTS) $(DETECT_OBJECTS))

demo:
	@MAKE='$(MAKE)' samples/demo.sh

# On all processors, unless -j was given.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# The thread sanitizer does not bear every layout that the kernel may draw.
RUNNER = $(if $(filter tsan,$(MODE)),$(shell setarch -R true 2>/dev/null && echo setarch -R))

test:
	@.ci/deps build deb test
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(RUNNER) $(PYTHON) tests/run $(OUT)

test-programs: $(PROGRAM) $(SYNTH) $(TESTS) $(REPLAYS) $(STARVE) $(SET_CLOCK)

# Preloaded, so without the sanitizers' own.
$(STARVE): tests/starve/starve.c
$(SET_CLOCK): tests/set_clock.c
$(STARVE) $(SET_CLOCK): $(OBJ)/flags
	$(call say,LD,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -o $@ $(filter %.c,$^)

export ASAN_OPTIONS  ?= detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS ?= print_stacktrace=1
asan tsan:
	@$(MAKE) --no-print-directory test MODE=$@

valgrind:
	@.ci/deps build test valgrind
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(PYTHON) tests/valgrind/run.py $(OUT)

# Every program adds what it ran to the files beside the objects when it ends.
coverage: COUNTS = build/coverage/obj
coverage:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) test-programs MODE=$@
	@$(PYTHON) tests/coverage.py ready $(COUNTS)
	@status=0; GCOV_ERROR_FILE=$(abspath $(COUNTS)/errors) $(MAKE) --no-print-directory test MODE=$@ || status=$$?; \
	    $(PYTHON) tests/coverage.py tell $(COUNTS) && exit $$status

# A fuzzer is the library's sources, all instrumented, a target and what targets share. The tests give the same
# targets the seeds, without libFuzzer.
CLANG  ?= clang
FUZZ_S ?= 60
FUZZ    := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(TARGETS))
FUZZED  := $(patsubst capture/%.c,build/fuzz/obj/capture/%.o,$(patsubst analysis/%.c,build/fuzz/obj/analysis/%.o,\
           $(filter-out capture/main.c,$(SOURCES)))) build/fuzz/obj/tests/fuzz/fuzz.o
FUZZ_LIBRARY := build/fuzz/obj/library.a
FUZZ_FLAGS = $(FLAGS) $(FLAGS_asan) $(ROOM_FLAGS) $(TEST_FLAGS)
fuzz:
	@.ci/deps build fuzz
	@$(MAKE) --no-print-directory $(JOBS) $(FUZZ)
	@$(PYTHON) tests/fuzz/run.py build/fuzz $(FUZZ_S)
build/fuzz/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -fsanitize=fuzzer-no-link $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
$(FUZZ_LIBRARY): $(FUZZED) $(PAGE).o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(FUZZ): build/fuzz/%: tests/fuzz/%.c tests/fuzz/ndpi_once.h $(FUZZ_LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer $(FUZZ_FLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(LIBS)
-include $(FUZZED:.o=.d)

# What of the sources the corpora reach, beside the seeds and the golden captures.
fuzz-coverage:
	@.ci/deps build fuzz
	@$(MAKE) --no-print-directory $(JOBS) MODE=reached CC=$(CLANG) replays
	@$(PYTHON) tests/fuzz/coverage.py build/reached build/fuzz/corpus
replays: $(REPLAYS)

$(REPLAYS): $(OUT)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.c tests/fuzz/replay.c $(LIBRARY) $(OBJ)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(FLAGS) $(TEST_FLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(LIBS)

# As many as should be: in the tests there are a few hundred.
MUTANTS ?= 100000
mutate:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) MODE=asan mutants
	@$(PYTHON) tests/mutate/mutate.py build/asan 0 $(MUTANTS)
mutants: $(OUT)/tests/mutate/drive_mutant

# Its traces are made of what the scenario generator says and frames.
$(BENCH): $(OUT)/bench/%: tests/bench/%.c $(OBJ)/tests/synth/talk.o $(OBJ)/tests/synth/frame.o $(OBJ)/flags | $(FOLDERS)
	$(call say,CC,$<)
	$(Q)$(CC) $(FLAGS) -Iinclude -Itests/synth $(LDFLAGS) -o $@ $(filter %.c %.o,$^) -lpcap -lndpi -lm

bench:
	@.ci/deps build bench
	@$(MAKE) --no-print-directory $(JOBS) bench-programs
	@$(PYTHON) tests/bench/bench.py $(OUT)

bench-programs: $(PROGRAM) $(BENCH)

# First the yardstick itself is checked. The figures are also left in a JSON file.
bench-detect:
	@.ci/deps build
	@$(MAKE) --no-print-directory $(JOBS) $(DETECT)
	@$(DETECT) --check
	@$(DETECT) --jobs $(shell nproc) --json $(OUT)/bench/detect.json

bench-fuse:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAM)
	@$(PYTHON) tests/bench/fuse.py $(OUT) --json $(OUT)/bench/fuse.json

bench-flood:
	@.ci/deps build bench
	@$(MAKE) --no-print-directory $(JOBS) bench-programs $(SYNTH)
	@$(PYTHON) tests/bench/flood.py $(OUT) --json $(OUT)/bench/flood.json

# Every documented outage and look-alike, at every tap position, with labels and without.
bench-verdict:
	@.ci/deps build bench
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAM) $(SYNTH)
	@$(PYTHON) tests/bench/verdict.py $(OUT) --json $(OUT)/bench/verdict.json

# Everything that may die between a decision and its reader, as often as the requirements say.
bench-faults:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAM) $(OUT)/tests/analysis/publish/drive_publish
	@$(PYTHON) tests/faults/bench.py $(OUT) --json $(OUT)/bench/faults.json

# What was told held against the truth, and what it took, are left in $(OUT)/soak. Memory is judged from half an hour on.
SOAK_S    ?= 3600
SOAK_SEED ?=
soak:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAM) $(SET_CLOCK)
	@$(PYTHON) tests/soak/soak.py $(OUT) --seconds $(SOAK_S) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

# What the tests do with a few of the pieces, with all of them.
starve:
	@.ci/deps build test
	@$(MAKE) --no-print-directory $(JOBS) $(PROGRAM) $(SYNTH) $(STARVE)
	@$(PYTHON) tests/starve/whole.py $(OUT) --json $(OUT)/bench/starve.json

walls: $(patsubst %.c,$(OBJ)/%.o,$(wildcard analysis/*.c))
	@CC='$(CC)' tests/walls.sh $(OBJ)

# Other versions lay code out in other ways, and Debian 13 has another.
CLANG_FORMAT ?= $(shell command -v clang-format-14 || echo clang-format)
format format-check: CHECK = $(if $(filter format-check,$@),--dry-run --Werror,-i)
format format-check:
	@case "$$($(CLANG_FORMAT) --version 2>&1)" in \
	*' version 14.'*) $(CLANG_FORMAT) $(CHECK) $(FORMATTED) ;; \
	*) echo 'left out: the format is that of clang-format 14, which is not here' ;; \
	esac

.PHONY: samples
samples: $(PROGRAM) $(SYNTH)
	$(Q)PYTHON=$(PYTHON) tests/make_samples.sh $(abspath $(OUT)) samples

deps:
	@.ci/deps build deb test

# What is installed, each as mode:file:path.
SHARE     = $(PREFIX)/share
EXAMPLES  = $(filter-out samples/demo.sh samples/_lightsout samples/lightsout.bash samples/lightsout.s%, $(shell find samples -type f))
INSTALLED = 755:$(PROGRAM):$(PREFIX)/bin/lightsout \
            644:capture/lightsout.8:$(SHARE)/man/man8/lightsout.8 \
            644:samples/lightsout.bash:$(SHARE)/bash-completion/completions/lightsout \
            644:samples/_lightsout:$(ZSHDIR)/_lightsout \
            644:samples/lightsout.service:$(PREFIX)/lib/systemd/system/lightsout.service \
            644:samples/lightsout.sysusers:$(PREFIX)/lib/sysusers.d/lightsout.conf \
            644:README.md:$(SHARE)/doc/lightsout/README.md \
            $(foreach file,$(EXAMPLES),644:$(file):$(SHARE)/doc/lightsout/$(file:samples/%=examples/%))
CONF = $(DESTDIR)$(SYSCONFDIR)/lightsout/lightsout.conf

# A configuration that is there stays.
install: $(PROGRAM)
	@for item in $(INSTALLED); do file=$${item#*:}; \
	    install -D -m $${item%%:*} $${file%:*} "$(DESTDIR)$${item##*:}" || exit 1; done
	@sed -i 's|/usr/bin/lightsout|$(PREFIX)/bin/lightsout|; s|/etc/lightsout/|$(SYSCONFDIR)/lightsout/|g' \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system/lightsout.service
	@[ -e $(CONF) ] || install -D -m 644 samples/lightsout.conf $(CONF)

# One that was changed, too.
uninstall:
	@for item in $(INSTALLED); do rm -f "$(DESTDIR)$${item##*:}"; done
	@if cmp -s samples/lightsout.conf $(CONF); then rm -f $(CONF); fi
	@find $(DESTDIR)$(SHARE)/doc/lightsout $(dir $(CONF)) -depth -type d -exec rmdir {} + 2>/dev/null || true

# A Debian package of the tree as it stands, in $(OUT)/. The packaging waits in .debian, where it does not look as if this
# were a Debian source already.
DEB_TREE = $(OUT)/deb/lightsout-$(VERSION)
deb:
	@.ci/deps build deb
	@rm -rf $(OUT)/deb && mkdir -p $(DEB_TREE)
	@cp -a analysis capture include tests samples Makefile README.md .ci $(DEB_TREE)
	@cp -a .debian $(DEB_TREE)/debian
	@cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -b -us -uc $(if $(filter 0,$(V)),>../build.log 2>&1 || \
	    { tail -n 40 ../build.log; exit 1; })
	@mv $(OUT)/deb/lightsout*_$(VERSION)_* $(OUT) && rm -rf $(DEB_TREE)
	@ls $(OUT)/lightsout_$(VERSION)_*.deb

# Installed, run, upgraded and removed on each release, by its own systemd. Wants root, a network, and room for roots.
test-package:
	@.ci/deps package
	@BUILD=$(OUT) $(PYTHON) -m pytest -q -rs -p no:cacheprovider tests/package/releases.py

clean:
	rm -rf build
