/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "decode.h"
#include "interface.h"
#include "privs.h"
#include "source_filter.h"
#include "wall.h"

enum {
    BATCH_FRAMES = 64,      /* between two looks at the clock */
    RING_TIMEOUT_MS = 100,  /* after which the kernel hands over a block of the ring that is not full … */
    SHARED_TIMEOUT_MS = 20, /* … of one whose packets are put in order with those of others */
    WAIT_MAX_MS = 200,      /* how long a call may block: the caller looks at signals in between */
    BACK_OFF_MS =
        20, /* after a wake-up for nothing: an interface that is down wakes us at once, again and again */
    LOOK_MS = 100,                  /* how often the kernel is asked about the interface */
    DRAIN_MS = 2 * RING_TIMEOUT_MS, /* after which every block of the ring has been handed over */
    DRAIN_MAX_MS = 1000             /* how long a wire that is never quiet is read on when the end is asked */
};

/* What the interface is to us. LINK_STRANGE: there, but not to be read. */
enum link { LINK_UP, LINK_DOWN, LINK_LOST, LINK_GONE, LINK_STRANGE };

struct live_source {
    struct source source;
    char *name, *filter;
    struct source_live_options options;
    pcap_t *pcap; /* NULL: gone, or strange */
    int asking;   /* for interface_ask */
    enum link link;
    bool is_known;                /* to rtnetlink; "any" is not */
    struct interface_state state; /* as the kernel said last */
    int link_type;
    int64_t
        ns_per_fraction; /* what a unit of tv_usec is: 1, or 1000 where the kernel gives microseconds only */
    int64_t joined_ns;   /* what came before belongs to the other readers; TIME_NONE: to us */
    uint32_t seen_kernel_drops; /* libpcap's counter, which wraps */
    uint64_t seen_drops;        /* the interface's own */
    uint64_t kernel_drops, interface_drops;

    unsigned batch; /* frames left of it */
    struct wall wall;
    int64_t now_ns;     /* its time when it was looked at last */
    int64_t leap_ns;    /* where the time leapt to, to be told; TIME_NONE: it has not */
    struct fault words; /* of the clock, to be told before; empty: none */
    struct frame kept;  /* a frame that came behind the leap … */
    bool is_kept;       /* … if any did */
    int64_t tick_ns, lateness_ns;
    int64_t quiet_since_ns; /* monotonic clock: no frame and no tick since then */
    bool heard;             /* a frame has come since quiet_since_ns was set */
    bool woken;             /* poll said that there is something */
    bool told_end;          /* that it is gone at the end */
    int64_t looked_ns;      /* monotonic clock: when the kernel was asked last … */
    int64_t finish_ns;      /* … and when the end was asked for; INT64_MAX: not */
};

static int64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --- time --- */

/* One of all readers speaks of the clock. */
static bool is_speaker(const struct live_source *self)
{
    return self->options.reader == 0 && self->options.number == 0;
}

static long long whole_seconds(int64_t time_ns)
{
    return (time_ns + (time_ns < 0 ? -NS_PER_S : NS_PER_S) / 2) / NS_PER_S;
}

/* Says what became of the wall clock. */
static void say_set(struct live_source *self, int64_t set_ns)
{
    long long by_s = whole_seconds(set_ns), ahead_s = whole_seconds(self->wall.ahead_ns);
    if (!is_speaker(self) || by_s == 0)
        return;
    if (by_s > 0)
        fault_set(&self->words, "the clock was set forward by %lld s: what time leaps over was not watched",
                  by_s);
    else
        fault_set(
            &self->words,
            "the clock was set back by %lld s: time goes on, %lld s ahead of it, and loses a second in %d "
            "until they meet; a start with another --state sets it right at once",
            -by_s, ahead_s, WALL_LOSES_ONE_IN);
}

/* Says that what a former run has told lies ahead of the clock. */
static void say_ahead(struct live_source *self)
{
    if (is_speaker(self) && self->wall.ahead_ns >= self->lateness_ns + NS_PER_S)
        fault_set(
            &self->words,
            "what --state holds is %lld s ahead of the clock: time goes on from there, and loses a second "
            "in %d until they meet; a start with another --state sets it right at once",
            whole_seconds(self->wall.ahead_ns), WALL_LOSES_ONE_IN);
}

