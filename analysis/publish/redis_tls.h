/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS for the connection to Redis, in builds that have it: whom it trusts, and who it says it is. */
#pragma once

#include "fault.h"

struct redis_tls;
struct ssl_st; /* OpenSSL's */

/* Reads the files; NULL: the system's CAs, and no certificate of our own. NULL with the fault, also where
 * this build has no TLS. */
struct redis_tls *redis_tls_new(const char *ca, const char *cert, const char *key, struct fault *fault);
void redis_tls_free(struct redis_tls *tls);

/* One connection's, which takes no certificate but one for this host (a name or an address) that the CAs
 * vouch for. The holder drops it, unless hiredis has taken it over. NULL: no memory. */
struct ssl_st *redis_tls_session(struct redis_tls *tls, const char *host);
void redis_tls_drop(struct ssl_st *session);

/* Why the handshake failed, where it was for the certificate; NULL: for something else. */
const char *redis_tls_why(const struct ssl_st *session);
