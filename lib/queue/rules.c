#include "queue/rules.h"
#include "base/utf8.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_MS (2LL * 60 * 1000)
#define SPOOL_SLACK_MS 1000             /* the spool's arrival is right to a second */
#define DUE_MAX_MS (24LL * 3600 * 1000) /* further ahead, a clock was set back since: it is due */
static const char confirming[] = "a write to GHL whose answer was lost is repeated to be sure";

#define SET(member, text) utf8_copy(member, sizeof(member), text)

static bool holds(const struct order_record *r, const char *token)
{
    return token && *token && !strcmp(r->lease, token);
}

static bool is_leased(const struct order_record *r, int64_t now_ms)
{
    return r->lease[0] && r->lease_ms > now_ms;
}

static void forget_parts(struct order_record *r)
{
    memset(r->link.part, 0, sizeof r->link.part);
}

static void clear_attempt(struct order_record *r)
{
    memset(&r->attempt, 0, sizeof r->attempt);
}

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

bool order_is_fresh(int64_t created_s, int64_t up_ms, int64_t now_ms)
{
    int64_t age_ms = created_s ? now_ms - created_s * 1000 : 0;

    return age_ms < FRESH_MS && age_ms > -DUE_MAX_MS && now_ms - up_ms >= FRESH_MS;
}

/* -- the latest version -- */

static bool has_bytes(const struct order_record *r, const char *bytes)
{
    return *bytes && strstr(r->bytes, bytes) != NULL;
}

static void add_bytes(struct order_record *r, const char *bytes, bool same_second)
{
    size_t len = strnlen(bytes, RECORD_SHORT_SIZE - 1), used = same_second ? strlen(r->bytes) : 0;

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
        forget_parts(r);
    SET(r->hash_id, a->hash_id);
}

static void take_version(struct order_record *r, const struct arrival *a, const struct timing *t)
{
    take_hash_id(r, a);
    SET(r->fingerprint, a->fingerprint);
    if (a->kind != ARRIVAL_FOLLOWS) {
        SET(r->status, a->status);
        r->ended = a->kind == ARRIVAL_ENDS;
    }
    if (a->status_only)
        r->bytes[0] = '\0'; /* "deleted" has the same bytes each time */
    else
        add_bytes(r, a->bytes, t->same_second);
    take_time(r, a, t);
}

/* -- bodies -- */

static void put_body(struct order_body *body, const struct order_record *r, const struct arrival *a,
                     int64_t now_ms)
{
    memset(body, 0, sizeof *body);
    SET(body->id, a->body_id);
    SET(body->fingerprint, a->fingerprint);
    body->follows = a->kind == ARRIVAL_FOLLOWS;
    if (body->follows)
        SET(body->status, r->status);
    body->accepted_ms = now_ms;
}

static bool promote(struct order_record *r)
{
    if (!r->waiting.id[0])
        return false;
    r->current = r->waiting;
    memset(&r->waiting, 0, sizeof r->waiting);
    r->attempts = 0;
    r->reason[0] = '\0';
    return true;
}

static void make_due(struct order_record *r, int64_t due_ms)
{
    r->lease[0] = '\0';
    r->lease_ms = 0;
    r->due_ms = due_ms;
}

static void lease_to(struct order_record *r, const char *token, const struct queue_terms *terms)
{
    SET(r->lease, token);
    r->lease_ms = terms->now_ms + terms->lease_ms;
}

/* Its worker never said how it ended. */
static void take_over(struct order_record *r, const struct queue_terms *terms)
{
    int64_t until_ms = r->lease_ms + terms->write_window_ms;

    if (!r->lease[0])
        return;
    forget_parts(r);
    if ((r->link.contact[0] || r->link.opportunity[0]) && until_ms > r->link.unsettled_ms)
        r->link.unsettled_ms = until_ms;
    (void)promote(r);
    make_due(r, terms->now_ms);
}

/* Nothing is left to do. */
static void done(struct order_record *r, const struct queue_terms *terms)
{
    memset(&r->current, 0, sizeof r->current);
    memset(&r->waiting, 0, sizeof r->waiting);
    make_due(r, 0);
    r->attempts = r->dead_ms = 0;
    r->reason[0] = '\0';
    r->expires_ms = terms->now_ms + terms->link_ttl_ms;
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
    /* A deletion of an unknown order names nothing to look for. */
    return a->kind == ARRIVAL_FOLLOWS || !r->look || (a->status_only && !r->version);
}

