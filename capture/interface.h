/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of a network interface. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct interface_state {
    uint32_t index; /* another one when it was made anew */
    uint16_t type;  /* ARPHRD_… */
    bool is_up, has_link;
    uint32_t mtu;
    bool knows_drops;
    uint64_t drops; /* packets that it had to let go for want of room, so far */
};

enum interface_answer { INTERFACE_IS, INTERFACE_IS_NOT, INTERFACE_UNKNOWN };

/* A descriptor to ask with, for close(); -1. */
int interface_open(void);

/* Fills `state` when there is an interface of this name in the network namespace in which `fd` was opened.
 * Never waits. */
enum interface_answer interface_ask(int fd, const char *name, struct interface_state *state);
