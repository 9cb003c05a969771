#include "cli/status.h"
#include "app/alert_send.h"
#include "app/ready.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "cli/status_work.h"
#include "sync/sync.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define NAMED 5       /* orders of a kind that are named */
#define LOOKED_AT 100 /* orders that wait whose reasons are read */
#define WATCH_MS 2000

/* -- in words -- */

static void print_holds(const struct facts *f)
{
    int64_t open_ms = breaker_open_ms(&f->location, f->sizes.now_ms);
    char words[CLOCK_WORDS_SIZE];

    if (open_ms > 0)
        printf("breaker open, next try in %s\n", clock_in_words(open_ms, words));
    else if (f->location.failures)
        printf("breaker closed, %lld failures in a row\n", (long long)f->location.failures);
    if (f->location.paused_ms)
        printf("paused for %s: %s\n", clock_in_words(f->sizes.now_ms - f->location.paused_ms, words),
               f->location.pause_reason);
    if (f->held_ms > 0)
        printf("GHL's limits hold all calls for %s: %s. `woo_ghl drain --now` tries at once\n",
               clock_in_words(f->held_ms + 999, words), f->held_reason);
}

/* Why those wait that are looked at. */
static void print_reasons(const struct status *s)
{
    char words[CLOCK_WORDS_SIZE];

    for (size_t i = 0; i < s->waiting_count; i++) {
        const struct status_waiting *w = &s->waiting[i];
        if (!*w->reason)
            printf("    %lld: on the way\n", (long long)w->count);
        else
            printf("    %lld: %s; next try %s%s\n", (long long)w->count, w->reason,
                   w->next_ms > 0 ? "in " : "now", w->next_ms > 0 ? clock_in_words(w->next_ms, words) : "");
    }
    if (s->facts->sizes.count[INDEX_DUE] > s->looked_at)
        printf("    %lld more\n", (long long)(s->facts->sizes.count[INDEX_DUE] - s->looked_at));
}

static void print_today(const struct status *s)
{
    char words[CLOCK_WORDS_SIZE];
    int64_t received = tally_of(&s->today, "received/synced") + tally_of(&s->today, "received/queued") +
                       tally_of(&s->today, "received/duplicate") + tally_of(&s->today, "received/ignored");

    printf(
        "today (UTC): %lld deliveries; %lld orders brought to GHL, %lld needed nothing, %lld dead letters\n",
        (long long)received, (long long)tally_of(&s->today, "done/synced"),
        (long long)tally_of(&s->today, "done/nothing"), (long long)tally_of(&s->today, "done/dead_letter"));
    if (s->synced_s >= 0)
        printf("last brought to GHL %s ago\n", clock_in_words(s->synced_s * 1000, words));
}

static void print_gone(const struct facts *f)
{
    size_t at = 0;
    int64_t n = facts_gone(f), ignored;

    if (!n)
        return;
    printf("%lld opportunities are gone in GHL and are not made again; `woo_ghl failed retry KEY` makes one "
           "anew:",
           (long long)n);
    for (int i = 0; i < n && i < NAMED; i++)
        printf(" %s", facts_next(&f->gone, SYNC_GONE, &at, &ignored));
    printf("%s\n", n > NAMED ? " ..." : "");
}

static void print_machines(const struct facts *f)
{
    struct heartbeat beat;
    struct buf says;
    size_t at = 0;

    buf_init(&says, 4096);
    while (heartbeat_next(&f->machines, &at, &beat)) {
        buf_reset(&says);
        facts_say_machine(f, &beat, &says);
        printf("%s: %s\n", beat.machine, says.data);
    }
    buf_free(&says);
}

