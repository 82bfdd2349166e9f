/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bins.h"
#include "fate.h"
#include "prng.h"
#include "talk.h"
#include "truth.h"
#include "world.h"

#define MEASURES(X)                                                                                          \
    X(flows)                                                                                                 \
    X(live_flows)                                                                                            \
    X(answered_flows)                                                                                        \
    X(packets_in)                                                                                            \
    X(packets_out)                                                                                           \
    X(bytes_in)                                                                                              \
    X(bytes_out)                                                                                             \
    X(hosts)                                                                                                 \
    X(peers)                                                                                                 \
    X(syn_in)                                                                                                \
    X(icmp_errors)

struct counts {
#define FIELD(name) uint64_t name;
    MEASURES(FIELD)
#undef FIELD
};

enum { SCOPES_OF_CELL = 4, SCOPES_MAX = 2 + WATCHES_MAX + PATHS_MAX + TRAFFIC_MAX };

/* The smallest thing with a rate of its own: one kind of flow of one watched address by one path. */
struct cell {
    const struct traffic *traffic; /* NULL: a scan */
    enum kind kind;
    const struct curve *curve;
    int64_t from_ns, to_ns;
    double visits, flows_per_visit; /* visits a minute, before the curve */
    double answered;                /* share, when nothing goes wrong */
    struct place place;
    size_t host;                            /* number of its address among all cells' */
    int scope[SCOPES_OF_CELL], scope_count; /* the numbers of its rows */
    struct world_volume volume;
    uint32_t packets_in_vain, bytes_in_vain; /* towards the watched side, of an unanswered flow */
    enum side watched;
};

struct row {
    char name[NAME_MAX_BYTES + 16];
    bool wanted;
    struct counts counts;
    uint64_t visits;
};

/* A burst that goes on for some bins, at one cell. */
struct storm {
    size_t cell;
    uint64_t bins_left, flows_per_bin;
};

/* The bin under way. */
struct bin {
    uint64_t number;
    int64_t start_ns, end_ns; /* cut where the scenario begins or ends */
    double loss[2];           /* the tap's, by direction */
};

struct binner {
    const struct script *script;
    struct prng prng;
    int64_t bin_ns;
    double pool; /* how many peers there are */
    int row_count;
    struct row row[SCOPES_MAX];
    struct cell *cell;
    size_t cell_count, cell_room, host_count;
    uint64_t *spoke; /* by row and host: number of the last bin in which it did */
    struct storm storm[BURSTS_MAX];
};

/* -- drawing
 * ------------------------------------------------------------------------------------------------------- */

static double draw_normal(struct prng *prng)
{
    double radius = sqrt(-2.0 * log1p(-prng_unit(prng)));
    return radius * cos(2.0 * 3.14159265358979323846 * prng_unit(prng));
}

static uint64_t draw_rounded(struct prng *prng, double mean, double variance)
{
    double value = mean + sqrt(variance) * draw_normal(prng);
    return value > 0 ? (uint64_t)llround(value) : 0;
}

/* By inversion; from a mean of 30 on the normal distribution is near enough. */
static uint64_t draw_poisson(struct prng *prng, double mean)
{
    if (mean <= 0)
        return 0;
    if (mean >= 30)
        return draw_rounded(prng, mean, mean);
    double left = prng_unit(prng), share = exp(-mean);
    uint64_t value = 0;
    while (left >= share && value < 200) {
        left -= share;
        share *= mean / (double)++value;
    }
    return value;
}

static uint64_t draw_binomial(struct prng *prng, uint64_t count, double share)
{
    if (share <= 0 || count == 0)
        return 0;
    if (share >= 1)
        return count;
    uint64_t value = 0;
    if (count < 100) {
        while (count-- > 0)
            value += prng_chance(prng, share);
        return value;
    }
    value = draw_rounded(prng, (double)count * share, (double)count * share * (1 - share));
    return value < count ? value : count;
}

