/*
 * The model check: every order in which deliveries, two workers, GHL and the clock may meet, up to a number
 * of deliveries and faults. It walks depth first and knows the states that it has visited.
 *
 * In every state: GHL never holds two opportunities of the order; no create is sent unless a search could
 * have seen the one before; no two workers may write; the latest version is the newest, and the last body
 * that was accepted is in the queue, or a dead letter, or was finished. When all is quiet, GHL holds what the
 * newest version says. The idempotency key is the last accepted version's. And from every state all becomes quiet if nothing fails any more.
 *
 * GHL's search lags. GHL may carry out a create that it refused, unless it said what of it is wrong.
 *
 * Then each rule is broken once, and the walk has to find it. MODEL_BREAK=N breaks one alone and shows how it
 * fails.
 */
#include "model_steps.h"
#include "tap.h"

/* -- what can happen -- */

#define STEPS_MAX 64

static bool is_due(const struct world *w, const struct model *m)
{
    const struct mini_record *r = &w->record;

    if (!r->current.version || r->dead)
        return false;
    return m->broken == BROKEN_LEASE || (r->lease ? r->lease_left <= 0 : !r->due);
}

static size_t deliveries(const struct world *w, const struct model *m, struct step *list)
{
    size_t n = 0;
    bool deleted = false;

    if (!w->deliveries || w->arriving)
        return 0;
    for (uint8_t how = ARRIVAL_SELLS; how <= ARRIVAL_FOLLOWS && w->versions + 1 < BEFORE; how++) {
        list[n++] = (struct step){STEP_NEWER, 0, how};
        if (w->newest && how != ARRIVAL_FOLLOWS) {
            list[n++] = (struct step){STEP_OLDER, 0, how};
            list[n++] = (struct step){STEP_SAME_SECOND, 0, how};
        }
    }
    for (uint8_t version = 1; version <= w->versions; version++) {
        deleted = deleted || w->kind[version] == DELETED;
        if (w->kind[version] != DELETED || version == w->newest)
            list[n++] = (struct step){STEP_AGAIN, version, 0};
    }
    /* A deletion names nothing that could be searched for, and no time: of two, nobody can tell which was first. */
    if (w->newest && w->versions + 1 < BEFORE && !m->before && !deleted)
        list[n++] = (struct step){STEP_DELETE, 0, 0};
    return n;
}

/* All that may happen; what needs no fault and brings the work on comes first. */
static size_t steps_of(const struct world *w, const struct model *m, struct step list[STEPS_MAX])
{
    size_t n = 0;

    for (uint8_t i = 0; i < WORKERS; i++) {
        if (w->worker[i].at != AT_REST)
            list[n++] = (struct step){STEP_WORK, i, DONE};
        else if (is_due(w, m))
            list[n++] = (struct step){STEP_LEASE, i, 0};
    }
    if (w->arriving)
        list[n++] = (struct step){STEP_COMMIT, 0, 0};
    for (uint8_t i = 0; i < PENDING; i++) {
        if (w->create[i].sent)
            list[n++] = (struct step){STEP_LAND_CREATE, i, 0};
        if (w->put[i].sent)
            list[n++] = (struct step){STEP_LAND_PUT, i, 0};
    }
    if (w->spooled)
        list[n++] = (struct step){STEP_SPOOLED, 0, 0};
    if (may_tick(w))
        list[n++] = (struct step){STEP_TICK, 0, 0};
    n += deliveries(w, m, list + n);
    for (uint8_t i = 0; i < WORKERS && w->faults; i++) {
        if (w->worker[i].at != AT_REST)
            list[n++] = (struct step){STEP_CRASH, i, 0};
        if (w->worker[i].at == AT_LEARN)
            list[n++] = (struct step){STEP_WORK, i, NOT_DONE};
        if (writes(&w->worker[i]) && (w->worker[i].lease_left || m->broken == BROKEN_CONFIRM))
            for (int how = DONE_UNHEARD; how <= REFUSED_BUT_DONE; how++)
                list[n++] = (struct step){STEP_WORK, i, (uint8_t)how};
    }
    if (w->faults && w->record.dead && w->worker[0].at == AT_REST)
        list[n++] = (struct step){STEP_REQUEUE, 0, 0};
    return n;
}

