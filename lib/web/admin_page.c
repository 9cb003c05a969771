/* The page's frame, and its one screen. */
#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"
#include "owner/facts.h"
#include "owner/letter.h"
#include "shop/webhooks.h"
#include "web/admin_work.h"
#include <stdlib.h>
#include <string.h>

#define LIST 20 /* orders that are listed */
#define EVENTS 50
#define DAYS 7

/* -- the frame -- */

void admin_begin(struct admin *a, int status, const char *title)
{
    unsigned char random[16];
    char nonce[2 * sizeof random + 1], policy[RESPONSE_VALUE_SIZE];
    struct response *r = a->response;

    if (!digest_random(random, sizeof random))
        memset(random, 0,
               sizeof random); /* then the page has its style all the same; no script may run anyway */
    digest_hex(random, sizeof random, nonce);
    (void)text_format(policy, sizeof policy,
                      "default-src 'none'; style-src 'nonce-%s'; form-action 'self'; frame-ancestors 'none'; "
                      "base-uri 'none'",
                      nonce);
    r->status = status;
    r->content_type = "text/html; charset=utf-8";
    response_header(r, "Content-Security-Policy", policy);
    response_header(r, "X-Content-Type-Options", "nosniff");
    response_header(r, "X-Frame-Options", "DENY");
    response_header(r, "Referrer-Policy", "no-referrer");
    response_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    response_header(r, "X-Robots-Tag", "noindex");
    html(a->out,
         "<!DOCTYPE html><html lang=en><head><meta charset=utf-8>"
         "<meta name=viewport content=\"width=device-width,initial-scale=1\"><title>%s - woo_ghl</title>"
         "<style nonce=\"%s\">",
         title, nonce);
    (void)buf_adds(a->out, admin_style);
    html(a->out, "</style></head><body>");
    if (!a->session.good)
        return;
    html(a->out,
         "<header><h1><a href=admin>woo_ghl</a> <span>%s</span></h1>"
         "<form method=post action=admin><input type=hidden name=csrf value=\"%s\">"
         "<button name=do value=logout>Log out</button></form>"
         "<form class=find action=admin role=search><label class=hidden for=order>Order number</label>"
         "<input id=order name=order placeholder=\"Order number\" "
         "required><button>Find</button></form></header>",
         a->app->config.shop, a->session.csrf);
}

void admin_end(struct admin *a)
{
    html(a->out, "</body></html>\n");
}

void admin_buttons(struct admin *a, const char *key)
{
    html(a->out,
         "<form class=buttons method=post action=admin><input type=hidden name=csrf value=\"%s\">"
         "<input type=hidden name=key value=\"%s\"><button class=go name=do value=retry>Retry</button>"
         "<details><summary>Drop ...</summary><p>It never reaches GoHighLevel then.</p>"
         "<button class=drop name=do value=drop>Yes, drop it</button></details></form>",
         a->session.csrf, key);
}

/* -- orders today and this week -- */

static int64_t of_both(const struct tally_counts *counts, const char *const names[2])
{
    return tally_of(counts, names[0]) + (names[1] ? tally_of(counts, names[1]) : 0);
}

static void print_counts(struct admin *a)
{
    static const struct {
        const char *words, *names[2];
    } row[] = {{"Brought to GoHighLevel", {"done/synced"}},
               {"Needed nothing there", {"done/nothing", "received/ignored"}},
               {"Stored for later", {"received/queued", "received/spooled"}},
               {"Refused, wait for you", {"done/dead_letter", "received/bad_json"}},
               {"Of another shop, kept", {"received/foreign"}},
               {"The same again", {"received/duplicate", "received/stale"}},
               {"Not kept (answered 503)", {"received/unavailable"}},
               {"Unsigned, turned away", {"received/refused", "received/limited"}}};
    struct tally_counts today = {0}, week = {0}, day;

    for (int i = 0; i < DAYS; i++)
        if (journal_day(a->app, i, &day) == STORE_OK) {
            tally_add_all(&week, &day);
            today = i ? today : day;
        }
    html(a->out, "<section><h2>Orders</h2><table><thead><tr><th scope=col>What became of deliveries</th>"
                 "<th class=n scope=col>Today</th><th class=n scope=col>7 days</th></tr></thead><tbody>");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (i < 4 || of_both(&week, row[i].names))
            html(a->out, "<tr><th scope=row>%s</th><td class=n>%lld</td><td class=n>%lld</td></tr>",
                 row[i].words, (long long)of_both(&today, row[i].names),
                 (long long)of_both(&week, row[i].names));
    html(a->out, "</tbody></table><p class=dim>Days are those of UTC.</p></section>");
}

