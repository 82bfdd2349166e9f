/* SPDX-License-Identifier: BSD-3-Clause */
/* synth: makes captures and bins of a made-up network whose outages are known, from a script. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins.h"
#include "output.h"
#include "script.h"
#include "truth.h"
#include "world.h"

static const char help[] =
    "usage: synth [options] SCRIPT\n"
    "\n"
    "Plays the scenario that SCRIPT describes. The same script and seed give the same bytes.\n"
    "\n"
    "  --pcap FILE      write a capture: Ethernet, with real handshakes, names and checksums\n"
    "  --bins FILE      write a row per scope and bin as CSV instead, without making packets: counts are "
    "drawn\n"
    "                   from the distributions that the script implies, they are not those of the capture\n"
    "  --truth FILE     write what really happened, as JSON\n"
    "  --seed N         instead of the script's own\n"
    "  --tap WORDS      what the tap sees, a list: inward or outward (one direction only), unlabelled (no\n"
    "                   tags, one router), beyond (it lies behind the routers that withdraw a route),\n"
    "                   path:NAME (no other path's watched packets)\n"
    "  --bin SECONDS    length of a bin (60)\n"
    "  --scopes KINDS   of --bins: which of all,prefix,path,service,tap (all of them)\n"
    "  --nanoseconds    a capture with nanosecond time stamps\n"
    "  --zstd LEVEL     a file whose name ends in .zst is compressed at this level (19); - is standard "
    "output\n"
    "  --help           this text\n"
    "\n"
    "A script has sections and `key = value` lines; # begins a comment. Keys that take lists may be given "
    "again.\n"
    "  instant   2025-06-06 17:23:41.6 (UTC), or +3h20m after the scenario's start\n"
    "  duration  250ms 90s 10m 1h30m 2d          rate   12 (a minute), 0.4/s, 30/h\n"
    "  share     0.3 or 30%                      addresses   IPv4: 192.0.2.1 192.0.2.0/24 "
    "192.0.2.1-192.0.2.9\n"
    "\n"
    "  [scenario]       name, from, to, watch (prefixes); with (files of the same folder that go on from "
    "here),\n"
    "                   note, assumed (lines for the truth), utc-offset (+0h), seed (1), grain (0.001ms),\n"
    "                   ttl (50), rtt (100ms), answers-scans (0.3), and the curve, see below\n"
    "  [path NAME]      prefix; vlan, mac, ttl, rtt, router (sends ICMP errors), unreachable (see [outage]; "
    "of\n"
    "                   probes of addresses without a host, always). A prefix in two paths uses both\n"
    "  [host NAME]      address; ttl, answers-scans\n"
    "  [clients NAME]   address: who calls; services without `clients` use the first\n"
    "  [service NAME]   host (names or addresses), clients, name (SNI, Host, DNS question; default NAME), "
    "and\n"
    "                   flows a minute by kind: http https smtp tcp dns ntp ping; flows-per-visit (1),\n"
    "                   response-bytes (600), tcp-port (8888), and the curve\n"
    "  [outward NAME]   the same for flows that watched `clients` open to a `server` outside\n"
    "  [control NAME]   the same for traffic of the tap that is not watched; also arp, vlan\n"
    "  [scan NAME]      rate, source; target (all watched), ports, ping (share), from, to, grows (30m: from\n"
    "                   nothing to the rate), and the curve (flat)\n"
    "  [burst NAME]     service; at or every (on average); flows (30), over (1m): one client storms a "
    "service\n"
    "  [outage NAME]    from, to; scope (all, prefix:CIDR, path:NAME, service:NAME, host:NAME, "
    "control:NAME),\n"
    "                   depth (1), onset (step, ramp 10m), recovery (step, ramp 10m, ragged 40m), order (of "
    "a\n"
    "                   ragged return), flicker (INSTANT for 4m: who ...), surge (40/s for 20m: before the\n"
    "                   onset), inbound (persists, ceases, withdrawn: it ceases beyond the routers that "
    "lose\n"
    "                   the route), unreachable (10%, or 10% KIND by WHO: the share of packets that are\n"
    "                   refused; KIND net-unreachable, host-unreachable, port-unreachable, prohibited or\n"
    "                   time-exceeded, WHO router, host or an address), verdict, note\n"
    "  [tap-fault NAME] from, to, loses (everything, inbound, outbound, vlan 5, 20%) or cuts-at (bytes of a "
    "frame)\n"
    "  [strain NAME]    from, to; scope, loss (share of packets, each way between tap and watched side), "
    "delay\n"
    "                   (of what comes from there), onset and recovery (step, ramp 10m)\n"
    "  [move NAME]      from, to, prefix, path: flows that begin in this time cross that path\n"
    "  [forged NAME]    from, to, rate, source (watched), target, target-port: packets with a source that "
    "did\n"
    "                   not send them; speaks (udp, tcp, ping), seen (both, requests, answers), ttl, grows\n"
    "  [block NAME]     from, to, clients; scope: these clients are not let through\n"
    "  [expect TAP]     verdict (the right one, then others that are no mistake; none: no outage at all), "
    "scope\n"
    "                   (likewise), never, because: what a detector should say at a tap; for the truth\n"
    "\n"
    "--bins knows no [strain], [move], [forged], [block], grows, control:NAME, cuts-at and loses = vlan, and "
    "refuses "
    "a script with "
    "them.\n"
    "\n"
    "The curve: day-amplitude (0.4), peak-hour (14), weekend (factor on Saturday and Sunday, 1), in local "
    "time.\n"
    "\n"
    "Exit status: 0 done, 1 could not write, 2 bad arguments or script.\n";

/* What the command line asks for. */
struct request {
    const char *script, *pcap, *bins, *truth, *scopes, *tap;
    bool seeded, nanoseconds;
    uint64_t seed;
    int zstd_level, bin_s;
};