/* -- what must be so -- */

static bool is_quiet(const struct world *w)
{
    bool quiet = !w->arriving && !w->spooled && (!w->record.current.version || w->record.dead);

    for (size_t i = 0; i < WORKERS; i++)
        quiet = quiet && w->worker[i].at == AT_REST;
    for (size_t i = 0; i < PENDING; i++)
        quiet = quiet && !w->create[i].sent && !w->put[i].sent;
    return quiet;
}

static const char *check_quiet(const struct world *w, const struct model *m)
{
    bool wanted = w->was_sold || m->before;

    if (w->record.dead || !w->versions)
        return NULL;
    if (w->record.waiting.version || w->record.lease)
        return "quiet: something waits";
    if (w->opportunities != wanted)
        return wanted ? "quiet: the order was sold and has no opportunity"
                      : "quiet: an opportunity of an unsold order";
    if (!wanted)
        return NULL;
    if (w->status != (w->newest_mapped ? w->newest_mapped : BEFORE))
        return "quiet: the status is not the newest one";
    if (w->accepted == w->newest && !w->late && w->version != w->newest)
        return "quiet: the content is not the newest";
    return NULL;
}

/* The bytes of the idempotency key are those of the body that was accepted last, and to deliver them again is a duplicate
 * that changes nothing. */
static const char *check_key(const struct world *w, const struct model *m)
{
    struct order_record r;
    bool changed;

    expand(&w->record, &r);
    uint8_t known =
        number_in(m->broken == BROKEN_KEY && *order_known_bytes(&r) ? r.bytes : order_known_bytes(&r));
    if (!known)
        return NULL;
    if (known != w->accepted)
        return "the idempotency key is not the newest version's";
    return claim(m, w, known, token_of(0), &r, &changed) == CLAIM_DUPLICATE && !changed
               ? NULL
               : "the idempotency key hides what is news";
}

static const char *check(const struct world *w, const struct model *m)
{
    const struct mini_record *r = &w->record;
    int writers = 0;

    for (size_t i = 0; i < WORKERS; i++)
        writers += w->worker[i].at != AT_REST && w->worker[i].lease_left > 0;
    if (w->opportunities > 1)
        return "two opportunities";
    if (w->unseen > 1)
        return "a create that no search could have seen was repeated";
    if (writers > 1)
        return "two workers may write";
    if (w->newest && r->latest != w->newest && !(w->late && !r->latest))
        return "the latest version is not the newest";
    if (w->accepted && r->current.print != w->accepted && r->waiting.print != w->accepted &&
        w->finished != w->accepted)
        return "an accepted version vanished";
    const char *key = check_key(w, m);
    if (key)
        return key;
    return is_quiet(w) ? check_quiet(w, m) : NULL;
}

/* The worlds differ by who is called 1 and 2; only one of both is walked. */
static void put_in_order(struct world *w)
{
    struct mini_worker first = w->worker[0];

    if (memcmp(&w->worker[0], &w->worker[1], sizeof first) >= 0)
        return;
    w->worker[0] = w->worker[1];
    w->worker[1] = first;
    if (w->record.lease)
        w->record.lease = (uint8_t)(3 - w->record.lease);
    if (w->before.lease)
        w->before.lease = (uint8_t)(3 - w->before.lease);
}

/* -- the walk -- */

struct place {
    struct world world;
    uint32_t depth;
    struct step step;
};

struct walk {
    const struct model *model;
    struct place *stack;
    size_t height, room;
    uint64_t *visited; /* hashes; 0 = free */
    size_t slots, states;
    struct step *path;
    uint32_t path_room, depth, deepest;
    size_t steps, quiet;
    const char *violation;
};

