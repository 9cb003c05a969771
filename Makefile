# woo_ghl: `make` builds ./woo_ghl, `make run` starts everything, `make check` tests everything.
#
#   make deps      installs what building needs (Debian, Ubuntu); `make run` and `make check` install what they need, too
#   make lint      compilers' and checkers' findings
#   make unit      the C tests alone                           make format   clang-format, in place
#   make asan      all tests under the sanitizers; 11 minutes of CPU
#   make install   program, man page, examples
#   make uninstall takes them away; settings and data stay
#   make chaos     long runs of t/chaos.t, CHAOS_SECONDS=60 for each of four stores, and t/property.t; SEED=N repeats one
#   make cluster   the long way of t/cluster.t, ROUNDS=4, 2 minutes of CPU; WOO_GHL_REDIS=valkey-server tests another server
#   make coverage  lines and branches of lib/ that the tests run; 9 minutes of CPU
#   make analyze   gcc -fanalyzer; a minute of CPU       make reproducible  two builds, the same bytes; a minute of CPU
#   make valgrind  C tests and the corpus as CGI; 10 minutes of CPU
#   make torture   each allocation and each call of an order's ways fails; 20 minutes of CPU
#   make fuzz      each fuzzer of t/fuzz for SECONDS=10 (clang); 13 of them
#   make portable  build/portable/woo_ghl: one static file for any Linux on x86-64; ARCH=arm64: build/portable-arm64/woo_ghl;
#                  the first time 3.5 minutes of CPU
#   make release   it with what shared hosting needs, as .tar.gz and .zip    make deb   a package of it
#   make sbom      a bill of materials (CycloneDX)
#   make docs      .env.sample and parts of the man page, from the program
#   make bench     how fast it is; 3.5 minutes                 make bench-cluster  200 locations on a Redis Cluster; 40 s
#   make browser   the owner's page in Chromium (Debian's, with npm's puppeteer-core and axe-core); screenshots in build/browser
#
# Some tests only (V=1 shows each assertion); it is an error if nothing matches:
#   make test T=t/run.t                    one test program
#   make test T=t/unit/order/order.c       one C test; only this one is built
#   make test T="t/unit/order t/docs.t"    all whose path contains one of these words
#   make test CASE=t/corpus/settings.case  the cases of one file
#   make test CASE='a dry run'             the cases whose "file: name" matches this regular expression
#   make test CASE='a dry run' T=nginx     the same behind nginx: T chooses the ways of serving (default: cgi)
#   make test CASE=sub-orders T=t/cases.t  one case of t/cases, in both setups; T=reconcile and T=crash-points, too
#
# Knobs:
#   CC=gcc|clang   compiler              BUILD=build    where objects go
#   CFLAGS=...     optimisation, debug   SANITIZE=address,undefined
#   PREFIX=/usr/local DESTDIR=           for `make install`
#   WERROR=        empty: warnings do not stop the build
#   CRASH=1                a test build that can die at named steps (lib/crash.h), in build/crash
#   JOBS=2         how many jobs at once         V=1            show the whole commands
#   AT_ONCE=6      how many tests at once: most of them wait most of the time

CC      ?= cc
BUILD   ?= $(if $(CRASH),build/crash,build)
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
JOBS    ?= 2
AT_ONCE ?= 6
PROGRAM ?= $(if $(CRASH),$(BUILD)/woo_ghl,woo_ghl)
Q       := $(if $(V),,@)
PKG      = libcrypto libcurl jansson hiredis sqlite3
# What of them is too old does not have the functions that are called.
LEAST    = 'libcrypto >= 3.0' 'libcurl >= 7.85' 'jansson >= 2.10' 'hiredis >= 0.14' 'sqlite3 >= 3.35'
FCGI_PC := $(firstword $(foreach p,libfcgi fcgi,$(shell pkg-config --exists $(p) 2>/dev/null && echo $(p))))
TLS_PC  := $(shell pkg-config --exists hiredis_ssl 2>/dev/null && echo hiredis_ssl libssl)
SECCOMP_PC := $(shell pkg-config --exists libseccomp 2>/dev/null && echo libseccomp)
MORE_PC := $(TLS_PC) $(SECCOMP_PC)

WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
           -Wwrite-strings -Wpointer-arith -Wno-overlength-strings $(WERROR)
HARDEN   = -fstack-protector-strong -fPIE -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)=.
LDHARDEN = -pie -Wl,-z,relro,-z,now
ifeq ($(SANITIZE),)
HARDEN  += -U_FORTIFY_SOURCE $(if $(CRASH),,-D_FORTIFY_SOURCE=2)
else
HARDEN  += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
LDHARDEN += -fsanitize=$(SANITIZE)
endif
# LIBS_DIR: everything from there, and static (deploy/portable.sh).
ifeq ($(LIBS_DIR),)
FOUND   := $(shell pkg-config --cflags $(PKG) $(FCGI_PC) $(MORE_PC))
LIBS    := $(shell pkg-config --libs $(PKG) $(MORE_PC)) $(if $(FCGI_PC),$(shell pkg-config --libs $(FCGI_PC)),-lfcgi)
else
TLS_PC   =
SECCOMP_PC = libseccomp
FOUND    = -isystem $(LIBS_DIR)/include
LIBS     = -L$(LIBS_DIR)/lib -lcurl -lssl -lcrypto -ljansson -lhiredis -lsqlite3 -lfcgi -lseccomp $(CRT_END)
# A static program at an address that nobody knows before: musl-gcc itself knows no -static-pie.
# CROSS: the prefix of another architecture's tools.
CRT      = /usr/lib/$(firstword $(subst -, ,$(or $(CROSS),$(shell uname -m))))-linux-musl
CRT_END  = $(shell $(CROSS)gcc -print-file-name=crtendS.o) $(CRT)/crtn.o
LDHARDEN = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,--gc-sections \
           $(CRT)/rcrt1.o $(CRT)/crti.o $(shell $(CROSS)gcc -print-file-name=crtbeginS.o)
endif
ifneq ($(COVERAGE),)
export COVERAGE
LDHARDEN += -Wl,--wrap=_exit
endif
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARN) $(HARDEN) $(if $(TLS_PC),-DHAVE_HIREDIS_SSL) $(if $(SECCOMP_PC),-DHAVE_SECCOMP) \
              $(if $(CRASH),-DWOO_GHL_CRASH) -Ilib -It/unit -I$(BUILD)/gen $(FOUND)

