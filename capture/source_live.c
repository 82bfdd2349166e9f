/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "clock.h"
#include "decode.h"
#include "source_filter.h"

enum {
    BATCH_FRAMES = 64,     /* of one interface before the next has its turn */
    RING_TIMEOUT_MS = 100, /* after which the kernel hands over a block of the ring that is not full */
    WAIT_MAX_MS = 200,     /* how long a call may block: the caller looks at signals in between */
    BACK_OFF_MS =
        20, /* after a wake-up for nothing: an interface that is down wakes us at once, again and again */
    LOOK_MS = 100,                  /* how often the interfaces are asked whether they are up */
    DRAIN_MS = 2 * RING_TIMEOUT_MS, /* after which every block of the ring has been handed over */
    DRAIN_MAX_MS = 1000             /* how long a wire that is never quiet is read on when the end is asked */
};

/* What the kernel says of an interface. */
enum link { LINK_UP, LINK_DOWN, LINK_LOST };

struct live_interface {
    char *name;
    pcap_t *pcap; /* NULL: gone */
    enum link link;
    int link_type;
    int64_t
        ns_per_fraction; /* what a unit of tv_usec is: 1, or 1000 where the kernel gives microseconds only */
    uint32_t seen_kernel_drops, seen_interface_drops; /* libpcap's counters, which wrap */
};

struct live_source {
    struct source source;
    struct live_interface *interfaces;
    struct pollfd *waits; /* one an interface; fd -1 when it is gone */
    size_t count;
    size_t turn;    /* the interface to read next */
    unsigned batch; /* frames left of its turn */
    uint64_t kernel_drops, interface_drops;
    int64_t tick_ns, lateness_ns;
    int64_t quiet_since_ns; /* monotonic clock: no frame and no tick since then */
    bool heard;             /* a frame has come since quiet_since_ns was set */
    bool woken;             /* poll said that there is something */
    int64_t looked_ns;      /* monotonic clock: when the interfaces were asked last … */
    int64_t finish_ns;      /* … and when the end was asked for; INT64_MAX: not */
};

static int64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --- opening --- */

/* Says why an interface could not be opened, in `code` of pcap_activate, and how to mend it. */
static int say_refusal(const struct live_interface *interface, int code, struct fault *fault)
{
    const char *name = interface->name;
    switch (code) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return fault_set(fault, "no interface '%s': `ip link` lists those there are", name);
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED:
        return fault_set(fault,
                         "may not capture on %s: run as root or give the program CAP_NET_RAW "
                         "(setcap cap_net_raw+ep lightsout)",
                         name);
    case PCAP_ERROR_IFACE_NOT_UP:
        return fault_set(fault, "interface %s is down: `ip link set %s up` brings it up", name, name);
    default: {
        const char *words = pcap_geterr(interface->pcap);
        return fault_set(fault, "cannot capture on %s: %s", name,
                         *words != '\0' ? words : pcap_statustostr(code));
    }
    }
}

static int set_filter(pcap_t *pcap, const char *expression, struct fault *fault)
{
    struct bpf_program program;
    if (source_filter_compile(pcap, expression, &program) != 0)
        return fault_set(fault, "filter '%s': %s", expression, pcap_geterr(pcap));
    int failed = pcap_setfilter(pcap, &program);
    pcap_freecode(&program);
    return failed == 0 ? 0 : fault_set(fault, "filter '%s': %s", expression, pcap_geterr(pcap));
}

/* What is asked for before an interface is activated. None of these calls fails on a fresh handle, but for
 * the nanoseconds, which not every kind of interface has. */
static void prepare(pcap_t *pcap, const struct source_live_options *options)
{
    pcap_set_snaplen(pcap, options->snaplen < INT_MAX ? (int)options->snaplen : INT_MAX);
    pcap_set_buffer_size(pcap, options->ring_bytes < INT_MAX ? (int)options->ring_bytes : INT_MAX);
    pcap_set_promisc(pcap, options->promiscuous);
    pcap_set_timeout(pcap, RING_TIMEOUT_MS);
    pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
}

/* What can only be asked of an active interface. */
static int check_active(struct live_interface *interface, const char *filter, struct fault *fault)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    if (pcap_setnonblock(interface->pcap, 1, words) != 0)
        return fault_set(fault, "cannot capture on %s: %s", interface->name, words);
    if (pcap_get_selectable_fd(interface->pcap) < 0)
        return fault_set(fault, "cannot capture on %s: it cannot be waited for", interface->name);
    interface->link_type = pcap_datalink(interface->pcap);
    if (!decode_knows(interface->link_type)) {
        const char *name = pcap_datalink_val_to_name(interface->link_type);
        return fault_set(fault,
                         "link type %s (%d) of interface %s is not read; the README lists those that are",
                         name != NULL ? name : "unknown", interface->link_type, interface->name);
    }
    bool fine = pcap_get_tstamp_precision(interface->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    interface->ns_per_fraction = fine ? 1 : 1000;
    return filter != NULL ? set_filter(interface->pcap, filter, fault) : 0;
}