/* -- what waits -- */

static void print_waiting_one(struct admin *a, const struct store_entry *entry)
{
    struct store_reply reply;
    char age[CLOCK_WORDS_SIZE], next[CLOCK_WORDS_SIZE];

    if (store_read(a->app->store, entry->key, NULL, &reply) != STORE_OK || !reply.order.current.id[0])
        return; /* it is done meanwhile */
    const struct order_record *r = &reply.order;
    html(a->out, "<li><h3><a href=\"admin?order=%s\">%s</a></h3>", entry->key, entry->key);
    if (*r->reason)
        html(a->out, "<p>%s</p>", r->reason);
    html(a->out, "<p class=dim>for %s, %lld %s; ", clock_in_words(reply.now_ms - entry->at_ms, age),
         (long long)r->attempts, r->attempts == 1 ? "try" : "tries");
    if (*r->lease && r->lease_ms > reply.now_ms)
        html(a->out, "a worker has it now</p></li>");
    else if (r->due_ms > reply.now_ms)
        html(a->out, "next try in %s</p></li>", clock_in_words(r->due_ms - reply.now_ms, next));
    else
        html(a->out, "due now</p></li>");
}

static void print_waiting(struct admin *a, const struct facts *f)
{
    struct store_entry list[LIST];
    size_t n = 0;
    char age[CLOCK_WORDS_SIZE];
    int64_t waiting = f->sizes.count[INDEX_DUE];

    html(a->out, "<section><h2>Waiting: %lld</h2>", (long long)waiting);
    if (!waiting)
        html(a->out, "<p class=dim>No order waits.</p>");
    else
        html(a->out, "<p class=dim>The oldest for %s.</p>", clock_in_words(facts_oldest_s(f) * 1000, age));
    if (waiting && store_list(a->app->store, INDEX_AGE, 0, "", LIST, list, &n) == STORE_OK) {
        html(a->out, "<ol>");
        for (size_t i = 0; i < n; i++)
            print_waiting_one(a, &list[i]);
        html(a->out, "</ol>");
    }
    if (waiting > LIST)
        html(a->out, "<p class=dim>and %lld more</p>", (long long)(waiting - LIST));
    html(a->out, "</section>");
}

/* -- dead letters -- */

struct listing {
    struct admin *admin;
    int n;
};

static bool print_letter(struct app *app, const struct store_entry *entry, void *context)
{
    struct listing *listing = context;
    struct admin *a = listing->admin;
    struct store_reply reply;
    char age[CLOCK_WORDS_SIZE];

    if (store_read(app->store, entry->key, NULL, &reply) != STORE_OK)
        return false;
    if (!reply.order.dead_ms)
        return true;
    html(a->out, "<li><h3><a href=\"admin?order=%s\">%s</a></h3><p>%s</p><p class=dim>for %s%s</p>",
         entry->key, entry->key, reply.order.reason, clock_in_words(reply.now_ms - entry->at_ms, age),
         reply.order.current.id[0] ? "" : "; its content was deleted after DEAD_LETTER_TTL");
    admin_buttons(a, entry->key);
    html(a->out, "</li>");
    return ++listing->n < LIST;
}