/* The sum of so many geometric numbers. */
static uint64_t draw_flows(struct prng *prng, uint64_t visits, double mean)
{
    if (mean <= 1)
        return visits;
    if (visits >= 100)
        return draw_rounded(prng, (double)visits * mean, (double)visits * mean * (mean - 1));
    uint64_t flows = 0;
    while (visits-- > 0)
        flows += prng_geometric(prng, mean);
    return flows;
}

/* -- rows and cells
 * ------------------------------------------------------------------------------------------------ */

static int add_row(struct binner *binner, const char *kind, const char *name, const char *wanted)
{
    struct row *row = &binner->row[binner->row_count];
    snprintf(row->name, sizeof row->name, "%s%s%s", kind, *name != '\0' ? ":" : "", name);
    size_t length = strlen(kind);
    for (const char *at = strstr(wanted, kind); at != NULL; at = strstr(at + 1, kind))
        row->wanted |= (at == wanted || at[-1] == ',') && (at[length] == ',' || at[length] == '\0');
    return binner->row_count++;
}

static void add_rows(struct binner *binner, const char *wanted)
{
    const struct script *script = binner->script;
    char text[TRUTH_RANGE_BYTES];
    add_row(binner, "all", "", wanted);
    for (int i = 0; i < script->watch.count; i++) {
        truth_range(text, &script->watch.item[i]);
        add_row(binner, "prefix", text, wanted);
    }
    for (int i = 0; i < script->path_count; i++)
        add_row(binner, "path", script->path[i].label.name, wanted);
    for (int i = 0; i < script->traffic_count; i++)
        if (script->traffic[i].role == ROLE_SERVICE)
            add_row(binner, "service", script->traffic[i].label.name, wanted);
    add_row(binner, "tap", "", wanted);
}

/* Says in which rows a cell counts. */
static void place_cell(const struct binner *binner, struct cell *cell)
{
    const struct script *script = binner->script;
    cell->scope[cell->scope_count++] = 0;
    for (int i = 0; i < script->watch.count; i++)
        if (cell->place.address >= script->watch.item[i].first &&
            cell->place.address <= script->watch.item[i].last) {
            cell->scope[cell->scope_count++] = 1 + i;
            break;
        }
    if (cell->place.path >= 0)
        cell->scope[cell->scope_count++] = 1 + script->watch.count + cell->place.path;
    if (cell->place.service >= 0) {
        int row = 1 + script->watch.count + script->path_count;
        for (int i = 0; i < cell->place.service; i++)
            row += script->traffic[i].role == ROLE_SERVICE;
        cell->scope[cell->scope_count++] = row;
    }
}

static size_t number_host(struct binner *binner, uint32_t address)
{
    for (size_t i = 0; i < binner->cell_count; i++)
        if (binner->cell[i].place.address == address)
            return binner->cell[i].host;
    return binner->host_count++;
}

/* Adds a copy of the cell for each path to its address. Returns 0, or -1 when there is no memory. */
static int add_cells(struct binner *binner, struct cell cell)
{
    int paths[PATHS_MAX], count = script_paths(binner->script, cell.place.address, paths),
                          copies = count > 0 ? count : 1;
    size_t host = number_host(binner, cell.place.address);
    for (int i = 0; i < copies; i++) {
        if (binner->cell_count == binner->cell_room) {
            size_t room = binner->cell_room * 2 + 64;
            struct cell *grown = realloc(binner->cell, room * sizeof *grown);
            if (grown == NULL)
                return -1;
            binner->cell = grown;
            binner->cell_room = room;
        }
        struct cell *copy = &binner->cell[binner->cell_count++];
        *copy = cell;
        copy->host = host;
        copy->visits /= copies;
        copy->place.path = count > 0 ? paths[i] : -1;
        place_cell(binner, copy);
    }
    return 0;
}

/* An unanswered TCP flow is four SYNs of 48 bytes, a name server is asked three times. */
static void set_vain(struct cell *cell)
{
    uint32_t packets = cell->kind == KIND_PING ? 1 : cell->kind == KIND_DNS ? 3 : 4;
    uint32_t each =
        cell->kind <= KIND_TCP ? 48 : cell->volume.bytes[SIDE_CLIENT] / cell->volume.packets[SIDE_CLIENT];
    cell->packets_in_vain = packets;
    cell->bytes_in_vain = packets * each;
}

