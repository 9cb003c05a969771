/*
 * The rules of one order, as little scripts: what happens to a record, and what is then so.
 *
 *   sells A 100 [OPTION ...]   a version arrives: kind (sells, ends, follows, deleted), fingerprint, modified_s
 *       spool, recovered, fetched   its origin; webhook is the default
 *       ago=S      arrived so many seconds ago          created=S  created so many seconds ago
 *       up=S       the store forgot nothing since then  bytes=X    other bytes than the fingerprint says
 *       hash=H     hashed with another key              key=K      hash of the order_key
 *       erased             its person was erased
 *       moved              it stood under another key   sold       it was, whatever it says
 *       status=X   instead of the kind's own            to=T       leased to the token T at once
 *   lease T [early]            finish T [next=U]        retry T S [counted] [hold]      refuse T
 *   tried S                    was it leased in the last S seconds?
 *   renew T                    attempt T KIND WINDOW_S  unknown T WINDOW_S, refused T WINDOW_S, impossible T
 *   learn T CONTACT OPP        lose T                   requeue, drop, delete, keep
 *   forgets                    the store forgot something just now
 *   +S                         time passes, in s        knows FIELD=VALUE ...  the worker's belief of GHL changes
 *   ... > WORD                 what the rule says
 *   is FIELD=VALUE ...         the record, field by field; times in s from now ("-" = 0 or ""); see show()
 */
#include "queue/rules.h"
#include "tap.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_S 1000000
#define WORD 80
#define WORDS 12

struct run {
    const char *name;
    struct order_record record;
    struct order_link link; /* what the worker believes */
    int64_t now_ms, up_ms;
    bool changed;
    const char *said;
    char step[160], word[WORDS][WORD];
    size_t words;
};

static struct queue_terms terms_of(const struct run *run)
{
    return (struct queue_terms){.link_ttl_ms = 1000000,
                                .lease_ms = 60000,
                                .write_window_ms = 120000,
                                .now_ms = run->now_ms,
                                .up_ms = run->up_ms};
}

/* The value of the option NAME=VALUE; NULL = it is not given. */
static const char *option(const struct run *run, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 1; i < run->words; i++)
        if (!strncmp(run->word[i], name, len) && run->word[i][len] == '=')
            return run->word[i] + len + 1;
    return NULL;
}

static bool has(const struct run *run, const char *word)
{
    for (size_t i = 1; i < run->words; i++)
        if (!strcmp(run->word[i], word))
            return true;
    return false;
}

static int64_t number(const char *text)
{
    return strtoll(text, NULL, 10);
}

/* -- the rules by their names -- */

static void arrives(struct run *run, enum arrival_kind kind, bool deleted)
{
    static const char *const says[] = {"leased", "queued", "busy", "duplicate", "stale", "ignored", "other"};
    static const char *const statuses[] = {"processing", "refunded", "custom"};
    const struct queue_terms terms = terms_of(run);
    const char *ago = option(run, "ago"), *created = option(run, "created"), *up = option(run, "up"),
               *bytes = option(run, "bytes"), *key = option(run, "key"), *hash = option(run, "hash"),
               *status = option(run, "status");
    char body_id[2 * WORD];
    snprintf(body_id, sizeof body_id, "body-%s", run->word[1]);
    const struct arrival arrival = {
        .origin = has(run, "spool")       ? ORIGIN_SPOOL
                  : has(run, "recovered") ? ORIGIN_RECOVERED
                  : has(run, "fetched")   ? ORIGIN_FETCHED
                                          : ORIGIN_WEBHOOK,
        .kind = kind,
        .status_only = deleted,
        .erased = has(run, "erased"),
        .moved = has(run, "moved"),
        .sold = has(run, "sold"),
        .order_key = key ? key : "",
        .created_s = created ? run->now_ms / 1000 - number(created) : 0,
        .modified_s = deleted || !strcmp(run->word[2], "-") ? 0 : BEGIN_S + number(run->word[2]),
        .arrived_ms = run->now_ms - (ago ? number(ago) * 1000 : 0),
        .fingerprint = run->word[1],
        .hash_id = hash ? hash : "h",
        .bytes = bytes ? bytes : run->word[1],
        .status = status    ? status
                  : deleted ? "trash"
                            : statuses[kind],
        .body_id = body_id,
        .token = option(run, "to"),
        .up_ms = up ? run->now_ms - number(up) * 1000 : run->up_ms,
    };
    struct order_record before = run->record;
    enum claim claim = order_claim(&run->record, &arrival, &terms, &run->changed);
    if (run->changed)
        run->record.version++;
    else
        run->record = before; /* it is not committed */
    if (claim == CLAIM_LEASED)
        run->link = run->record.link;
    run->said = says[claim];
}

