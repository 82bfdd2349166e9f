/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include "world.h"
int main(int argc, char **argv)
{
    struct fault fault; struct world_counts c;
    struct script *s = script_read(argv[1], &fault);
    if (!s) { puts(fault.text); return 2; }
    struct output *o = output_open(argv[2], 19, &fault);
    world_play(s, o, false, &c, &fault);
    output_close(o, &fault);
    printf("%lu packets %lu in %lu out %lu flows %lu answered\n", c.packets, c.packets_in, c.packets_out, c.flows, c.answered_flows);
    script_free(s);
    return argc < 3;
}