static int add_traffic(struct binner *binner, int number, enum kind kind)
{
    const struct traffic *traffic = &binner->script->traffic[number];
    const struct ranges *watched = traffic->role == ROLE_OUTWARD ? &traffic->callers : &traffic->servers;
    uint32_t size = ranges_size(watched);
    struct cell cell = {.traffic = traffic,
                        .kind = kind,
                        .curve = &traffic->curve,
                        .from_ns = INT64_MIN,
                        .to_ns = INT64_MAX,
                        .flows_per_visit = traffic->flows_per_visit,
                        .answered = 1,
                        .volume = world_volume(traffic, kind),
                        .watched = traffic->role == ROLE_OUTWARD ? SIDE_CLIENT : SIDE_SERVER,
                        .place = {0, traffic->role == ROLE_SERVICE ? number : -1, -1, 0}};
    double visits = traffic->rate[kind] / traffic->flows_per_visit;
    set_vain(&cell);
    for (uint32_t i = 0; i < size; i++) {
        /* Callers differ in zeal, as in world.c: the place of the one who calls is the square of an even
         * number. */
        double share =
            cell.watched == SIDE_CLIENT ? sqrt((i + 1.0) / size) - sqrt((double)i / size) : 1.0 / size;
        cell.visits = visits * share;
        cell.place.address = ranges_pick(watched, i);
        if (add_cells(binner, cell) != 0)
            return -1;
    }
    return 0;
}

/* What is not watched needs one cell only. */
static int add_control(struct binner *binner, int number, enum kind kind)
{
    const struct traffic *traffic = &binner->script->traffic[number];
    struct cell cell = {.traffic = traffic,
                        .kind = kind,
                        .curve = &traffic->curve,
                        .from_ns = INT64_MIN,
                        .to_ns = INT64_MAX,
                        .visits = traffic->rate[kind] / traffic->flows_per_visit,
                        .flows_per_visit = traffic->flows_per_visit,
                        .volume = world_volume(traffic, kind),
                        .watched = SIDE_NONE};
    if (add_cells(binner, cell) != 0)
        return -1;
    binner->cell[binner->cell_count - 1].scope_count = 0;
    return 0;
}

/* A scan has a cell for each host that may answer, and one for the rest of each watched prefix. */
static int add_scan(struct binner *binner, const struct scan *scan)
{
    const struct script *script = binner->script;
    double size = ranges_size(&scan->target);
    struct cell cell = {.kind = KIND_TCP,
                        .curve = &scan->curve,
                        .from_ns = scan->from_ns,
                        .to_ns = scan->to_ns,
                        .flows_per_visit = 1,
                        .volume = {{1, 1}, {46, 42}},
                        .packets_in_vain = 1,
                        .bytes_in_vain = 46,
                        .watched = SIDE_SERVER,
                        .place = {0, -1, -1, 0}};
    for (int i = 0; i < script->watch.count; i++) {
        const struct range *range = &script->watch.item[i];
        uint32_t dark = 0;
        for (uint32_t place = 0; place <= range->last - range->first; place++) {
            uint32_t address = range->first + place;
            if (!ranges_hold(&scan->target, address))
                continue;
            const struct host *host = script_host(script, address);
            dark += host == NULL;
            cell.visits = scan->rate / size;
            cell.place.address = address;
            cell.answered = host != NULL ? host->answers_scans : 0;
            if (host != NULL && add_cells(binner, cell) != 0)
                return -1;
        }
        cell.visits = scan->rate * dark / size;
        cell.place.address = range->first;
        cell.answered = 0;
        if (dark > 0 && add_cells(binner, cell) != 0)
            return -1;
    }
    return 0;
}

