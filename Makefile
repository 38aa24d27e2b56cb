# cocktail - `make` builds build/release/cocktail, `make help` lists the rest.
#
# Everything goes to build/VARIANT/, so that builds with different compilers and sanitizers live side by
# side: make CC=clang, make SAN=address,undefined test. MPI=1 builds build/mpi/cocktail, which several
# machines run together by Open MPI. V=1 shows the commands.

ifeq ($(origin CC),default)
CC := gcc
endif
SAN :=
MPI :=
comma := ,
empty :=
space := $(empty) $(empty)
variant := $(if $(MPI),mpi) $(filter-out gcc cc,$(notdir $(firstword $(CC)))) $(subst $(comma), ,$(SAN))
VARIANT := $(or $(subst $(space),-,$(strip $(variant))),release)
build := build/$(VARIANT)

PREFIX := /usr/local
bin_dir = $(DESTDIR)$(PREFIX)/bin
man_dir = $(DESTDIR)$(PREFIX)/share/man/man1
bash_dir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zsh_dir = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fish_dir = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

# Another library is one more word here. OpenBLAS and libcurl are not linked: common/math/blas.c loads
# the one when a model runs, common/hub/hub_curl.c the other when the Hub is asked,
# common/serve/mhd_library.c libmicrohttpd when a server starts; to build, only
# their headers are needed.
libraries := libcjson zlib libpcre2-8 libutf8proc yaml-0.1
loaded_libraries := openblas libcurl libmicrohttpd
PKG_CONFIG := pkg-config
ifneq ($(filter-out help clean layers docs uninstall,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(libraries) $(loaded_libraries) && echo yes),yes)
$(error '$(PKG_CONFIG)' does not find all of: $(libraries) $(loaded_libraries); on Debian: apt-get install pkg-config libcjson-dev zlib1g-dev libpcre2-dev libutf8proc-dev libyaml-dev libopenblas-dev libcurl4-openssl-dev libmicrohttpd-dev)
endif
library_flags := $(shell $(PKG_CONFIG) --cflags $(libraries) $(loaded_libraries))
library_links := $(shell $(PKG_CONFIG) --libs $(libraries))
endif

ifneq ($(MPI),)
ifneq ($(shell $(PKG_CONFIG) --exists ompi-c && echo yes),yes)
$(error '$(PKG_CONFIG)' does not find ompi-c; on Debian: apt-get install libopenmpi-dev)
endif
library_flags += -DCOCKTAIL_MPI $(shell $(PKG_CONFIG) --cflags ompi-c)
library_links += $(shell $(PKG_CONFIG) --libs ompi-c)
endif

# -ffp-contract=off: a*b+c is rounded where the source says so, with every compiler.
CFLAGS := -O2 -g
base_flags := -std=c11 -D_GNU_SOURCE -Wall -Wextra -ffp-contract=off -pthread -Icommon $(library_flags)
sanitizer_flags := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
flags = $(base_flags) $(CFLAGS) $(EXTRA_CFLAGS) $(sanitizer_flags)
links = $(LDFLAGS) $(sanitizer_flags) -pthread
LDLIBS = $(library_links) -lm

