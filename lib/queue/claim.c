#include "queue/rules_work.h"
#include <stdio.h>
#include <string.h>

#define FRESH_MS (2LL * 60 * 1000)
#define SPOOL_SLACK_MS 1000              /* the spool's arrival is right to a second */
#define DATE_MAX_MS (24LL * 3600 * 1000) /* a date further ahead is no date */

/* -- versions in time -- */

/* A moment, in s, as WooCommerce says it and as it arrived. */
struct moment {
    int64_t modified_s, arrived_s;
};

static int64_t sooner(const struct moment *m)
{
    return m->modified_s && m->modified_s < m->arrived_s ? m->modified_s : m->arrived_s;
}

static int64_t compare(const struct moment *a, const struct moment *b)
{
    if (a->modified_s > a->arrived_s && b->modified_s > b->arrived_s) /* the shop's clock is ahead of both */
        return a->modified_s - b->modified_s;
    return sooner(a) - sooner(b);
}

struct timing {
    bool older, newest, same_second;
    int64_t arrived_ms; /* what it counts as */
};

static struct timing time_of(const struct order_record *r, const struct arrival *a)
{
    struct timing t = {.arrived_ms = a->arrived_ms};
    bool known = r->version > 0 && r->arrived_ms > 0;

    /* What comes now comes after all that came before, also if the store's clock was set back. */
    if (a->origin == ORIGIN_WEBHOOK && t.arrived_ms < r->arrived_ms)
        t.arrived_ms = r->arrived_ms;
    const struct moment latest = {r->modified_s, r->arrived_ms / 1000},
                        mine = {a->modified_s, t.arrived_ms / 1000};
    int64_t order = !known || (!a->modified_s && r->modified_s) ? 0 : compare(&mine, &latest);

    t.same_second = known && order == 0;
    t.older = order < 0 || (t.same_second && a->origin == ORIGIN_RECOVERED) ||
              (t.same_second && a->origin == ORIGIN_SPOOL && t.arrived_ms + SPOOL_SLACK_MS < r->arrived_ms) ||
              (t.same_second && a->origin == ORIGIN_FETCHED && t.arrived_ms < r->arrived_ms);
    t.newest = !known || order > 0 || (t.same_second && t.arrived_ms >= r->arrived_ms);
    return t;
}

/* Is an order that the store does not know fresh? created_s 0 = now. */
static bool is_fresh(int64_t created_s, int64_t up_ms, int64_t now_ms)
{
    int64_t age_ms = created_s ? now_ms - created_s * 1000 : 0;

    return age_ms < FRESH_MS && age_ms > -DATE_MAX_MS && now_ms - up_ms >= FRESH_MS;
}

/* -- the latest version -- */

static size_t bytes_len(const char *bytes)
{
    return strnlen(bytes, RECORD_SHORT_SIZE - 1);
}

static bool has_bytes(const struct order_record *r, const char *bytes)
{
    return rules_has_word(r->bytes, bytes, bytes_len(bytes));
}

static void add_bytes(struct order_record *r, const char *bytes, bool same_second)
{
    size_t len = bytes_len(bytes), used = same_second ? strlen(r->bytes) : 0;

    if (has_bytes(r, bytes) && same_second)
        return;
    while (used && used + len + 2 > sizeof r->bytes) { /* the first of them goes */
        const char *next = strchr(r->bytes, ' ');
        used = next ? strlen(next + 1) : 0;
        memmove(r->bytes, next ? next + 1 : "", used + 1);
    }
    if (used)
        r->bytes[used++] = ' ';
    memcpy(r->bytes + used, bytes, len);
    r->bytes[used + len] = '\0';
}

static void take_time(struct order_record *r, const struct arrival *a, const struct timing *t)
{
    if (!t->newest)
        return;
    if (a->modified_s || !r->version)
        r->modified_s = a->modified_s;
    r->arrived_ms = t->arrived_ms;
}

/* Hashes under another key say nothing of ours. */
static void take_hash_id(struct order_record *r, const struct arrival *a)
{
    if (strcmp(r->hash_id, a->hash_id) != 0)
        rules_forget_parts(r);
    SET(r->hash_id, a->hash_id);
}

