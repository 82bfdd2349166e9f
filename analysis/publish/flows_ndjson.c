/* SPDX-License-Identifier: BSD-3-Clause */
/* Watched flows as lines of JSON. Written by hand rather than by a library: there may be millions of them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "sink.h"
#include "text.h"

/* A string takes at most six bytes for each of its own (a control byte as \u0001). */
enum {
    STRINGS_MAX = 6 * (FLOW_APPLICATION_MAX + FLOW_DOMAIN_MAX + 3 * SCOPE_TEXT_MAX),
    REST_MAX = 1536 /* everything else, generously */
};

struct flows_ndjson {
    const struct scope_list *scopes;
    struct lines *lines;
    char *observer; /* the sensor's name as JSON */
    size_t line_max;
    char *line;
};

static bool flows_ndjson_wanted(const struct publish_options *options)
{
    return options->flows_path != NULL;
}

static void flows_ndjson_close(void *state)
{
    struct fault unsaid;
    struct flows_ndjson *flows = state;
    lines_close(flows->lines, &unsaid);
    free(flows->observer);
    free(flows->line);
    free(flows);
}

static void *flows_ndjson_open(const struct publish_options *options, const struct scope_list *scopes,
                               struct fault *fault)
{
    struct flows_ndjson *flows = calloc(1, sizeof *flows);
    if (flows == NULL) {
        fault_set(fault, "no memory for the flows");
        return NULL;
    }
    size_t observer_max = 6 * strlen(options->sensor) + 3;
    flows->scopes = scopes;
    flows->observer = malloc(observer_max);
    flows->line_max = STRINGS_MAX + REST_MAX + observer_max;
    flows->line = malloc(flows->line_max);
    if (flows->observer == NULL || flows->line == NULL)
        fault_set(fault, "no memory for the flows");
    else
        flows->lines = lines_open(options->flows_path, options->replay ? LINES_ANEW : LINES_ON,
                                  sink_resume(options, "flows"), fault);
    if (flows->lines == NULL) {
        flows_ndjson_close(flows);
        return NULL;
    }
    struct text observer = text_in(flows->observer, observer_max);
    text_json(&observer, options->sensor);
    return flows;
}

static bool is_ipv4(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, mapped, sizeof mapped) == 0;
}

struct transport {
    uint8_t number;
    bool has_ports;
    const char *name; /* IANA's keyword in lower case, as ECS wants it */
};