common_sources := $(sort $(wildcard common/*/*.c))
program_sources := $(sort $(wildcard cocktail/*.c))
unit_sources := $(sort $(wildcard tests/unit/test_*.c))
inject_sources := $(sort $(wildcard tests/inject/*.c))
fuzz_sources := $(sort $(wildcard tests/fuzz/fuzz_*.c))
bench_sources := $(sort $(wildcard tests/bench/*.c))
headers := $(sort $(wildcard common/*/*.h cocktail/*.h tests/*.h tests/fuzz/*.h))
manuals := $(sort $(wildcard man/*.1))

common_objects := $(common_sources:%.c=$(build)/objects/%.o)
program_objects := $(program_sources:%.c=$(build)/objects/%.o)
unit_programs := $(unit_sources:tests/%.c=$(build)/%)
inject_libraries := $(inject_sources:tests/%.c=$(build)/%.so)
fuzz_programs := $(fuzz_sources:tests/%.c=$(build)/%)
bench_objects := $(bench_sources:%.c=$(build)/objects/%.o)
replay_programs := $(fuzz_sources:tests/fuzz/%.c=$(build)/replay/%)
program := $(build)/cocktail

.PHONY: all test-programs test check layers docs headers lint man parity bench fuzz install uninstall \
	clean help
.DELETE_ON_ERROR:
.SECONDARY:

Q := $(if $(V),,@)
say := @$(if $(V),:,printf '  %-5s %s\n')

all: $(program) ## build build/release/cocktail (the default)

$(program): $(program_objects) $(build)/common.a $(build)/sources
	$(say) LINK $@
	$(Q)$(CC) $(links) -o $@ $(program_objects) $(build)/common.a $(LDLIBS)

# Begun anew each time: the object of a source that was deleted must not stay in it.
$(build)/common.a: $(common_objects) $(build)/sources
	@rm -f $@
	@$(AR) rcs $@ $(common_objects)

$(build)/objects/%.o: %.c $(build)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(flags) -MMD -MP -c -o $@ $<

# The page stands in its object as it is.
$(build)/objects/common/serve/page.o: common/serve/page.html

$(build)/unit/%: tests/unit/%.c $(build)/common.a $(build)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(flags) -Itests -MMD -MP -MF $@.d $(links) -o $@ $< $(build)/common.a $(LDLIBS)

# The fuzz targets with a main() that gives them files: `make test` replays tests/fuzz/corpus/.
$(build)/replay/%: tests/fuzz/%.c $(build)/objects/tests/fuzz/replay.o $(build)/common.a $(build)/flags
	@mkdir -p $(@D)
	$(say) CC "$< (replay)"
	$(Q)$(CC) $(flags) -MMD -MP -MF $@.d $(links) -o $@ $< $(build)/objects/tests/fuzz/replay.o \
	    $(build)/common.a $(LDLIBS)

# Preloaded into the program by tests: without sanitizers, which want to be loaded first.
$(build)/inject/%.so: tests/inject/%.c $(build)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(base_flags) $(CFLAGS) -MMD -MP -MF $@.d -shared -fPIC -o $@ $< -ldl

# Two files that change with what they hold: other flags or another compiler, and everything is
# built again; a source more or less, and the program is linked again.
$(build)/flags: content = $(CC) $(flags) $(links)
$(build)/sources: content = $(common_sources) $(program_sources)
$(build)/flags $(build)/sources: always
	@mkdir -p $(@D)
	@echo '$(content)' | cmp -s - $@ || echo '$(content)' >$@
.PHONY: always

-include $(common_objects:.o=.d) $(program_objects:.o=.d) $(bench_objects:.o=.d) \
	$(addsuffix .d,$(unit_programs) $(inject_libraries) $(fuzz_programs) $(replay_programs))

# Benches build their programs themselves; their objects are made here, so that none falls behind.
test-programs: $(program) $(unit_programs) $(inject_libraries) $(replay_programs) $(bench_objects)

# Scripts alone need no unit programs.
script_programs := $(program) $(inject_libraries) $(replay_programs)

test: $(if $(filter cli/%,$(ONLY)),$(script_programs),test-programs) ## build and run all tests; ONLY=mix runs those with "mix" in their name
	@ONLY='$(ONLY)' SAN='$(SAN)' tests/run.sh $(build)

check: ## what a change passes before review: -Werror, sanitizers, layers, docs, headers, lint, manual
	$(MAKE) CC=gcc VARIANT=check-gcc EXTRA_CFLAGS=-Werror test-programs
	@if command -v clang >/dev/null; then \
	    $(MAKE) CC=clang VARIANT=check-clang EXTRA_CFLAGS=-Werror test-programs; \
	else echo "make check: skipped the clang build, clang is not installed"; fi
	$(MAKE) SAN=address,undefined test
	$(MAKE) layers docs headers lint man

layers: ## who may include whom
	tests/check_layers.sh --self-test
	tests/check_layers.sh

docs: ## what comments and pages point to is there
	tests/check_docs.sh --self-test
	tests/check_docs.sh

headers: ## each header compiles alone
	@for header in $(headers); do \
	    $(CC) $(flags) -Itests -Werror -fsyntax-only -x c -include $$header /dev/null || exit 1; \
	done
	@echo "$(words $(headers)) headers compile alone"

# cppcheck looks at all branches of #if, clang-tidy at what is compiled; .clang-tidy says which of
# its checks and why. Not asked of cppcheck: system headers; casts to float * that intrinsics want
# for what needs no alignment; and pointers that it guesses about where clang's analyzer follows them.
lint: ## cppcheck and clang-tidy, where installed
	@if command -v cppcheck >/dev/null; then \
	    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	        --suppress=missingIncludeSystem --suppress=invalidPointerCast \
	        --suppress=nullPointerRedundantCheck --error-exitcode=1 -j 2 -Icommon \
	        -D_GNU_SOURCE -D__x86_64__ $(common_sources) $(program_sources) \
	        && echo "cppcheck: clean"; \
	else echo "make lint: skipped cppcheck, it is not installed"; fi
	@if command -v clang-tidy >/dev/null; then \
	    printf '%s\n' $(common_sources) $(program_sources) \
	        | xargs -P 2 -n 4 sh -c 'clang-tidy --quiet "$$@" -- $(base_flags) 2>/dev/null' sh \
	        && echo "clang-tidy: clean"; \
	else echo "make lint: skipped clang-tidy, it is not installed"; fi

man: $(program) ## manual pages are well formed and list every option
	@if command -v mandoc >/dev/null; then mandoc -T lint -W warning $(manuals); \
	    else echo "make man: skipped mandoc -T lint, mandoc is not installed"; fi
	tests/check_manual.sh $(program) man

# A Python that has the originals, as tests/parity/run.py lists them: PYTHON=venv/bin/python.
PYTHON := python3
parity: $(program) ## compare with the Python originals, PYTHON= one that has them; ONLY=linear
	@$(PYTHON) tests/parity/run.py $(program) $(ONLY)

BENCH_DIR := build/bench
BENCH_TMPFS := /dev/shm
bench: $(program) ## the figures that README quotes; PYTHON=, BENCH_DIR= on a disk, BENCH_TMPFS=
	@$(foreach script,$(sort $(wildcard tests/bench/bench_*.py)),BENCH_DIR='$(BENCH_DIR)' \
	    BENCH_TMPFS='$(BENCH_TMPFS)' $(PYTHON) $(script) $(program) &&) true

FUZZ_SECONDS := 60
fuzz: ## fuzz the readers, FUZZ_SECONDS=60 each (needs clang)
	$(MAKE) CC=clang VARIANT=fuzz SAN=fuzzer-no-link,address,undefined run-fuzz

run-fuzz: $(fuzz_programs)
	@for program in $^; do \
	    name=$$(basename $$program); name=$${name#fuzz_}; start=tests/fuzz/corpus/$$name; \
	    corpus=$(build)/corpus/fuzz_$$name; mkdir -p $$corpus; \
	    words=tests/fuzz/$$name.dict; test -e $$words && words=-dict=$$words || words=; \
	    test -d $$start || start=; \
	    echo "$$program: $(FUZZ_SECONDS) s"; \
	    ASAN_OPTIONS=allocator_may_return_null=1 $$program -max_total_time=$(FUZZ_SECONDS) \
	        -print_final_stats=1 -verbosity=0 -artifact_prefix=$(build)/ $$words $$corpus \
	        $$start || exit 1; \
	done
.PHONY: run-fuzz

$(build)/fuzz/%: tests/fuzz/%.c $(build)/common.a $(build)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(flags) -MMD -MP -MF $@.d $(links) -fsanitize=fuzzer -o $@ $< $(build)/common.a $(LDLIBS)

install: $(program) ## install program, manual and shell completion below $(DESTDIR)$(PREFIX)
	install -d '$(bin_dir)' '$(man_dir)' '$(bash_dir)' '$(zsh_dir)' '$(fish_dir)'
	install -m 755 $(program) '$(bin_dir)/cocktail'
	install -m 644 $(manuals) '$(man_dir)'
	$(program) completion bash >'$(bash_dir)/cocktail'
	$(program) completion zsh >'$(zsh_dir)/_cocktail'
	$(program) completion fish >'$(fish_dir)/cocktail.fish'
	chmod 644 '$(bash_dir)/cocktail' '$(zsh_dir)/_cocktail' '$(fish_dir)/cocktail.fish'

uninstall: ## remove what `make install` put there
	rm -f '$(bin_dir)/cocktail' $(foreach page,$(notdir $(manuals)),'$(man_dir)/$(page)') \
	    '$(bash_dir)/cocktail' '$(zsh_dir)/_cocktail' '$(fish_dir)/cocktail.fish'

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