LIB_SRC  = $(filter-out $(if $(CRASH),,lib/base/crash.c),$(sort $(shell find lib -name '*.c')))
LIB_OBJ  = $(LIB_SRC:lib/%.c=$(BUILD)/lib/%.o) $(if $(COVERAGE),$(BUILD)/t/torture/counted.o)
LUA      = $(wildcard lib/store/redis/lua/*.lua)
UNIT_AID = t/unit/tap.c t/unit/sandbox.c $(wildcard t/unit/*/rig*.c)
UNIT     = $(patsubst %.c,$(BUILD)/%,$(filter-out $(UNIT_AID),$(sort $(shell find t/unit -name '*.c'))))
UNIT_SRC = $(UNIT:$(BUILD)/%=%.c)
DRIVERS  = $(patsubst t/driver/%.c,$(BUILD)/t/driver/%,$(wildcard t/driver/*.c))
LONG     = $(wildcard t/cases.t t/crash-points.t t/corpus-cgi.t t/corpus-nginx-redis.t t/reconcile.t t/store-gone.t t/crash.t t/latency.t \
           t/hostile.t t/alert.t t/drain-now.t)
LONG_UNIT = $(patsubst %,t/unit/%.c,store/redis_peers queue/model store/redis_cluster store/redis spool/spool)
TESTS    = $(LONG) $(filter-out $(LONG),$(wildcard t/*.t))
# What `make test` runs: everything, or what T and CASE choose.
CASED    = $(wildcard t/corpus-*.t t/cases.t t/reconcile.t t/crash-points.t)
ALL_TESTS = $(TESTS) $(UNIT_SRC)
containing = $(or $(strip $(foreach f,$2,$(if $(findstring $1,$f),$f))),$(error T: no test has '$1' in its path))
PICKED   = $(if $(CASE),$(foreach t,$(or $(T),corpus-cgi.t),$(call containing,$t,$(CASED))),$(if \
           $(T),$(foreach t,$(T),$(call containing,$t,$(ALL_TESTS))),$(ALL_TESTS)))
RUN      = $(patsubst %.c,$(BUILD)/%,$(filter $(LONG),$(PICKED)) $(filter $(LONG_UNIT),$(PICKED)) $(filter-out $(LONG) $(LONG_UNIT),$(PICKED)))
NEEDED   = $(filter-out %.t,$(RUN)) $(if $(filter %.t,$(PICKED)),$(PROGRAM) $(DRIVERS)) $(if $(filter %crash-points.t %torture.t %property.t,$(RUN)),crash-driver)
C_FILES  = woo_ghl.c $(sort $(shell find lib t -name '*.c' -o -name '*.h'))

all: $(PROGRAM)

$(PROGRAM): $(BUILD)/woo_ghl.o $(BUILD)/libwoo_ghl.a
	@echo '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $^ $(LIBS)

$(BUILD)/libwoo_ghl.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)$(CROSS)ar rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/gen/lua.h
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Changes only when compiler or flags do; then everything is built anew. Without BUILD, which is named in more
# than one way.
FLAGS    = $(CC) $(filter-out -I$(BUILD)/gen,$(ALL_CFLAGS)) $(LDHARDEN) $(LIBS)
$(BUILD)/flags: FORCE
	@$(if $(LIBS_DIR),,pkg-config --print-errors --exists $(LEAST) || { echo 'woo_ghl needs these libraries, with their headers: $(subst ','\'',$(LEAST)); `make deps` installs \
	  them on Debian from 12 on; `make portable` builds its own' >&2; exit 1; })
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

# The Redis scripts live as Lua files; each becomes one C string, LUA_<NAME>, by whose SHA-1 Redis
# knows it, LUA_<NAME>_SHA1.
$(BUILD)/gen/lua.h: $(LUA) Makefile
	@mkdir -p $(@D)
	@{ echo '/* generated from lib/store/redis/lua */'; for f in $(LUA); do n=$$(basename $$f .lua | tr a-z A-Z); \
	  echo "#define LUA_$${n}_SHA1 \"$$(sha1sum < $$f | cut -c1-40)\""; echo "#define LUA_$$n \\"; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$$/\\n" \\/' $$f; echo '    ""'; done; } > $@

# Unit tests: each C file below t/unit is one program that prints TAP; what UNIT_AID names, all of them may use.
$(BUILD)/t/unit/%: $(BUILD)/t/unit/%.o $(UNIT_AID:%.c=$(BUILD)/%.o) $(BUILD)/libwoo_ghl.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

# Programs that a Perl test drives: t/driver/NAME.c for t/NAME.t, which has them made.
$(BUILD)/t/driver/%: $(BUILD)/t/driver/%.o $(BUILD)/libwoo_ghl.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

# What t/torture/faults.c makes fail; see t/torture.t.
FAULTY   = malloc calloc realloc strdup strndup asprintf vasprintf fsync write renameat linkat unlinkat mkdir flock read \
           pread64 pwrite64 fstat64 socket connect open64 openat64 mmap64 fcntl64 curl_easy_perform redisBufferWrite redisBufferRead \
           buf_add buf_adds buf_addc buf_addf
STARVED  = $(filter %/starved,$(UNIT))
$(STARVED): $(BUILD)/t/torture/faults.o
$(STARVED): private LDHARDEN += $(FAULTY:%=-Wl,--wrap=%)
ifneq ($(CRASH),)
$(BUILD)/t/driver/crash-points: $(BUILD)/t/torture/faults.o
$(BUILD)/t/driver/crash-points: LDHARDEN += $(FAULTY:%=-Wl,--wrap=%)
endif

.PHONY: sbom portable portable-test release deb deb-test systemd-test wordpress-test
portable:
	@JOBS=$(JOBS) ARCH=$(ARCH) deploy/portable.sh

release: portable
	@deploy/release.sh

deb: portable
	@deploy/deb.sh

# It in an empty root, and in Debian 11, 12 and 13; for root.
portable-test: portable
	PERL5LIB=$(CURDIR)/t/lib prove -v t/roots.pl

# The package in Debian 12 and 13; for root, after portable-test.
deb-test: deb
	PERL5LIB=$(CURDIR)/t/lib prove -v t/deb.pl

# The package and its units under a systemd that lives, in containers of Debian 12 and 13; for root.
systemd-test: deb
	PERL5LIB=$(CURDIR)/t/lib prove -v t/systemd.pl

# deploy/htaccess beside Debian's WordPress, at / and in a folder.
wordpress-test: $(PROGRAM)
	WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) PERL5LIB=$(CURDIR)/t/lib prove -v t/wordpress.pl

