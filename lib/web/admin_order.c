/* An order's page, and an event in words. */
#include "base/clock.h"
#include "base/text.h"
#include "web/admin_work.h"
#include <stdio.h>
#include <string.h>

/* GHL documents no addresses of its app. These stand in many public programs that link into it; the tab opens the
 * opportunity's card over the list. A white-label domain of an agency serves the same ones. */
#define GHL_APP "https://app.gohighlevel.com/v2/location/"

/* -- events in words -- */

/* Reasons that are not clear by themselves. */
static const struct {
    const char *why, *words;
} reasons[] = {
    {"paused", "all work is paused"},
    {"ghl_unavailable", "GoHighLevel did not answer well"},
    {"ghl_limit", "GoHighLevel asked to wait"},
    {"ghl_refused", "GoHighLevel refused it for now"},
    {"busy", "a worker has an older version of it"},
    {"later", "it waits its turn"},
    {"in_flight", "an earlier create may still come true"},
    {"no_time", "no time was left"},
    {"rate_limited", "its client sent very much today"},
    {"before_start", "it is from before the first use (SALES_SINCE)"},
    {"never_sold", "it was never sold"},
    {"status_not_mapped", "GHL_STATUS_MAP does not name its status"},
    {"store_unavailable", "the store was away"},
    {"sub_order", "its parent order counts"},
    {"rest_error", "the shop sent an error in an order's place; woo_ghl check says more"},
};

static void print_why(struct admin *a, const char *why)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (!strcmp(reasons[i].why, why))
            why = reasons[i].words;
    if (strcmp(why, "-") != 0)
        html(a->out, ": %s", why);
}

static const struct {
    const char *kind, *what, *words;
    bool why; /* the reason follows */
} sentences[] = {
    {"received", "synced", "in GoHighLevel", false},
    {"received", "ignored", "needs nothing there", true},
    {"received", "foreign", "another shop's, kept", false},
    {"received", "queued", "stored for later", true},
    {"received", "dead_letter", "refused, waits for you", false},
    {"received", "bad_json", "no JSON, kept", false},
    {"received", "spooled", "kept on this machine", true},
    {"received", "unavailable", "could not be kept: answered 503", true},
    {"sent", "nothing", "Needed nothing in GoHighLevel", true},
    {"sent", "queued", "Tried, again later", true},
    {"sent", "dead_letter", "Refused, waits for you", false},
    {"owner", "retry", "You sent it again", false},
    {"owner", "drop", "You dropped it", false},
};

/* "contact,tags" with blanks between. */
static void print_parts(struct admin *a, const char *parts)
{
    html(a->out, "GoHighLevel holds it; changed: ");
    for (; *parts; parts++)
        html(a->out, "%s%s", (char[]){*parts, '\0'}, *parts == ',' ? " " : "");
}

static void print_words(struct admin *a, const struct tally_event *e)
{
    bool read = !strcmp(e->kind, "read"), came = read || !strcmp(e->kind, "received"),
         parts = strcmp(e->parts, "-") != 0;

    if (came)
        html(a->out, "%s%s%s%s: ", read ? "Read again" : "Received", parts ? " (" : "", parts ? e->parts : "",
             parts ? ")" : "");
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (!strcmp(sentences[i].kind, came ? "received" : e->kind) && !strcmp(sentences[i].what, e->what)) {
            html(a->out, "%s", sentences[i].words);
            if (sentences[i].why)
                print_why(a, e->why);
            return;
        }
    if (parts)
        print_parts(a, e->parts);
    else
        html(a->out, "GoHighLevel has it already");
}

void admin_event(struct admin *a, const struct tally_event *e, bool link)
{
    char at[32];

    clock_format_iso(e->at_ms, at);
    html(a->out, "<li><time datetime=\"%s\">", at);
    at[16] = '\0';
    at[10] = ' ';
    html(a->out, "%s</time><span>", at + 5);
    if (link && strcmp(e->key, "-") != 0)
        html(a->out, "<a href=\"admin?order=%s\">%s</a> ", e->key,
             strcmp(e->number, "-") != 0 ? e->number : e->key);
    print_words(a, e);
    if (e->took_ms)
        html(a->out, " <span class=dim>%lld ms</span>", (long long)e->took_ms);
    html(a->out, "</span></li>");
}

/* -- which order -- */

struct search {
    const char *number;
    char key[RECORD_KEY_SIZE]; /* found */
};

static bool has_number(const struct tally_event *event, void *context)
{
    struct search *search = context;

    if (strcmp(event->number, search->number) != 0 || !strcmp(event->key, "-"))
        return true;
    (void)text_copy(search->key, sizeof search->key, event->key);
    return false;
}

static bool is_there(struct admin *a, const char *key, struct store_reply *reply)
{
    return store_read(a->app->store, key, NULL, reply) == STORE_OK && reply->order.version > 0;
}

/* What a person types: a key, a number with or without #, of any of the shops. False: the store knows no such order. */
static bool find(struct admin *a, const char *asked, char key[RECORD_KEY_SIZE], struct store_reply *reply)
{
    const struct config *c = &a->app->config;
    struct search search = {.number = asked};
    char number[40];

    (void)text_copy(key, RECORD_KEY_SIZE, asked);
    if (is_there(a, key, reply))
        return true;
    while (*asked == '#' || *asked == ' ')
        asked++;
    tally_word(number, sizeof number, asked);
    search.number = number;
    if (journal_each(a->app, has_number, &search) == STORE_OK && *search.key) {
        (void)text_copy(key, RECORD_KEY_SIZE, search.key);
        if (is_there(a, key, reply))
            return true;
    }
    for (size_t i = 0; i <= c->shops.count; i++)
        if (text_format(key, RECORD_KEY_SIZE, "%s:%s", i ? c->shops.item[i - 1].name : c->shop, asked) &&
            is_there(a, key, reply))
            return true;
    return false;
}