static int open_interface(struct live_interface *interface, const char *name, const char *filter,
                          const struct source_live_options *options, struct fault *fault)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    interface->name = strdup(name);
    if (interface->name == NULL)
        return fault_set(fault, "no memory for interface %s", name);
    interface->pcap = pcap_create(name, words);
    if (interface->pcap == NULL)
        return fault_set(fault, "cannot capture on %s: %s", name, words);
    prepare(interface->pcap, options);
    int code = pcap_activate(interface->pcap);
    if (code < 0)
        return say_refusal(interface, code, fault);
    return check_active(interface, filter, fault); /* above zero is a warning: it works all the same */
}

/* --- looking after the links --- */

static enum link ask_link(const struct live_interface *interface)
{
    struct ifreq request = {.ifr_flags = 0};
    if (strlen(interface->name) >= sizeof request.ifr_name)
        return interface->link;
    strcpy(request.ifr_name, interface->name);
    /* What has no flags ("any") is taken to be up; what is gone is told when it is read. */
    if (ioctl(pcap_fileno(interface->pcap), SIOCGIFFLAGS, &request) != 0)
        return interface->link;
    if (!(request.ifr_flags & IFF_UP))
        return LINK_DOWN;
    return request.ifr_flags & IFF_RUNNING ? LINK_UP : LINK_LOST;
}

/* Asks the interfaces now and then, and tells the first change there is; the next call goes on with the
 * others. False: nothing is new. */
static bool look_after_links(struct live_source *self, int64_t now_ns, struct fault *fault)
{
    static const char *const words[] = {
        [LINK_UP] = "is up again",
        [LINK_DOWN] = "is down: nothing is read from it until it is up again",
        [LINK_LOST] = "has lost its link: nothing is read from it until the link is back"};
    if (now_ns - self->looked_ns < LOOK_MS * NS_PER_MS)
        return false;
    for (size_t i = 0; i < self->count; i++) {
        struct live_interface *interface = &self->interfaces[i];
        enum link link = interface->pcap != NULL ? ask_link(interface) : interface->link;
        if (link != interface->link) {
            interface->link = link;
            fault_set(fault, "interface %s %s", interface->name, words[link]);
            return true;
        }
    }
    self->looked_ns = now_ns;
    return false;
}

static bool live_sees(struct source *source)
{
    const struct live_source *self = (struct live_source *)source;
    for (size_t i = 0; i < self->count; i++)
        if (self->interfaces[i].pcap == NULL || self->interfaces[i].link != LINK_UP)
            return false;
    return true;
}

/* --- reading --- */

/* Tells that an interface is gone, in libpcap's words, and forgets it but for its name. */
static enum source_news lose_interface(struct live_source *self, size_t place, struct fault *fault)
{
    struct live_interface *interface = &self->interfaces[place];
    fault_set(
        fault,
        "interface %s is gone: %s; the sensor is blind without it: start lightsout again when it is back",
        interface->name, pcap_geterr(interface->pcap));
    pcap_close(interface->pcap);
    interface->pcap = NULL;
    self->waits[place].fd = -1;
    return SOURCE_FAILED;
}

static void fill_frame(const struct live_interface *interface, size_t place, const struct pcap_pkthdr *header,
                       const u_char *bytes, struct frame *frame)
{
    *frame = (struct frame){
        .bytes = bytes,
        .captured_bytes = header->caplen,
        .wire_bytes = header->len > header->caplen ? header->len : header->caplen,
        .time_ns = header->ts.tv_sec * NS_PER_S + header->ts.tv_usec * interface->ns_per_fraction,
        .link_type = interface->link_type,
        .interface = (uint16_t)place,
    };
}

/* Looks for a frame, beginning with the interface whose turn it is, each interface once. SOURCE_IDLE: there
 * is none. */
static enum source_news read_round(struct live_source *self, struct frame *frame, struct fault *fault)
{
    for (size_t asked = 0; asked <= self->count; asked++) {
        struct live_interface *interface = &self->interfaces[self->turn];
        if (self->batch > 0 && interface->pcap != NULL) {
            struct pcap_pkthdr *header;
            const u_char *bytes;
            int result = pcap_next_ex(interface->pcap, &header, &bytes);
            if (result == 1) {
                self->batch--;
                self->heard = true;
                fill_frame(interface, self->turn, header, bytes, frame);
                return SOURCE_FRAME;
            }
            if (result < 0)
                return lose_interface(self, self->turn, fault);
        }
        self->turn = (self->turn + 1) % self->count;
        self->batch = BATCH_FRAMES;
    }
    return SOURCE_IDLE;
}