static int add_everything(struct binner *binner)
{
    const struct script *script = binner->script;
    for (int i = 0; i < script->traffic_count; i++) {
        const struct traffic *traffic = &script->traffic[i];
        binner->pool += ranges_size(traffic->role == ROLE_SERVICE ? &traffic->callers : &traffic->servers);
        for (int kind = 0; kind < KIND__COUNT; kind++) {
            if (traffic->rate[kind] <= 0)
                continue;
            int status = traffic->role == ROLE_CONTROL ? add_control(binner, i, (enum kind)kind)
                                                       : add_traffic(binner, i, (enum kind)kind);
            if (status != 0)
                return -1;
        }
    }
    for (int i = 0; i < script->scan_count; i++) {
        binner->pool += ranges_size(&script->scan[i].source);
        if (add_scan(binner, &script->scan[i]) != 0)
            return -1;
    }
    return 0;
}

/* -- one bin
 * ------------------------------------------------------------------------------------------------------- */

/* The part of a bin that lies between two instants. */
static double overlap(const struct bin *bin, int64_t from_ns, int64_t to_ns)
{
    int64_t first_ns = bin->start_ns > from_ns ? bin->start_ns : from_ns,
            last_ns = bin->end_ns < to_ns ? bin->end_ns : to_ns;
    return last_ns > first_ns ? (double)(last_ns - first_ns) / (double)(bin->end_ns - bin->start_ns) : 0;
}

static double mean_loss(const struct script *script, enum direction direction, const struct bin *bin)
{
    const int parts = 60;
    double sum = 0;
    for (int part = 0; script->tap_fault_count > 0 && part < parts; part++)
        sum += fate_tap_loss(script, direction, 0,
                             bin->start_ns + (bin->end_ns - bin->start_ns) * (2 * part + 1) / (2 * parts));
    return sum / parts;
}

/* Router's errors a packet into the dark. */
static double refused_share(const struct binner *binner, const struct cell *cell, int64_t t_ns)
{
    const struct outage *outage = fate_silenced(binner->script, &cell->place, 0, t_ns);
    if (outage == NULL || cell->place.path < 0 || binner->script->path[cell->place.path].router == 0)
        return 0;
    return outage->refusal.share;
}

/* What so many flows of a cell look like. Volumes go wholly to the bin in which the flow starts. */
static struct counts count_flows(struct binner *binner, const struct cell *cell, uint64_t flows,
                                 const struct bin *bin)
{
    struct prng *prng = &binner->prng;
    const struct world_volume *volume = &cell->volume;
    double silenced = fate_silenced_share(binner->script, &cell->place, bin->start_ns, bin->end_ns);
    double ceased =
        silenced > 0 ? fate_ceased_share(binner->script, &cell->place, bin->start_ns, bin->end_ns) / silenced
                     : 0;
    bool inward = cell->watched == SIDE_SERVER;
    enum side in = inward ? SIDE_CLIENT : SIDE_SERVER, out = inward ? SIDE_SERVER : SIDE_CLIENT;
    uint64_t dark = draw_binomial(prng, flows, silenced);
    uint64_t answered = draw_binomial(prng, flows - dark, cell->answered);
    uint64_t vain = inward ? flows - answered - draw_binomial(prng, dark, ceased) : 0;
    uint64_t vain_packets = vain * cell->packets_in_vain;
    double kept_in = 1 - bin->loss[DIRECTION_IN], kept_out = 1 - bin->loss[DIRECTION_OUT];
    /* The chance that at least one packet of a flow's side is seen. */
    double heard_in = 1 - pow(1 - kept_in, volume->packets[in]),
           heard_out = 1 - pow(1 - kept_out, volume->packets[out]);
    uint64_t live = draw_binomial(prng, answered, heard_out), both = draw_binomial(prng, live, heard_in);
    struct counts counts = {.live_flows = live, .answered_flows = both};
    counts.flows = live + draw_binomial(prng, answered - live, heard_in) +
                   draw_binomial(prng, vain, 1 - pow(1 - kept_in, cell->packets_in_vain));
    counts.packets_in = draw_binomial(prng, answered * volume->packets[in] + vain_packets, kept_in);
    counts.packets_out = draw_binomial(prng, answered * volume->packets[out], kept_out);
    counts.bytes_in =
        (uint64_t)((double)(answered * volume->bytes[in] + vain * cell->bytes_in_vain) * kept_in);
    counts.bytes_out = (uint64_t)((double)(answered * volume->bytes[out]) * kept_out);
    if (inward && cell->kind <= KIND_TCP)
        counts.syn_in = draw_binomial(prng, answered + vain_packets, kept_in);
    if (dark > 0 && inward)
        counts.icmp_errors =
            draw_binomial(prng, vain_packets, kept_out * refused_share(binner, cell, bin->start_ns));
    return counts;
}