static int usage(const char *what)
{
    fprintf(stderr, "synth: %s; see synth --help\n", what);
    return 2;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *value >= least && *value <= most;
}

/* Returns -1 to go on, else the exit status. */
static int read_arguments(int argc, char **argv, struct request *request)
{
    static const struct option options[] = {
        {"pcap", 1, NULL, 'p'}, {"bins", 1, NULL, 'b'}, {"truth", 1, NULL, 't'},
        {"seed", 1, NULL, 's'}, {"bin", 1, NULL, 'l'},  {"nanoseconds", 0, NULL, 'n'},
        {"zstd", 1, NULL, 'z'}, {"help", 0, NULL, 'h'}, {"scopes", 1, NULL, 'k'},
        {"tap", 1, NULL, 'a'},  {NULL, 0, NULL, 0}};
    uint64_t value = 0;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'p')
            request->pcap = optarg;
        else if (option == 'b')
            request->bins = optarg;
        else if (option == 't')
            request->truth = optarg;
        else if (option == 'k')
            request->scopes = optarg;
        else if (option == 'a')
            request->tap = optarg;
        else if (option == 'n')
            request->nanoseconds = true;
        else if (option == 's' && number(optarg, 0, INT64_MAX, &request->seed))
            request->seeded = true;
        else if (option == 'l' && number(optarg, 1, 3600, &value))
            request->bin_s = (int)value;
        else if (option == 'z' && number(optarg, 1, 22, &value))
            request->zstd_level = (int)value;
        else if (option == 'h')
            return fputs(help, stdout) == EOF;
        else
            return usage(option == '?' ? "unknown option" : "a number is out of its range");
    }
    if (!bins_scopes_known(request->scopes))
        return usage("--scopes takes a list of all,prefix,path,service,tap");
    if (argc - optind != 1)
        return usage("give one script");
    if (request->pcap == NULL && request->bins == NULL && request->truth == NULL)
        return usage("say what to write: --pcap, --bins or --truth");
    request->script = argv[optind];
    return -1;
}

static int write_pcap(const struct request *request, const struct script *script, struct world_counts *counts,
                      struct fault *fault)
{
    struct output *output = output_open(request->pcap, request->zstd_level, fault);
    if (output == NULL)
        return -1;
    int status = world_play(script, output, request->nanoseconds, counts, fault);
    return output_close(output, fault) == 0 ? status : -1;
}

static int write_bins(const struct request *request, const struct script *script, struct fault *fault)
{
    struct output *output = output_open(request->bins, request->zstd_level, fault);
    if (output == NULL)
        return -1;
    int status = bins_write(script, output, request->bin_s * NS_PER_S, request->scopes, fault);
    return output_close(output, fault) == 0 ? status : -1;
}

int main(int argc, char **argv)
{
    struct request request = {.zstd_level = 19, .bin_s = 60, .scopes = "all,prefix,path,service,tap"};
    struct fault fault = {.text = ""};
    struct world_counts counts;
    int status = read_arguments(argc, argv, &request);
    if (status >= 0)
        return status;
    struct script *script = script_read(request.script, &fault);
    if (script == NULL || (request.tap != NULL && script_tap(script, request.tap, &fault) != 0)) {
        fprintf(stderr, "synth: %s\n", fault.text);
        script_free(script);
        return 2;
    }
    if (request.bins != NULL && script_beyond_bins(script) != NULL) {
        fprintf(stderr, "synth: --bins cannot show %s; make a capture\n", script_beyond_bins(script));
        script_free(script);
        return 2;
    }
    if (request.seeded)
        script->seed = request.seed;
    status = request.pcap != NULL ? write_pcap(&request, script, &counts, &fault) : 0;
    if (status == 0 && request.bins != NULL)
        status = write_bins(&request, script, &fault);
    if (status == 0 && request.truth != NULL)
        status = truth_write(script, request.truth, request.pcap != NULL ? &counts : NULL, &fault);
    if (status != 0)
        fprintf(stderr, "synth: %s\n", fault.text);
    script_free(script);
    return status == 0 ? 0 : 1;
}
