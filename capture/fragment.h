/* SPDX-License-Identifier: BSD-3-Clause */
/* Remembers the first fragments of watched packets, so that the later ones, which have no ports, can be
 * counted with their flow. Of fixed size. */
#pragma once

#include "health.h"
#include "packet.h"

enum { FRAGMENT_FIRSTS_MAX = 1 << 12 };

struct fragment;

/* Borrows `health`. NULL: no memory. */
struct fragment *fragment_new(struct health *health);
void fragment_free(struct fragment *fragment);

/* Remembers a packet that is a first fragment (fragment, not later_fragment, has_transport) for 30 s of data
 * time. When all places are taken the one taken longest ago is given up, and counted where it could still
 * have been asked for (health.fragments_forgotten). */
void fragment_keep(struct fragment *fragment, const struct packet *packet);

/* Gives a later fragment the ports and ICMP fields of its first; its has_transport stays false. False: the
 * first has not come, or longer ago than 30 s. */
bool fragment_join(struct fragment *fragment, struct packet *packet);
