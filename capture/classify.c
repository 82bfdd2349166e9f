/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that knows nDPI. What differs between its versions is in the shim. */
#include "classify.h"

#include <ndpi/ndpi_api.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "guard.h"
#include "hash.h"
#include "memory.h"

enum { TCP_PACKETS_MAX = 24, OTHER_PACKETS_MAX = 10, NDPI_PACKET_MAX = 65535 };
enum { FINDING_CHAINS = 1 << 14, NAMES_MAX = 1 << 16 };

/* What was found, once for all flows of which it was. */
struct finding {
    struct finding *next; /* in the chain */
    uint32_t hash;
    uint32_t flows;          /* that have it */
    uint16_t application[2]; /* nDPI's master and application ids */
    char domain[];           /* "": none */
};

struct classify {
    struct ndpi_detection_module_struct *module;
    struct health *health;
    size_t live, max;
    struct classify_flow *oldest, *newest; /* under way, in the order in which they began */
    struct hash_key hash_key;
    char domain[FLOW_DOMAIN_MAX]; /* of the flow decided last */
    size_t names;                 /* findings with a domain, which anybody may make up */
    struct finding *findings[FINDING_CHAINS];
};

struct classify_flow {
    struct ndpi_flow_struct ndpi;
    unsigned packets; /* shown so far */
    struct flow *flow;
    struct classify_flow *older, *newer;
};

/* The shim. Debian 12 and 13 ship 4.2. The gates for what followed are taken from nDPI's release notes; only
 * the 4.2 side of them is built and tested. */

#define NDPI_VERSION (NDPI_MAJOR * 100 + NDPI_MINOR)
#if NDPI_VERSION < 402 || NDPI_VERSION >= 500
#error "written for nDPI 4.2 to 4.12: install Debian's libndpi-dev"
#endif

static struct ndpi_detection_module_struct *shim_init(void)
{
#if NDPI_VERSION >= 409
    return ndpi_init_detection_module(NULL);
#else
    /* The list of Tor's relays is as old as the library, and names flows by their address alone. */
    return ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
#endif
}

static int shim_finalize(struct ndpi_detection_module_struct *module)
{
    NDPI_PROTOCOL_BITMASK all;
    NDPI_BITMASK_SET_ALL(all);
    ndpi_set_protocol_detection_bitmask2(module, &all);
#if NDPI_VERSION >= 409
    return ndpi_finalize_initialization(module);
#else
    ndpi_finalize_initialization(module);
    return 0;
#endif
}

static ndpi_protocol shim_packet(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow,
                                 const struct packet *packet)
{
    uint64_t time_ms = (uint64_t)(packet->time_ns / NS_PER_MS);
#if NDPI_VERSION >= 405
    return ndpi_detection_process_packet(module, flow, packet->ip, (uint16_t)packet->ip_bytes, time_ms, NULL);
#else
    return ndpi_detection_process_packet(module, flow, packet->ip, (uint16_t)packet->ip_bytes, time_ms);
#endif
}

/* Without guessing by port or address. */
static ndpi_protocol shim_give_up(struct ndpi_detection_module_struct *module, struct ndpi_flow_struct *flow)
{
    uint8_t guessed = 0;
#if NDPI_VERSION >= 409
    ndpi_protocol protocol = ndpi_detection_giveup(module, flow, &guessed);
    return guessed ? (ndpi_protocol)NDPI_PROTOCOL_NULL : protocol;
#else
    return ndpi_detection_giveup(module, flow, 0, &guessed);
#endif
}

#if NDPI_VERSION >= 411
#define MASTER_OF(protocol) ((protocol).proto.master_protocol)
#define APP_OF(protocol)    ((protocol).proto.app_protocol)
#else
#define MASTER_OF(protocol) ((protocol).master_protocol)
#define APP_OF(protocol)    ((protocol).app_protocol)
#endif

/* The end of the shim. */

/* nDPI goes on with what it was not given. */
static void *give(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL)
        memory_end("nDPI (see classify_max)");
    return memory;
}

struct classify *classify_new(size_t flows_max, struct health *health, struct fault *fault)
{
    if (ndpi_detection_get_sizeof_ndpi_flow_struct() != sizeof(struct ndpi_flow_struct)) {
        fault_set(fault, "the nDPI library is %s and this program was built for %d.%d: build it again",
                  classify_version(), NDPI_MAJOR, NDPI_MINOR);
        return NULL;
    }
    set_ndpi_malloc(give);
    set_ndpi_flow_malloc(give);
    struct classify *classify = calloc(1, sizeof *classify);
    guard_begin("nDPI");
    struct ndpi_detection_module_struct *module = classify != NULL ? shim_init() : NULL;
    guard_end();
    if (module == NULL || shim_finalize(module) != 0) {
        fault_set(fault, "nDPI %s could not be started: some 10 MB of memory are needed", classify_version());
        if (module != NULL)
            ndpi_exit_detection_module(module);
        free(classify);
        return NULL;
    }
    classify->module = module;
    classify->health = health;
    classify->max = flows_max;
    hash_key_draw(&classify->hash_key, classify);
    return classify;
}