run:
	@deploy/deps.sh build run
	@$(MAKE) -j$(JOBS) --no-print-directory all
	@deploy/run.sh

unit: $(UNIT)
	prove -j$(JOBS) --exec '' $(UNIT)

# Tests write and sync much: into memory, if there is a place with room from which programs run.
IN_MEMORY = d=/dev/shm/woo-ghl-$$$$; [ -n "$$TMPDIR" ] || ! mkdir $$d 2>/dev/null || { cp /bin/true $$d && $$d/true && \
	  [ $$(df -k --output=avail $$d | tail -n 1) -gt 1500000 ] && export TMPDIR=/dev/shm; rm -rf $$d; };

# One run of prove over both kinds of tests, so that there is one summary. Each runs by itself; the longest begin.
test: $(NEEDED)
	@$(IN_MEMORY) BUILD=$(BUILD) WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) PERL5LIB=$(CURDIR)/t/lib $(if $(CASE),CASE='$(subst ','\'',$(CASE))') \
	  prove $(if $(V),-v,-j$(AT_ONCE)) --exec '' $(RUN)

# t/crash-points.t has it made, too, but one job at a time.
crash-driver:
	@$(MAKE) -s --no-print-directory CRASH=1 BUILD=$(BUILD)/crash $(BUILD)/crash/t/driver/crash-points

# Everything is killed and stopped at random for a while, then SEEDS random walks; SEED=N, which is printed, repeats one.
CHAOS_SECONDS ?= 60
SEEDS ?= 20
chaos: $(PROGRAM) $(DRIVERS) crash-driver
	@BUILD=$(BUILD) WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) CHAOS_SECONDS=$(CHAOS_SECONDS) SEED=$(SEED) SEEDS=$(SEEDS) \
	  prove -v t/chaos.t t/property.t

# Three primaries and three replicas, then a primary with sentinels: moved and killed under load so many times.
ROUNDS ?= 4
cluster: $(PROGRAM) $(DRIVERS)
	@BUILD=$(BUILD) WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) CLUSTER_ROUNDS=$(ROUNDS) prove -v t/cluster.t

# What the program asks the machine for fails, under the sanitizers: first TORTURE faults of each kind in each scenario of
# t/torture.t (840, 0.1 s of CPU each), then each single one in those of t/unit/worker/starved.c, which are the marked part
# (42,000, 10 to 26 ms of CPU each): some 20 minutes of CPU, two processes at once.
TORTURE ?= 20
TORTURED = BUILD=build/torture SANITIZE=address,undefined CFLAGS='-O1 -g'
torture:
	@$(MAKE) -j$(JOBS) --no-print-directory CRASH=1 $(TORTURED) BUILD=build/torture/crash build/torture/crash/t/driver/crash-points
	@$(MAKE) -j$(JOBS) --no-print-directory $(TORTURED) build/torture/t/unit/worker/starved
	@$(MAKE) --no-print-directory $(TORTURED) tortured