static uint64_t hash_of(const struct world *w)
{
    const unsigned char *at = (const unsigned char *)w;
    uint64_t hash = 0x9E3779B97F4A7C15ULL, part;

    for (size_t i = 0; i < sizeof *w; i += sizeof part) {
        size_t n = sizeof *w - i < sizeof part ? sizeof *w - i : sizeof part;
        part = 0;
        memcpy(&part, at + i, n);
        hash = (hash ^ part) * 0xFF51AFD7ED558CCDULL;
        hash ^= hash >> 32;
    }
    return hash ? hash : 1;
}

static void *need(void *memory)
{
    if (!memory) {
        printf("Bail out! out of memory\n");
        exit(1);
    }
    return memory;
}

static bool put_hash(uint64_t *slots, size_t count, uint64_t hash)
{
    size_t at = hash & (count - 1);

    while (slots[at] && slots[at] != hash)
        at = (at + 1) & (count - 1);
    if (slots[at])
        return false;
    slots[at] = hash;
    return true;
}

/* False: it was visited before. */
static bool visit(struct walk *walk, uint64_t hash)
{
    if (2 * walk->states >= walk->slots) {
        size_t more = walk->slots ? 2 * walk->slots : 1 << 16;
        uint64_t *wider = need(calloc(more, sizeof *wider));
        for (size_t i = 0; i < walk->slots; i++)
            if (walk->visited[i])
                (void)put_hash(wider, more, walk->visited[i]);
        free(walk->visited);
        walk->visited = wider;
        walk->slots = more;
    }
    if (!put_hash(walk->visited, walk->slots, hash))
        return false;
    walk->states++;
    return true;
}

static void push(struct walk *walk, const struct world *w, uint32_t depth, struct step step)
{
    if (walk->height == walk->room) {
        walk->room = walk->room ? 2 * walk->room : 1024;
        walk->stack = need(realloc(walk->stack, walk->room * sizeof *walk->stack));
    }
    walk->stack[walk->height++] = (struct place){*w, depth, step};
}

/* Nothing fails, and nothing comes any more: is there an end? */
static const char *calm(const struct world *from, const struct model *m)
{
    struct world w = *from;
    struct step list[STEPS_MAX];

    w.deliveries = w.faults = 0;
    for (int i = 0; i < 200; i++) {
        const char *violation = check(&w, m);
        if (violation || is_quiet(&w))
            return violation;
        if (!steps_of(&w, m, list))
            return "nothing can happen, and something waits";
        take(&w, m, &list[0]);
    }
    return "something waits for ever";
}

static void walk_from(struct walk *walk, const struct place *place)
{
    struct step list[STEPS_MAX];
    struct world next[STEPS_MAX];
    uint64_t hash[STEPS_MAX];
    size_t n = steps_of(&place->world, walk->model, list);

    for (size_t i = 0; i < n; i++) {
        next[i] = place->world;
        take(&next[i], walk->model, &list[i]);
        put_in_order(&next[i]);
        hash[i] = hash_of(&next[i]);
        if (walk->slots)
            __builtin_prefetch(&walk->visited[hash[i] & (walk->slots - 1)]);
    }
    walk->steps += n;
    for (size_t i = 0; i < n && !walk->violation; i++) {
        if (!visit(walk, hash[i]))
            continue;
        walk->violation = check(&next[i], walk->model);
        if (!walk->violation && hash[i] % 16 == 0)
            walk->violation = calm(&next[i], walk->model);
        walk->depth = place->depth + 1;
        if (walk->violation && walk->depth < walk->path_room)
            walk->path[walk->depth] = list[i];
        walk->quiet += is_quiet(&next[i]);
        push(walk, &next[i], walk->depth, list[i]);
    }
}