static void take_version(struct order_record *r, const struct arrival *a, const struct timing *t)
{
    take_hash_id(r, a);
    SET(r->fingerprint, a->fingerprint);
    if (a->erased) {
        r->erased = true;
        r->link.email[0] = '\0';
    }
    if (a->kind != ARRIVAL_FOLLOWS) {
        r->restored = r->restored || (!strcmp(r->status, "trash") && strcmp(a->status, "trash") != 0);
        SET(r->status, a->status);
        r->ended = a->kind == ARRIVAL_ENDS;
    }
    if (a->status_only) /* its bytes are the same each time, and it says no time: what came before it stays known */
        add_bytes(r, RECORD_DELETION, true);
    else
        add_bytes(r, a->bytes, t->same_second);
    take_time(r, a, t);
}

/* -- bodies -- */

static void put_body(struct order_body *body, const struct order_record *r, const struct arrival *a,
                     int64_t now_ms)
{
    bool pending = r->current.id[0] || r->dead_ms; /* GHL may not have the latest mapped status yet */

    memset(body, 0, sizeof *body);
    SET(body->id, a->body_id);
    SET(body->fingerprint, a->fingerprint);
    if (a->kind == ARRIVAL_FOLLOWS || a->other_status)
        SET(body->status, r->status);
    body->follows = a->kind == ARRIVAL_FOLLOWS && !pending;
    body->accepted_ms = now_ms;
}

/* -- claim -- */

static bool is_linked(const struct order_record *r)
{
    return r->link.contact[0] || r->link.opportunity[0] || r->link.gone_ms;
}

/* Does it need nothing in GHL? */
static bool is_nothing(const struct order_record *r, const struct arrival *a)
{
    if (a->kind == ARRIVAL_SELLS || a->sold || r->sold || is_linked(r) || r->current.id[0] || r->dead_ms ||
        r->attempt.kind != ATTEMPT_NONE)
        return false;
    /* A deletion names nothing to look for. */
    return a->kind == ARRIVAL_FOLLOWS || a->status_only || a->part || !r->look;
}

static bool is_latest(const struct order_record *r, const struct arrival *a, const struct timing *t)
{
    if (!r->version || !r->fingerprint[0] || (a->erased && !r->erased))
        return false;
    if (a->kind == ARRIVAL_SELLS && r->ended &&
        !r->sold) /* it was of before the start, and is asked for now */
        return false;
    if (r->arrived_ms < a->up_ms && !t->same_second &&
        !r->current.id[0]) /* what the store forgot may stand between them */
        return false;
    if (strcmp(r->hash_id, a->hash_id) != 0) /* of one second and status: the same, as far as can be told */
        return t->same_second && a->modified_s && !a->status_only && !strcmp(r->status, a->status);
    return !strcmp(r->fingerprint, a->fingerprint);
}

/* Bytes of the latest second, delivered once more. But those of the latest version are news if it has no fingerprint. */
static bool is_replay(const struct order_record *r, const struct arrival *a, const struct timing *t)
{
    const char *space = strrchr(r->bytes, ' '), *last = space ? space + 1 : r->bytes;

    if (a->origin == ORIGIN_FETCHED || a->other_status)
        return false;
    if (!r->fingerprint[0] && rules_has_word(last, a->bytes, bytes_len(a->bytes)))
        return false;
    return t->same_second && a->modified_s && !a->status_only && has_bytes(r, a->bytes);
}

/* A version that is no news says that the order was sold after all. */
static enum claim sold_late(struct order_record *r, const struct arrival *a, const struct queue_terms *terms,
                            bool *changed)
{
    if ((a->kind != ARRIVAL_SELLS && !a->sold) || r->sold)
        return CLAIM_STALE;
    if (r->current.id[0]) {
        /* The end that waits must make its opportunity. Whoever has it does not know: it is looked at once more. */
        r->sold = *changed = true;
        if (r->lease[0] && !r->waiting.id[0])
            r->waiting = r->current;
        return CLAIM_STALE;
    }
    if (r->link.opportunity[0] || r->link.gone_ms || r->attempt.kind != ATTEMPT_NONE || r->dead_ms ||
        (!r->ended && r->status[0])) /* dropped */
        return CLAIM_STALE;
    /* What came after it needed nothing in GHL, and its body was not kept. This body counts, with the end's status.
     * When the end comes again, it is news: it may bring another value. */
    if (!r->status[0])
        SET(r->status, a->status);
    r->fingerprint[0] = '\0';
    r->sold = *changed = true;
    put_body(&r->current, r, a, terms->now_ms);
    SET(r->current.status, r->status);
    return CLAIM_QUEUED;
}