/* A visit's flows in the rows of their cell. */
static void count_cell(struct binner *binner, const struct cell *cell, uint64_t flows, uint64_t visits,
                       const struct bin *bin)
{
    const struct counts counts = count_flows(binner, cell, flows, bin);
    for (int i = 0; i < cell->scope_count; i++) {
        struct row *row = &binner->row[cell->scope[i]];
        uint64_t *spoke = &binner->spoke[(size_t)cell->scope[i] * binner->host_count + cell->host];
#define ADD(name) row->counts.name += counts.name;
        MEASURES(ADD)
#undef ADD
        row->visits += counts.flows > 0 ? visits : 0;
        row->counts.hosts += counts.live_flows > 0 && *spoke != bin->number;
        *spoke = counts.live_flows > 0 ? bin->number : *spoke;
    }
}

/* Control traffic: its clients' packets pass in one direction, its servers' in the other. */
static void count_control(struct binner *binner, const struct cell *cell, uint64_t flows,
                          const struct bin *bin)
{
    struct counts *counts = &binner->row[binner->row_count - 1].counts;
    for (int side = 0; side < 2; side++) {
        double kept = 1 - bin->loss[side];
        counts->packets_in += draw_binomial(&binner->prng, flows * cell->volume.packets[side], kept);
        counts->bytes_in += (uint64_t)((double)(flows * cell->volume.bytes[side]) * kept);
    }
}

/* Starts the bursts that are due, and returns the flows that a cell has from them in this bin. */
static uint64_t storm_flows(struct binner *binner, size_t cell, const struct bin *bin)
{
    uint64_t flows = 0;
    for (int i = 0; i < binner->script->burst_count; i++) {
        const struct burst *burst = &binner->script->burst[i];
        struct storm *storm = &binner->storm[i];
        if (storm->cell != cell)
            continue;
        bool due = burst->at_ns >= bin->start_ns && burst->at_ns < bin->end_ns;
        if (burst->every_ns > 0)
            due = prng_chance(&binner->prng, (double)(bin->end_ns - bin->start_ns) / (double)burst->every_ns);
        if (due) {
            storm->bins_left = (uint64_t)((burst->over_ns + binner->bin_ns - 1) / binner->bin_ns);
            storm->bins_left += storm->bins_left == 0;
            storm->flows_per_bin = (burst->flows + storm->bins_left - 1) / storm->bins_left;
        }
        if (storm->bins_left > 0) {
            storm->bins_left--;
            flows += storm->flows_per_bin;
        }
    }
    return flows;
}

static void count_bin(struct binner *binner, const struct bin *bin)
{
    const struct curve *known = NULL;
    double factor = 0, minutes = (double)(bin->end_ns - bin->start_ns) / 60e9;
    for (size_t i = 0; i < binner->cell_count; i++) {
        const struct cell *cell = &binner->cell[i];
        if (known == NULL || memcmp(known, cell->curve, sizeof *known) != 0)
            factor =
                script_curve(binner->script, cell->curve, bin->start_ns + (bin->end_ns - bin->start_ns) / 2);
        known = cell->curve;
        double mean = cell->visits * factor * minutes * overlap(bin, cell->from_ns, cell->to_ns);
        uint64_t visits = draw_poisson(&binner->prng, mean);
        uint64_t flows =
            draw_flows(&binner->prng, visits, cell->flows_per_visit) + storm_flows(binner, i, bin);
        if (flows > 0 && cell->watched == SIDE_NONE)
            count_control(binner, cell, flows, bin);
        else if (flows > 0)
            count_cell(binner, cell, flows, visits > 0 ? visits : 1, bin);
    }
}