/* Returns the time, and notes what is to be told of it. */
static int64_t look_at_clock(struct live_source *self)
{
    int64_t set_ns, leap_ns, now_ns = wall_look(&self->wall, &set_ns, &leap_ns);
    if (set_ns != 0)
        say_set(self, set_ns);
    if (leap_ns != 0) /* no frame has come since the last look that is not kept */
        self->leap_ns = self->now_ns + leap_ns;
    self->now_ns = now_ns;
    return now_ns;
}

/* --- opening --- */

/* Says why the interface could not be opened, in `code` of pcap_activate, and how to mend it. */
static int say_refusal(const struct live_source *self, int code, struct fault *fault)
{
    const char *name = self->name;
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
        const char *words = pcap_geterr(self->pcap);
        return fault_set(fault, "cannot capture on %s: %s", name,
                         *words != '\0' ? words : pcap_statustostr(code));
    }
    }
}

static int set_filter(pcap_t *pcap, const char *expression, struct fault *fault)
{
    struct bpf_program program;
    if (source_filter_compile(pcap, expression, &program) != 0)
        return fault_set(fault, "filter '%s': %s", expression,
                         errno == ENOMEM ? "no memory" : pcap_geterr(pcap));
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
    pcap_set_timeout(pcap, options->ordered ? SHARED_TIMEOUT_MS : RING_TIMEOUT_MS);
    pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
}

/* What can only be asked of an active interface. */
static int check_active(struct live_source *self, struct fault *fault)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    if (pcap_setnonblock(self->pcap, 1, words) != 0)
        return fault_set(fault, "cannot capture on %s: %s", self->name, words);
    if (pcap_get_selectable_fd(self->pcap) < 0)
        return fault_set(fault, "cannot capture on %s: it cannot be waited for", self->name);
    self->link_type = pcap_datalink(self->pcap);
    /* libpcap 1.10 says so little when it is refused memory to ask what tags a switch's chip adds: it is
     * active, and what comes after that question is left at zero. No interface of Linux is of this type. */
    if (self->link_type == DLT_NULL)
        return fault_set(fault,
                         "cannot capture on %s: libpcap had no memory for it: make room, and start again",
                         self->name);
    if (!decode_knows(self->link_type)) {
        const char *name = pcap_datalink_val_to_name(self->link_type);
        return fault_set(fault,
                         "link type %s (%d) of interface %s is not read; the README lists those that are",
                         name != NULL ? name : "unknown", self->link_type, self->name);
    }
    bool fine = pcap_get_tstamp_precision(self->pcap) == PCAP_TSTAMP_PRECISION_NANO;
    self->ns_per_fraction = fine ? 1 : 1000;
    return self->filter != NULL ? set_filter(self->pcap, self->filter, fault) : 0;
}

/* Shares the packets with the other readers of the interface, a flow's all to one of them, as far as the
 * kernel sees into tunnels. Fragments are not put together: they count as they are. Until a reader joins it
 * receives what the others receive too. */
static int join_group(struct live_source *self, struct fault *fault)
{
    if (self->options.readers < 2)
        return 0;
    int *group = self->options.group;
    int flags = PACKET_FANOUT_FLAG_ROLLOVER | (*group < 0 ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
    int value = (PACKET_FANOUT_HASH | flags) << 16 | (*group < 0 ? 0 : *group);
    socklen_t size = sizeof value;
    if (self->options.reader > 0)
        self->joined_ns = look_at_clock(self);
    int fd = pcap_fileno(self->pcap);
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, size) != 0 ||
        getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &size) != 0)
        return fault_set(fault, "interface %s cannot be shared by %u workers: set `workers = 1`", self->name,
                         self->options.readers);
    if (*group < 0) /* from here on it is only read: readers that open an interface again are threads */
        *group = value & 0xffff;
    return 0;
}

static void close_interface(struct live_source *self)
{
    if (self->pcap != NULL)
        pcap_close(self->pcap);
    self->pcap = NULL;
}