tortured: export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1
tortured:
	@$(IN_MEMORY) BUILD=$(BUILD) WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) TORTURE='$(TORTURE)' SEED=$(SEED) prove -v t/torture.t
	@$(IN_MEMORY) printf '%s\n' sqlite redis | xargs -P $(JOBS) -I STORE env CASE=STORE STARVED=all $(BUILD)/t/unit/worker/starved

# -- long ones --

.PHONY: coverage covered analyze valgrind reproducible torture tortured

# Which lines and branches of lib/ the tests run, or those that T names. Workers are not
# confined then: they would not reach the counts' files. What a signal kills is not counted. The torture takes longer
# than in `make check`: it runs the lines behind a failure.
coverage:
	@$(MAKE) -j$(JOBS) --no-print-directory covered BUILD=build/coverage PROGRAM=build/coverage/woo_ghl COVERAGE=1 \
	  CFLAGS='-O0 -g --coverage -fprofile-update=atomic -U_FORTIFY_SOURCE' HARDEN=-fPIE
covered: $(PROGRAM) build-tests crash-driver
	@find $(BUILD) -name '*.gcda' -delete
	@# The workers' user counts, too.
	@find $(BUILD) -name '*.gcno' | while read -r f; do : > "$${f%.gcno}.gcda"; chmod 666 "$${f%.gcno}.gcda"; done
	-@$(MAKE) --no-print-directory test
	@find $(BUILD) -name '*.gcda' -empty -delete
	@perl t/coverage.pl $(BUILD) 95 85

# gcc's static analyzer over lib/. It loses what a list's element owns if it does not know the index, and calls that a leak.
# The settings are such lists; LeakSanitizer, valgrind and t/torture.t look for leaks there.
analyze:
	@$(MAKE) -j$(JOBS) --no-print-directory CC=gcc BUILD=build/analyze CFLAGS='-O1 -g -fanalyzer' build/analyze/libwoo_ghl.a
build/analyze/lib/config/%.o: private ALL_CFLAGS += -Wno-analyzer-malloc-leak

# Under valgrind: the C tests; then the program itself, in the cases of the corpus that are marked `everywhere` and in
# t/commands.t. There only what valgrind reports is judged: on a slow machine answers come too late. The marked cases take 4
# minutes of CPU, the commands 1.5. WHOLE=1: all cases, 6 s of CPU each, half an hour.
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
           --errors-for-leak-kinds=definite,indirect --run-libc-freeres=no --vgdb=no --child-silent-after-fork=yes
REPORTS  = $(abspath $(BUILD))/valgrind
valgrind: $(PROGRAM) build-tests
	@deploy/deps.sh valgrind
	prove -j$(JOBS) --exec '$(VALGRIND)' $(filter-out %/model %/starved,$(UNIT))
	@rm -rf $(REPORTS); mkdir -m 777 $(REPORTS)
	@printf '#!/bin/sh\nexec $(VALGRIND) --log-file=%s/%%p %s "$$@"\n' '$(REPORTS)' '$(abspath $(PROGRAM))' > $(BUILD)/under-valgrind; chmod 755 $(BUILD)/under-valgrind
	-@$(IN_MEMORY) BUILD=$(BUILD) MARKED=$(if $(WHOLE),,1) WOO_GHL_PROGRAM=$(abspath $(BUILD))/under-valgrind prove -j$(JOBS) t/corpus-cgi.t t/commands.t
	@echo "$$(ls $(REPORTS) | wc -l) processes"; ! grep -rh '^==' $(REPORTS)

# Two builds in two places: the same bytes.
reproducible:
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; for n in one/deeper two; do mkdir -p $$dir/$$n; \
	  cp -r Makefile woo_ghl.c lib t $$dir/$$n; CCACHE_DISABLE=1 $(MAKE) -s -j$(JOBS) -C $$dir/$$n >$$dir/log; done; \
	  cmp $$dir/one/deeper/woo_ghl $$dir/two/woo_ghl; echo "  SAME  $$(sha256sum <$$dir/two/woo_ghl)"

