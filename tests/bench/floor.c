/* SPDX-License-Identifier: BSD-3-Clause */
/* What reading a savefile through libpcap costs when nothing is done with it: floor FILE. Prints how many
 * packets there are. */
#include <pcap/pcap.h>
#include <stdio.h>

static char buffer[4 << 20];

static void take(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
    (void)header;
    (void)bytes;
    ++*(unsigned long *)context;
}

int main(int argc, char **argv)
{
    char words[PCAP_ERRBUF_SIZE];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: floor FILE, which can be read\n");
        return 2;
    }
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    pcap_t *pcap = pcap_fopen_offline(file, words);
    if (pcap == NULL) {
        fprintf(stderr, "%s: %s\n", argv[1], words);
        return 1;
    }
    unsigned long count = 0;
    int result = pcap_loop(pcap, -1, take, (u_char *)&count);
    pcap_close(pcap);
    printf("%lu\n", count);
    return result == 0 ? 0 : 1;
}
