#include "queue/rules_work.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PART_NOTE (RECORD_PARTS - 1)
#define DUE_MAX_MS (24LL * 3600 * 1000) /* further ahead, a clock was set back since: it is due */
static const char confirming[] = "a write to GHL whose answer was lost is repeated to be sure";

bool rules_has_word(const char *list, const char *word, size_t len)
{
    for (const char *at = list; len && *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == len && !memcmp(at, word, len))
            return true;
    return false;
}

static bool holds(const struct order_record *r, const char *token)
{
    return token && *token && !strcmp(r->lease, token);
}

bool rules_is_leased(const struct order_record *r, int64_t now_ms)
{
    return r->lease[0] && r->lease_ms > now_ms;
}

void rules_forget_parts(struct order_record *r)
{
    memset(r->link.part, 0, sizeof r->link.part);
}

void rules_look_after_loss(struct order_record *r, int64_t up_ms)
{
    if (r->arrived_ms && r->arrived_ms < up_ms && !r->link.opportunity[0])
        r->look = true;
}

/* A late write may be carried out over what is known. But a note is never written twice. */
void rules_doubt_parts(struct order_record *r)
{
    memset(r->link.part, 0, sizeof r->link.part - sizeof r->link.part[PART_NOTE]);
}

static void clear_attempt(struct order_record *r)
{
    memset(&r->attempt, 0, sizeof r->attempt);
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

void rules_make_due(struct order_record *r, int64_t due_ms)
{
    r->lease[0] = '\0'; /* lease_ms stays: it tells when the order was tried last */
    r->due_ms = due_ms;
}

static void lease_to(struct order_record *r, const char *token, const struct queue_terms *terms)
{
    SET(r->lease, token);
    r->lease_ms = terms->now_ms + terms->lease_ms;
}

void rules_begin(struct order_record *r, const char *token, const struct queue_terms *terms)
{
    if (r->link.unsettled_ms <= terms->now_ms)
        r->link.unsettled_ms = 0;
    lease_to(r, token, terms);
}

void rules_take_over(struct order_record *r, const struct queue_terms *terms)
{
    int64_t until_ms = r->lease_ms + terms->write_window_ms;

    if (!r->lease[0])
        return;
    rules_doubt_parts(r);
    if ((r->link.contact[0] || r->link.opportunity[0] || r->attempt.kind == ATTEMPT_CONTACT) &&
        until_ms > r->link.unsettled_ms)
        r->link.unsettled_ms = until_ms;
    (void)promote(r);
    rules_make_due(r, terms->now_ms);
}

/* Nothing is left to do. */
static void done(struct order_record *r, const struct queue_terms *terms)
{
    memset(&r->current, 0, sizeof r->current);
    rules_make_due(r, 0);
    r->attempts = r->dead_ms = r->lease_ms = 0;
    r->reason[0] = '\0';
    r->expires_ms = terms->now_ms + terms->link_ttl_ms;
}

/* -- the lease -- */

enum lease order_lease(struct order_record *r, const char *token, bool early, const struct queue_terms *terms)
{
    if (!r->current.id[0] || r->dead_ms)
        return LEASE_NOT_DUE;
    if (rules_is_leased(r, terms->now_ms))
        return LEASE_HELD;
    rules_take_over(r, terms);
    if (!early && r->due_ms > terms->now_ms && r->due_ms <= terms->now_ms + DUE_MAX_MS)
        return LEASE_NOT_DUE;
    rules_look_after_loss(r, terms->up_ms);
    rules_begin(r, token, terms);
    return LEASE_TAKEN;
}

bool order_was_leased_since(const struct order_record *r, int64_t since_ms, const struct queue_terms *terms)
{
    return r->lease_ms >= since_ms + terms->lease_ms && r->lease_ms <= terms->now_ms + terms->lease_ms;
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
    /* What may still come true is not forgotten for another. */
    if ((r->attempt.kind == ATTEMPT_CONTACT || r->attempt.kind == ATTEMPT_OPPORTUNITY) &&
        !r->attempt.refused && order_attempt_age_ms(r, boot, boot_ms) < r->attempt.window_ms)
        return false;
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
    int64_t age_ms = since ? boot_ms - text_number(since, NULL) : 0;

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

    if (!*contact || rules_has_word(r->link.former, contact, strlen(contact)))
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
        rules_forget_parts(r); /* what the old one held says nothing of the new one */
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
    if (strcmp(contact, r->link.contact) != 0)
        add_former(r, r->link.contact);
    SET(opportunity, link->opportunity[0] ? link->opportunity : r->link.opportunity);
    SET(former, r->link.former);
    r->link = *link;
    SET(r->link.contact, contact);
    SET(r->link.opportunity, opportunity);
    SET(r->link.former, former);
    if (r->erased)
        r->link.email[0] = '\0';
    if (r->link.unsettled_ms)
        rules_doubt_parts(r);
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
        rules_make_due(r, terms->now_ms);
        if (!next)
            return END_QUEUED;
        rules_begin(r, next, terms);
        return END_NEXT;
    }
    if (r->link.unsettled_ms) {
        rules_make_due(r, r->link.unsettled_ms > terms->now_ms ? r->link.unsettled_ms : terms->now_ms);
        SET(r->reason, confirming);
        return END_QUEUED;
    }
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
        rules_make_due(r, terms->now_ms + (hold ? delay_ms : 0));
        return END_QUEUED;
    }
    r->attempts += counted;
    SET(r->reason, reason);
    rules_make_due(r, terms->now_ms + delay_ms);
    return END_QUEUED;
}

enum end order_refuse(struct order_record *r, const char *token, const struct order_link *link,
                      const char *reason, const struct queue_terms *terms)
{
    if (!holds(r, token))
        return END_LOST;
    take_link(r, link);
    if (promote(r)) {
        rules_make_due(r, terms->now_ms);
        return END_QUEUED;
    }
    rules_make_due(r, 0);
    r->dead_ms = terms->now_ms;
    SET(r->reason, reason);
    return END_DEAD;
}

/* -- dead letters -- */

bool order_keep_bytes(struct order_record *r, const char *body_id, const char *reason,
                      const struct queue_terms *terms)
{
    if (r->version && (r->current.id[0] || !r->look)) /* but one that left comes back */
        return false;
    r->look = false;
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
        rules_forget_parts(r);
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
    rules_make_due(r, terms->now_ms);
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

void order_left(struct order_record *r)
{
    r->fingerprint[0] = r->bytes[0] = '\0';
    r->look = true;
    rules_forget_parts(r);
}

bool order_delete_body(struct order_record *r)
{
    if (!r->dead_ms || !r->current.id[0])
        return false;
    memset(&r->current, 0, sizeof r->current);
    return true;
}

bool order_move_blob(struct order_record *r, const char *from, const char *to,
                     const struct queue_terms *terms)
{
    char *const ids[] = {r->current.id, r->waiting.id, r->attempt.blob};

    for (size_t i = 0; i < sizeof ids / sizeof *ids && !rules_is_leased(r, terms->now_ms); i++)
        if (!strcmp(ids[i], from)) {
            snprintf(ids[i], RECORD_TOKEN_SIZE, "%s", to);
            return true;
        }
    return false;
}
