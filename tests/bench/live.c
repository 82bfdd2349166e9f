/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ends of a wire, for the highest rate at which nothing is dropped:
 *
 *   live send IFACE CAPTURE RATE SECONDS   sends the first frames of a capture over and over, RATE a second
 * (0: as fast as it goes), and prints how many it sent and in how many seconds live count IFACE RING_MIB
 * counts what libpcap delivers, until a signal, and prints packets and drops
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAMES_MAX = 1 << 16, BATCH = 32 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int give_up(const char *what, const char *why)
{
    fprintf(stderr, "live: %s: %s\n", what, why);
    return 1;
}

/* Reads frames into messages that sendmmsg takes. */
static unsigned load(const char *path, struct mmsghdr *messages, struct iovec *vectors)
{
    char words[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, words);
    struct pcap_pkthdr *header;
    const u_char *bytes;
    unsigned count = 0;
    while (pcap != NULL && count < FRAMES_MAX && pcap_next_ex(pcap, &header, &bytes) == 1) {
        void *copy = malloc(header->caplen);
        if (copy == NULL)
            break;
        memcpy(copy, bytes, header->caplen);
        vectors[count] = (struct iovec){.iov_base = copy, .iov_len = header->caplen};
        messages[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
        count++;
    }
    if (pcap != NULL)
        pcap_close(pcap);
    return count / BATCH * BATCH;
}

static int open_wire(const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int send_all(const char *name, const char *path, double rate, double seconds)
{
    static struct mmsghdr messages[FRAMES_MAX];
    static struct iovec vectors[FRAMES_MAX];
    unsigned count = load(path, messages, vectors), at = 0;
    int fd = open_wire(name);
    unsigned long sent = 0;
    if (count == 0 || fd < 0)
        return give_up(count == 0 ? path : name, count == 0 ? "no frames" : strerror(errno));
    double begin = now_s(), now = begin;
    while (now < begin + seconds) {
        now = now_s();
        if (rate > 0 && (double)sent > (now - begin) * rate)
            continue;
        int done = sendmmsg(fd, &messages[at], BATCH, 0);
        if (done > 0)
            sent += (unsigned long)done;
        else if (errno != ENOBUFS && errno != EAGAIN)
            return give_up(name, strerror(errno));
        at = (at + BATCH) % count;
    }
    printf("%lu %.6f\n", sent, now - begin);
    return 0;
}

static void count_one(u_char *count, const struct pcap_pkthdr *header, const u_char *bytes)
{
    (void)header;
    (void)bytes;
    ++*(unsigned long *)(void *)count;
}

static int count_all(const char *name, int ring_mib)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    unsigned long count = 0;
    struct pcap_stat stat = {0};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    pcap_t *pcap = pcap_create(name, words);
    if (pcap == NULL)
        return give_up(name, words);
    pcap_set_snaplen(pcap, 65535);
    pcap_set_buffer_size(pcap, ring_mib << 20);
    pcap_set_promisc(pcap, 1);
    pcap_set_timeout(pcap, 100);
    if (pcap_activate(pcap) < 0)
        return give_up(name, pcap_geterr(pcap));
    pcap_setnonblock(pcap, 1, words);
    puts("ready");
    fflush(stdout);
    struct pollfd wait = {.fd = pcap_get_selectable_fd(pcap), .events = POLLIN};
    for (double end = 0; end == 0 || now_s() < end;) {
        poll(&wait, 1, 100);
        pcap_dispatch(pcap, -1, count_one, (u_char *)&count);
        if (stop && end == 0)
            end = now_s() + 0.3; /* what is still in the ring */
    }
    pcap_stats(pcap, &stat);
    printf("%lu %u\n", count, stat.ps_drop);
    pcap_close(pcap);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "send") == 0)
        return send_all(argv[2], argv[3], atof(argv[4]), atof(argv[5]));
    if (argc == 4 && strcmp(argv[1], "count") == 0)
        return count_all(argv[2], atoi(argv[3]));
    fputs("usage: live send IFACE CAPTURE RATE SECONDS, or live count IFACE RING_MIB\n", stderr);
    return 2;
}
