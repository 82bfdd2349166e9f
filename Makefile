# SPDX-License-Identifier: BSD-3-Clause
# lightsout: `make demo` shows it, `make test` proves it, `make` builds build/lightsout.

CC       ?= cc
PYTHON   ?= /usr/bin/python3
MODE     ?= release
OUT      := build
OBJ      := $(OUT)/obj-$(MODE)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror
CFLAGS   ?= -O2 -g
FLAGS_release :=
FLAGS_asan    := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FLAGS_tsan    := -fsanitize=thread
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE $(WARNINGS) -Iinclude $(CFLAGS) $(FLAGS_$(MODE))
PACKAGES := libpcap libndpi hiredis jansson inih libzstd zlib
LIBS      = -lpcap -lndpi -lhiredis -ljansson -linih -lzstd -lz -lm -lpthread
VERSION  := 0.1.0

ROOMS    := capture analysis analysis/publish
SOURCES  := $(foreach room,$(ROOMS),$(wildcard $(room)/*.c))
OBJECTS  := $(SOURCES:%.c=$(OBJ)/%.o)
LIBRARY  := $(OBJ)/liblightsout.a
PROGRAM  := $(if $(filter release,$(MODE)),$(OUT)/lightsout,$(OBJ)/lightsout)

all: $(PROGRAM)

$(PROGRAM): $(OBJ)/capture/main.o $(LIBRARY)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Everything but main, so that the program, the unit tests and the fuzzers link the same code.
$(LIBRARY): $(filter-out $(OBJ)/capture/main.o,$(OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

# A room sees its own headers and the hall's, nobody else's.
$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DLIGHTSOUT_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)
