/* SPDX-License-Identifier: BSD-3-Clause */
/* A frame of any link type through the decoder: a byte that chooses the link type, one that says how many
 * more bytes there were than captured, and the frame. */
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "fuzz.h"
#include "plain.h"

static const int link_types[] = {DLT_EN10MB,
                                 DLT_RAW,
                                 DLT_NULL,
                                 DLT_LOOP,
                                 DLT_LINUX_SLL,
                                 DLT_LINUX_SLL2,
                                 DLT_PPP,
                                 DLT_C_HDLC,
                                 DLT_FRELAY,
                                 DLT_IPV4,
                                 DLT_IPV6,
                                 DLT_NFLOG,
                                 DLT_PFLOG,
                                 DLT_ERF,
                                 DLT_MPLS,
                                 DLT_PPP_SERIAL,
                                 DLT_PPP_ETHER,
                                 DLT_IEEE802_11,
                                 DLT_IEEE802_11_RADIO,
                                 DLT_ATM_RFC1483,
                                 999};

/* What the short way says of a frame must be what the long way says. */
static void compare(const struct frame *frame, enum decode_reason reason, const struct packet *packet)
{
    struct plain plain;
    unsigned version = plain_read(frame, &plain);
    if (version != 0 && (reason != DECODE_OK || packet->ip_version != version ||
                         packet->ip_bytes != plain.ip_bytes || packet->tunnel_count != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct frame frame = {.bytes = data + 2,
                                .captured_bytes = (uint32_t)(size - 2),
                                .wire_bytes = (uint32_t)(size - 2) + data[1],
                                .time_ns = 1,
                                .link_type = link_types[data[0] % (sizeof link_types / sizeof *link_types)]};
    struct packet packet, outer;
    enum decode_reason reason = decode_frame(&frame, &packet);
    compare(&frame, reason, &packet);
    decode_frame_outermost(&frame, &outer);
    return 0;
}
