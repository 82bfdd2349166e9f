/* SPDX-License-Identifier: BSD-3-Clause */
/* The program's own counters: one list, from which the struct, the names and the help texts are made. */
#pragma once

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* X(name, help). Each only grows. The help reads on from a number, and in the singular as well: it begins
 * with what was counted, behind a word that says which at most. The `refused_` rows are the reasons of
 * decode.h, in the same order, the `redis_error_` rows the troubles of redis_link.h. */
#define HEALTH_COUNTERS(X)                                                                                   \
    X(packets_read, "packets delivered by the sources")                                                      \
    X(packets_watched, "packets with a watched address")                                                     \
    X(packets_late, "packets older than the data time reached, counted at it")                               \
    X(packets_untimed, "packets without a time, given that of the one before")                               \
    X(packets_astray, "packets with a time that those around contradict, counted at another")                \
    X(clock_steps, "times that a savefile's clock was set back, or forth again")                             \
    X(packets_cut, "packets of which the snapshot length took a part")                                       \
    X(packets_shortened, "packets that came shorter than the IP header says, as a mirror cuts")              \
    X(kernel_drops, "packets dropped by the kernel for want of room")                                        \
    X(interface_drops, "packets dropped by the interface")                                                   \
    X(ring_drops, "packets dropped between reader and worker for want of room")                              \
    X(refused_link_type, "frames of a link type that is not read")                                           \
    X(refused_cut_link, "frames cut within the link header")                                                 \
    X(refused_not_ip, "frames without IP (ARP, LLDP, spanning tree …)")                                      \
    X(refused_too_many_tags, "frames with more than three VLAN tags")                                        \
    X(refused_cut_ip, "packets cut within the IP header")                                                    \
    X(refused_bad_ip_version, "packets whose version is neither 4 nor 6")                                    \
    X(refused_bad_ip_header, "packets whose IP header contradicts itself")                                   \
    X(refused_too_many_headers, "packets with more than sixteen IPv6 extension headers")                     \
    X(refused_cut_tunnel, "packets cut within the header of a tunnel")                                       \
    X(refused_bad_tunnel, "packets whose tunnel header contradicts itself")                                  \
    X(refused_too_many_tunnels, "packets with more than eight tunnels, or sixteen MPLS labels")              \
    X(refused_tunnel_fragment, "fragments of a tunnel's packets after the first")                            \
    X(refused_gre_routing, "GRE packets with source routing")                                                \
    X(refused_encrypted, "frames encrypted at the link (MACsec, protected 802.11)")                          \
    X(cut_transport, "watched packets cut within the transport header: counted, no flow")                    \
    X(fragments_joined, "watched fragments counted with the flow of the first")                              \
    X(fragments_later, "watched fragments whose first was not seen, or too long ago: counted, no flow")      \
    X(fragments_forgotten, "first fragments forgotten for want of room")                                     \
    X(packets_duplicate, "packets that came twice, the second within 5 ms (without deduplicate: watched)")   \
    X(duplicates_unknown, "packets forgotten within 5 ms for want of room: a copy was not known as one")     \
    X(icmp_errors_unread, "ICMP errors whose quoted packet cannot be read")                                  \
    X(flows_started, "watched flows started")                                                                \
    X(flows_evicted, "watched flows pushed out of a full table")                                             \
    X(flows_refused, "packets that found no room for the flow")                                              \
    X(classified, "flows that nDPI gave a name to")                                                          \
    X(unclassified, "flows that nDPI gave up on")                                                            \
    X(classify_refused, "packets that found no room for the classification of the flow")                     \
    X(names_unkept, "flows that found no room for a name: services know it, flow records do not")            \
    X(ways_unkept, "flows that found no room for tags, tunnels and path: the records have none")             \
    X(records_early, "flow records that did not wait for the step's end, for want of room")                  \
    X(addresses_uncounted, "addresses beyond the cap on exact counting of hosts and peers")                  \
    X(bursts_evicted, "bursts forgotten for want of room: what went on of that counts twice")                \
    X(signs_apart, "signs of life beyond what a worker keeps for a step: a burst may count twice")           \
    X(holes, "holes: longer than gap_max without any packet, or missing between files")                      \
    X(files_read, "savefiles read to the end or to the damage")                                              \
    X(files_damaged, "savefiles cut off or damaged")                                                         \
    X(files_forgotten, "savefiles followed to the end whose name is no longer kept")                         \
    X(events_published, "events decided")                                                                    \
    X(queue_dropped, "items that found the publishing queue full")                                           \
    X(http_displaced, "HTTP connections closed because a newer one came")                                    \
    X(fused_bins, "bins of sensors taken by the fused view")                                                 \
    X(fused_late, "bins of sensors that came too late for the window, or too early")                         \
    X(fused_refused, "bins of sensors that found no room to wait for the window")                            \
    X(fused_unread, "entries in the sensors' streams other than bins")                                       \
    X(redis_sent, "events that Redis acknowledged")                                                          \
    X(redis_dropped, "events given up for want of room while Redis was away")                                \
    X(redis_error_unreachable, "connections to Redis that could not be made")                                \
    X(redis_error_timeout, "Redis: no answer in time")                                                       \
    X(redis_error_broken, "connections to Redis that broke")                                                 \
    X(redis_error_no_master, "Redis: the Sentinels know no master, or it is none")                           \
    X(redis_error_loading, "Redis: it loads its data (LOADING)")                                             \
    X(redis_error_busy, "Redis: it runs somebody's script (BUSY)")                                           \
    X(redis_error_readonly, "Redis: it is a replica (READONLY)")                                             \
    X(redis_error_oom, "Redis: it is full (OOM)")                                                            \
    X(redis_error_misconf, "Redis: it cannot save (MISCONF)")                                                \
    X(redis_error_noreplicas, "Redis: too few replicas (NOREPLICAS)")                                        \
    X(redis_error_clusterdown, "Redis: the cluster is down (CLUSTERDOWN), or sends from node to node")       \
    X(redis_error_masterdown, "Redis: a replica without its master (MASTERDOWN)")                            \
    X(redis_error_tryagain, "Redis: a slot is on its way to another node (TRYAGAIN)")                        \
    X(redis_error_max_clients, "Redis: too many clients")                                                    \
    X(redis_error_tls, "Redis: no TLS")                                                                      \
    X(redis_error_noauth, "Redis: a password is wanted (NOAUTH)")                                            \
    X(redis_error_wrongpass, "Redis: the password is wrong (WRONGPASS)")                                     \
    X(redis_error_noperm, "Redis: the user may not (NOPERM)")                                                \
    X(redis_error_wrongtype, "Redis: the key is of another kind (WRONGTYPE)")                                \
    X(redis_error_trimmed, "Redis: somebody else took entries out of the stream")                            \
    X(redis_error_other, "Redis: other errors")                                                              \
    X(spool_refused, "events that the disk did not take, and that waited in memory")                         \
    X(spool_damaged, "places of the spool that could not be read")                                           \
    X(spool_lost, "events lost there, at most")