void classify_free(struct classify *classify)
{
    if (classify == NULL)
        return;
    ndpi_exit_detection_module(classify->module);
    for (int i = 0; i < FINDING_CHAINS; i++)
        for (struct finding *finding = classify->findings[i], *next; finding != NULL; finding = next) {
            next = finding->next;
            free(finding);
        }
    free(classify);
}

/* ---- findings ---- */

static uint32_t hash_finding(const struct classify *classify, const uint16_t application[2],
                             const char *domain)
{
    uint64_t words[1 + FLOW_DOMAIN_MAX / sizeof(uint64_t)] = {0};
    size_t length = strlen(domain), count = 1 + (length + sizeof *words - 1) / sizeof *words;
    _Static_assert(sizeof words / sizeof *words <= HASH_WORDS_MAX, "there are secrets for all of them");
    words[0] = (uint64_t)application[0] << 48 | (uint64_t)application[1] << 32 | length;
    memcpy(words + 1, domain, length);
    return hash_words(&classify->hash_key, words, count);
}

/* The finding, for one flow more; without the domain when there are as many as may be. NULL when there is
 * nothing to keep. */
static const struct finding *finding_hold(struct classify *classify, const uint16_t application[2],
                                          const char *domain)
{
    if (application[0] == 0 && application[1] == 0 && domain[0] == '\0')
        return NULL;
    uint32_t hash = hash_finding(classify, application, domain);
    struct finding **chain = &classify->findings[hash % FINDING_CHAINS], *finding = *chain;
    while (finding != NULL && (finding->hash != hash ||
                               memcmp(finding->application, application, sizeof finding->application) != 0 ||
                               strcmp(finding->domain, domain) != 0))
        finding = finding->next;
    if (finding == NULL && domain[0] != '\0' && classify->names == NAMES_MAX) {
        classify->health->names_unkept++;
        return finding_hold(classify, application, "");
    }
    if (finding == NULL) {
        size_t length = strlen(domain) + 1;
        finding = malloc(sizeof *finding + length);
        if (finding == NULL)
            memory_end("what flows carry");
        *finding =
            (struct finding){.next = *chain, .hash = hash, .application = {application[0], application[1]}};
        memcpy(finding->domain, domain, length);
        *chain = finding;
        classify->names += length > 1;
    }
    finding->flows++;
    return finding;
}

void classify_forget(struct classify *classify, struct flow *flow)
{
    if (!flow->classified || flow->finding == NULL)
        return;
    struct finding **link = &classify->findings[flow->finding->hash % FINDING_CHAINS];
    while (*link != flow->finding)
        link = &(*link)->next;
    struct finding *finding = *link;
    flow->finding = NULL;
    if (--finding->flows > 0)
        return;
    *link = finding->next;
    classify->names -= finding->domain[0] != '\0';
    free(finding);
}

const char *classify_domain(const struct flow *flow)
{
    return flow->classified && flow->finding != NULL && flow->finding->domain[0] != '\0'
               ? flow->finding->domain
               : NULL;
}

const char *classify_news(const struct classify *classify)
{
    return classify->domain[0] != '\0' ? classify->domain : NULL;
}

/* ---- flows ---- */

static bool is_known(ndpi_protocol protocol)
{
    return MASTER_OF(protocol) != NDPI_PROTOCOL_UNKNOWN || APP_OF(protocol) != NDPI_PROTOCOL_UNKNOWN;
}

/* Protocols whose flows say a host's name in one of their first packets: SNI, Host or DNS question. nDPI
 * keeps other things in the same place, such as an SSH banner or a mail server's greeting. */
