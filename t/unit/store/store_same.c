/*
 * store: both implementations give the same answers. Random sequences of verbs, drawn from a seed, run on
 * either; SEED=N repeats one run, SEQUENCES=N makes it longer.
 *
 * The clock is shifted by steps that never meet a term of the store, so that the time which really passes
 * between the two does not show. What still may show (two entries due in one ms, the end of a second) does
 * not come twice: a difference counts when the same sequence shows it again.
 */
#include "base/clock.h"
#include "store/store_rig.h"
#include "store/store_said.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 60
#define KEYS 3
#define LEASES 6
#define OWN_LEASE_MS 70000
#define SHIFTS_MAX 8 /* each adds a second to what no term may meet */

enum { SQLITE, REDIS, STORES };

static const char *const keys[KEYS] = {"shop:1", "shop:2", "shop:3"};
static const char *const prints[] = {"aa", "bb", "cc", "dd"};
static const char *const contacts[] = {"", "", "contact1", "contact2"};
static const char *const cards[] = {"", "", "card1", "card2"};
static const char *const ends[] = {"refunded", "cancelled"};
static const char *const things[] = {SAID_COUNTERS};

struct same {
    struct rig rig[STORES];
    uint32_t dice;
    int64_t began_s;
    int shifts;
    bool went_on, set_back; /* the clock was set forward, back */
    int step;
    struct {
        const char *key;
        char token[STORES][STORE_TOKEN_SIZE];
        char print[DIGEST_HEX_SIZE];
    } lease[LEASES];
    size_t leases;
    char did[STEPS + 1][200]; /* the steps in words */
};

/* -- dice -- */

static uint32_t roll(struct same *s, uint32_t sides)
{
    s->dice ^= s->dice << 13;
    s->dice ^= s->dice >> 17;
    s->dice ^= s->dice << 5;
    return s->dice % sides;
}

static bool chance(struct same *s, uint32_t percent)
{
    return roll(s, 100) < percent;
}

#define ONE(s, array) (array)[roll((s), sizeof(array) / sizeof *(array))]

/* -- the verbs; each draws once, and asks both -- */