static void accept_body(struct order_record *r, const struct arrival *a, bool leased,
                        const struct queue_terms *terms)
{
    struct order_body *body = leased ? &r->waiting : &r->current;

    if (a->status_only && r->current.id[0]) { /* what is known of its content stays */
        *body = r->waiting.id[0] ? r->waiting : r->current;
        SET(body->status, a->status);
        SET(body->fingerprint, a->fingerprint);
        body->follows = false;
        body->accepted_ms = terms->now_ms;
    } else {
        put_body(body, r, a, terms->now_ms);
    }
}

static enum claim queue(struct order_record *r, const struct arrival *a, const struct queue_terms *terms)
{
    r->attempts = r->expires_ms = r->dead_ms = 0;
    r->reason[0] = '\0';
    rules_make_due(r, terms->now_ms);
    if (!a->token)
        return CLAIM_QUEUED;
    rules_begin(r, a->token, terms);
    return CLAIM_LEASED;
}

static void identify(struct order_record *r, const struct arrival *a, const struct queue_terms *terms)
{
    /* Nothing of it was accepted yet, though somebody may have brought its ids. A deletion says nothing of its age. */
    if (!r->arrived_ms)
        r->look =
            a->status_only || a->moved ||
            !is_fresh(a->created_s, a->up_ms, a->arrived_ms < terms->now_ms ? a->arrived_ms : terms->now_ms);
    if (*a->order_key)
        SET(r->order_key, a->order_key);
    if (a->created_s)
        r->created_s = a->created_s;
}

enum claim order_claim(struct order_record *r, const struct arrival *a, const struct queue_terms *terms,
                       bool *changed)
{
    const struct timing t = time_of(r, a);

    *changed = false;
    if (r->version && *a->order_key ? r->order_key[0] && strcmp(r->order_key, a->order_key) != 0
                                    : r->newest[0] != '\0' && !*a->order_key)
        return CLAIM_OTHER_ORDER;
    if (r->erased && !a->erased && !a->status_only)
        return CLAIM_STALE;
    rules_look_after_loss(r, a->up_ms);
    bool latest = is_latest(r, a, &t);
    if (latest ? !r->dead_ms || t.older : is_replay(r, a, &t)) {
        /* Saved without a change: what comes late is older. Bytes without a modified time that came before are a
         * redelivery. */
        if (t.newest && (a->modified_s ? a->modified_s > r->modified_s
                                       : !r->modified_s && !t.same_second && !has_bytes(r, a->bytes) &&
                                             !a->status_only)) {
            add_bytes(r, a->bytes, false);
            take_time(r, a, &t);
            *changed = true;
        }
        return a->sold && sold_late(r, a, terms, changed) == CLAIM_QUEUED ? queue(r, a, terms)
                                                                          : CLAIM_DUPLICATE;
    }
    /* A deletion of an unknown order has no time: a sale that comes later must not look older than it. */
    if ((a->status_only || a->part) && !r->arrived_ms && is_nothing(r, a))
        return CLAIM_IGNORED;
    identify(r, a, terms);
    if (is_nothing(r, a)) {
        if (!t.older) {
            take_version(r, a, &t);
            r->expires_ms = terms->now_ms + terms->link_ttl_ms;
            *changed = true;
        }
        return t.older ? CLAIM_STALE : CLAIM_IGNORED;
    }
    if (t.older) {
        enum claim late = sold_late(r, a, terms, changed);
        return late == CLAIM_STALE ? late : queue(r, a, terms);
    }
    *changed = true;
    if (r->arrived_ms < a->up_ms)
        rules_doubt_parts(r);
    take_version(r, a, &t);
    r->sold = r->sold || a->kind == ARRIVAL_SELLS || a->sold;
    bool leased = rules_is_leased(r, terms->now_ms);
    if (!leased)
        rules_take_over(r, terms);
    accept_body(r, a, leased, terms);
    return leased ? CLAIM_BUSY : queue(r, a, terms);
}

void order_key_of(const char *key, const char *order_key, char out[RECORD_KEY_SIZE])
{
    snprintf(out, RECORD_KEY_SIZE, "%.120s/%.16s", key, order_key);
}

bool order_is_superseded(struct order_record *r, const char *order_key)
{
    if (!*order_key || !strcmp(r->newest, order_key))
        return false;
    SET(r->newest, order_key);
    return true;
}