static void print_queue(const struct status *s)
{
    const struct facts *f = s->facts;
    char words[CLOCK_WORDS_SIZE];

    printf("waiting %lld, due %lld, oldest %s, dead letters %lld\n", (long long)f->sizes.count[INDEX_DUE],
           (long long)f->sizes.due, clock_in_words(facts_oldest_s(f) * 1000, words),
           (long long)f->sizes.count[INDEX_DEAD]);
    print_reasons(s);
    print_holds(f);
    if (f->late_count)
        printf("%zu orders%s wait for longer than RETRY_FOR; they are tried on. The oldest:", f->late_count,
               f->late_count == FACTS_LATE_MAX ? " or more" : "");
    for (size_t i = 0; i < f->late_count && i < NAMED; i++)
        printf(" %s", f->late[i].key);
    if (f->late_count)
        putchar('\n');
    print_machines(f);
    print_gone(f);
    fputs(f->left.data, stdout);
    if (f->undrained)
        printf("nothing has drained for 10 minutes: run `woo_ghl drain` from cron or as a service\n");
    if (*f->about.durability)
        printf("durability: %s\n", f->about.durability);
    if (*f->about.problem)
        printf("problem: %s\n", f->about.problem);
}

static void print_reconcile(const struct app *app, const struct facts *f)
{
    const char *set = *app->config.woo_url ? "" : " (set WOO_URL first)";
    char words[CLOCK_WORDS_SIZE];

    if (f->location.reconcile_ms)
        printf("orders may be missing: the webhook delivered something else than orders, or the store lost "
               "some. "
               "To read them from the shop, run `woo_ghl reconcile`%s\n",
               set);
    if (f->reconciled_s >= 0)
        printf("reconciled %s ago\n", clock_in_words(f->reconciled_s * 1000, words));
    else if (!*set)
        printf("never reconciled: run `woo_ghl reconcile` from cron or a timer\n");
}

static void print_counts(const struct facts *f)
{
    size_t at = 0;
    int64_t n;
    const char *word;

    while ((word = facts_next(&f->counts, FACTS_COUNTS, &at, &n))) {
        if (!strcmp(word, "before_start"))
            printf("before the start: %lld deliveries of orders from before woo_ghl was installed "
                   "(SALES_SINCE); they "
                   "made no opportunity\n",
                   (long long)n);
        else if (!strcmp(word, "erased"))
            printf("erased by the shop: %lld deliveries of orders without personal data; GHL_ON_ERASE says "
                   "what GHL "
                   "keeps\n",
                   (long long)n);
        else
            printf("counted %s: %lld\n", word, (long long)n);
    }
}

/* The next paid status that is not mapped; it may have been when they came. NULL = no more. */
static const char *next_unmapped(const struct app *app, const struct buf *statuses, size_t *at, int64_t *n)
{
    const char *word;

    while ((word = facts_next(statuses, FACTS_UNMAPPED, at, n)))
        if (!pair_find(&app->config.status_map, config_plain_status(word)))
            break;
    return word;
}

static void print_unmapped(const struct app *app, const struct facts *f)
{
    size_t at = 0;
    int64_t n;
    const char *word;

    while ((word = next_unmapped(app, &f->unmapped, &at, &n)))
        printf("not mapped: %lld paid orders with the status \"%s\"; to count them, add %s:won to "
               "GHL_STATUS_MAP\n",
               (long long)n, word, word);
}

void status_unmapped(struct app *app, struct findings *findings)
{
    struct buf statuses;
    size_t at = 0;
    int64_t n;
    const char *word;
    char mend[256];
    bool none = true;

    buf_init(&statuses, STORE_BLOB_MAX);
    bool good = store_values(app->store, FACTS_UNMAPPED, &statuses) == STORE_OK;
    while (good && (word = next_unmapped(app, &statuses, &at, &n))) {
        (void)text_format(mend, sizeof mend,
                          "To count them, add %s:won to GHL_STATUS_MAP; to ignore them, %s:-", word, word);
        findings_add(findings, FINDING_WARN, "unmapped", "They make no opportunity.", mend,
                     "%lld paid orders had the status \"%s\", which is not mapped", (long long)n, word);
        none = false;
    }
    if (!good)
        findings_add(findings, FINDING_FAIL, "away", "New orders go to this machine's spool.",
                     "Mend what the message names.", "%s", store_trouble(app->store));
    else if (none)
        FINDINGS_OK(findings, "mapped", "all statuses of paid orders are mapped");
    buf_free(&statuses);
}

