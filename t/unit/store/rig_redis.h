/* rig_redis: a private redis-server on a unix socket in the rig's directory. */
#pragma once

#include "store/rig.h"

/* Starts it, and waits until it answers; extra (may be NULL) are more arguments, a NULL after the last. */
bool rig_server_start(struct rig *rig, const char *const extra[]);
void rig_server_stop(struct rig *rig);
/* One command by another client, its words separated by spaces; its reply as text, "" = nil or an array. */
void rig_ask(const struct rig *rig, const char *command, char *out, size_t size);
long long rig_ask_number(const struct rig *rig, const char *command);
void rig_tell(const struct rig *rig, const char *command); /* asserts that the reply is OK */
/* Asks until the reply contains the text. */
void rig_until(const struct rig *rig, const char *command, const char *want);

/* Starts it as a node of a cluster, without slots, also at 127.0.0.1 port rig->port. */
#define RIG_SLOTS 16384
bool rig_node_start(struct rig *rig);
extern const struct rig_kind rig_node;     /* of it */
void rig_add_slots(const struct rig *rig); /* all of them */

/* -- shorthand -- */

#define RIG_BODY "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define RIG_TIMEOUT_MS 3000 /* REDIS_TIMEOUT in: */
#define RIG_LATE_MS 5900    /* what was waited for once took less, however busy the machine was meanwhile */
#define RIG_BASE "{t:0}"    /* what keys begin with */

/* Runs each case against a server of its own, with a store open on it. The exit code. */
int rig_redis_main(const struct rig_kind *kind, const struct rig_case *cases, size_t n);
const char *rig_trouble(const struct rig *rig);
enum store_result rig_try_read(struct rig *rig, const char *key, struct order_record *order);
/* Commits a new order with a body, decided now. */
enum store_result rig_put_body(struct rig *rig, const char *key, const void *bytes, size_t len);
