/* SPDX-License-Identifier: BSD-3-Clause */
#include <fnmatch.h>

#include "rules.h"

static bool has_port(const struct service *service, uint16_t port)
{
    for (size_t i = 0; i < service->port_count; i++)
        if (service->ports[i] == port)
            return true;
    return service->port_count == 0;
}

uint32_t service_find_address(const struct rules *rules, const uint8_t address[16], uint16_t port)
{
    for (size_t i = 0; i < rules->service_count; i++) {
        const struct service *service = &rules->services[i];
        for (size_t j = 0; j < service->address_count; j++)
            if (prefix_contains(&service->addresses[j], address) && has_port(service, port))
                return service->scope;
    }
    return SCOPE_NONE;
}

uint32_t service_find_name(const struct rules *rules, const char *name, uint16_t port)
{
    for (size_t i = 0; i < rules->service_count; i++) {
        const struct service *service = &rules->services[i];
        for (size_t j = 0; j < service->host_count; j++)
            if (fnmatch(service->hosts[j], name, FNM_CASEFOLD) == 0 && has_port(service, port))
                return service->scope;
    }
    return SCOPE_NONE;
}
