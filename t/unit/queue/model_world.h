/*
 * model_world: the world that model.c walks through. One order; its record in the store; two workers; GHL; a
 * clock.
 *
 * All of it is small numbers without padding, so that a state is compared and hashed as bytes. Times are
 * ticks from now: a tick makes them smaller. The rules see whole records, which are made from the small one
 * and read back.
 */
#pragma once

#include "queue/rules.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 60000LL
#define NOW_S 1000000000LL
#define NOW_MS (NOW_S * 1000)
#define LEASE 2  /* ticks */
#define LAND 1   /* a write that comes late is carried out at most so many ticks after it was sent */
#define LAG 1    /* GHL's search shows an opportunity so many ticks after it was made */
#define WINDOW 2 /* of a create or another write of unknown outcome: LAND + LAG, and a tick more than LAND */
#define LONG_AGO WINDOW /* ticks: longer makes no difference */
#define VERSIONS 5
#define WORKERS 2
#define PENDING 2
#define DELETED (ARRIVAL_FOLLOWS + 1) /* a kind of arrival: an end that has no content */
#define BEFORE VERSIONS               /* what an opportunity holds that was there before the store was */

/* What may be broken, to see that it is found. */
enum broken {
    BROKEN_NOTHING,
    BROKEN_TAKE_OVER,    /* a take over keeps what the worker before knew */
    BROKEN_LOOK,         /* an order that is not fresh is not searched for */
    BROKEN_WINDOW,       /* a create is repeated before it can be seen */
    BROKEN_FINISH_TOKEN, /* who lost the lease finishes, too */
    BROKEN_COMMIT,       /* a commit does not compare the version */
    BROKEN_ATTEMPT,      /* a create is sent before its attempt is recorded */
    BROKEN_LEASE,        /* a lease is given twice */
    BROKEN_REFUSED,      /* a refused create is repeated without a look */
    BROKEN_DENIED,       /* a create that was refused without a reason is not waited for */
    BROKEN_UNSETTLED,    /* a late write is not waited for */
    BROKEN_BEGUN,        /* also a lease from before the window's end counts as after it */
    BROKEN_BYTES,        /* the bytes of a second are forgotten */
    BROKEN_WAITING,      /* what waits behind a worker is forgotten */
    BROKEN_CONFIRM,      /* a worker writes though its lease ran out */
    BROKEN_PART,         /* what was written counts as what was there before until it is answered */
    BROKEN_TIME,         /* an older version counts as newer */
    BROKEN_LATE_SALE,    /* a sale that comes after its end counts for nothing */
    BROKEN_FOLLOWS,      /* an unmapped status leaves the latest mapped one out */
    BROKEN_KEY,          /* the idempotency key stays with the first version of a second */
    BROKENS,
};

struct mini_body {
    uint8_t version, print, status, follows; /* version: whose content, 0 = none; status 0: that version's */
};

/* struct order_record */
struct mini_record {
    uint8_t known, modified, latest, status, ended, sold, look, bytes[VERSIONS];
    struct mini_body current, waiting;
    uint8_t due, lease; /* lease: 1 + worker */
    int8_t lease_left;
    uint8_t dead, attempt, attempt_age, attempt_window, refused;
    uint8_t opportunity, part_version, part_status, unsettled; /* unsettled: 0 = no, 1 + ticks left */
};

enum at {
    AT_REST,
    AT_SEARCH,
    AT_ATTEMPT, /* about to record it */
    AT_CREATE,  /* recorded: about to send */
    AT_LEARN,   /* the create was answered */
    AT_ADOPT,   /* the search found it */
    AT_UNKNOWN, /* the create was not answered */
    AT_REFUSED, /* the create was refused, and GHL said what of it is wrong */
    AT_DENIED,  /* it was refused without that: it may have been carried out */
    AT_PUT,
    AT_FINISH,
    AT_RETRY,
    AT_REFUSE, /* the PUT was refused */
};

/* A worker's local variables. */
struct mini_worker {
    uint8_t at, version, print, status, follows, sold, look, attempt, attempt_age, attempt_window, refused;
    uint8_t fresh; /* its attempt was recorded in this tick: the create may leave */
    uint8_t lease_left, opportunity, part_version, part_status, unsettled;
};

struct mini_write {
    uint8_t sent, version, status, age; /* a write that will be carried out */
};

struct world {
    struct mini_record record;
    struct mini_worker worker[WORKERS];
    uint8_t arriving;          /* a delivery that was decided about, and is not committed: its version */
    struct mini_record before; /* as that read it */
    uint8_t opportunities, opportunity_age, version, status; /* GHL */
    struct mini_write create[PENDING], put[PENDING];
    uint8_t spooled; /* the opportunity's id waits in the spool */
    /* what really happened, for the invariants */
    uint8_t kind[VERSIONS], modified[VERSIONS], versions, seen, newest, newest_mapped, was_sold, late;
    uint8_t accepted, finished; /* the last body that was accepted; the version that was last finished */
    uint8_t unseen, unseen_age, unseen_refused; /* a create was sent that no search could have seen */
    uint8_t deliveries, faults;                 /* left */
};

struct model {
    const char *name;
    uint8_t deliveries, faults;
    bool old;    /* the order was created long ago: it is not fresh */
    bool before; /* it has an opportunity in GHL that the store does not know of */
    bool races;  /* deliveries read and commit in two steps */
    enum broken broken;
};

/* -- whole records -- */

static void put_text(char *out, char letter, unsigned n)
{
    out[0] = '\0';
    if (!n)
        return;
    out[0] = letter;
    out[1] = (char)('0' + n);
    out[2] = '\0';
}

#define IS_DELETION ((uint8_t)('-' - '0')) /* as a number in a text */

static uint8_t number_in(const char *text)
{
    return text[0] ? (uint8_t)(text[1] - '0') : 0;
}

static void expand_body(const struct mini_body *body, struct order_body *out)
{
    put_text(out->id, 'b', body->version);
    put_text(out->fingerprint, 'v', body->print);
    put_text(out->status, 's', body->status);
    out->follows = body->follows;
}

static struct mini_body shrink_body(const struct order_body *body)
{
    return (struct mini_body){number_in(body->id), number_in(body->fingerprint), number_in(body->status),
                              body->follows};
}

static void put_part(char *out, unsigned version, unsigned status)
{
    put_text(out, 'c', version);
    if (version)
        put_text(out + 2, 's', status);
}

static void expand(const struct mini_record *m, struct order_record *r)
{
    memset(r, 0, sizeof *r);
    if (!m->known)
        return;
    r->version = 1;
    r->arrived_ms = m->modified ? NOW_MS : 0;
    r->modified_s = m->modified ? NOW_S - 1000 + m->modified : 0;
    put_text(r->fingerprint, 'v', m->latest);
    put_text(r->hash_id, 'h', 1);
    put_text(r->status, 's', m->status);
    r->ended = m->ended;
    r->sold = m->sold;
    r->look = m->look;
    for (size_t i = 0; i < VERSIONS && m->bytes[i]; i++) {
        put_text(r->bytes + 3 * i, m->bytes[i] == IS_DELETION ? '-' : 'v', m->bytes[i]);
        if (i)
            r->bytes[3 * i - 1] = ' ';
    }
    expand_body(&m->current, &r->current);
    expand_body(&m->waiting, &r->waiting);
    r->due_ms = NOW_MS + m->due * TICK_MS;
    put_text(r->lease, 'w', m->lease);
    r->lease_ms = m->lease ? NOW_MS + m->lease_left * TICK_MS : 0;
    r->dead_ms = m->dead ? NOW_MS : 0;
    if (m->attempt) {
        r->attempt.kind = ATTEMPT_OPPORTUNITY;
        put_text(r->attempt.blob, 'a', 1);
        r->attempt.at_ms = NOW_MS - m->attempt_age * TICK_MS;
        r->attempt.window_ms = m->attempt_window * TICK_MS;
        r->attempt.refused = m->refused;
        snprintf(r->attempt.watch, sizeof r->attempt.watch, "boot=%lld", (long long)r->attempt.at_ms);
    }
    put_text(r->link.opportunity, 'o', m->opportunity);
    put_part(r->link.part[1], m->part_version, m->part_status);
    r->link.unsettled_ms = m->unsettled ? NOW_MS + (m->unsettled - 1) * TICK_MS : 0;
}

static uint8_t ticks_left(int64_t ms)
{
    return (uint8_t)(ms > NOW_MS ? (ms - NOW_MS) / TICK_MS : 0);
}

static uint8_t ticks_ago(int64_t ms)
{
    int64_t ticks = (NOW_MS - ms) / TICK_MS;
    return (uint8_t)(ticks < LONG_AGO ? ticks : LONG_AGO);
}

/* What the small record has no room for never changes. */
static void must_fit(const struct order_record *r)
{
    bool fits = !r->attempts && !r->newest[0] && !r->order_key[0] && !r->link.contact[0] &&
                !r->link.former[0] && !r->link.gone_ms && !r->link.part[0][0] && !r->link.part[2][0] &&
                !r->link.part[3][0] && r->attempt.kind != ATTEMPT_CONTACT &&
                r->attempt.kind != ATTEMPT_NOTE && strlen(r->bytes) < (size_t)3 * VERSIONS &&
                (r->current.id[0] || !r->waiting.id[0]);

    if (!fits) {
        printf("Bail out! the model's record has no room for what the rules did\n");
        exit(1);
    }
}

static void shrink(const struct order_record *r, struct mini_record *m)
{
    must_fit(r);
    memset(m, 0, sizeof *m);
    m->known = 1;
    m->modified = (uint8_t)(r->modified_s ? r->modified_s - NOW_S + 1000 : 0);
    m->latest = number_in(r->fingerprint);
    m->status = number_in(r->status);
    m->ended = r->ended;
    m->sold = r->sold;
    m->look = r->look;
    for (size_t i = 0; i < VERSIONS && r->bytes[0] && 3 * i <= strlen(r->bytes); i++)
        m->bytes[i] = number_in(r->bytes + 3 * i);
    m->current = shrink_body(&r->current);
    m->waiting = shrink_body(&r->waiting);
    m->lease = number_in(r->lease);
    m->due = m->lease || !m->current.version ? 0 : ticks_left(r->due_ms);
    m->lease_left = m->lease ? (int8_t)((r->lease_ms - NOW_MS) / TICK_MS) : 0;
    m->dead = r->dead_ms != 0;
    if (r->attempt.kind != ATTEMPT_NONE) {
        m->attempt = 1;
        m->attempt_age = ticks_ago(r->attempt.at_ms);
        m->attempt_window = (uint8_t)(r->attempt.window_ms / TICK_MS);
        m->refused = r->attempt.refused;
    }
    m->opportunity = number_in(r->link.opportunity);
    m->part_version = number_in(r->link.part[1]);
    m->part_status = m->part_version ? number_in(r->link.part[1] + 2) : 0;
    m->unsettled = r->link.unsettled_ms ? (uint8_t)(1 + ticks_left(r->link.unsettled_ms)) : 0;
}

static const struct queue_terms terms = {.link_ttl_ms = 100000 * TICK_MS,
                                         .lease_ms = LEASE * TICK_MS,
                                         .write_window_ms = WINDOW * TICK_MS,
                                         .now_ms = NOW_MS};

static const char *token_of(unsigned worker)
{
    static const char *const tokens[] = {"w1", "w2"};
    return tokens[worker];
}

/* -- time -- */

static uint8_t down(uint8_t ticks, uint8_t least)
{
    return ticks > least ? (uint8_t)(ticks - 1) : ticks;
}

static void tick_record(struct mini_record *r)
{
    r->due = down(r->due, 0);
    if (r->lease && r->lease_left > -LAND)
        r->lease_left--;
    if (r->attempt && r->attempt_age < LONG_AGO)
        r->attempt_age++;
    r->unsettled = down(r->unsettled, 1);
}

static void tick(struct world *w)
{
    tick_record(&w->record);
    if (w->arriving)
        tick_record(&w->before);
    for (size_t i = 0; i < WORKERS; i++) {
        struct mini_worker *p = &w->worker[i];
        p->fresh = 0;
        p->lease_left = down(p->lease_left, 0);
        p->unsettled = down(p->unsettled, 1);
        if (p->attempt && p->attempt_age < LONG_AGO)
            p->attempt_age++;
    }
    for (size_t i = 0; i < PENDING; i++) {
        w->create[i].age = (uint8_t)(w->create[i].age + w->create[i].sent);
        w->put[i].age = (uint8_t)(w->put[i].age + w->put[i].sent);
    }
    if (w->opportunities && w->opportunity_age < LAG)
        w->opportunity_age++;
    if (w->unseen && w->unseen_age < LONG_AGO)
        w->unseen_age++;
}

/* Nothing that comes late is later than LAND. */
static bool may_tick(const struct world *w)
{
    for (size_t i = 0; i < PENDING; i++)
        if ((w->create[i].sent && w->create[i].age >= LAND) || (w->put[i].sent && w->put[i].age >= LAND))
            return false;
    return true;
}