static int open_interface(struct live_source *self, struct fault *fault)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    self->pcap = pcap_create(self->name, words);
    if (self->pcap == NULL)
        return fault_set(fault, "cannot capture on %s: %s", self->name, words);
    prepare(self->pcap, &self->options);
    privs_net_raw(true);
    int code = pcap_activate(self->pcap); /* above zero is a warning: it works all the same */
    privs_net_raw(false);
    int failed = code < 0 ? say_refusal(self, code, fault) : check_active(self, fault);
    if (failed == 0)
        failed = join_group(self, fault);
    if (failed != 0) {
        close_interface(self);
        return -1;
    }
    self->seen_kernel_drops = 0;
    self->is_known = interface_ask(self->asking, self->name, &self->state) == INTERFACE_IS;
    self->seen_drops = self->state.drops;
    self->link = LINK_UP; /* until the kernel says otherwise */
    return 0;
}

/* --- drops --- */

/* How far a counter has come that wraps at 32 bits. One that ran back has come nowhere. */
static uint64_t advance(uint32_t *seen, uint32_t now)
{
    uint32_t step = now - *seen;
    *seen = now;
    return step <= INT32_MAX ? step : 0;
}

static void add_kernel_drops(struct live_source *self)
{
    struct pcap_stat stat;
    if (self->pcap != NULL && pcap_stats(self->pcap, &stat) == 0)
        self->kernel_drops += advance(&self->seen_kernel_drops, stat.ps_drop);
}

/* One of the readers counts what the interface dropped. */
static void add_interface_drops(struct live_source *self)
{
    uint64_t now = self->state.drops;
    if (self->options.reader == 0 && self->state.knows_drops && now > self->seen_drops)
        self->interface_drops += now - self->seen_drops;
    self->seen_drops = now;
}

static bool live_drops(struct source *source, struct health *health)
{
    struct live_source *self = (struct live_source *)source;
    struct interface_state state;
    add_kernel_drops(self);
    if (self->is_known && interface_ask(self->asking, self->name, &state) == INTERFACE_IS &&
        state.index == self->state.index) {
        self->state.drops = state.drops;
        self->state.knows_drops = state.knows_drops;
        add_interface_drops(self);
    }
    health->kernel_drops = self->kernel_drops;
    health->interface_drops = self->interface_drops;
    return self->is_known && self->state.knows_drops; /* what "any" lost nobody knows */
}

/* --- looking after the interface --- */

/* Only one of its readers says what became of an interface. */
static enum source_news say_news(const struct live_source *self, struct fault *fault)
{
    if (self->options.reader > 0)
        fault->text[0] = '\0';
    return SOURCE_SAYS;
}

static enum source_news lose_interface(struct live_source *self, struct fault *fault)
{
    fault_set(fault, "interface %s is gone: nothing is read from it until it is back", self->name);
    add_kernel_drops(self);
    close_interface(self);
    self->link = LINK_GONE;
    return say_news(self, fault);
}

/* Tries to read an interface again that is gone. SOURCE_IDLE: there is nothing new. */
static enum source_news find_again(struct live_source *self, struct fault *fault)
{
    int former = self->link_type;
    struct interface_state state;
    if (interface_ask(self->asking, self->name, &state) != INTERFACE_IS || !state.is_up)
        return SOURCE_IDLE;
    if (open_interface(self, fault) != 0) {
        if (self->link == LINK_STRANGE)
            return SOURCE_IDLE; /* it was told */
        self->link = LINK_STRANGE;
        return say_news(self, fault);
    }
    const char *type = pcap_datalink_val_to_name(self->link_type);
    if (self->link_type == former)
        fault_set(fault, "interface %s is back", self->name);
    else
        fault_set(fault, "interface %s is back, with another link type: %s", self->name,
                  type != NULL ? type : "unknown");
    return say_news(self, fault);
}

/* Takes over what the kernel says of an open interface, and tells one change; the next call tells another. */
static enum source_news follow(struct live_source *self, const struct interface_state *now,
                               struct fault *fault)
{
    static const char *const words[] = {
        [LINK_UP] = "is up again",
        [LINK_DOWN] = "is down: nothing is read from it until it is up again",
        [LINK_LOST] = "has lost its link: nothing is read from it until the link is back"};
    enum link link = !now->is_up ? LINK_DOWN : now->has_link ? LINK_UP : LINK_LOST;
    if (link != self->link) {
        self->link = link;
        fault_set(fault, "interface %s %s", self->name, words[link]);
        return say_news(self, fault);
    }
    if (now->mtu != self->state.mtu) {
        fault_set(fault, "interface %s has an MTU of %u now, which was %u", self->name, now->mtu,
                  self->state.mtu);
        self->state.mtu = now->mtu;
        return say_news(self, fault);
    }
    return SOURCE_IDLE;
}