static void print_letters(struct admin *a, const struct facts *f)
{
    struct listing listing = {.admin = a};
    int64_t dead = f->sizes.count[INDEX_DEAD];

    if (!dead)
        return;
    html(a->out,
         "<section class=wide><h2>Wait for you: %lld</h2>"
         "<p class=dim>GoHighLevel or the settings refuse these orders. Mend what each says, then retry "
         "it.</p><ol>",
         (long long)dead);
    bool good = letters_each(a->app, 0, print_letter, &listing);
    html(a->out, "</ol>");
    if (!good)
        html(a->out, "<p>The store did not tell all of them.</p>");
    else if (dead > listing.n)
        html(a->out, "<p class=dim>and %lld more: woo_ghl failed lists all</p>",
             (long long)(dead - listing.n));
    html(a->out, "</section>");
}

/* -- both sides -- */

static void print_token(struct admin *a)
{
    int64_t days = ghl_token_days(&a->app->config);

    if (days < 0)
        admin_row(a, "Token", "age unknown: set GHL_API_KEY_SINCE");
    else
        admin_row(a, "Token", "%lld days old%s", (long long)days,
                  days > GHL_TOKEN_OLD_DAYS ? ": make a new one, GoHighLevel advises it every 90 days" : "");
}

static void print_ghl(struct admin *a, const struct facts *f)
{
    const struct config *c = &a->app->config;
    int64_t open_ms = breaker_open_ms(&f->location, f->sizes.now_ms);
    char age[CLOCK_WORDS_SIZE];

    html(a->out, "<section class=third><h2>GoHighLevel</h2><dl>");
    if (c->dry_run)
        admin_row(a, "State", "dry run: nothing is sent (GHL_DRY_RUN)");
    else if (f->location.paused_ms)
        admin_row(a, "State", "paused for %s: %s",
                  clock_in_words(f->sizes.now_ms - f->location.paused_ms, age), f->location.pause_reason);
    else if (open_ms > 0)
        admin_row(a, "State", "does not answer; the next try is in %s", clock_in_words(open_ms, age));
    else
        admin_row(a, "State", "answers");
    if (f->held_ms > 0)
        admin_row(a, "Limits", "no calls for %s: %s", clock_in_words(f->held_ms, age), f->held_reason);
    else if (f->limiter.day_until_ms > f->sizes.now_ms)
        admin_row(a, "Limits", "%lld calls left of its day", (long long)f->limiter.day_left);
    else
        admin_row(a, "Limits", "%lld calls in %s", (long long)c->ghl_rate.count,
                  clock_in_words(c->ghl_rate.window_ms, age));
    print_token(a);
    html(a->out, "</dl></section>");
}

/* As the drain or reconcile saw them last. */
static void print_webhooks(struct admin *a, const struct facts *f)
{
    char *seen = NULL, age[CLOCK_WORDS_SIZE];
    const char *trouble;

    if (store_get(a->app->store, WEBHOOKS_SEEN, &seen) == STORE_OK) {
        int64_t at_ms = text_number(seen, &trouble);
        trouble += *trouble == ' ';
        admin_row(a, "Looked at", "%s ago: %s", clock_in_words(f->sizes.now_ms - at_ms, age),
                  *trouble ? trouble : "all are active");
    } else {
        admin_row(a, "Looked at", "%s",
                  *a->app->config.woo_url ? "not yet: woo_ghl reconcile does" : "never: WOO_URL is not set");
    }
    free(seen);
}

static void print_shop(struct admin *a, const struct facts *f)
{
    struct tally_counts sums;
    char age[CLOCK_WORDS_SIZE];
    int64_t last_s = journal_sums(a->app, &sums) == STORE_OK ? tally_of(&sums, TALLY_LAST_ORDER) : 0;

    html(a->out, "<section class=third><h2>The shop's webhooks</h2><dl>");
    if (last_s)
        admin_row(a, "Last order", "%s ago", clock_in_words(clock_wall_ms() - last_s * 1000, age));
    else
        admin_row(a, "Last order", "none yet");
    if (f->reconciled_s >= 0)
        admin_row(a, "Compared", "with the shop %s ago%s", clock_in_words(f->reconciled_s * 1000, age),
                  f->location.reconcile_ms ? "; wanted again" : "");
    else
        admin_row(a, "Compared", "%s",
                  *a->app->config.woo_url ? "never: run woo_ghl reconcile" : "never: WOO_URL is not set");
    print_webhooks(a, f);
    html(a->out, "</dl></section>");
}