/* -- the spool -- */

static bool look_at_spool(const struct app *app, struct spool_stats *spool)
{
    struct error e = ERROR_NONE;

    *spool = (struct spool_stats){0};
    if (app->spool && spool_stats(app->spool, spool, &e))
        return true;
    fprintf(stderr, "woo_ghl status: the spool cannot be looked at: %s\n",
            *e.text ? e.text : "it is not open");
    return false;
}

static void print_spool(const struct spool_stats *s)
{
    char words[CLOCK_WORDS_SIZE];

    if (s->deliveries || s->ids)
        printf("spool: %ld deliveries and %ld sets of ids to be moved to the store, oldest %s\n",
               s->deliveries, s->ids, clock_in_words(s->oldest_ms, words));
    else
        printf("spool of this machine: empty\n");
    if (s->refused)
        printf("spool: %ld of them could not be moved yet and are tried again\n", s->refused);
    if (s->locked)
        printf("spool: %ld files cannot be opened: %s\n", s->locked, s->needs.text);
    if (s->damaged)
        printf("spool: %ld files are damaged and were set aside\n", s->damaged);
    if (s->foreign)
        printf("spool: %ld files belong to another GHL_LOCATION_ID\n", s->foreign);
}

/* -- alerts -- */

static void print_alerts(const struct config *config)
{
    json_t *last = alert_last(config);
    char words[CLOCK_WORDS_SIZE];
    static const char *const way[][2] = {{"command", "ALERT_COMMAND"}, {"url", "ALERT_URL"}};

    for (size_t i = 0; last && i < sizeof way / sizeof *way; i++)
        if (*json_text(last, way[i][0]))
            printf("%s failed %s ago: %s\n", way[i][1],
                   clock_in_words(clock_wall_ms() - text_number(json_text(last, "at"), NULL), words),
                   json_text(last, way[i][0]));
    json_decref(last);
}

/* -- looking -- */

const char *status_state_name(enum facts_state state)
{
    static const char *const name[] = {
        [FACTS_WELL] = "well", [FACTS_ATTENTION] = "attention", [FACTS_RISK] = "risk"};
    return name[state];
}

/* One more that waits. What does not fit is counted with the last reason. */
static void add_waiting(struct status *s, const struct order_record *record, int64_t next_ms)
{
    size_t i = 0;

    while (i < s->waiting_count && i < STATUS_REASONS - 1 &&
           strcmp(s->waiting[i].reason, record->reason) != 0)
        i++;
    if (i == s->waiting_count) {
        s->waiting[s->waiting_count++] = (struct status_waiting){.next_ms = next_ms};
        (void)text_copy(s->waiting[i].reason, sizeof s->waiting[i].reason, record->reason);
    }
    s->waiting[i].count++;
}

static void look_at_waiting(struct app *app, struct status *s)
{
    struct store_entry list[LOOKED_AT];
    struct store_reply reply;
    size_t n = 0;

    if (store_list(app->store, INDEX_DUE, 0, "", LOOKED_AT, list, &n) != STORE_OK)
        return;
    for (size_t i = 0; i < n; i++)
        if (store_read(app->store, list[i].key, NULL, &reply) == STORE_OK)
            add_waiting(s, &reply.order, list[i].at_ms - reply.now_ms);
    s->looked_at = (int64_t)n;
}

static bool is_synced(const struct tally_event *event, void *context)
{
    int64_t *at_ms = context;

    if (strcmp(event->kind, "sent") != 0 || strcmp(event->what, "synced") != 0)
        return true;
    *at_ms = event->at_ms;
    return false;
}