static bool is_same(const struct order_record *r, const struct arrival *a, const struct timing *t)
{
    if (!r->version || !r->fingerprint[0])
        return false;
    if (strcmp(r->hash_id, a->hash_id) != 0) /* of one second and status: the same, as far as can be told */
        return t->same_second && !a->status_only && !strcmp(r->status, a->status);
    return !strcmp(r->fingerprint, a->fingerprint) ||
           (t->same_second && !a->status_only && has_bytes(r, a->bytes));
}

/* An older version says that the order was sold after all. */
static enum claim sold_late(struct order_record *r, const struct arrival *a, const struct queue_terms *terms,
                            bool *changed)
{
    if (a->kind != ARRIVAL_SELLS || r->sold)
        return CLAIM_STALE;
    if (r->current.id[0]) {
        /* The end that waits must make its opportunity. Whoever has it does not know: it is looked at once more. */
        r->sold = *changed = true;
        if (is_leased(r, terms->now_ms) && !r->waiting.id[0])
            r->waiting = r->current;
        return CLAIM_STALE;
    }
    if (r->link.opportunity[0] || r->link.gone_ms || r->attempt.kind != ATTEMPT_NONE || !r->ended ||
        r->dead_ms)
        return CLAIM_STALE;
    /* The end needed nothing in GHL, and its body was not kept. This body counts, with the end's status. When the end
     * comes again, it is news: it may bring another value. */
    r->fingerprint[0] = r->bytes[0] = '\0';
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
    if (!leased)
        memset(&r->waiting, 0, sizeof r->waiting);
}

static enum claim queue(struct order_record *r, const struct arrival *a, const struct queue_terms *terms)
{
    r->attempts = r->expires_ms = r->dead_ms = 0;
    r->reason[0] = '\0';
    make_due(r, terms->now_ms);
    if (!a->token)
        return CLAIM_QUEUED;
    lease_to(r, a->token, terms);
    return CLAIM_LEASED;
}