static const struct transport *find_transport(uint8_t number)
{
    static const struct transport known[] = {
        {6, true, "tcp"},       {17, true, "udp"},   {1, false, "icmp"},     {58, false, "ipv6-icmp"},
        {132, true, "sctp"},    {2, false, "igmp"},  {47, false, "gre"},     {50, false, "esp"},
        {51, false, "ah"},      {33, true, "dccp"},  {4, false, "ipv4"},     {41, false, "ipv6"},
        {89, false, "ospfigp"}, {103, false, "pim"}, {136, true, "udplite"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == number)
            return &known[i];
    return NULL;
}

static void put_side(struct text *out, const char *key, const struct flow_side *side, bool has_ports,
                     const char *domain)
{
    char address[INET6_ADDRSTRLEN];
    if (is_ipv4(side->address))
        inet_ntop(AF_INET, side->address + 12, address, sizeof address);
    else
        inet_ntop(AF_INET6, side->address, address, sizeof address);
    text_format(out, ",\"%s\":{\"ip\":\"%s\"", key, address);
    if (has_ports)
        text_format(out, ",\"port\":%u", side->port);
    if (domain[0] != '\0') {
        text_put(out, ",\"domain\":");
        text_json(out, domain);
    }
    text_put(out, ",\"packets\":");
    text_count(out, side->packets);
    text_put(out, ",\"bytes\":");
    text_count(out, side->bytes);
    text_put(out, "}");
}

static void put_when(struct text *out, const struct flow_record *record)
{
    char start[TEXT_TIME_MAX], end[TEXT_TIME_MAX];
    text_time(record->start_ns, start);
    text_time(record->end_ns, end);
    text_format(out, "{\"@timestamp\":\"%s\",\"ecs\":{\"version\":\"8.11\"}", start);
    text_format(out,
                ",\"event\":{\"kind\":\"event\",\"category\":[\"network\"],\"type\":[\"connection\"]"
                ",\"module\":\"lightsout\",\"dataset\":\"lightsout.flow\",\"start\":\"%s\",\"end\":\"%s\"}",
                start, end);
}

static void put_network(struct text *out, const struct flow_record *record, const struct transport *transport)
{
    text_format(out, ",\"network\":{\"type\":\"%s\",\"transport\":\"",
                is_ipv4(record->source.address) ? "ipv4" : "ipv6");
    if (transport != NULL)
        text_put(out, transport->name);
    else
        text_count(out, record->protocol);
    text_put(out, "\"");
    if (record->application[0] != '\0') {
        text_put(out, ",\"application\":");
        text_json(out, record->application);
    }
    /* ECS: `inner` is the innermost of several tags, and ids are keywords. */
    if (record->vlan_count > 1)
        text_format(out, ",\"inner\":{\"vlan\":{\"id\":\"%u\"}}", record->vlans[record->vlan_count - 1]);
    text_put(out, "}");
    if (record->vlan_count > 0)
        text_format(out, ",\"vlan\":{\"id\":\"%u\"}", record->vlans[0]);
}

static void put_tunnels(struct text *out, const struct flow_record *record)
{
    static const char *const names[] = {
#define TUNNEL_NAME(name, text) text,
        FLOW_TUNNELS(TUNNEL_NAME)
#undef TUNNEL_NAME
    };
    text_put(out, ",\"tunnels\":[");
    for (unsigned i = 0; i < record->tunnel_count; i++)
        text_format(out, "%s\"%s\"", i > 0 ? "," : "", names[record->tunnels[i]]);
    text_put(out, "]");
}

static void put_scope(struct text *out, const char *key, const struct scope_list *scopes, uint32_t number)
{
    if (number >= scopes->count)
        return;
    text_format(out, ",\"%s\":", key);
    text_json(out, scope_name(&scopes->items[number]));
}

static void put_lightsout(struct text *out, const struct flow_record *record, const struct scope_list *scopes)
{
    static const char *const ends[] = {"idle", "closed", "evicted", "input"};
    const char *watched = record->source.watched && record->destination.watched ? "both"
                          : record->source.watched                              ? "source"
                                                                                : "destination";
    text_format(out, ",\"lightsout\":{\"watched\":\"%s\"", watched);
    put_scope(out, "prefix", scopes, record->prefix);
    put_scope(out, "path", scopes, record->path);
    put_scope(out, "service", scopes, record->service);
    text_format(out, ",\"answered\":%s,\"ended\":\"%s\"", record->answered ? "true" : "false",
                ends[record->reason]);
    put_tunnels(out, record);
    text_put(out, "}}\n");
}

static int flows_ndjson_scopes(void *state, const struct scope_list *scopes, struct fault *fault)
{
    (void)fault;
    ((struct flows_ndjson *)state)->scopes = scopes;
    return 0;
}

static int flows_ndjson_flow(void *state, const struct flow_record *record, struct fault *fault)
{
    struct flows_ndjson *flows = state;
    const struct transport *transport = find_transport(record->protocol);
    bool has_ports = transport != NULL && transport->has_ports;
    struct text line = text_in(flows->line, flows->line_max);
    put_when(&line, record);
    text_put(&line, ",\"observer\":{\"name\":");
    text_put(&line, flows->observer);
    text_put(&line, "}");
    put_side(&line, "source", &record->source, has_ports, "");
    put_side(&line, "destination", &record->destination, has_ports, record->domain);
    put_network(&line, record, transport);
    put_lightsout(&line, record, flows->scopes);
    return lines_put(flows->lines, flows->line, (size_t)(line.at - line.start), fault);
}

static int flows_ndjson_flush(void *state, struct fault *fault)
{
    return lines_flush(((struct flows_ndjson *)state)->lines, fault);
}

static uint64_t flows_ndjson_mark(const void *state)
{
    return lines_length(((const struct flows_ndjson *)state)->lines);
}

static int flows_ndjson_finish(void *state, struct fault *fault)
{
    struct flows_ndjson *flows = state;
    int result = lines_close(flows->lines, fault);
    flows->lines = NULL;
    return result;
}

const struct sink sink_flows_ndjson = {
    .name = "flows",
    .wanted = flows_ndjson_wanted,
    .open = flows_ndjson_open,
    .scopes = flows_ndjson_scopes,
    .flow = flows_ndjson_flow,
    .flush = flows_ndjson_flush,
    .mark = flows_ndjson_mark,
    .finish = flows_ndjson_finish,
    .close = flows_ndjson_close,
};