static void walk_all(struct walk *walk)
{
    const struct model *m = walk->model;
    struct world begin = {.deliveries = m->deliveries, .faults = m->faults};

    if (m->before) {
        begin.opportunities = begin.opportunity_age = 1;
        begin.version = begin.status = BEFORE;
    }
    walk->path_room = 1 << 20;
    walk->path = need(calloc(walk->path_room, sizeof *walk->path));
    push(walk, &begin, 0, (struct step){STEP_TICK, 0, 0});
    while (walk->height && !walk->violation) {
        struct place place = walk->stack[--walk->height];
        if (place.depth < walk->path_room)
            walk->path[place.depth] = place.step;
        if (place.depth > walk->deepest)
            walk->deepest = place.depth;
        walk_from(walk, &place);
    }
}

static void walk_free(struct walk *walk)
{
    free(walk->stack);
    free(walk->visited);
    free(walk->path);
}

/* -- how it failed -- */

static void show(const struct world *w, const struct step *s)
{
    static const char *const kinds[] = {"newer",       "older",    "same second", "deleted", "again",
                                        "commit",      "lease",    "work",        "crash",   "requeue",
                                        "late create", "late PUT", "spooled id",  "tick"};
    static const char *const ats[] = {"rest",    "search", "attempt", "create", "learn", "adopt", "unknown",
                                      "refused", "denied", "PUT",     "finish", "retry", "refuse"};
    static const char *const outcomes[] = {"done", "done, no answer", "not done, no answer",
                                           "late", "refused",         "refused but done"};
    static const char *const arrivals[] = {"sells", "ends", "follows"};

    if (s->kind <= STEP_SAME_SECOND)
        tap_note("%s: %s", kinds[s->kind], arrivals[s->how]);
    else if (s->kind == STEP_WORK)
        tap_note("worker %d: %s%s%s", s->who, ats[w->worker[s->who].at],
                 writes(&w->worker[s->who]) ? ": " : "", writes(&w->worker[s->who]) ? outcomes[s->how] : "");
    else
        tap_note("%s %d", kinds[s->kind], s->who);
}

static void show_record(const struct world *w)
{
    const struct mini_record *r = &w->record;

    tap_note("      latest %d status %d, current %d/%d waiting %d, due %d, lease %d (%d), attempt %d (%d of "
             "%d), opp %d part "
             "%d/%d unsettled %d%s%s%s; GHL %d: %d/%d",
             r->latest, r->status, r->current.version, r->current.status, r->waiting.version, r->due,
             r->lease, r->lease_left, r->attempt, r->attempt_age, r->attempt_window, r->opportunity,
             r->part_version, r->part_status, r->unsettled, r->look ? ", look" : "", r->sold ? ", sold" : "",
             r->dead ? ", dead" : "", w->opportunities, w->version, w->status);
}

static void show_path(const struct walk *walk)
{
    const struct model *m = walk->model;
    struct world w = {.deliveries = m->deliveries, .faults = m->faults};

    if (m->before) {
        w.opportunities = w.opportunity_age = 1;
        w.version = w.status = BEFORE;
    }
    tap_note("%s:", walk->violation);
    for (uint32_t i = 1; i <= walk->depth && i < walk->path_room; i++) {
        show(&w, &walk->path[i]);
        take(&w, m, &walk->path[i]);
        put_in_order(&w);
        show_record(&w);
    }
}

/* -- main -- */