/* Asks the kernel now and then. SOURCE_IDLE: nothing is new. */
static enum source_news look_after_interface(struct live_source *self, int64_t now_ns, struct fault *fault)
{
    struct interface_state now;
    enum source_news news = SOURCE_IDLE;
    if (now_ns - self->looked_ns < LOOK_MS * NS_PER_MS)
        return SOURCE_IDLE;
    if (self->pcap == NULL)
        news = find_again(self, fault);
    else if (self->is_known) {
        enum interface_answer answer = interface_ask(self->asking, self->name, &now);
        /* One of another index or type is another one, though it has the name. */
        if (answer == INTERFACE_IS_NOT ||
            (answer == INTERFACE_IS && (now.index != self->state.index || now.type != self->state.type)))
            news = lose_interface(self, fault);
        else if (answer == INTERFACE_IS)
            news = follow(self, &now, fault);
    }
    if (news == SOURCE_IDLE)
        self->looked_ns = now_ns;
    return news;
}

static bool live_sees(struct source *source)
{
    return ((const struct live_source *)source)->link == LINK_UP;
}

/* --- reading --- */

/* The time of a frame that was stamped by the wall clock. What was stamped later than that was looked at, or
 * long before, may come of its being set. */
static int64_t time_of(struct live_source *self, int64_t stamp_ns)
{
    int64_t time_ns = wall_time(&self->wall, stamp_ns);
    if (time_ns > self->now_ns || time_ns < self->now_ns - RING_TIMEOUT_MS * NS_PER_MS) {
        look_at_clock(self);
        time_ns = wall_time(&self->wall, stamp_ns);
    }
    return time_ns < self->now_ns ? time_ns : self->now_ns; /* stamped before it was set back */
}

static void fill_frame(struct live_source *self, const struct pcap_pkthdr *header, const u_char *bytes,
                       struct frame *frame)
{
    *frame = (struct frame){
        .bytes = bytes,
        .captured_bytes = header->caplen,
        .wire_bytes = header->len > header->caplen ? header->len : header->caplen,
        .time_ns = time_of(self, header->ts.tv_sec * NS_PER_S + header->ts.tv_usec * self->ns_per_fraction),
        .link_type = self->link_type,
        .interface = self->options.number,
    };
}