static void identify(struct order_record *r, const struct arrival *a, const struct queue_terms *terms)
{
    if (!r->version)
        r->look = !order_is_fresh(a->created_s, a->up_ms,
                                  a->arrived_ms < terms->now_ms ? a->arrived_ms : terms->now_ms);
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
    if (is_same(r, a, &t) && !(r->dead_ms && !t.older)) {
        if (t.newest &&
            a->modified_s > r->modified_s) { /* saved without a change: what comes late is older */
            add_bytes(r, a->bytes, false);
            take_time(r, a, &t);
            *changed = true;
        }
        return CLAIM_DUPLICATE;
    }
    identify(r, a, terms);
    if (is_nothing(r, a)) {
        if (t.newest) {
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
    take_version(r, a, &t);
    r->sold = r->sold || a->kind == ARRIVAL_SELLS || a->sold;
    bool leased = is_leased(r, terms->now_ms);
    if (!leased)
        take_over(r, terms);
    accept_body(r, a, leased, terms);
    r->expires_ms = 0;
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

/* -- the lease -- */

enum lease order_lease(struct order_record *r, const char *token, bool early, const struct queue_terms *terms)
{
    if (!r->current.id[0] || r->dead_ms)
        return LEASE_NOT_DUE;
    if (is_leased(r, terms->now_ms))
        return LEASE_HELD;
    take_over(r, terms);
    if (!early && r->due_ms > terms->now_ms && r->due_ms <= terms->now_ms + DUE_MAX_MS)
        return LEASE_NOT_DUE;
    lease_to(r, token, terms);
    return LEASE_TAKEN;
}

bool order_renew(struct order_record *r, const char *token, const struct queue_terms *terms)
{
    if (!holds(r, token))
        return false;
    lease_to(r, token, terms);
    return true;
}

/* -- attempts -- */

bool order_attempt(struct order_record *r, const char *token, enum attempt_kind kind, const char *blob,
                   int64_t window_ms, const char *boot, int64_t boot_ms, const struct queue_terms *terms)
{
    if (!order_renew(r, token, terms))
        return false;
    clear_attempt(r);
    r->attempt.kind = kind;
    r->attempt.at_ms = terms->now_ms;
    r->attempt.window_ms = window_ms;
    SET(r->attempt.blob, blob);
    (void)order_watch(r, boot, boot_ms);
    return true;
}

bool order_attempt_ends(struct order_record *r, const char *token, enum attempt_end end, int64_t window_ms)
{
    if (!holds(r, token))
        return false;
    switch (end) {
    case ATTEMPT_UNKNOWN:
        if (window_ms > r->attempt.window_ms)
            r->attempt.window_ms = window_ms;
        break;
    case ATTEMPT_REFUSED: r->attempt.refused = true; break;
    case ATTEMPT_IMPOSSIBLE: clear_attempt(r); break;
    }
    return true;
}

/* The boot's entry in the watch; NULL = it has none. */
static const char *watched(const struct order_record *r, const char *boot)
{
    size_t len = strlen(boot);

    for (const char *at = r->attempt.watch; len && *at;
         at += strcspn(at, " ") + (at[strcspn(at, " ")] != '\0'))
        if (!strncmp(at, boot, len) && at[len] == '=')
            return at + len + 1;
    return NULL;
}

int64_t order_attempt_age_ms(const struct order_record *r, const char *boot, int64_t boot_ms)
{
    const char *since = watched(r, boot);
    int64_t age_ms = since ? boot_ms - strtoll(since, NULL, 10) : 0;

    return age_ms > 0 ? age_ms : 0;
}

bool order_watch(struct order_record *r, const char *boot, int64_t boot_ms)
{
    char entry[80], all[sizeof r->attempt.watch + sizeof entry];

    if (r->attempt.kind == ATTEMPT_NONE || !*boot || watched(r, boot))
        return false;
    snprintf(entry, sizeof entry, "%.48s=%" PRId64, boot, boot_ms);
    snprintf(all, sizeof all, "%s%s%s", entry, r->attempt.watch[0] ? " " : "", r->attempt.watch);
    /* The oldest go if there are too many. */
    while (strlen(all) >= sizeof r->attempt.watch) {
        char *last = strrchr(all, ' ');
        if (!last)
            return false;
        *last = '\0';
    }
    SET(r->attempt.watch, all);
    return true;
}

/* -- ids -- */

static void add_former(struct order_record *r, const char *contact)
{
    char all[sizeof r->link.former + RECORD_ID_SIZE];

    if (!*contact || strstr(r->link.former, contact))
        return;
    snprintf(all, sizeof all, "%s%s%s", contact, r->link.former[0] ? " " : "", r->link.former);
    while (strlen(all) >= sizeof r->link.former)
        *strrchr(all, ' ') = '\0';
    SET(r->link.former, all);
}

static void take_contact(struct order_record *r, const char *contact)
{
    if (!strcmp(r->link.contact, contact))
        return;
    if (r->link.contact[0])
        forget_parts(r); /* what the old one held says nothing of the new one */
    add_former(r, r->link.contact);
    SET(r->link.contact, contact);
}

unsigned order_learn(struct order_record *r, const char *token, const char *contact, const char *opportunity,
                     const struct queue_terms *terms)
{
    unsigned others = 0;

    if (*contact && (!r->link.contact[0] || holds(r, token)))
        take_contact(r, contact);
    else if (*contact && strcmp(r->link.contact, contact) != 0)
        others |= OTHER_CONTACT;
    if (*opportunity && !r->link.opportunity[0])
        SET(r->link.opportunity, opportunity);
    else if (*opportunity && strcmp(r->link.opportunity, opportunity) != 0)
        others |= OTHER_OPPORTUNITY;
    if ((r->attempt.kind == ATTEMPT_CONTACT && *contact && !(others & OTHER_CONTACT)) ||
        (r->attempt.kind == ATTEMPT_OPPORTUNITY && *opportunity && !(others & OTHER_OPPORTUNITY)))
        clear_attempt(r);
    if (!r->current.id[0] && !r->dead_ms)
        r->expires_ms = terms->now_ms + terms->link_ttl_ms;
    return others;
}

bool order_lose_contact(struct order_record *r, const char *token)
{
    if (!holds(r, token))
        return false;
    take_contact(r, "");
    return true;
}

/* -- ends -- */

/* What the worker knows of GHL. An id that somebody else learned meanwhile stays. */
static void take_link(struct order_record *r, const struct order_link *link)
{
    char contact[RECORD_ID_SIZE], opportunity[RECORD_ID_SIZE], former[sizeof r->link.former];

    SET(contact, link->contact[0] ? link->contact : r->link.contact);
    SET(opportunity, link->opportunity[0] ? link->opportunity : r->link.opportunity);
    SET(former, r->link.former);
    r->link = *link;
    SET(r->link.contact, contact);
    SET(r->link.opportunity, opportunity);
    SET(r->link.former, former);
    if ((r->attempt.kind == ATTEMPT_OPPORTUNITY && r->link.opportunity[0]) ||
        (r->attempt.kind == ATTEMPT_CONTACT && r->link.contact[0]))
        clear_attempt(r);
}

enum end order_finish(struct order_record *r, const char *token, const struct order_link *link,
                      const char *next, const struct queue_terms *terms)
{
    if (!holds(r, token)) {
        (void)order_learn(r, token, link->contact, link->opportunity, terms);
        return END_LOST;
    }
    take_link(r, link);
    if (r->attempt.kind == ATTEMPT_NOTE)
        clear_attempt(r);
    r->look = false; /* GHL was searched, or is known */
    if (promote(r)) {
        make_due(r, terms->now_ms);
        if (!next)
            return END_QUEUED;
        lease_to(r, next, terms);
        return END_NEXT;
    }
    if (r->link.unsettled_ms > terms->now_ms) {
        forget_parts(r);
        SET(r->link.part[RECORD_PARTS - 1], link->part[RECORD_PARTS - 1]); /* a note is never written twice */
        make_due(r, r->link.unsettled_ms);
        SET(r->reason, confirming);
        return END_QUEUED;
    }
    r->link.unsettled_ms = 0;
    done(r, terms);
    return END_DONE;
}

enum end order_retry(struct order_record *r, const char *token, const struct order_link *link,
                     int64_t delay_ms, bool counted, bool hold, const char *reason,
                     const struct queue_terms *terms)
{
    if (!holds(r, token))
        return END_LOST;
    take_link(r, link);
    if (promote(r)) {
        make_due(r, terms->now_ms + (hold ? delay_ms : 0));
        return END_QUEUED;
    }
    r->attempts += counted;
    SET(r->reason, reason);
    make_due(r, terms->now_ms + delay_ms);
    return END_QUEUED;
}

enum end order_refuse(struct order_record *r, const char *token, const struct order_link *link,
                      const char *reason, const struct queue_terms *terms)
{
    if (!holds(r, token))
        return END_LOST;
    take_link(r, link);
    if (promote(r)) {
        make_due(r, terms->now_ms);
        return END_QUEUED;
    }
    make_due(r, 0);
    r->dead_ms = terms->now_ms;
    SET(r->reason, reason);
    return END_DEAD;
}

/* -- dead letters -- */

bool order_keep_bytes(struct order_record *r, const char *body_id, const char *reason,
                      const struct queue_terms *terms)
{
    if (r->version)
        return false;
    SET(r->current.id, body_id);
    r->current.accepted_ms = r->dead_ms = terms->now_ms;
    SET(r->reason, reason);
    return true;
}

enum requeue order_requeue(struct order_record *r, const struct queue_terms *terms)
{
    if (!r->dead_ms && !r->link.gone_ms)
        return REQUEUE_NONE;
    if (r->link.gone_ms) {
        r->link.gone_ms = 0;
        r->link.opportunity[0] = '\0';
        forget_parts(r);
        r->look = r->sold = true;
    }
    if (!r->dead_ms || !r->current.id[0]) {
        if (!r->current.id[0])
            r->fingerprint[0] = r->bytes[0] = '\0';
        return r->current.id[0] ? REQUEUE_DUE : REQUEUE_NO_BODY;
    }
    r->dead_ms = r->attempts = 0;
    r->reason[0] = '\0';
    r->current.accepted_ms = terms->now_ms;
    make_due(r, terms->now_ms);
    return REQUEUE_DUE;
}

bool order_drop(struct order_record *r, const struct queue_terms *terms)
{
    if (!r->dead_ms)
        return false;
    done(r, terms);
    r->sold = r->ended = false; /* neither an end nor a late sale brings it back */
    return true;
}

bool order_delete_body(struct order_record *r)
{
    if (!r->dead_ms || !r->current.id[0])
        return false;
    memset(&r->current, 0, sizeof r->current);
    return true;
}