static void print_machines(struct admin *a, const struct facts *f)
{
    struct spool_stats spool = {0};
    struct error e = ERROR_NONE;
    struct heartbeat beat;
    struct buf says;
    size_t at = 0;

    buf_init(&says, 4096);
    html(a->out, "<section class=third><h2>Machines</h2><dl>");
    while (heartbeat_next(&f->machines, &at, &beat)) {
        buf_reset(&says);
        facts_say_machine(f, &beat, &says);
        admin_row(a, beat.machine, "%s", says.data);
    }
    buf_free(&says);
    if (!f->machines.len)
        admin_row(a, "Drain", "none has run: use cron or the service");
    if (!a->app->spool || !spool_stats(a->app->spool, &spool, &e))
        admin_row(a, "Spool", "%s", *e.text ? e.text : "it is not open");
    else
        admin_row(a, "Spool", "%lld files here%s",
                  (long long)spool.deliveries + spool.ids + spool.locked + spool.damaged,
                  spool.locked + spool.damaged ? "; some cannot be opened, see woo_ghl status" : "");
    admin_row(a, "Store", "%s", store_kind(a->app->store));
    admin_row(a, "Version", "%s", WOO_GHL_VERSION);
    admin_row(a, "GHL's API", "%s", a->app->config.ghl_api_version);
    html(a->out, "</dl></section>");
}

/* -- events -- */

static bool print_event(const struct tally_event *event, void *context)
{
    struct listing *listing = context;

    admin_event(listing->admin, event, true);
    return ++listing->n < EVENTS;
}

static void print_events(struct admin *a)
{
    struct listing listing = {.admin = a};

    html(a->out, "<section class=wide><h2>Last events</h2><ol class=events>");
    enum store_result result = journal_each(a->app, print_event, &listing);
    html(a->out, "</ol>");
    if (result != STORE_OK)
        html(a->out, "<p>The store did not tell all of them.</p>");
    else if (!listing.n)
        html(a->out, "<p class=dim>Nothing has come yet.</p>");
    html(a->out, "</section>");
}

/* -- all -- */

static void print_state(struct admin *a, const struct facts *f)
{
    static const char *const state[] = {"well", "attention", "risk"};
    struct buf sentence;

    buf_init(&sentence, 4096);
    enum facts_state is = facts_say(f, &sentence);
    html(a->out, "<p class=\"state wide %s\" role=status>%s</p>", state[is], sentence.data);
    buf_free(&sentence);
}

static void print_done(struct admin *a)
{
    char done[8];
    const char *query = a->request->query;

    if (!form_field(query, strlen(query), "done", done, sizeof done))
        return;
    html(a->out, "<p class=\"state wide well\" role=alert>%s</p>",
         !strcmp(done, "drop") ? "The order is dropped."
                               : "The order is due again and goes to GoHighLevel soon.");
}

void admin_overview(struct admin *a)
{
    struct facts *f = calloc(1, sizeof *f);

    journal_keep(a->app);
    journal_fold(a->app);
    bool good = f && facts_read(a->app, f);
    admin_begin(a, good ? 200 : 503, "Overview");
    html(a->out, "<main>");
    print_done(a);
    if (good) {
        print_state(a, f);
        print_letters(a, f);
        print_counts(a);
        print_waiting(a, f);
        print_ghl(a, f);
        print_shop(a, f);
        print_machines(a, f);
        print_events(a);
    } else {
        html(a->out, "<p class=\"state wide risk\" role=alert>The store does not answer: %s</p>",
             store_trouble(a->app->store));
    }
    html(a->out, "</main>");
    admin_end(a);
    if (f)
        facts_free(f);
    free(f);
}