static const char *const ends[] = {"lost", "done", "next", "queued", "dead"};

static bool works(struct run *run)
{
    static const char *const leases[] = {"taken", "not-due", "held"};
    const struct queue_terms terms = terms_of(run);
    struct order_record *r = &run->record;
    const char *verb = run->word[0], *token = run->word[1], *next = option(run, "next");

    if (!strcmp(verb, "lease")) {
        run->said = leases[order_lease(r, token, has(run, "early"), &terms)];
        run->link = r->link;
    } else if (!strcmp(verb, "renew")) {
        run->said = order_renew(r, token, &terms) ? "yes" : "no";
    } else if (!strcmp(verb, "tried")) {
        run->said = order_was_leased_since(r, run->now_ms - number(token) * 1000, &terms) ? "yes" : "no";
    } else if (!strcmp(verb, "finish")) {
        run->said = ends[order_finish(r, token, &run->link, next, &terms)];
        if (next)
            run->link = r->link;
    } else if (!strcmp(verb, "retry")) {
        run->said = ends[order_retry(r, token, &run->link, number(run->word[2]) * 1000, has(run, "counted"),
                                     has(run, "hold"), "GHL is away", &terms)];
    } else if (!strcmp(verb, "refuse")) {
        run->said = ends[order_refuse(r, token, &run->link, "GHL refused it", &terms)];
    } else {
        return false;
    }
    return true;
}

static bool learns(struct run *run)
{
    static const char *const others[] = {"kept", "other-contact", "other-opportunity", "others"};
    static const char *const kinds[] = {"none", "contact", "opportunity", "note"};
    const struct queue_terms terms = terms_of(run);
    struct order_record *r = &run->record;
    const char *verb = run->word[0], *token = run->word[1];
    int64_t window_ms = run->words > 2 ? number(run->word[2]) * 1000 : 0;
    bool yes = false;

    if (!strcmp(verb, "attempt")) {
        enum attempt_kind kind = ATTEMPT_NONE;
        while (kind < ATTEMPT_NOTE && strcmp(kinds[kind], run->word[2]) != 0)
            kind++;
        yes = order_attempt(r, token, kind, "note", number(run->word[3]) * 1000, "boot", run->now_ms, &terms);
    } else if (!strcmp(verb, "unknown")) {
        yes = order_attempt_ends(r, token, ATTEMPT_UNKNOWN, window_ms);
    } else if (!strcmp(verb, "refused")) {
        yes = order_attempt_ends(r, token, ATTEMPT_REFUSED, window_ms);
    } else if (!strcmp(verb, "impossible")) {
        yes = order_attempt_ends(r, token, ATTEMPT_IMPOSSIBLE, 0);
    } else if (!strcmp(verb, "lose")) {
        yes = order_lose_contact(r, token);
    } else if (!strcmp(verb, "learn")) {
        const char *contact = run->word[2], *opportunity = run->word[3];
        run->said =
            others[order_learn(r, strcmp(token, "-") != 0 ? token : "", *contact == '-' ? "" : contact,
                               *opportunity == '-' ? "" : opportunity, &terms)];
        r->version++;
        if (*token != '-') /* the worker's own answer */
            run->link = r->link;
        return true;
    } else {
        return false;
    }
    run->said = yes ? "yes" : "no";
    return true;
}

static bool by_hand(struct run *run)
{
    static const char *const requeues[] = {"due", "no-body", "none"};
    const struct queue_terms terms = terms_of(run);
    struct order_record *r = &run->record;
    const char *verb = run->word[0];

    if (!strcmp(verb, "requeue"))
        run->said = requeues[order_requeue(r, &terms)];
    else if (!strcmp(verb, "drop"))
        run->said = order_drop(r, &terms) ? "yes" : "no";
    else if (!strcmp(verb, "delete"))
        run->said = order_delete_body(r) ? "yes" : "no";
    else if (!strcmp(verb, "keep"))
        run->said = order_keep_bytes(r, "bytes", "no order", &terms) ? "yes" : "no";
    else
        return false;
    r->version += !strcmp(verb, "keep");
    return true;
}

/* -- what is so -- */

static void from_now(const struct run *run, int64_t ms, char out[WORD])
{
    snprintf(out, WORD, ms ? "%" PRId64 : "-", (ms - run->now_ms) / 1000);
}

