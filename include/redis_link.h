/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection to Redis that is whole or not there: found, encrypted, authenticated, named, on its database
 * and with a master at the other end, every time anew; and what each answer means. One thread uses a link. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fault.h"

struct redis_link;
struct redisReply; /* hiredis's own, looked at by the functions below */

/* What can go wrong. X(name, the server's word for it or NULL, class). The `redis_error_` rows of health.h
 * stand in the same order. */
#define REDIS_TROUBLES(X)                                                                                    \
    X(unreachable, NULL, REDIS_LOST)                                                                         \
    X(timeout, NULL, REDIS_LOST)                                                                             \
    X(broken, NULL, REDIS_LOST)                                                                              \
    X(no_master, NULL, REDIS_LATER)                                                                          \
    X(loading, "LOADING", REDIS_LATER)                                                                       \
    X(busy, "BUSY", REDIS_LATER)                                                                             \
    X(readonly, "READONLY", REDIS_LATER)                                                                     \
    X(oom, "OOM", REDIS_LATER)                                                                               \
    X(misconf, "MISCONF", REDIS_LATER)                                                                       \
    X(noreplicas, "NOREPLICAS", REDIS_LATER)                                                                 \
    X(clusterdown, "CLUSTERDOWN", REDIS_LATER)                                                               \
    X(masterdown, "MASTERDOWN", REDIS_LATER)                                                                 \
    X(tryagain, "TRYAGAIN", REDIS_LATER)                                                                     \
    X(max_clients, "max number of clients", REDIS_LATER)                                                     \
    X(tls, NULL, REDIS_REFUSED)                                                                              \
    X(noauth, "NOAUTH", REDIS_REFUSED)                                                                       \
    X(wrongpass, "WRONGPASS", REDIS_REFUSED)                                                                 \
    X(noperm, "NOPERM", REDIS_REFUSED)                                                                       \
    X(wrongtype, "WRONGTYPE", REDIS_REFUSED)                                                                 \
    X(trimmed, NULL, REDIS_REFUSED)                                                                          \
    X(other, NULL, REDIS_REFUSED)

enum redis_trouble {
    REDIS_WELL = -1,
#define REDIS_TROUBLE(name, word, class) REDIS_TROUBLE_##name,
    REDIS_TROUBLES(REDIS_TROUBLE)
#undef REDIS_TROUBLE
        REDIS_TROUBLE__COUNT
};

enum redis_class {
    REDIS_TAKEN,
    REDIS_LATER,   /* the server cannot at present: hang up, back off, and do everything again */
    REDIS_REFUSED, /* the server will not: somebody has to do something about it */
    REDIS_LOST     /* there is no answer and no connection; what was sent may have been done */
};

enum redis_class redis_class_of(enum redis_trouble trouble);

/* "oom", "noauth" …: a word for counters and labels. */
const char *redis_trouble_name(enum redis_trouble trouble);

/* What an error reply means, also where an older server wraps it into the error of a script. */
enum redis_trouble redis_trouble_of(const char *error);

struct redis_link_options {
    const char *url;             /* see redis_url.h */
    const char *user, *password; /* NULL: those of the URL */
    const char *tls_ca, *tls_cert,
        *tls_key;      /* files of a rediss:// URL; NULL: the system's CAs, no certificate */
    const char *name;  /* the connection's, for CLIENT LIST */
    const char *a_key; /* any key that the caller may read: tells a replica from a node of a cluster */
    double connect_timeout_s, command_timeout_s;
};

/* Whether this build can serve these options: 0, or -1 with the fault. Reads the files, connects nothing. The
 * fault never shows what may be a password. */
int redis_link_check(const struct redis_link_options *options, struct fault *fault);

/* Nothing is connected yet. Copies the options. NULL with the fault as above. */
struct redis_link *redis_link_new(const struct redis_link_options *options, struct fault *fault);
void redis_link_free(struct redis_link *link); /* NULL is well */

/* The whole way from the URL to a server that says it is a master: asks a Sentinel where one was given,
 * connects, TLS, AUTH, CLIENT SETNAME, SELECT, ROLE. REDIS_WELL, or what went wrong with the fault for
 * people, and then it is closed. Waits no longer than the timeouts. */
enum redis_trouble redis_link_open(struct redis_link *link, struct fault *fault);
void redis_link_close(struct redis_link *link); /* what is not answered yet is forgotten */
bool redis_link_is_open(const struct redis_link *link);

/* Where it leads, for people: without user and password. Valid until the link is opened again. */
const char *redis_link_shown(const struct redis_link *link);

/* How many replicas the master had when a Sentinel led there, 0 without one: so many can take its place, and
 * have to have what must not be lost. */
size_t redis_link_replicas(const struct redis_link *link);

/* Puts a command into the pipeline; `key` is the one that says which node of a cluster it is for (NULL: any).
 * `lengths` may be NULL where all arguments are strings. What goes wrong shows in the answer. */
void redis_link_send(struct redis_link *link, const char *key, size_t count, const char *const *arguments,
                     const size_t *lengths);

/* The answer to the oldest command not answered yet, MOVED and ASK followed. What goes wrong is written into
 * the fault, `what` being what was asked for ("lightsout:{a}:events"). `*reply` (may be NULL: it is not
 * wanted) is the holder's to free, NULL unless REDIS_WELL. After a trouble of the classes REDIS_LATER and
 * REDIS_LOST the caller closes the link. */
enum redis_trouble redis_link_answer(struct redis_link *link, const char *what, struct redisReply **reply,
                                     struct fault *fault);

/* A command of strings and its answer; nothing else may wait for one. */
#define REDIS_LINK_ASK(link, key, reply, fault, ...)                                                         \
    redis_link_ask((link), (key), (reply), (fault), (const char *const[]){__VA_ARGS__, NULL})
enum redis_trouble redis_link_ask(struct redis_link *link, const char *key, struct redisReply **reply,
                                  struct fault *fault, const char *const *arguments);

/* Looking at replies, and at NULL, which is a nil: a text that is none is "", a number 0, a list empty. A
 * status is a text. */
bool redis_reply_is_nil(const struct redisReply *reply);
const char *redis_reply_text(const struct redisReply *reply, size_t *length); /* length may be NULL */
long long redis_reply_number(const struct redisReply *reply);                 /* also of a text that is one */
size_t redis_reply_count(const struct redisReply *reply);
const struct redisReply *redis_reply_at(const struct redisReply *reply, size_t at); /* NULL: there is none */
void redis_reply_free(struct redisReply *reply);