/* Plain numbers: whoever counts owns a struct of its own, and whoever shows them adds the structs up. */
struct health {
#define HEALTH_FIELD(name, help) uint64_t name;
    HEALTH_COUNTERS(HEALTH_FIELD)
#undef HEALTH_FIELD
};

enum { HEALTH__COUNT = sizeof(struct health) / sizeof(uint64_t) };

enum { HEALTH_WORDS_MAX = 128 };

/* The help of a counter as it reads behind this number: of one it is in the singular. Returns `words`. */
static inline const char *health_words(const char *help, uint64_t count, char words[HEALTH_WORDS_MAX])
{
    static const char *const endings[][2] = {{"sses", "ss"}, {"ies", "y"}, {"s", ""}};
    char *end = words;
    snprintf(words, HEALTH_WORDS_MAX, "%s", help);
    for (int word = 0; count == 1 && word < 2 && strncmp(help, "Redis", 5) != 0; word++) {
        end += strspn(end, " ");
        while (isalpha((unsigned char)*end))
            end++;
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
            size_t length = strlen(endings[i][0]), kept = strlen(endings[i][1]);
            if ((size_t)(end - words) <= length || strncmp(end - length, endings[i][0], length) != 0)
                continue;
            memcpy(end - length, endings[i][1], kept);
            memmove(end - length + kept, end, strlen(end) + 1);
            return words;
        }
    }
    return words;
}

/* Adds every counter of `more` to `sum`. */
static inline void health_add(struct health *sum, const struct health *more)
{
    uint64_t *into = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (int i = 0; i < HEALTH__COUNT; i++)
        into[i] += from[i];
}