/* Waits until a frame may have come, the next tick is due, or the caller should look at signals. */
static void wait_for_frames(struct live_source *self, int64_t now_ns)
{
    if (self->woken) {
        /* There was nothing after all. The ring takes in what comes during the pause. */
        self->woken = false;
        poll(NULL, 0, BACK_OFF_MS);
        return;
    }
    int64_t wait_ms = (self->quiet_since_ns + self->tick_ns - now_ns) / NS_PER_MS + 1;
    if (wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    self->woken = poll(self->waits, self->count, wait_ms > 0 ? (int)wait_ms : 0) > 0;
}

static enum source_news live_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct live_source *self = (struct live_source *)source;
    if (self->batch == 0 || self->batch == BATCH_FRAMES) { /* between two turns */
        int64_t turn_ns = clock_now(CLOCK_MONOTONIC);
        if (turn_ns - self->finish_ns >= DRAIN_MAX_MS * NS_PER_MS)
            return SOURCE_END;
        if (look_after_links(self, turn_ns, fault))
            return SOURCE_SAYS;
    }
    enum source_news news = read_round(self, frame, fault);
    if (news != SOURCE_IDLE) {
        self->woken = false;
        return news;
    }
    int64_t now_ns = clock_now(CLOCK_MONOTONIC);
    if (now_ns - self->finish_ns >= DRAIN_MS * NS_PER_MS)
        return SOURCE_END;
    if (self->heard) {
        self->heard = false;
        self->quiet_since_ns = now_ns;
    }
    if (now_ns - self->quiet_since_ns >= self->tick_ns) {
        self->quiet_since_ns = now_ns;
        *frame = (struct frame){.time_ns = clock_now(CLOCK_REALTIME) - self->lateness_ns};
        return SOURCE_TICK;
    }
    wait_for_frames(self, now_ns);
    return SOURCE_IDLE;
}

/* How far a counter has come that wraps at 32 bits. One that ran back (its interface is gone, or was made
 * anew) has come nowhere. */
static uint64_t advance(uint32_t *seen, uint32_t now)
{
    uint32_t step = now - *seen;
    *seen = now;
    return step <= INT32_MAX ? step : 0;
}

static bool live_drops(struct source *source, struct health *health)
{
    struct live_source *self = (struct live_source *)source;
    for (size_t i = 0; i < self->count; i++) {
        struct live_interface *interface = &self->interfaces[i];
        struct pcap_stat stat;
        if (interface->pcap == NULL || pcap_stats(interface->pcap, &stat) != 0)
            continue;
        self->kernel_drops += advance(&interface->seen_kernel_drops, stat.ps_drop);
        self->interface_drops += advance(&interface->seen_interface_drops, stat.ps_ifdrop);
    }
    health->kernel_drops = self->kernel_drops;
    health->interface_drops = self->interface_drops;
    return true;
}

static void live_finish(struct source *source)
{
    ((struct live_source *)source)->finish_ns = clock_now(CLOCK_MONOTONIC);
}

static void live_close(struct source *source)
{
    struct live_source *self = (struct live_source *)source;
    for (size_t i = 0; i < self->count; i++) {
        if (self->interfaces[i].pcap != NULL)
            pcap_close(self->interfaces[i].pcap);
        free(self->interfaces[i].name);
    }
    free(self->interfaces);
    free(self->waits);
    free(self);
}

static const struct source_kind live_kind = {
    .next = live_next, .drops = live_drops, .sees = live_sees, .finish = live_finish, .close = live_close};

struct source *source_live_open(const char *const *names, size_t name_count, const char *filter,
                                const struct source_live_options *options, struct fault *fault)
{
    struct live_source *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->interfaces = calloc(name_count, sizeof *self->interfaces);
        self->waits = calloc(name_count, sizeof *self->waits);
    }
    if (self == NULL || self->interfaces == NULL || self->waits == NULL) {
        fault_set(fault, "no memory for %zu interfaces", name_count);
        if (self != NULL)
            live_close(&self->source);
        return NULL;
    }
    self->source.kind = &live_kind;
    self->tick_ns = (int64_t)(options->tick_s * (double)NS_PER_S);
    self->lateness_ns = (int64_t)(options->lateness_s * (double)NS_PER_S);
    self->batch = BATCH_FRAMES;
    self->finish_ns = INT64_MAX;
    for (size_t i = 0; i < name_count; i++) {
        self->count = i + 1;
        if (open_interface(&self->interfaces[i], names[i], filter, options, fault) != 0) {
            live_close(&self->source);
            return NULL;
        }
        self->waits[i] =
            (struct pollfd){.fd = pcap_get_selectable_fd(self->interfaces[i].pcap), .events = POLLIN};
    }
    self->quiet_since_ns = clock_now(CLOCK_MONOTONIC);
    return &self->source;
}