static bool names_host(ndpi_protocol protocol)
{
    static const uint16_t ids[] = {
        NDPI_PROTOCOL_TLS,          NDPI_PROTOCOL_DTLS,       NDPI_PROTOCOL_QUIC,
        NDPI_PROTOCOL_HTTP,         NDPI_PROTOCOL_HTTP_PROXY, NDPI_PROTOCOL_DNS,
        NDPI_PROTOCOL_HTTP_CONNECT, NDPI_PROTOCOL_MAIL_SMTPS, NDPI_PROTOCOL_MAIL_IMAPS,
        NDPI_PROTOCOL_MAIL_POPS,
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (MASTER_OF(protocol) == ids[i] || APP_OF(protocol) == ids[i])
            return true;
    return false;
}

/* Whether another packet may still tell something. */
static bool is_worth_waiting(ndpi_protocol protocol, const struct ndpi_flow_struct *ndpi)
{
    return !is_known(protocol) || (names_host(protocol) && ndpi->host_server_name[0] == '\0');
}

/* Copies what nDPI took for the host's name (it has cut off the port), lower case, or nothing: its bytes are
 * a stranger's. An address in brackets, of which nDPI leaves a stump, is no name. */
static void host_copy(const char *raw, size_t room, char host[FLOW_DOMAIN_MAX])
{
    size_t length = strnlen(raw, room < FLOW_DOMAIN_MAX ? room : FLOW_DOMAIN_MAX - 1);
    if (length > 0 && raw[length - 1] == '.')
        length--;
    if (raw[0] == '[')
        length = 0;
    for (size_t i = 0; i < length; i++)
        host[i] = (char)(raw[i] >= 'A' && raw[i] <= 'Z' ? raw[i] - 'A' + 'a' : raw[i]);
    host[length] = '\0';
}

static void list_append(struct classify *classify, struct classify_flow *one)
{
    one->older = classify->newest;
    *(one->older != NULL ? &one->older->newer : &classify->oldest) = one;
    classify->newest = one;
    classify->live++;
}

static void list_remove(struct classify *classify, const struct classify_flow *one)
{
    *(one->older != NULL ? &one->older->newer : &classify->oldest) = one->newer;
    *(one->newer != NULL ? &one->newer->older : &classify->newest) = one->older;
    classify->live--;
}

/* Takes over what is known; says whether that is anything. */
static bool flow_decide(struct classify *classify, struct flow *flow, ndpi_protocol protocol)
{
    struct classify_flow *classification = flow->classification;
    const struct ndpi_flow_struct *ndpi = &classification->ndpi;
    const uint16_t application[2] = {MASTER_OF(protocol), APP_OF(protocol)};
    classify->domain[0] = '\0';
    if (names_host(protocol))
        host_copy(ndpi->host_server_name, sizeof ndpi->host_server_name, classify->domain);
    *(is_known(protocol) ? &classify->health->classified : &classify->health->unclassified) += 1;

    flow->finding = finding_hold(classify, application, classify->domain);
    flow->classified = true;
    list_remove(classify, classification);
    ndpi_free_flow_data(&classification->ndpi);
    free(classification);
    return is_known(protocol) || classify->domain[0] != '\0';
}

/* Begins a classification; false without room. Who has been answered, and so is not forged, finds
 * room: what has been asked about longest is decided by what is known. */
static bool flow_begin(struct classify *classify, struct flow *flow)
{
    if (classify->live >= classify->max && flow->spoke[0] && flow->spoke[1])
        classify_end(classify, classify->oldest->flow);
    if (classify->live >= classify->max) {
        classify->health->classify_refused++;
        return false;
    }
    flow->classification = calloc(1, sizeof *flow->classification);
    if (flow->classification == NULL)
        memory_end("nDPI (see classify_max)");
    flow->classification->flow = flow;
    list_append(classify, flow->classification);
    return true;
}

bool classify_packet(struct classify *classify, struct flow *flow, const struct packet *packet, unsigned side)
{
    (void)side; /* nDPI tells the sides apart by itself */
    bool is_tcp = packet->tuple.protocol == IPPROTO_TCP;
    if (flow->classified || (is_tcp && packet->payload_bytes == 0) ||
        packet->ip_captured_bytes < packet->ip_bytes || packet->ip_bytes > NDPI_PACKET_MAX)
        return false;
    if (flow->classification == NULL && !flow_begin(classify, flow))
        return false;

    struct ndpi_flow_struct *ndpi = &flow->classification->ndpi;
    ndpi_protocol protocol = shim_packet(classify->module, ndpi, packet);
    bool enough = ++flow->classification->packets >= (is_tcp ? TCP_PACKETS_MAX : OTHER_PACKETS_MAX);
    if (!enough && is_worth_waiting(protocol, ndpi))
        return false;
    return flow_decide(classify, flow, is_known(protocol) ? protocol : shim_give_up(classify->module, ndpi));
}

void classify_end(struct classify *classify, struct flow *flow)
{
    if (!flow->classified && flow->classification != NULL)
        flow_decide(classify, flow, shim_give_up(classify->module, &flow->classification->ndpi));
    flow->classified = true;
}

void classify_name(const struct classify *classify, const struct flow *flow, char *text, size_t room)
{
    ndpi_protocol protocol = NDPI_PROTOCOL_NULL;
    if (flow->classified && flow->finding != NULL) {
        MASTER_OF(protocol) = flow->finding->application[0];
        APP_OF(protocol) = flow->finding->application[1];
    }
    char name[FLOW_APPLICATION_MAX] = "";
    ndpi_protocol2name(classify->module, protocol, name, sizeof name);
    snprintf(text, room, "%s", name);
}

const char *classify_version(void)
{
    return ndpi_revision();
}