static void did(struct same *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void did(struct same *s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(s->did[s->step], sizeof s->did[0], fmt, args);
    va_end(args);
}

/* Takes over both leases of an entry that both gave. */
static void note_lease(struct same *s, const struct store_entry entry[STORES])
{
    if (!entry[SQLITE].key || !entry[REDIS].key)
        return;
    size_t at = s->leases < LEASES ? s->leases++ : roll(s, LEASES);
    for (int i = 0; i < KEYS; i++)
        if (!strcmp(keys[i], entry[SQLITE].key))
            s->lease[at].key = keys[i];
    memcpy(s->lease[at].print, entry[SQLITE].fingerprint, DIGEST_HEX_SIZE);
    for (int i = 0; i < STORES; i++)
        memcpy(s->lease[at].token[i], entry[i].token, STORE_TOKEN_SIZE);
}

static void free_entries(struct store_entry entry[STORES])
{
    for (int i = 0; i < STORES; i++)
        store_entry_free(&entry[i]);
}

static struct store_claim draw_claim(struct same *s)
{
    const int64_t modified[] = {0, 10, 20, 30, 40, 50, 10 * 86400};
    const int64_t created[] = {0, -3600, 65, 65};
    const int64_t ago[] = {0, 0, 0, 5000, 45000, 4000000};
    int64_t m = ONE(s, modified), c = ONE(s, created);
    const char *print = ONE(s, prints);
    struct store_claim claim = rig_state(ONE(s, keys), print, m == 0 ? 0 : s->began_s - 5000 + m);

    claim.created_s = c == 0 ? 0 : s->began_s + c;
    claim.arrived_ago_ms = ONE(s, ago);
    claim.creates = chance(s, 50);
    claim.status_only = !claim.creates && chance(s, 30);
    if (claim.status_only)
        claim.modified_s = 0;
    claim.status = claim.creates ? "processing" : claim.status_only ? "trash" : ONE(s, ends);
    claim.work = chance(s, 70);
    claim.client = chance(s, 30) ? "client" : "";
    claim.client_limit = 3;
    claim.fetched = chance(s, 10);
    claim.again = chance(s, 10);
    claim.lease_ms = OWN_LEASE_MS;
    return claim;
}

static void do_claim(struct same *s, struct said said[STORES])
{
    const struct store_claim claim = draw_claim(s);
    struct store_entry entry[STORES] = {0};

    did(s, "claim %s %s modified %lld created %lld ago %lld%s%s%s%s", claim.key, claim.fingerprint,
        (long long)(claim.modified_s ? claim.modified_s - s->began_s + 5000 : 0),
        (long long)(claim.created_s ? claim.created_s - s->began_s : 0), (long long)claim.arrived_ago_ms,
        claim.creates ? " creates" : "", claim.status_only ? " status only" : "",
        claim.work ? "" : " no work", *claim.client ? " client" : "");
    for (int i = 0; i < STORES; i++) {
        struct store_claim_reply reply;
        enum store_claim_result result = store_claim(s->rig[i].store, &claim, &reply, &entry[i]);
        say(&said[i], "%s%s hold %d%s%s failures %" PRId64, claim_word(result),
            reply.over_limit ? " limit" : "", (int)reply.hold, reply.undrained ? " undrained" : "",
            reply.drain_needed ? " drain" : "", reply.breaker_failures);
        say_entry(&said[i], &entry[i]);
    }
    note_lease(s, entry);
    free_entries(entry);
}

/* A lease that was given at some time, its key or another's, or nobody's. */
static const char *draw_lease(struct same *s, const char *token[STORES], const char **print)
{
    *print = ONE(s, prints);
    if (s->leases == 0 || chance(s, 5)) {
        token[SQLITE] = token[REDIS] = "no such lease";
        return ONE(s, keys);
    }
    size_t at = chance(s, 70) ? s->leases - 1 : roll(s, (uint32_t)s->leases);
    for (int i = 0; i < STORES; i++)
        token[i] = s->lease[at].token[i];
    if (chance(s, 80))
        *print = s->lease[at].print;
    return s->lease[at].key;
}

static void do_progress(struct same *s, struct said said[STORES])
{
    const char *token[STORES], *print, *key = draw_lease(s, token, &print);
    const struct store_progress p = {.contact_id = ONE(s, contacts),
                                     .opportunity_id = ONE(s, cards),
                                     .replace_contact = chance(s, 15),
                                     .attempt = (enum store_attempt)(chance(s, 40) ? roll(s, 4) : 0),
                                     .attempt_note = chance(s, 70) ? "{\"note\":1}" : NULL,
                                     .clear_attempt = chance(s, 30),
                                     .lease_ms = OWN_LEASE_MS};

    did(s, "progress %s lease %.4s %s/%s%s attempt %d%s", key, token[SQLITE], p.contact_id, p.opportunity_id,
        p.replace_contact ? " replace" : "", (int)p.attempt, p.clear_attempt ? " clear" : "");
    for (int i = 0; i < STORES; i++) {
        unsigned others = 0;
        enum store_result result = store_progress(s->rig[i].store, key, token[i], &p, &others);
        say(&said[i], "%s others %u", result_word(result), others);
    }
}

static void do_renew(struct same *s, struct said said[STORES])
{
    const char *token[STORES], *print, *key = draw_lease(s, token, &print);

    did(s, "renew %s lease %.4s", key, token[SQLITE]);
    for (int i = 0; i < STORES; i++)
        say(&said[i], "%s", result_word(store_renew(s->rig[i].store, key, token[i], OWN_LEASE_MS)));
}

static void do_finish(struct same *s, struct said said[STORES])
{
    const char *token[STORES], *print, *key = draw_lease(s, token, &print);
    struct store_entry next[STORES] = {0};
    struct store_link link = {.gone = chance(s, 5)};
    int64_t lease_ms = chance(s, 50) ? OWN_LEASE_MS : 0;

    snprintf(link.contact_id, sizeof link.contact_id, "%s", ONE(s, contacts));
    snprintf(link.opportunity_id, sizeof link.opportunity_id, "%s", ONE(s, cards));
    if (link.contact_id[0] && chance(s, 70))
        snprintf(link.part_hash[roll(s, STORE_PARTS)], DIGEST_HEX_SIZE, "%s", "ab");
    did(s, "finish %s lease %.4s %s %s/%s%s%s", key, token[SQLITE], print, link.contact_id,
        link.opportunity_id, link.gone ? " gone" : "", lease_ms ? " next" : "");
    for (int i = 0; i < STORES; i++) {
        bool has_next = false;
        enum store_result result =
            store_finish(s->rig[i].store, key, token[i], print, &link, lease_ms, &next[i], &has_next);
        say(&said[i], "%s%s", result_word(result), has_next ? " next" : "");
        say_entry(&said[i], &next[i]);
    }
    note_lease(s, next);
    free_entries(next);
}

static void do_retry(struct same *s, struct said said[STORES])
{
    const int64_t delay[] = {0, 30000, 3610000, 90010000};
    const char *token[STORES], *print, *key = draw_lease(s, token, &print);
    int64_t delay_ms = ONE(s, delay);
    bool counted = chance(s, 50), hold = chance(s, 20);

    did(s, "retry %s lease %.4s in %lld%s%s", key, token[SQLITE], (long long)delay_ms,
        counted ? " counted" : "", hold ? " hold" : "");
    for (int i = 0; i < STORES; i++)
        say(&said[i], "%s",
            result_word(store_retry(s->rig[i].store, key, token[i], delay_ms, counted, hold, "a reason")));
}

static void do_park(struct same *s, struct said said[STORES])
{
    const char *token[STORES], *print, *key = draw_lease(s, token, &print);

    did(s, "park %s lease %.4s", key, token[SQLITE]);
    for (int i = 0; i < STORES; i++) {
        bool parked = false;
        enum store_result result = store_park(s->rig[i].store, key, token[i], "no", &parked);
        say(&said[i], "%s%s", result_word(result), parked ? " parked" : "");
    }
}

static void do_lease_due(struct same *s, struct said said[STORES])
{
    struct store_entry entry[STORES] = {0};
    const char *only = chance(s, 25) ? ONE(s, keys) : NULL;

    did(s, "lease due %s", only ? only : "");
    for (int i = 0; i < STORES; i++) {
        int64_t next_ms = -7;
        enum store_hold hold = STORE_GO;
        enum store_result result =
            store_lease_due(s->rig[i].store, OWN_LEASE_MS, only, &entry[i], &next_ms, &hold);
        say(&said[i], "%s hold %d", result_word(result), (int)hold);
        if (result == STORE_NONE && hold == STORE_GO && !only)
            say_ms(&said[i], next_ms);
        say_entry(&said[i], &entry[i]);
    }
    note_lease(s, entry);
    free_entries(entry);
}

static void do_parked(struct same *s, struct said said[STORES])
{
    const char *key = ONE(s, keys);
    uint32_t what = roll(s, 5);

    did(s, "%s %s", what == 0 ? "expire" : what < 3 ? "requeue" : "drop", key);
    for (int i = 0; i < STORES; i++) {
        int64_t n = 0;
        struct store *store = s->rig[i].store;
        enum store_result result = what == 0  ? store_expire_parked(store, &n)
                                   : what < 3 ? store_requeue(store, key)
                                              : store_drop(store, key);
        say(&said[i], "%s %" PRId64, result_word(result), n);
    }
}

static void do_hold(struct same *s, struct said said[STORES])
{
    static const char *const hash[] = {"", "token1", "token2"};
    const char *token = ONE(s, hash);
    uint32_t what = roll(s, 12);

    did(s, "hold %u %s", what, token);
    for (int i = 0; i < STORES; i++) {
        struct store *store = s->rig[i].store;
        int64_t open_ms = 0;
        bool first = false;
        enum store_result result = what == 0   ? store_pause(store, token, "a pause", &first)
                                   : what <= 2 ? store_resume(store, what == 1 ? NULL : token)
                                   : what == 3 ? store_probe(store, STORE_HOLD_PAUSED)
                                   : what == 4 ? store_probe(store, STORE_HOLD_BREAKER)
                                               : store_breaker(store, what <= 6, &open_ms);
        say(&said[i], "%s%s", result_word(result), first ? " first" : "");
        say_ms(&said[i], open_ms);
    }
}

static void do_contact(struct same *s, struct said said[STORES])
{
    static const char *const names[] = {"h1", "h2", "h3"}, *const tokens[] = {"t1", "t2"};
    const char *hash[2] = {ONE(s, names), ONE(s, names)}, *token = ONE(s, tokens);
    size_t n = roll(s, 3);
    bool lock = chance(s, 60);
    int64_t wrote_s = chance(s, 50) ? roll(s, 100) : 0;

    if (n == 2 && hash[0] == hash[1])
        n = 1;
    did(s, "contact %s %s %s x%zu %lld", lock ? "lock" : "unlock", token, hash[0], n, (long long)wrote_s);
    for (int i = 0; i < STORES; i++) {
        int64_t newest = 0;
        enum store_result result =
            lock ? store_contact_lock(s->rig[i].store, hash, n, token, OWN_LEASE_MS, &newest)
                 : store_contact_unlock(s->rig[i].store, hash, n, token, wrote_s);
        say(&said[i], "%s", result_word(result));
        if (result == STORE_OK)
            say(&said[i], " newest %" PRId64, newest);
    }
}

static void do_small(struct same *s, struct said said[STORES])
{
    const char *name = ONE(s, things), *key = ONE(s, keys), *card = chance(s, 50) ? "card1" : "card2";
    uint32_t what = roll(s, 5);
    bool absent = chance(s, 50);
    int64_t n = (int64_t)roll(s, 5), ttl_ms = chance(s, 50) ? 30000 : 0;
    char value[24];

    snprintf(value, sizeof value, "value%lld", (long long)n);
    did(s, "small %u %s %s %s %lld%s", what, name, key, card, (long long)n, absent ? " if absent" : "");
    for (int i = 0; i < STORES; i++) {
        struct store *store = s->rig[i].store;
        char *out = NULL;
        enum store_result result = what == 0   ? store_put(store, name, value, ttl_ms, absent, &out)
                                   : what == 1 ? store_get(store, name, &out)
                                   : what == 2 ? store_count(store, name, n == 0)
                                   : what == 3
                                       ? store_heartbeat(store)
                                       : store_card_take(store, card, key, n, (enum store_card)(n % 3));
        say(&said[i], "%s %s", result_word(result), out ? out : "-");
        free(out);
    }
}

static void do_shift(struct same *s, struct said said[STORES])
{
    static const int64_t forward[] = {21, 21, 81, 81, 661, 661, 3601, 86401, 90001, 2678401, 34646401},
                         back[] = {-19, -3599, -172799};
    /* What has expired is gone from Redis; the embedded store would find it again. */
    bool sets_back = !s->went_on && chance(s, 30);
    int64_t seconds = sets_back ? ONE(s, back) : ONE(s, forward);

    (void)said;
    if (s->shifts == SHIFTS_MAX)
        return;
    s->shifts++;
    s->went_on = s->went_on || !sets_back;
    s->set_back = s->set_back || sets_back;
    did(s, "shift %lld s", (long long)seconds);
    for (int i = 0; i < STORES; i++)
        store_shift_clock(s->rig[i].store, seconds * 1000);
}

static void one_step(struct same *s, struct said said[STORES])
{
    static const struct {
        uint32_t weight;
        void (*run)(struct same *, struct said[STORES]);
    } verbs[] = {{30, do_claim}, {12, do_progress}, {3, do_renew},      {12, do_finish},
                 {10, do_retry}, {7, do_park},      {14, do_lease_due}, {5, do_parked},
                 {6, do_hold},   {5, do_contact},   {6, do_small},      {10, do_shift}};
    uint32_t all = 0, drawn;
    size_t i = 0;

    for (size_t j = 0; j < sizeof verbs / sizeof *verbs; j++)
        all += verbs[j].weight;
    for (drawn = roll(s, all); drawn >= verbs[i].weight; i++)
        drawn -= verbs[i].weight;
    verbs[i].run(s, said);
    for (int j = 0; j < STORES; j++) {
        for (int k = 0; k < KEYS; k++)
            say_order(&said[j], s->rig[j].store, keys[k]);
        say_stats(&said[j], s->rig[j].store);
        if (s->step % 4 == 0)
            say_parked(&said[j], s->rig[j].store);
    }
}

/* -- comparing -- */

static void tell(const struct same *s, const struct said said[STORES])
{
    static const char *const name[STORES] = {"sqlite", "redis"};

    for (int i = 0; i <= s->step; i++)
        tap_note("%d. %s", i + 1, s->did[i]);
    for (int i = 0; i < STORES; i++) {
        char text[SAID_SIZE + 400];
        int n = snprintf(text, sizeof text, "%s said: %s\ntimes:", name[i], said[i].text);
        for (size_t j = 0; j < said[i].count && n > 0 && n < (int)sizeof text; j++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %lld", (long long)said[i].number[j]);
        for (char *line = text, *end; line; line = end) {
            end = strchr(line, '\n');
            if (end)
                *end++ = '\0';
            tap_note("%s", line);
        }
    }
}

/* Two steps in one ms could be told apart by one store alone, and near the end of a second the two would see
 * different ones. */
static void await_a_good_moment(void)
{
    int64_t before = clock_wall_ms(), now;

    do
        (void)clock_sleep_ms(1, NULL);
    while ((now = clock_wall_ms()) == before || now % 1000 > 900);
}

/* The number of the step at which they differ; STEPS when they agree. */
static int sequence(struct same *s, uint32_t seed, bool last)
{
    static struct said said[STORES];
    const char *const settings[] = {"WOO_GHL_ENV=/dev/null", NULL};
    bool good = true;

    s->dice = seed;
    s->shifts = 0;
    s->went_on = s->set_back = false;
    s->leases = 0;
    for (int i = 0; good && i < STORES; i++) {
        s->rig[i].location++;
        good = rig_config(&s->rig[i], settings) && rig_open(&s->rig[i]);
    }
    await_a_good_moment();
    s->began_s = rig_now_s();
    s->step = -1;
    for (int i = 0; good && i < STORES; i++) {
        struct store_stats stats;
        good = store_stats(s->rig[i].store, &stats) == STORE_OK; /* born */
    }
    for (s->step = 0; good && s->step < STEPS; s->step++) {
        memset(said, 0, sizeof said);
        said[SQLITE].set_back = said[REDIS].set_back = s->set_back;
        s->did[s->step][0] = '\0';
        await_a_good_moment();
        one_step(s, said);
        if (said_agree(&said[SQLITE], &said[REDIS]))
            continue;
        if (last)
            tell(s, said);
        break;
    }
    for (int i = 0; i < STORES; i++)
        rig_close(&s->rig[i]);
    return good ? s->step : -1;
}

static uint32_t setting(const char *text, uint32_t otherwise)
{
    unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    return number > 0 && number <= UINT32_MAX ? (uint32_t)number : otherwise;
}

int main(void)
{
    static struct same s;
    unsigned char noise[4] = {0};
    uint32_t sequences = setting(getenv("SEQUENCES"), 15), seed = setting(getenv("SEED"), 0), same = 0;

    if (!seed && digest_random(noise, sizeof noise))
        seed = 1 + (uint32_t)noise[0] + ((uint32_t)noise[1] << 8) + ((uint32_t)noise[2] << 16);
    tap_note("SEED=%u", seed);
    rig_make_dir(s.rig[SQLITE].dir);
    rig_make_dir(s.rig[REDIS].dir);
    s.rig[REDIS].redis = true;
    if (rig_server_start(&s.rig[REDIS].server, s.rig[REDIS].dir, NULL))
        for (uint32_t i = 0; i < sequences; i++) {
            uint32_t its = (seed + i) * 2654435761U;
            if (its == 0)
                its = 1;
            if (sequence(&s, its, false) == STEPS || sequence(&s, its, true) == STEPS)
                same++;
            else if (!ok(false, "SEED=%u: both stores say the same", seed + i))
                break;
        }
    is_int(same, sequences, "sequences in which both stores say the same");
    rig_server_stop(&s.rig[REDIS].server);
    rig_remove_dir(s.rig[SQLITE].dir);
    rig_remove_dir(s.rig[REDIS].dir);
    return tap_done();
}