/* -- the page -- */

/* The order's id, if the key ends with one; "" = it does not. */
static void id_of(const char *key, char out[24])
{
    const char *colon = strchr(key, ':'), *id = colon ? colon + 1 : "";
    size_t n = strspn(id, "0123456789");

    (void)text_format(out, 24, "%.*s", n < 24 && (!id[n] || id[n] == '/') ? (int)n : 0, id);
}

static void print_links(struct admin *a, const char *key, const struct order_record *r)
{
    const struct config *c = &a->app->config;
    const char *site = a->app->orders.location.site;
    char id[24];

    id_of(key, id);
    html(a->out, "<p>");
    /* An address of before WooCommerce's own tables; where these are used, PostsRedirectionController redirects it. */
    if (*id && (*c->woo_url || *site))
        html(a->out,
             "<a href=\"%s%s/wp-admin/post.php?post=%s&amp;action=edit\" rel=noreferrer>In WooCommerce</a> ",
             *c->woo_url ? "" : "https://", *c->woo_url ? c->woo_url : site, id);
    if (*r->link.opportunity && !r->link.gone_ms)
        html(a->out,
             "<a href=\"" GHL_APP
             "%s/opportunities/%s?tab=Opportunity+details\" rel=noreferrer>Opportunity in GoHighLevel</a> ",
             c->ghl_location_id, r->link.opportunity);
    if (*r->link.contact)
        html(a->out, "<a href=\"" GHL_APP "%s/contacts/detail/%s\" rel=noreferrer>Contact in GoHighLevel</a>",
             c->ghl_location_id, r->link.contact);
    html(a->out, "</p>");
}

static void print_row(struct admin *a, const char *name, const char *value)
{
    if (*value)
        admin_row(a, name, "%s", value);
}

static void print_record(struct admin *a, const char *key, const struct store_reply *reply)
{
    const struct order_record *r = &reply->order;
    char age[CLOCK_WORDS_SIZE];

    html(a->out, "<section><h2>Now</h2><dl>");
    if (r->dead_ms)
        admin_row(a, "State", "refused %s ago; it waits for you",
                  clock_in_words(reply->now_ms - r->dead_ms, age));
    else if (*r->lease && r->lease_ms > reply->now_ms)
        print_row(a, "State", "a worker brings it to GoHighLevel");
    else if (*r->current.id && r->due_ms > reply->now_ms)
        admin_row(a, "State", "waits; the next try is in %s", clock_in_words(r->due_ms - reply->now_ms, age));
    else if (*r->current.id)
        print_row(a, "State", "waits; it is due now");
    else if (r->link.gone_ms)
        print_row(a, "State", "its opportunity is gone in GoHighLevel and is not made again");
    else
        print_row(a, "State", *r->link.opportunity ? "in GoHighLevel" : "needs nothing in GoHighLevel");
    if (*r->current.id || r->dead_ms) {
        print_row(a, "Why", r->reason);
        admin_row(a, "Tries", "%lld", (long long)r->attempts);
    }
    print_row(a, "Status in the shop", r->status);
    if (r->arrived_ms)
        admin_row(a, "Last version", "%s ago", clock_in_words(reply->now_ms - r->arrived_ms, age));
    print_row(a, "Opportunity", r->link.opportunity);
    print_row(a, "Contact", r->link.contact);
    if (r->erased)
        print_row(a, "Erased", "the shop erased its person");
    html(a->out, "</dl>");
    print_links(a, key, r);
    if (r->dead_ms || r->link.gone_ms)
        admin_buttons(a, key);
    html(a->out, "</section>");
}

struct history {
    struct admin *admin;
    const char *key;
    int n;
};

static bool print_of_order(const struct tally_event *event, void *context)
{
    struct history *history = context;

    if (strcmp(event->key, history->key) != 0)
        return true;
    admin_event(history->admin, event, false);
    history->n++;
    return true;
}

static void print_history(struct admin *a, const char *key)
{
    struct history history = {.admin = a, .key = key};

    html(a->out, "<section><h2>History</h2><ol class=events>");
    enum store_result result = journal_each(a->app, print_of_order, &history);
    html(a->out, "</ol>");
    if (result != STORE_OK)
        html(a->out, "<p>The store did not tell all of it.</p>");
    else
        html(a->out,
             "<p class=dim>%s%lld days and %lld events are kept; times are UTC. Deliveries that changed "
             "nothing are only counted.</p>",
             history.n ? "" : "Nothing of it is in the journal. ", (long long)JOURNAL_DAYS,
             (long long)JOURNAL_EVENTS);
    html(a->out, "</section>");
}

void admin_order(struct admin *a, const char *asked)
{
    struct store_reply reply = {0};
    char key[RECORD_KEY_SIZE];

    journal_keep(a->app);
    journal_fold(a->app);
    bool found = find(a, asked, key, &reply);
    admin_begin(a, a->error ? 409 : found ? 200 : 404, "Order");
    html(a->out, "<main>");
    if (a->error)
        html(a->out, "<p class=\"state wide risk\" role=alert>That could not be done: %s</p>", a->error);
    if (found) {
        html(a->out, "<h2 class=wide>Order %s</h2>", key);
        print_record(a, key, &reply);
        print_history(a, key);
    } else {
        html(a->out,
             "<p class=\"state wide attention\">The store knows no order %s. It forgets an order LINK_TTL "
             "after its last change.</p>",
             asked);
    }
    html(a->out, "<p class=wide><a href=admin>Back to all orders</a></p></main>");
    admin_end(a);
}