/* SOURCE_IDLE: there is no frame. */
static enum source_news read_frame(struct live_source *self, struct frame *frame, struct fault *fault)
{
    struct pcap_pkthdr *header;
    const u_char *bytes;
    while (self->pcap != NULL) {
        int result = pcap_next_ex(self->pcap, &header, &bytes);
        if (result < 0)
            return lose_interface(self, fault);
        if (result == 0)
            break;
        self->batch -= self->batch > 0;
        self->heard = true;
        fill_frame(self, header, bytes, frame);
        if (frame->time_ns < self->joined_ns)
            continue;
        if (self->leap_ns == TIME_NONE)
            return SOURCE_FRAME;
        self->kept = *frame;
        self->is_kept = true;
        return SOURCE_IDLE;
    }
    self->batch = BATCH_FRAMES;
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
    struct pollfd wait = {.fd = self->pcap != NULL ? pcap_get_selectable_fd(self->pcap) : -1,
                          .events = POLLIN};
    int64_t wait_ms = (self->quiet_since_ns + self->tick_ns - now_ns) / NS_PER_MS + 1;
    if (wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    self->woken = poll(&wait, 1, wait_ms > 0 ? (int)wait_ms : 0) > 0;
}

/* The end, but that an interface that is gone by then is told once more. */
static enum source_news end(struct live_source *self, struct fault *fault)
{
    if (self->pcap != NULL || self->told_end)
        return SOURCE_END;
    self->told_end = true;
    fault_set(fault, "interface %s was gone when the program ended", self->name);
    if (self->options.reader > 0)
        fault->text[0] = '\0';
    return SOURCE_FAILED;
}

/* What is to be told before the next frame; SOURCE_IDLE: nothing. */
static enum source_news tell_clock(struct live_source *self, struct frame *frame, struct fault *fault)
{
    if (self->words.text[0] != '\0') {
        *fault = self->words;
        self->words.text[0] = '\0';
        return SOURCE_SAYS;
    }
    if (self->leap_ns != TIME_NONE) {
        *frame = (struct frame){.time_ns = self->leap_ns};
        self->leap_ns = TIME_NONE;
        return SOURCE_LEAP;
    }
    if (!self->is_kept)
        return SOURCE_IDLE;
    self->is_kept = false;
    *frame = self->kept;
    return SOURCE_FRAME;
}

static enum source_news live_next(struct source *source, struct frame *frame, struct fault *fault)
{
    struct live_source *self = (struct live_source *)source;
    enum source_news told = tell_clock(self, frame, fault);
    if (told != SOURCE_IDLE)
        return told;
    if (self->batch == 0 || self->batch == BATCH_FRAMES) {
        int64_t batch_ns = clock_now(CLOCK_MONOTONIC);
        self->batch = BATCH_FRAMES;
        look_at_clock(self);
        told = tell_clock(self, frame, fault);
        if (told != SOURCE_IDLE)
            return told;
        if (batch_ns - self->finish_ns >= DRAIN_MAX_MS * NS_PER_MS)
            return end(self, fault);
        if (look_after_interface(self, batch_ns, fault) != SOURCE_IDLE)
            return SOURCE_SAYS;
    }
    enum source_news news = read_frame(self, frame, fault);
    if (news != SOURCE_IDLE) {
        self->woken = false;
        return news;
    }
    int64_t now_ns = clock_now(CLOCK_MONOTONIC);
    if (now_ns - self->finish_ns >= DRAIN_MS * NS_PER_MS)
        return end(self, fault);
    if (self->heard) {
        self->heard = false;
        self->quiet_since_ns = now_ns;
    }
    if (now_ns - self->quiet_since_ns >= self->tick_ns) {
        self->quiet_since_ns = now_ns;
        *frame = (struct frame){.time_ns = look_at_clock(self) - self->lateness_ns};
        return self->leap_ns == TIME_NONE ? SOURCE_TICK : SOURCE_IDLE;
    }
    wait_for_frames(self, now_ns);
    return SOURCE_IDLE;
}

static void live_finish(struct source *source)
{
    ((struct live_source *)source)->finish_ns = clock_now(CLOCK_MONOTONIC);
}

static void live_close(struct source *source)
{
    struct live_source *self = (struct live_source *)source;
    close_interface(self);
    if (self->asking >= 0)
        close(self->asking);
    free(self->name);
    free(self->filter);
    free(self);
}

static const struct source_kind live_kind = {
    .next = live_next, .drops = live_drops, .sees = live_sees, .finish = live_finish, .close = live_close};

struct source *source_live_open(const char *name, const char *filter,
                                const struct source_live_options *options, struct fault *fault)
{
    struct live_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fault_set(fault, "no memory for interface %s", name);
        return NULL;
    }
    self->source.kind = &live_kind;
    self->options = *options;
    self->asking = interface_open();
    self->tick_ns = (int64_t)(options->tick_s * (double)NS_PER_S);
    self->lateness_ns = (int64_t)(options->lateness_s * (double)NS_PER_S);
    self->batch = BATCH_FRAMES;
    self->finish_ns = INT64_MAX;
    self->joined_ns = self->leap_ns = TIME_NONE;
    /* Ticks stay behind, and are not to fall behind what was told. */
    wall_begin(&self->wall,
               options->least_ns != TIME_NONE ? options->least_ns + self->lateness_ns : TIME_NONE);
    look_at_clock(self);
    say_ahead(self);
    self->name = strdup(name);
    self->filter = filter != NULL ? strdup(filter) : NULL;
    int failed = 0;
    if (self->name == NULL || (filter != NULL && self->filter == NULL))
        failed = fault_set(fault, "no memory for interface %s", name);
    if (failed != 0 || open_interface(self, fault) != 0) {
        live_close(&self->source);
        return NULL;
    }
    self->quiet_since_ns = clock_now(CLOCK_MONOTONIC);
    return &self->source;
}