static const struct model models[] = {
    {.name = "one delivery, two faults", .deliveries = 1, .faults = 2},
    {.name = "two deliveries, one fault", .deliveries = 2, .faults = 1},
    {.name = "two deliveries, two faults", .deliveries = 2, .faults = 2},
    {.name = "three deliveries, no fault", .deliveries = 3, .faults = 0},
    {.name = "races: two deliveries, no fault", .deliveries = 2, .faults = 0, .races = true},
    {.name = "an old order, unknown to GHL", .deliveries = 2, .faults = 1, .old = true},
    {.name = "an old order that GHL has", .deliveries = 2, .faults = 1, .old = true, .before = true},
};
/* MODEL_DEEP=1: minutes. */
static const struct model deep[] = {
    {.name = "one delivery, four faults", .deliveries = 1, .faults = 4},
    {.name = "two deliveries, three faults", .deliveries = 2, .faults = 3},
    {.name = "three deliveries, one fault", .deliveries = 3, .faults = 1},
    {.name = "three deliveries, two faults", .deliveries = 3, .faults = 2},
    {.name = "four deliveries, no fault", .deliveries = 4, .faults = 0},
    {.name = "races: two deliveries, two faults", .deliveries = 2, .faults = 2, .races = true},
    {.name = "races: three deliveries, no fault", .deliveries = 3, .faults = 0, .races = true},
    {.name = "an old order that GHL has, three deliveries",
     .deliveries = 3,
     .faults = 1,
     .old = true,
     .before = true},
};

static const char *const breaks[BROKENS] = {
    [BROKEN_TAKE_OVER] = "a take over forgets nothing",
    [BROKEN_LOOK] = "an old order is not searched for",
    [BROKEN_WINDOW] = "an attempt's window is ignored",
    [BROKEN_FINISH_TOKEN] = "finish ignores the token",
    [BROKEN_COMMIT] = "a commit ignores the version",
    [BROKEN_ATTEMPT] = "no attempt is recorded",
    [BROKEN_LEASE] = "a lease is given twice",
    [BROKEN_REFUSED] = "a refused create is repeated without a look",
    [BROKEN_DENIED] = "a create that was refused without a reason is not waited for",
    [BROKEN_UNSETTLED] = "a late write is not waited for",
    [BROKEN_BEGUN] = "work that began before a late write's window ended counts",
    [BROKEN_BYTES] = "the bytes of a second are forgotten",
    [BROKEN_WAITING] = "the waiting body is forgotten",
    [BROKEN_CONFIRM] = "a worker writes without its lease",
    [BROKEN_PART] = "a part counts as it was until its write is answered",
    [BROKEN_KEY] = "the idempotency key stays with an older version",
    [BROKEN_TIME] = "an older version counts as newer",
    [BROKEN_LATE_SALE] = "a late sale is forgotten",
    [BROKEN_FOLLOWS] = "an unmapped status leaves the mapped one out",
};

static void test_model(const struct model *model)
{
    struct walk walk = {.model = model};

    walk_all(&walk);
    if (!ok(!walk.violation, "%s: %s", model->name, walk.violation ? walk.violation : "every state is right"))
        show_path(&walk);
    tap_note("%zu states, %zu steps, %zu quiet states, depth %u", walk.states, walk.steps, walk.quiet,
             walk.deepest);
    walk_free(&walk);
}

static void test_break(enum broken broken, bool shown)
{
    const char *found = NULL;

    for (size_t i = 0; i < sizeof models / sizeof *models && !found; i++) {
        struct model model = models[i];
        struct walk walk = {.model = &model};
        model.broken = broken;
        walk_all(&walk);
        found = walk.violation;
        if (found && shown)
            show_path(&walk);
        walk_free(&walk);
    }
    ok(found != NULL, "broken: %s: %s", breaks[broken], found ? found : "not found");
}

int main(void)
{
    const char *chosen = getenv("MODEL_BREAK");

    if (chosen) {
        long number = strtol(chosen, NULL, 10);
        if (number > BROKEN_NOTHING && number < BROKENS)
            test_break((enum broken)number, true);
        return tap_done();
    }
    for (size_t i = 0; getenv("MODEL_DEEP") && i < sizeof deep / sizeof *deep; i++)
        test_model(&deep[i]);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        test_model(&models[i]);
    for (int broken = BROKEN_NOTHING + 1; broken < BROKENS; broken++)
        test_break((enum broken)broken, false);
    return tap_done();
}
