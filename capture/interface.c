/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One question over rtnetlink tells all, in 64 bits and of the right network namespace, which /sys need not
 * show.
 */
#include "interface.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_BYTES = 32768 };

int interface_open(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static bool send_question(int fd, const char *name)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        struct rtattr attribute;
        char name[IFNAMSIZ];
    } question = {
        .header = {.nlmsg_len = sizeof question, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
        .attribute = {.rta_len = RTA_LENGTH(IFNAMSIZ), .rta_type = IFLA_IFNAME}};
    if (strlen(name) >= sizeof question.name)
        return false;
    memcpy(question.name, name, strlen(name));
    return send(fd, &question, sizeof question, 0) == (ssize_t)sizeof question;
}

static void read_attribute(const struct rtattr *attribute, struct interface_state *state)
{
    size_t length = RTA_PAYLOAD(attribute);
    struct rtnl_link_stats64 stats = {.rx_packets = 0};
    switch (attribute->rta_type) {
    case IFLA_MTU:
        memcpy(&state->mtu, RTA_DATA(attribute), sizeof state->mtu);
        break;
    case IFLA_STATS64:
        /* What has no handler in the kernel is in rx_dropped too, though the tap has seen it. */
        memcpy(&stats, RTA_DATA(attribute), length < sizeof stats ? length : sizeof stats);
        state->knows_drops = true;
        state->drops = stats.rx_missed_errors + stats.rx_fifo_errors;
        break;
    }
}

static void read_link(const struct nlmsghdr *header, struct interface_state *state)
{
    const struct ifinfomsg *link = NLMSG_DATA(header);
    *state = (struct interface_state){.index = (uint32_t)link->ifi_index,
                                      .type = link->ifi_type,
                                      .is_up = link->ifi_flags & IFF_UP,
                                      .has_link = link->ifi_flags & IFF_RUNNING};
    int left = (int)IFLA_PAYLOAD(header);
    for (const struct rtattr *attribute = IFLA_RTA(link); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left))
        read_attribute(attribute, state);
}

enum interface_answer interface_ask(int fd, const char *name, struct interface_state *state)
{
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    if (!send_question(fd, name))
        return INTERFACE_UNKNOWN;
    ssize_t length = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)answer;
    if (length < (ssize_t)sizeof *header || !NLMSG_OK(header, (size_t)length))
        return INTERFACE_UNKNOWN;
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(header);
        return error->error == -ENODEV ? INTERFACE_IS_NOT : INTERFACE_UNKNOWN;
    }
    if (header->nlmsg_type != RTM_NEWLINK)
        return INTERFACE_UNKNOWN;
    read_link(header, state);
    return INTERFACE_IS;
}