static void show(const struct run *run, const char *field, char out[WORD])
{
    static const char *const kinds[] = {"-", "contact", "opportunity", "note"};
    const struct order_record *r = &run->record;
    const struct {
        const char *name, *text;
    } texts[] = {{"current", r->current.fingerprint},
                 {"status", r->current.status},
                 {"body", r->current.id},
                 {"waiting", r->waiting.fingerprint},
                 {"next-status", r->waiting.status},
                 {"latest", r->fingerprint},
                 {"latest-status", r->status},
                 {"contact", r->link.contact},
                 {"email", r->link.email},
                 {"former", r->link.former},
                 {"opp", r->link.opportunity},
                 {"lease", r->lease},
                 {"attempt", kinds[r->attempt.kind]},
                 {"part", r->link.part[1]},
                 {"note-part", r->link.part[3]},
                 {"key", r->order_key},
                 {"newest", r->newest},
                 {"reason", r->reason},
                 {"note", r->attempt.blob}};
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {{"due", r->due_ms},
                 {"dead", r->dead_ms},
                 {"until", r->lease_ms},
                 {"expires", r->expires_ms},
                 {"unsettled", r->link.unsettled_ms},
                 {"gone", r->link.gone_ms},
                 {"accepted", r->current.accepted_ms},
                 {"created", r->created_s * 1000},
                 {"began", r->attempt.at_ms},
                 {"index-age", order_index_ms(r, INDEX_AGE) < 0 ? 0 : order_index_ms(r, INDEX_AGE)},
                 {"index-dead", order_index_ms(r, INDEX_DEAD) < 0 ? 0 : order_index_ms(r, INDEX_DEAD)},
                 {"index-due", order_index_ms(r, INDEX_DUE) < 0 ? 0 : order_index_ms(r, INDEX_DUE)}};
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"sold", r->sold},
                   {"look", r->look},
                   {"erased", r->erased},
                   {"restored", r->restored},
                   {"ended", r->ended},
                   {"follows", r->current.follows},
                   {"tries", r->attempts},
                   {"modified", r->modified_s - BEGIN_S},
                   {"window", r->attempt.window_ms / 1000},
                   {"refused", r->attempt.refused},
                   {"changed", run->changed}};

    snprintf(out, WORD, "no field \"%.40s\"", field);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(field, texts[i].name))
            snprintf(out, WORD, "%.60s", *texts[i].text ? texts[i].text : "-");
    for (char *space = strchr(out, ' '); space; space = strchr(space, ' '))
        *space = ',';
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!strcmp(field, times[i].name))
            from_now(run, times[i].ms, out);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(field, numbers[i].name))
            snprintf(out, WORD, "%" PRId64, numbers[i].value);
}

static bool checks(struct run *run)
{
    bool good = true;

    for (size_t i = 1; i < run->words; i++) {
        char *value = strchr(run->word[i], '='), got[WORD];
        *value++ = '\0';
        show(run, run->word[i], got);
        if (strcmp(got, value) != 0) {
            tap_note("%s: %s is %s, not %s", run->name, run->word[i], got, value);
            good = false;
        }
    }
    return good;
}

static void knows(struct run *run)
{
    const char *contact = option(run, "contact"), *opp = option(run, "opp"), *part = option(run, "part"),
               *note = option(run, "note"), *unsettled = option(run, "unsettled"),
               *gone = option(run, "gone"), *email = option(run, "email");
    struct order_link *link = &run->link;

    if (contact)
        snprintf(link->contact, sizeof link->contact, "%s", contact);
    if (opp)
        snprintf(link->opportunity, sizeof link->opportunity, "%s", opp);
    if (part)
        snprintf(link->part[1], sizeof link->part[1], "%s", *part == '-' ? "" : part);
    if (note)
        snprintf(link->part[3], sizeof link->part[3], "%s", note);
    if (unsettled)
        link->unsettled_ms = run->now_ms + number(unsettled) * 1000;
    if (email)
        snprintf(link->email, sizeof link->email, "%s", email);
    if (gone)
        link->gone_ms = run->now_ms;
}

/* -- one script -- */

static void split(struct run *run)
{
    const char *at = run->step;

    for (run->words = 0; run->words < WORDS; run->words++) {
        at += strspn(at, " \n");
        size_t len = strcspn(at, " \n");
        if (!len)
            break;
        snprintf(run->word[run->words], WORD, "%.*s", (int)len, at);
        at += len;
    }
}