/* -- CSV
 * -----------------------------------------------------------------------------------------------------------
 */

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static void write_header(struct output *output)
{
    static const char header[] = "time,scope"
#define NAME(name) "," #name
        MEASURES(NAME)
#undef NAME
            ",drops\n";
    output_write(output, header, sizeof header - 1);
}

static void write_row(const struct binner *binner, struct output *output, const char *time,
                      const struct row *row)
{
    char line[400], *at = stpcpy(stpcpy(stpcpy(line, time), ","), row->name);
    struct counts counts = row->counts;
    /* So many visits of a pool of peers meet so many different ones. */
    if (row->visits > 0)
        counts.peers = 1 + (uint64_t)(binner->pool * (1 - exp(-((double)row->visits - 1) / binner->pool)));
#define PUT(name)                                                                                            \
    *at++ = ',';                                                                                             \
    at = put_number(at, counts.name);
    MEASURES(PUT)
#undef PUT
    at = stpcpy(at, ",\n");
    output_write(output, line, (size_t)(at - line));
}

static void write_bin(struct binner *binner, struct output *output, int64_t start_ns)
{
    char time[TRUTH_INSTANT_BYTES];
    truth_instant(time, start_ns);
    strcpy(strchr(time, '.'), "Z");
    for (int i = 0; i < binner->row_count; i++) {
        struct row *row = &binner->row[i];
        if (row->wanted)
            write_row(binner, output, time, row);
        row->counts = (struct counts){0};
        row->visits = 0;
    }
}

/* Where each burst strikes: the first cell of its service. */
static void place_storms(struct binner *binner)
{
    for (int i = 0; i < binner->script->burst_count; i++) {
        size_t cell = 0;
        while (cell < binner->cell_count &&
               binner->cell[cell].place.service != binner->script->burst[i].traffic)
            cell++;
        binner->storm[i] = (struct storm){.cell = cell};
    }
}

bool bins_scopes_known(const char *scopes)
{
    static const char known[] = ",all,prefix,path,service,tap,";
    char word[16];
    int taken;
    for (; sscanf(scopes, "%10[a-z]%n", word + 1, &taken) == 1; scopes += taken + (scopes[taken] == ',')) {
        word[0] = ',';
        if (strstr(known, strcat(word, ",")) == NULL)
            return false;
    }
    return *scopes == '\0';
}

int bins_write(const struct script *script, struct output *output, int64_t bin_ns, const char *scopes,
               struct fault *fault)
{
    struct binner *binner = calloc(1, sizeof *binner);
    int status = binner == NULL ? -1 : 0;
    if (status == 0) {
        binner->script = script;
        binner->bin_ns = bin_ns;
        prng_seed(&binner->prng, script->seed, 2);
        add_rows(binner, scopes);
        status = add_everything(binner);
    }
    if (status == 0) {
        binner->spoke = calloc((size_t)binner->row_count * (binner->host_count + 1), sizeof *binner->spoke);
        status = binner->spoke == NULL ? -1 : 0;
    }
    if (status == 0) {
        place_storms(binner);
        write_header(output);
    }
    struct bin bin = {.number = 0};
    for (int64_t t_ns = clock_floor(script->from_ns, bin_ns); status == 0 && t_ns < script->to_ns;
         t_ns += bin_ns) {
        bin.number++;
        bin.start_ns = t_ns > script->from_ns ? t_ns : script->from_ns;
        bin.end_ns = t_ns + bin_ns < script->to_ns ? t_ns + bin_ns : script->to_ns;
        for (int direction = 0; direction < 2; direction++)
            bin.loss[direction] = mean_loss(script, (enum direction)direction, &bin);
        count_bin(binner, &bin);
        write_bin(binner, output, t_ns);
    }
    if (binner != NULL) {
        free(binner->spoke);
        free(binner->cell);
    }
    free(binner);
    return status == 0 ? 0 : fault_set(fault, "no memory for the bins of the scenario");
}