static void look_at_journal(struct app *app, struct status *s)
{
    int64_t at_ms = 0;

    journal_fold(app);
    s->synced_s = -1;
    if (journal_day(app, 0, &s->today) == STORE_OK && journal_each(app, is_synced, &at_ms) == STORE_OK &&
        at_ms)
        s->synced_s = (store_now_ms(app->store) - at_ms) / 1000;
}

/* The spool is told also while the store is away. */
static void judge(struct status *s, const char *trouble)
{
    const struct spool_stats *spool = &s->spool;

    if (s->facts) {
        s->state = facts_say(s->facts, &s->sentence);
    } else {
        s->state = FACTS_RISK;
        (void)buf_addf(&s->sentence, "The store is away: new orders go to this machine's spool. %s", trouble);
    }
    if (s->state == FACTS_WELL && (!s->spool_known || spool->locked || spool->damaged || spool->refused)) {
        s->state = FACTS_ATTENTION;
        buf_reset(&s->sentence);
        (void)buf_adds(&s->sentence,
                       "Deliveries lie in this machine's spool that cannot be moved to the store.");
    }
}

static void look(struct app *app, struct status *s)
{
    struct error e = ERROR_NONE;
    bool ready = app_ready(app, &e);

    buf_init(&s->sentence, STORE_BLOB_MAX);
    s->facts = calloc(1, sizeof *s->facts);
    if (!ready || !s->facts || !facts_read(app, s->facts)) {
        if (s->facts)
            facts_free(s->facts);
        free(s->facts);
        s->facts = NULL;
    } else {
        look_at_waiting(app, s);
        look_at_journal(app, s);
    }
    s->spool_known = look_at_spool(app, &s->spool);
    judge(s, ready ? store_trouble(app->store) : e.text);
}

/* -- all -- */

static void print_text(struct app *app, const struct status *s)
{
    printf("%s\n\n", s->sentence.data);
    if (s->facts) {
        print_queue(s);
        print_today(s);
        print_reconcile(app, s->facts);
        print_counts(s->facts);
        print_unmapped(app, s->facts);
    }
    print_spool(&s->spool);
    print_alerts(&app->config);
}

int status_print(struct app *app, bool json)
{
    static const int code[] = {[FACTS_WELL] = 0, [FACTS_ATTENTION] = 1, [FACTS_RISK] = 2};
    struct status s = {0};

    look(app, &s);
    int result = code[s.state];
    if (!json)
        print_text(app, &s);
    else if (!commands_print_json(status_json(&s), JSON_COMPACT))
        result = EX_IOERR;
    if (!s.facts)
        fprintf(stderr, "woo_ghl status: %s\n", s.sentence.data);
    if (s.facts)
        facts_free(s.facts);
    free(s.facts);
    buf_free(&s.sentence);
    return result;
}

/* Every 2 s, until app->stop is set. */
static int watch(struct app *app, bool json)
{
    bool screen = isatty(STDOUT_FILENO) && !json;
    int code;

    do {
        if (screen)
            fputs("\033[H\033[2J", stdout);
        (void)app_refresh(app);
        code = status_print(app, json);
        if (!screen && !json)
            putchar('\n');
    } while (fflush(stdout) == 0 && clock_sleep_ms(WATCH_MS, app->stop));
    return code;
}

struct status_options {
    bool json, watch;
};

static int work(struct app *app, void *context)
{
    const struct status_options *options = context;

    return options->watch ? watch(app, options->json) : status_print(app, options->json);
}

int run_status(int argc, char **argv, volatile int *stop)
{
    struct status_options options = {0};
    const struct option table[] = {
        {"--json", .flag = &options.json}, {"--watch", .flag = &options.watch}, {0}};
    int code = options_read("status", argc, argv, table, NULL);

    return code == EX_OK ? commands_in_app(stop, work, &options) : code;
}
