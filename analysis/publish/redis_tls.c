/* SPDX-License-Identifier: BSD-3-Clause */
/* The only file that includes OpenSSL. hiredis 1.x can set it up itself, but looks at no host name: any
 * certificate of a trusted CA would do. */
#include "redis_tls.h"

#include <stdbool.h>
#include <stdlib.h>

#ifdef REDIS_TLS

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct redis_tls {
    SSL_CTX *context;
};

static const char *why(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "cannot be read";
}

static int set_up(SSL_CTX *context, const char *ca, const char *cert, const char *key, struct fault *fault)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if ((cert == NULL) != (key == NULL))
        return fault_set(fault, "tls_cert and tls_key of [redis] go together: give both or neither");
    if (ca == NULL && SSL_CTX_set_default_verify_paths(context) != 1)
        return fault_set(fault, "the system's CAs: %s; give tls_ca", why());
    if (ca != NULL && SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
        return fault_set(fault, "tls_ca = %s: %s; a file of certificates in PEM is wanted", ca, why());
    if (cert != NULL && SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return fault_set(fault, "tls_cert = %s: %s; a certificate in PEM is wanted", cert, why());
    if (key != NULL && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fault_set(fault, "tls_key = %s: %s; the key of tls_cert in PEM is wanted", key, why());
    return 0;
}

struct redis_tls *redis_tls_new(const char *ca, const char *cert, const char *key, struct fault *fault)
{
    struct redis_tls *tls = malloc(sizeof *tls);
    if (tls != NULL)
        tls->context = SSL_CTX_new(TLS_client_method());
    if (tls == NULL || tls->context == NULL) {
        free(tls);
        fault_set(fault, "no memory for TLS");
        return NULL;
    }
    ERR_clear_error();
    if (set_up(tls->context, ca, cert, key, fault) == 0)
        return tls;
    redis_tls_free(tls);
    return NULL;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (tls != NULL)
        SSL_CTX_free(tls->context);
    free(tls);
}

struct ssl_st *redis_tls_session(struct redis_tls *tls, const char *host)
{
    unsigned char address[16];
    SSL *session = SSL_new(tls->context);
    if (session == NULL)
        return NULL;
    bool numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    bool set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1
                       : SSL_set1_host(session, host) == 1 && SSL_set_tlsext_host_name(session, host) == 1;
    if (set)
        return session;
    SSL_free(session);
    return NULL;
}

void redis_tls_drop(struct ssl_st *session)
{
    SSL_free(session);
}

const char *redis_tls_why(const struct ssl_st *session)
{
    long result = SSL_get_verify_result(session);
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

#else

struct redis_tls *redis_tls_new(const char *ca, const char *cert, const char *key, struct fault *fault)
{
    (void)ca, (void)cert, (void)key;
    fault_set(fault, "--redis: this build has no TLS for Redis (hiredis 1.x brings it, as in Debian 13): use "
                     "redis:// or unix://, or stunnel");
    return NULL;
}

void redis_tls_free(struct redis_tls *tls)
{
    (void)tls;
}

struct ssl_st *redis_tls_session(struct redis_tls *tls, const char *host)
{
    (void)tls, (void)host;
    return NULL;
}

void redis_tls_drop(struct ssl_st *session)
{
    (void)session;
}

const char *redis_tls_why(const struct ssl_st *session)
{
    (void)session;
    return NULL;
}

#endif