# Objects of their own: the fuzzer counts what each branch of them does. What it finds goes beside the seeds, by hand.
SECONDS ?= 10
FUZZ     = $(filter-out fuzz rig,$(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c)))
FUZZ_OBJ = $(FUZZ:%=$(BUILD)/t/fuzz/%.o) $(BUILD)/t/fuzz/rig.o
build-fuzz:
	@$(MAKE) -j$(JOBS) --no-print-directory CC=clang BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined \
	  CFLAGS='-O1 -g' build/fuzz/t/fuzz/fuzz
fuzz: build-fuzz
	@set -e; for f in $(or $(T),$(FUZZ)); do found=build/fuzz/found/$$f; mkdir -p $$found; echo "  FUZZ  $$f for $(SECONDS) s"; \
	  FUZZ_TARGET=$$f build/fuzz/t/fuzz/fuzz -max_total_time=$(SECONDS) -print_final_stats=1 -artifact_prefix=$$found- \
	  $$found t/fuzz/seeds/$$f $$([ $$f != order ] || echo t/fixtures) >build/fuzz/$$f.log 2>&1 || \
	  { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	  grep -E '^stat::number_of_executed' build/fuzz/$$f.log; grep -E ' (INITED|DONE|RELOAD|NEW|REDUCE|pulse) ' build/fuzz/$$f.log | tail -n 1; done

$(BUILD)/t/fuzz/fuzz: $(BUILD)/t/fuzz/fuzz.o $(FUZZ_OBJ) $(BUILD)/libwoo_ghl.a
	@echo '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -fsanitize=fuzzer -o $@ $^ $(LIBS)

$(BUILD)/t/unit/fuzz/replay $(BUILD)/t/unit/fuzz/starved: $(FUZZ_OBJ)

check:
	@deploy/deps.sh build run test
	@$(MAKE) -j$(JOBS) --no-print-directory test

asan:
	$(MAKE) -j$(JOBS) test SANITIZE=address,undefined BUILD=build/asan PROGRAM=build/asan/woo_ghl CFLAGS='-O1 -g'

# The owner's page in a real browser. What it needs is not part of `make deps`; screenshots are in $(BUILD)/browser.
BROWSER_NPM = puppeteer-core@24.9.0 axe-core@4.14.1
browser: $(PROGRAM)
	@command -v chromium >/dev/null || deploy/deps.sh chromium
	@command -v npm >/dev/null || deploy/deps.sh npm
	@mkdir -p $(BUILD)/browser
	@cd $(BUILD)/browser && npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix . $(BROWSER_NPM)
	@WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) PERL5LIB=$(CURDIR)/t/lib \
	  prove $(if $(V),-v) --exec 'perl' t/browser/browser.pl :: $(abspath $(BUILD))/browser

# What it costs beside what one would use instead, in one run; see t/bench/bench.pl. SECONDS a row and round; it installs wrk only.
bench: $(PROGRAM) $(BUILD)/bench/skeleton
	@deploy/deps.sh build run test wrk
	@BUILD=$(BUILD) WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) perl t/bench/bench.pl $(BUILD)/bench/skeleton

# 200 locations on four web servers and one Redis Cluster; see t/bench/cluster.pl.
bench-cluster: $(PROGRAM)
	@deploy/deps.sh build run test wrk
	@WOO_GHL_PROGRAM=$(abspath $(PROGRAM)) perl t/bench/cluster.pl

$(BUILD)/bench/skeleton: $(BUILD)/t/bench/skeleton.o
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $^ $(LIBS)

deps:
	@deploy/deps.sh build

