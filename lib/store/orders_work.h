/*
 * orders_work: one change of one order, for orders.c.
 */
#pragma once

#include "store/orders.h"

enum rule {
    RULE_CLAIM,
    RULE_SUPERSEDE,
    RULE_LOOK,
    RULE_KEEP_BYTES,
    RULE_LEASE,
    RULE_RENEW,
    RULE_ATTEMPT,
    RULE_ATTEMPT_ENDS,
    RULE_LEARN,
    RULE_LOSE_CONTACT,
    RULE_FINISH,
    RULE_RETRY,
    RULE_REFUSE,
    RULE_REQUEUE,
    RULE_DROP,
    RULE_DELETE_BODY,
    RULE_MOVE_BLOB,
};

/* A rule, what it takes and what it gives, and what is committed beside the record. */
struct change {
    const char *key;
    const struct order_record *known; /* what the store is thought to have; NULL = it is read first */
    enum rule rule;
    const char *token; /* of the lease; NULL = none */
    /* what rules take */
    struct arrival arrival;
    int64_t arrived_ago_ms;
    const char *order_key, *contact, *opportunity, *next, *reason, *from_blob;
    const struct order_link *link;
    enum attempt_kind kind;
    enum attempt_end attempt_end;
    int64_t window_ms, delay_ms, untried_since_ms; /* `early`: not if it was tried since then */
    bool early, counted, hold;
    /* what they give */
    bool held; /* the lease was the token's */
    bool done, took_over;
    enum claim claim;
    enum hold held_by;
    enum end end;
    enum requeue requeue;
    unsigned others;
    /* what else is committed */
    struct store_blob blob;        /* id NULL = none */
    struct store_value of_contact; /* name NULL = none */
    const char *client;            /* counted once; NULL = none */
    int64_t client_count;          /* out */
};

/* Reads, unless it is known, and commits until it is done. OK: *record (may be NULL) is what the store has
 * now. */
enum store_result orders_run(struct orders *orders, struct change *change,
                             struct order_record *record) MUST_CHECK;
