# woo_ghl: `make` builds ./woo_ghl, `make run` starts everything, `make check` tests everything.
#
# Knobs:
#   CC=gcc|clang   compiler              BUILD=build    where objects go
#   CFLAGS=...     optimisation, debug   SANITIZE=address,undefined
#   PREFIX=/usr/local DESTDIR=           for `make install`
#   WERROR=        empty: warnings do not stop the build

CC      ?= cc
BUILD   ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
WERROR  ?= -Werror
PKG      = libcrypto libcurl jansson hiredis sqlite3
FCGI_PC := $(firstword $(foreach p,libfcgi fcgi,$(shell pkg-config --exists $(p) 2>/dev/null && echo $(p))))

WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
           -Wwrite-strings -Wpointer-arith -Wno-overlength-strings $(WERROR)
HARDEN   = -fstack-protector-strong -fPIE -fno-strict-aliasing
LDHARDEN = -pie -Wl,-z,relro,-z,now
ifeq ($(SANITIZE),)
HARDEN  += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
HARDEN  += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
LDHARDEN += -fsanitize=$(SANITIZE)
endif
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARN) $(HARDEN) -Ilib -I$(BUILD)/gen \
             $(shell pkg-config --cflags $(PKG) $(FCGI_PC))
LIBS     = $(shell pkg-config --libs $(PKG)) $(if $(FCGI_PC),$(shell pkg-config --libs $(FCGI_PC)),-lfcgi)

LIB_SRC  = $(wildcard lib/*.c)
LIB_OBJ  = $(LIB_SRC:lib/%.c=$(BUILD)/lib/%.o)
LUA      = $(wildcard lib/lua/*.lua)
UNIT     = $(patsubst t/unit/%.c,$(BUILD)/t/%,$(filter-out t/unit/tap.c,$(wildcard t/unit/*.c)))

all: woo_ghl

woo_ghl: $(BUILD)/woo_ghl.o $(BUILD)/libwoo_ghl.a
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $^ $(LIBS)

$(BUILD)/libwoo_ghl.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c | $(BUILD)/gen/lua.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The Redis scripts live as Lua files; each becomes one C string, LUA_<NAME>.
$(BUILD)/gen/lua.h: $(LUA) Makefile
	@mkdir -p $(@D)
	@{ echo '/* generated from lib/lua */'; for f in $(LUA); do n=$$(basename $$f .lua | tr a-z A-Z); \
	  echo "#define LUA_$$n \\"; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$$/\\n" \\/' $$f; echo '    ""'; done; } > $@

# Unit tests: each t/unit/NAME.c is one program that prints TAP.
$(BUILD)/t/%: $(BUILD)/t/unit/%.o $(BUILD)/t/unit/tap.o $(BUILD)/libwoo_ghl.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $^ $(LIBS)

# Programs that a Perl test drives: t/driver/NAME.c for t/NAME.t, which has them made.
$(BUILD)/t/driver/%: $(BUILD)/t/driver/%.o $(BUILD)/libwoo_ghl.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDHARDEN) -o $@ $^ $(LIBS)

unit: $(UNIT)
	prove --exec '' $(UNIT)

clean:
	rm -rf $(BUILD) woo_ghl

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all unit clean
.SECONDARY:
