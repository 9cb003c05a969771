/*
 * model_steps: what can happen in the model's world. Each step is one commit, one call to GHL, or time.
 *
 * A commit is one step though a worker reads, decides and commits: if another commit came between, the store
 * says CHANGED and the worker decides anew, so what counts is the moment of the commit. Deliveries show that
 * (`races`): they read in one step and commit in another.
 *
 * The worker's protocol: it never creates without a committed attempt, and only at once after it. If there is
 * an attempt, or the order is not fresh, it searches first. It creates again only if the attempt was older
 * than its window when the search began, or was refused by an answer that says why. It writes only while its
 * lease is confirmed. A part is unknown from before its write until it is answered.
 */
#pragma once

#include "model_world.h"

enum step_kind {
    STEP_NEWER, /* how: enum arrival_kind */
    STEP_OLDER,
    STEP_SAME_SECOND,
    STEP_DELETE,
    STEP_AGAIN, /* who: the version */
    STEP_COMMIT,
    STEP_LEASE, /* who: the worker, as below */
    STEP_WORK,  /* how: enum outcome */
    STEP_CRASH,
    STEP_REQUEUE,
    STEP_LAND_CREATE, /* who: which of the pending */
    STEP_LAND_PUT,
    STEP_SPOOLED, /* an id from the spool is learned */
    STEP_TICK,
};

enum outcome { DONE, DONE_UNHEARD, NOT_DONE, LATE, REFUSED, REFUSED_BUT_DONE };

struct step {
    uint8_t kind, who, how;
};

/* -- deliveries -- */

static enum claim claim(const struct model *m, const struct world *w, uint8_t version, const char *token,
                        struct order_record *r, bool *changed)
{
    char fingerprint[3], status[3], body[3];
    bool deleted = w->kind[version] == DELETED;
    struct arrival a = {.kind = deleted ? ARRIVAL_ENDS : (enum arrival_kind)w->kind[version],
                        .status_only = deleted,
                        .order_key = "",
                        .created_s = m->old ? 1 : 0,
                        .modified_s = deleted ? 0 : NOW_S - 1000 + w->modified[version],
                        .arrived_ms = NOW_MS,
                        .fingerprint = fingerprint,
                        .hash_id = "h1",
                        .bytes = fingerprint,
                        .status = status,
                        .body_id = body,
                        .token = token};

    put_text(fingerprint, 'v', version);
    put_text(status, 's', version);
    put_text(body, 'b', version);
    if (m->broken == BROKEN_BYTES)
        r->bytes[0] = '\0';
    if (m->broken == BROKEN_LATE_SALE && a.modified_s < r->modified_s) {
        *changed = false;
        return CLAIM_STALE;
    }
    if (m->broken == BROKEN_TIME && a.modified_s < r->modified_s)
        a.modified_s = r->modified_s;
    return order_claim(r, &a, &terms, changed);
}

static void load(struct world *w, const struct model *m, unsigned i);

/* What really happened, whatever the rules say of it. */
static void note_delivery(struct world *w, uint8_t version, enum claim result)
{
    bool older = w->newest && w->modified[version] < w->modified[w->newest];
    bool first = !(w->seen >> version & 1), accepted = result <= CLAIM_BUSY;

    w->seen |= (uint8_t)(1U << version);
    if (first && !older)
        w->newest = version;
    if (first && w->kind[version] != ARRIVAL_FOLLOWS &&
        (!older || (w->kind[version] == ARRIVAL_SELLS && !w->newest_mapped)))
        w->newest_mapped = version;
    w->was_sold = w->was_sold || w->kind[version] == ARRIVAL_SELLS;
    if (accepted) {
        w->late = older || w->kind[version] == DELETED;
        w->accepted = version;
        if (w->finished == version)
            w->finished = 0;
    }
}

static void commit_delivery(struct world *w, const struct model *m)
{
    struct order_record r;
    bool changed, unchanged = !memcmp(&w->before, &w->record, sizeof w->before);
    uint8_t version = w->arriving;

    expand(unchanged || m->broken == BROKEN_COMMIT ? &w->before : &w->record, &r);
    enum claim result = claim(m, w, version, w->worker[0].at == AT_REST ? token_of(0) : NULL, &r, &changed);
    if (changed)
        shrink(&r, &w->record);
    w->arriving = 0;
    memset(&w->before, 0, sizeof w->before);
    note_delivery(w, version, result);
    if (result == CLAIM_LEASED)
        load(w, m, 0);
}

static void arrive(struct world *w, const struct model *m, uint8_t version)
{
    w->deliveries--;
    w->arriving = version;
    w->before = w->record;
    if (!m->races)
        commit_delivery(w, m);
}

static void arrive_new(struct world *w, const struct model *m, uint8_t kind, int later)
{
    uint8_t version = ++w->versions;

    w->kind[version] = kind;
    w->modified[version] = (uint8_t)(w->newest ? w->modified[w->newest] + later : 10);
    arrive(w, m, version);
}

/* -- workers: what they commit -- */

static uint8_t plan_status(const struct mini_worker *p)
{
    return p->status ? p->status : p->version;
}

static void decide(struct mini_worker *p)
{
    if (p->opportunity)
        p->at = p->part_version == p->version && p->part_status == plan_status(p) ? AT_FINISH : AT_PUT;
    else if (p->attempt || p->look)
        p->at = AT_SEARCH;
    else
        p->at = p->sold ? AT_ATTEMPT : AT_FINISH;
}

static void load(struct world *w, const struct model *m, unsigned i)
{
    const struct mini_record *r = &w->record;

    w->worker[i] = (struct mini_worker){.version = r->current.version,
                                        .print = r->current.print,
                                        .status = r->current.status,
                                        .follows = r->current.follows,
                                        .sold = r->sold,
                                        .look = r->look && m->broken != BROKEN_LOOK,
                                        .attempt = r->attempt && !(r->refused && m->broken == BROKEN_REFUSED),
                                        .refused = r->refused,
                                        .attempt_age = r->attempt_age,
                                        .attempt_window = r->attempt_window,
                                        .lease_left = (uint8_t)r->lease_left,
                                        .opportunity = r->opportunity,
                                        .part_version = r->part_version,
                                        .part_status = r->part_status,
                                        .unsettled = r->unsettled};
    decide(&w->worker[i]);
}

static void rest(struct world *w, unsigned i)
{
    memset(&w->worker[i], 0, sizeof w->worker[i]);
}

static struct order_link belief(const struct mini_worker *p)
{
    struct order_link link = {0};

    put_text(link.opportunity, 'o', p->opportunity);
    put_part(link.part[1], p->part_version, p->part_status);
    link.unsettled_ms = p->unsettled ? NOW_MS + (p->unsettled - 1) * TICK_MS : 0;
    return link;
}

static void lease(struct world *w, const struct model *m, unsigned i)
{
    const struct mini_record before = w->record;
    struct order_record r;

    expand(&w->record, &r);
    if (m->broken == BROKEN_LEASE)
        r.lease[0] = '\0';
    if (order_lease(&r, token_of(i), false, &terms) != LEASE_TAKEN)
        return;
    shrink(&r, &w->record);
    if (m->broken == BROKEN_TAKE_OVER && before.lease) {
        w->record.part_version = before.part_version;
        w->record.part_status = before.part_status;
        w->record.unsettled = before.unsettled > 1 ? before.unsettled : 0;
    }
    load(w, m, i);
}

static void finish(struct world *w, const struct model *m, unsigned i)
{
    struct mini_worker *p = &w->worker[i];
    struct order_link link = belief(p);
    struct order_record r;

    expand(&w->record, &r);
    if (m->broken == BROKEN_FINISH_TOKEN)
        put_text(r.lease, 'w', i + 1);
    if (m->broken == BROKEN_WAITING)
        memset(&r.waiting, 0, sizeof r.waiting);
    if (m->broken == BROKEN_UNSETTLED || (m->broken == BROKEN_BEGUN && link.unsettled_ms <= NOW_MS))
        link.unsettled_ms = 0;
    enum end end = order_finish(&r, token_of(i), &link, token_of(i), &terms);
    shrink(&r, &w->record);
    if (end == END_DONE || end == END_NEXT)
        w->finished = p->print;
    if (end == END_NEXT)
        load(w, m, i);
    else
        rest(w, i);
}

/* Ends the attempt (AT_UNKNOWN, AT_REFUSED, AT_DENIED), then the work. */
static void give_up(struct world *w, const struct model *m, unsigned i)
{
    struct mini_worker *p = &w->worker[i];
    struct order_link link = belief(p);
    struct order_record r;
    bool has_lease = true;

    expand(&w->record, &r);
    if (p->at == AT_UNKNOWN || (p->at == AT_DENIED && m->broken != BROKEN_DENIED))
        has_lease = order_attempt_ends(&r, token_of(i), ATTEMPT_UNKNOWN, WINDOW * TICK_MS);
    else if (p->at == AT_REFUSED || p->at == AT_DENIED)
        has_lease = order_attempt_ends(&r, token_of(i), ATTEMPT_REFUSED, 0);
    else if (p->at == AT_CREATE) /* too late for it to leave */
        has_lease = order_attempt_ends(&r, token_of(i), ATTEMPT_IMPOSSIBLE, 0);
    if (has_lease && (p->at == AT_REFUSED || p->at == AT_DENIED || p->at == AT_REFUSE))
        (void)order_refuse(&r, token_of(i), &link, "", &terms);
    else if (has_lease)
        (void)order_retry(&r, token_of(i), &link, TICK_MS, false, false, "", &terms);
    shrink(&r, &w->record);
    rest(w, i);
}

static void renew(struct world *w, unsigned i)
{
    struct order_record r;

    expand(&w->record, &r);
    if (!order_renew(&r, token_of(i), &terms)) {
        rest(w, i);
        return;
    }
    shrink(&r, &w->record);
    w->worker[i].lease_left = LEASE;
}

static void record_attempt(struct world *w, const struct model *m, unsigned i)
{
    struct mini_worker *p = &w->worker[i];
    struct order_record r;
    int64_t boot_ms = m->broken == BROKEN_WINDOW ? 2 * NOW_MS : NOW_MS;

    expand(&w->record, &r);
    if (!order_attempt(&r, token_of(i), ATTEMPT_OPPORTUNITY, "a1", WINDOW * TICK_MS, "boot", boot_ms,
                       &terms)) {
        rest(w, i);
        return;
    }
    if (m->broken != BROKEN_ATTEMPT) {
        shrink(&r, &w->record);
        p->lease_left = LEASE;
    }
    p->fresh = 1;
    p->attempt = p->attempt_age = p->attempt_window = p->refused = 0;
    p->at = AT_CREATE;
}

/* The id that the create or the search gave. */
static void learn(struct world *w, unsigned i)
{
    struct mini_worker *p = &w->worker[i];
    struct order_record r;

    expand(&w->record, &r);
    (void)order_learn(&r, token_of(i), "", "o1", &terms);
    shrink(&r, &w->record);
    w->unseen = w->unseen_age = w->unseen_refused = 0;
    p->opportunity = 1;
    p->attempt = 0;
    if (w->record.lease == i + 1)
        decide(p);
    else
        rest(w, i);
}

/* -- workers: what they ask of GHL -- */

static void search(struct world *w, const struct model *m, unsigned i)
{
    struct mini_worker *p = &w->worker[i];

    if (w->unseen && (w->unseen_refused || w->unseen_age >= LAND + LAG))
        w->unseen = w->unseen_age = w->unseen_refused = 0;
    if (w->opportunities && w->opportunity_age >= LAG)
        p->at = AT_ADOPT;
    else if (p->attempt && !p->refused && p->attempt_age < p->attempt_window && m->broken != BROKEN_WINDOW)
        p->at = AT_RETRY;
    else
        p->at = p->sold ? AT_ATTEMPT : AT_FINISH;
}

static void make_opportunity(struct world *w, uint8_t version, uint8_t status)
{
    w->opportunities++;
    w->opportunity_age = 0;
    w->version = version;
    w->status = status;
}

static void hold(struct mini_write pending[PENDING], const struct mini_write *write)
{
    for (size_t i = 0; i < PENDING; i++)
        if (!pending[i].sent) {
            pending[i] = *write;
            return;
        }
}

static void create(struct world *w, unsigned i, enum outcome outcome)
{
    struct mini_worker *p = &w->worker[i];

    w->unseen = w->unseen ? 2 : 1; /* 2: no search could have seen the one before */
    w->unseen_age = 0;
    w->unseen_refused = outcome == REFUSED;
    if (outcome == DONE || outcome == DONE_UNHEARD || outcome == REFUSED_BUT_DONE)
        make_opportunity(w, p->version, plan_status(p));
    if (outcome == LATE)
        hold(w->create, &(struct mini_write){1, p->version, plan_status(p), 0});
    p->fresh = 0;
    p->part_version = outcome == DONE ? p->version : 0;
    p->part_status = outcome == DONE ? plan_status(p) : 0;
    p->at = outcome == DONE               ? AT_LEARN
            : outcome == REFUSED          ? AT_REFUSED
            : outcome == REFUSED_BUT_DONE ? AT_DENIED
                                          : AT_UNKNOWN;
}

static void put(struct world *w, const struct model *m, unsigned i, enum outcome outcome)
{
    struct mini_worker *p = &w->worker[i];
    /* A body that follows leaves GHL's status as it is. Broken: so does one that came while another status waited. */
    bool leaves = m->broken == BROKEN_FOLLOWS ? w->kind[p->version] == ARRIVAL_FOLLOWS : p->follows;
    uint8_t status = leaves ? w->status : plan_status(p);

    if (outcome == DONE || outcome == DONE_UNHEARD || outcome == REFUSED_BUT_DONE) {
        w->version = p->version;
        w->status = status;
    }
    if (outcome == LATE)
        hold(w->put, &(struct mini_write){1, p->version, status, 0});
    if (outcome == DONE || m->broken != BROKEN_PART) {
        p->part_version = outcome == DONE ? p->version : 0;
        p->part_status = outcome == DONE ? plan_status(p) : 0;
    }
    if (outcome > DONE && outcome < REFUSED && m->broken != BROKEN_PART)
        p->unsettled = 1 + WINDOW;
    p->at = outcome == DONE ? AT_FINISH : outcome >= REFUSED ? AT_REFUSE : AT_RETRY;
}

static bool writes(const struct mini_worker *p)
{
    return (p->at == AT_CREATE && p->fresh) || p->at == AT_PUT;
}

static void work(struct world *w, const struct model *m, unsigned i, enum outcome outcome)
{
    struct mini_worker *p = &w->worker[i];

    if (writes(p) && !p->lease_left && m->broken != BROKEN_CONFIRM) {
        renew(w, i);
        return;
    }
    switch ((enum at)p->at) {
    case AT_REST: break;
    case AT_SEARCH: search(w, m, i); break;
    case AT_ATTEMPT: record_attempt(w, m, i); break;
    case AT_CREATE:
        if (p->fresh)
            create(w, i, outcome);
        else
            give_up(w, m, i);
        break;
    case AT_LEARN:
        if (outcome == NOT_DONE) { /* the store is away */
            w->spooled = 1;
            rest(w, i);
            break;
        }
        learn(w, i);
        break;
    case AT_ADOPT: learn(w, i); break;
    case AT_PUT: put(w, m, i, outcome); break;
    case AT_FINISH: finish(w, m, i); break;
    case AT_UNKNOWN:
    case AT_REFUSED:
    case AT_DENIED:
    case AT_RETRY:
    case AT_REFUSE: give_up(w, m, i); break;
    }
}

/* -- all steps -- */

static void learn_spooled(struct world *w)
{
    struct order_record r;

    expand(&w->record, &r);
    (void)order_learn(&r, "", "", "o1", &terms);
    shrink(&r, &w->record);
    w->spooled = 0;
}

static void requeue(struct world *w)
{
    struct order_record r;

    expand(&w->record, &r);
    (void)order_requeue(&r, &terms);
    shrink(&r, &w->record);
}

static void take(struct world *w, const struct model *m, const struct step *s)
{
    bool fault = s->kind == STEP_CRASH || s->kind == STEP_REQUEUE || (s->kind == STEP_WORK && s->how != DONE);

    w->faults = (uint8_t)(w->faults - fault);
    switch ((enum step_kind)s->kind) {
    case STEP_NEWER: arrive_new(w, m, s->how, 2); break;
    case STEP_OLDER: arrive_new(w, m, s->how, -1); break;
    case STEP_SAME_SECOND: arrive_new(w, m, s->how, 0); break;
    case STEP_DELETE: arrive_new(w, m, DELETED, 0); break;
    case STEP_AGAIN: arrive(w, m, s->who); break;
    case STEP_COMMIT: commit_delivery(w, m); break;
    case STEP_LEASE: lease(w, m, s->who); break;
    case STEP_WORK: work(w, m, s->who, (enum outcome)s->how); break;
    case STEP_CRASH: rest(w, s->who); break;
    case STEP_REQUEUE: requeue(w); break;
    case STEP_LAND_CREATE:
        make_opportunity(w, w->create[s->who].version, w->create[s->who].status);
        memset(&w->create[s->who], 0, sizeof w->create[s->who]);
        break;
    case STEP_LAND_PUT:
        w->version = w->put[s->who].version;
        w->status = w->put[s->who].status;
        memset(&w->put[s->who], 0, sizeof w->put[s->who]);
        break;
    case STEP_SPOOLED: learn_spooled(w); break;
    case STEP_TICK: tick(w); break;
    }
}