/* False: it is not so, or says another thing. */
static bool step(struct run *run)
{
    static const char *const arrivals[] = {"sells", "ends", "follows", "deleted"};
    char *want = strchr(run->step, '>');
    const char *verb = run->word[0];

    if (want)
        *want++ = '\0';
    split(run);
    if (!run->words)
        return true;
    if (*verb == '+') {
        run->now_ms += number(verb + 1) * 1000;
        return true;
    }
    if (!strcmp(verb, "forgets")) {
        run->up_ms = run->now_ms;
        return true;
    }
    if (!strcmp(verb, "is"))
        return checks(run);
    if (!strcmp(verb, "knows")) {
        knows(run);
        return true;
    }
    run->said = NULL;
    for (unsigned i = 0; i < 4; i++)
        if (!strcmp(verb, arrivals[i]))
            arrives(run, i < 3 ? (enum arrival_kind)i : ARRIVAL_ENDS, i == 3);
    if (!run->said && !works(run) && !learns(run) && !by_hand(run)) {
        tap_note("%s: \"%s\" is no step", run->name, verb);
        return false;
    }
    want += want ? strspn(want, " ") : 0;
    if (want && strncmp(want, run->said, strcspn(want, " \n")) != 0) {
        tap_note("%s: \"%s\" says %s, not %s", run->name, run->step, run->said, want);
        return false;
    }
    return true;
}

struct script {
    const char *name, *steps;
};

static void play(const struct script *script)
{
    struct run run = {.name = script->name, .now_ms = (BEGIN_S + 1000) * 1000LL};
    bool good = true;

    for (const char *at = script->steps; good && *at; at += strspn(at, ";")) {
        size_t len = strcspn(at, ";");
        snprintf(run.step, sizeof run.step, "%.*s", (int)len, at);
        at += len;
        good = step(&run);
    }
    ok(good, "%s", script->name);
}

#include "scripts.h"

/* -- what no script says -- */

static void test_keys(void)
{
    struct order_record r = {.version = 1};
    char key[RECORD_KEY_SIZE], name[200];

    order_key_of("shop:1001", "0123456789abcdef0123", key);
    is_str(key, "shop:1001/0123456789abcdef", "another order of the same id has a key of its own");
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    order_key_of(name, "0123456789abcdef", key);
    is_str(key + 120, "/0123456789abcdef", "whatever the name of its shop");
    ok(!order_is_superseded(&r, "") && !r.newest[0], "an order without order_key supersedes none");
    ok(order_is_superseded(&r, "k2") && !strcmp(r.newest, "k2"), "another does");
    ok(!order_is_superseded(&r, "k2"), "once");
    ok(order_is_superseded(&r, "k3") && !strcmp(r.newest, "k3"), "the next one, too");

    struct run run = {.name = "deletions mean the newest", .record = r, .now_ms = BEGIN_S * 1000LL};
    snprintf(run.step, sizeof run.step, "deleted D > other");
    ok(step(&run), "a body without order_key means the newest order of its id");
}

/* Versions of one second, more than the record can hold: the last ones are known. */
static void test_bytes(void)
{
    struct run run = {.name = "many bytes", .now_ms = (BEGIN_S + 1000) * 1000LL};
    int known = 0;

    for (int i = 0; i < 30; i++) {
        snprintf(run.step, sizeof run.step, "sells v%d 100 bytes=%016d > queued", i, i);
        ok(step(&run) && strlen(run.record.bytes) % 17 == 16, "version %d of a second", i);
    }
    for (int i = 0; i < 30; i++) {
        struct run again = run;
        snprintf(again.step, sizeof again.step, "sells again 100 bytes=%016d", i);
        ok(step(&again), "version %d again", i);
        known += !strcmp(again.said, "duplicate");
        if (i >= 15)
            is_str(again.said, "duplicate", "it is known");
    }
    is_int(known, 15, "fifteen are known");
}

/* What was sealed anew lies under another id; never while a worker has the order. */
static void test_moved_blobs(void)
{
    const struct queue_terms terms = {.now_ms = BEGIN_S * 1000LL};
    struct order_record r = {
        .current = {.id = "a"}, .waiting = {.id = "b"}, .attempt = {.kind = ATTEMPT_CONTACT, .blob = "c"}};

    ok(order_move_blob(&r, "a", "A", &terms) && order_move_blob(&r, "b", "B", &terms) &&
           order_move_blob(&r, "c", "C", &terms) && !strcmp(r.current.id, "A") &&
           !strcmp(r.waiting.id, "B") && !strcmp(r.attempt.blob, "C"),
       "each blob is moved");
    ok(!order_move_blob(&r, "a", "X", &terms), "but not one that the order has no more");
    snprintf(r.lease, sizeof r.lease, "token");
    r.lease_ms = terms.now_ms + 1;
    ok(!order_move_blob(&r, "A", "X", &terms) && !strcmp(r.current.id, "A"), "nor while a worker has it");
    r.lease_ms = terms.now_ms;
    ok(order_move_blob(&r, "A", "X", &terms), "a lease that ran out is nobody's");
}

int main(void)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        play(&scripts[i]);
    test_keys();
    test_bytes();
    test_moved_blobs();
    return tap_done();
}