# cppcheck sees no macros of libraries (and takes a ; in -D for the end of one), and stumbles over a compound literal inside ?: (internalAstError).
lint:
	$(MAKE) -j$(JOBS) CC=gcc BUILD=build/gcc PROGRAM=build/gcc/woo_ghl all build-tests
	$(MAKE) -j$(JOBS) CC=clang BUILD=build/clang PROGRAM=build/clang/woo_ghl all build-tests
	$(MAKE) build-fuzz
	@clang-format --dry-run -Werror $(C_FILES)
	@# One file at a time costs the headers again and again, but keeps memory small.
	@printf '%s\n' $(filter-out t/bench/%,$(filter %.c,$(C_FILES))) | \
	  xargs -P 2 -n 6 sh -c 'clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE -Ilib -It/unit -Ibuild/clang/gen \
	  $(FOUND) 2>&1 | grep -v "warnings generated\|warning generated"; \
	  exec true' sh > build/tidy.out; ! grep -E 'warning:|error:' -A6 build/tidy.out
	cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr -j 2 \
	  '-Djson_array_foreach(a,i,v)=while ((v = json_next(a, &i)))' '-Djson_object_foreach(o,k,v)=while ((v = json_next(o, &k)))' \
	  --suppress=missingIncludeSystem --suppress=internalAstError -Ilib woo_ghl.c lib
	shellcheck deploy/*.sh .ci/run
	@for f in $$(find t -name '*.t' -o -name '*.pl' -o -name '*.pm'); do \
	  perl -It/lib -c $$f 2>&1 | grep -v 'syntax OK$$' && exit 1; done; true

# Writes what the program says of itself into the files beside it; t/docs.t compares.
docs: $(PROGRAM)
	$(abspath $(PROGRAM)) help settings > .env.sample
	perl -0777 -pi -e 'my $$new = qx($(abspath $(PROGRAM)) help man); s/^(\.\\" BEGIN[^\n]*\n).*^(?=\.\\" END)/$$1$$new/ms' doc/woo_ghl.1

# What is in the program: CycloneDX's JSON, on standard output.
sbom:
	@deploy/sbom.sh $(PKG) $(FCGI_PC) $(MORE_PC)

build-tests: $(UNIT) $(DRIVERS)

format:
	clang-format -i $(C_FILES)

install: all
	install -d $(DESTDIR)$(PREFIX)/lib/woo-ghl $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/woo-ghl/deploy
	install -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/lib/woo-ghl/woo_ghl
	ln -sf ../lib/woo-ghl/woo_ghl $(DESTDIR)$(PREFIX)/bin/woo_ghl
	install -m 0644 $(filter-out %.sh deploy/debian,$(wildcard deploy/*)) $(DESTDIR)$(PREFIX)/share/doc/woo-ghl/deploy
	install -m 0644 $(wildcard README.md LICENSE SECURITY.md CHANGELOG.md .env.sample) $(DESTDIR)$(PREFIX)/share/doc/woo-ghl
	install -d $(DESTDIR)$(PREFIX)/share/doc/woo-ghl/doc
	install -m 0644 $(filter-out doc/design.md doc/hacking.md,$(wildcard doc/*.md)) $(DESTDIR)$(PREFIX)/share/doc/woo-ghl/doc
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(abspath $(PROGRAM)) help bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/woo_ghl
	$(abspath $(PROGRAM)) help zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_woo_ghl
	@# The owner's settings stay as they are.
	[ -e $(DESTDIR)/etc/woo-ghl/env ] || install -D -m 0640 deploy/env $(DESTDIR)/etc/woo-ghl/env
	install -D -m 0644 doc/woo_ghl.1 $(DESTDIR)$(PREFIX)/share/man/man1/woo_ghl.1

# Settings, data and what was copied by hand to /etc/systemd, nginx or cron stay.
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/lib/woo-ghl $(DESTDIR)$(PREFIX)/share/doc/woo-ghl
	rm -f $(DESTDIR)$(PREFIX)/bin/woo_ghl $(DESTDIR)$(PREFIX)/share/man/man1/woo_ghl.1 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/woo_ghl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_woo_ghl
	@if [ -e $(DESTDIR)/etc/woo-ghl/env ]; then echo "The settings stay: $(DESTDIR)/etc/woo-ghl/env"; fi

clean:
	rm -rf $(BUILD) woo_ghl

-include $(shell find $(BUILD) -path '$(BUILD)/portable*' -prune -o -type f -name '*.d' -print 2>/dev/null)
FORCE:
.PHONY: bench bench-cluster cluster browser docs all run unit test crash-driver chaos fuzz build-fuzz check asan deps lint build-tests format install uninstall clean FORCE
.SECONDARY:
