#include "cli/failed.h"
#include "accept/accept.h"
#include "base/clock.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/since.h"
#include "order/delivery.h"
#include "order/order.h"
#include "shop/reconcile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PAGE 100

/* -- reading them -- */

/* A dead letter as the store has it. Zero-initialised; free_letter. */
struct letter {
    struct store_reply reply;
    struct buf body; /* what delivery_pack made; empty = it was deleted, or no key opens it */
};

static void free_letter(struct letter *letter)
{
    buf_wipe(&letter->body);
}

/* OK, NONE (the key is no dead letter's), UNAVAILABLE. */
static enum store_result read_letter(struct app *app, const char *key, struct letter *letter)
{
    const struct order_record *record = &letter->reply.order;

    buf_init(&letter->body, STORE_BLOB_MAX);
    enum store_result result = store_read(app->store, key, NULL, &letter->reply);
    if (result != STORE_OK || !record->dead_ms)
        return result == STORE_OK ? STORE_NONE : result;
    result = *record->current.id ? store_blob(app->store, key, record->current.id, &letter->body) : STORE_OK;
    if (result == STORE_NONE || result == STORE_SEALED) {
        buf_wipe(&letter->body);
        result = STORE_OK;
    }
    return result;
}

/* Called for each dead letter, the oldest first. False = stop. */
typedef bool visit(struct app *app, const struct store_entry *entry, void *context);

/* Those since since_ms. What becomes a dead letter meanwhile is left out, so that a retry that fails comes to an end.
 * False: the store failed. */
static bool each(struct app *app, int64_t since_ms, visit *take, void *context)
{
    struct store_entry page[PAGE], last = {.at_ms = since_ms};
    int64_t until_ms = 0;

    for (size_t n = PAGE; n == PAGE;) {
        if (store_list(app->store, INDEX_DEAD, last.at_ms, last.key, PAGE, page, &n) != STORE_OK)
            return false;
        if (!until_ms)
            until_ms = store_now_ms(app->store);
        for (size_t i = 0; i < n; i++)
            if (page[i].at_ms > until_ms || !take(app, &page[i], context))
                return true;
        if (n)
            last = page[n - 1];
    }
    return true;
}

static int store_failed(const struct app *app)
{
    fprintf(stderr, "woo_ghl failed: the store does not answer: %s\n", store_trouble(app->store));
    return EX_TEMPFAIL;
}

/* -- list -- */

static void print_age(int64_t age_s)
{
    if (age_s >= 86400)
        printf("%4lldd", (long long)(age_s / 86400));
    else if (age_s >= 3600)
        printf("%4lldh", (long long)(age_s / 3600));
    else
        printf("%4lldm", (long long)(age_s / 60));
}

/* The customer's email, masked; "-" if the body is gone or is no order. */
static void mask_customer(const struct letter *letter, char *out, size_t size)
{
    struct delivery delivery = {0};
    struct order order = {0};

    snprintf(out, size, "-");
    if (delivery_unpack(letter->body.data, letter->body.len, &delivery) &&
        order_parse(delivery.body, delivery.body_len, &delivery.headers, &order).kind == ORDER_FULL &&
        *order_billing(&order, "email"))
        mask_email(order_billing(&order, "email"), out, size);
    order_free(&order);
    delivery_free(&delivery);
}

struct listing {
    long n;
    bool failed;
};

static bool print_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct letter letter = {0};
    char email[128];
    struct listing *listing = context;
    enum store_result result = read_letter(app, entry->key, &letter);

    if (result == STORE_OK) {
        mask_customer(&letter, email, sizeof email);
        print_age((letter.reply.now_ms - entry->at_ms) / 1000);
        printf("  %-24s %-28s %s\n", entry->key, email, letter.reply.order.reason);
        listing->n++;
    }
    free_letter(&letter);
    listing->failed = result != STORE_OK && result != STORE_NONE;
    return !listing->failed;
}

static int list(struct app *app, int argc, char **argv)
{
    struct listing listing = {0};

    (void)argc, (void)argv;
    if (!each(app, 0, print_one, &listing) || listing.failed)
        return store_failed(app);
    printf("%ld dead letters\n", listing.n);
    return EX_OK;
}

/* -- show -- */

static void print_letter(const char *key, const struct letter *letter)
{
    const struct order_record *record = &letter->reply.order;
    struct delivery delivery = {0};

    printf("key       %s\nreason    %s\nsince     %lld s ago\nattempts  %lld\n", key, record->reason,
           (long long)((letter->reply.now_ms - record->dead_ms) / 1000), (long long)record->attempts);
    if (*record->current.status)
        printf("status    %s, from another delivery than this body\n", record->current.status);
    if (!*record->current.id) {
        printf("body      deleted after DEAD_LETTER_TTL; failed retry reads it from the shop (WOO_URL)\n");
    } else if (delivery_unpack(letter->body.data, letter->body.len, &delivery)) {
        printf("topic     %s\nbody\n", delivery.headers.topic);
        (void)fwrite(delivery.body, 1, delivery.body_len, stdout); /* a broken terminal is seen by show */
        putchar('\n');
    } else {
        printf(
            "body      no configured key opens it: set DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS\n");
    }
    delivery_free(&delivery);
}

static int show(struct app *app, int argc, char **argv)
{
    struct letter letter = {0};
    int code = EX_OK;

    (void)argc;
    switch (read_letter(app, argv[2], &letter)) {
    case STORE_OK: print_letter(argv[2], &letter); break;
    case STORE_NONE:
        fprintf(stderr, "woo_ghl failed: no dead letter has the key %s; see 'woo_ghl failed list'\n",
                argv[2]);
        code = EX_DATAERR;
        break;
    default: code = store_failed(app);
    }
    free_letter(&letter);
    return ferror(stdout) ? EX_IOERR : code;
}

/* -- retry, drop -- */

struct change {
    enum store_result (*one)(struct app *app, struct change *change, const char *key);
    struct woo *woo;  /* owned; NULL until needed */
    struct error why; /* why the last one could not be */
    long done, left;
    bool failed;
};

/* Its content was deleted: the shop still has it. OK, NONE with `why`. */
static enum store_result read_again(struct app *app, struct change *change, const char *key)
{
    if (!*app->config.woo_url) {
        error_set(&change->why, "its content is not kept any more; it is taken anew when the shop sends its "
                                "next version. Set WOO_URL, "
                                "WOO_CONSUMER_KEY and WOO_CONSUMER_SECRET to have it read from the shop now");
        return STORE_NONE;
    }
    if (!change->woo)
        change->woo = woo_new(&app->config, app->log, app->stop, &change->why);
    return change->woo && reconcile_order(app, change->woo, key, &change->why) ? STORE_OK : STORE_NONE;
}

/* True if it is accepted now; otherwise `why` is set. */
static bool is_taken(const struct acceptance *acceptance, struct error *why)
{
    switch (acceptance->result) {
    case ACCEPTED_BAD_JSON: error_set(why, "its bytes are still no JSON: drop it"); return false;
    case ACCEPTED_FOREIGN:
        error_set(why, "it is still of a shop that WOO_SHOPS does not name: name it, or drop it");
        return false;
    case ACCEPTED_AWAY:
    case ACCEPTED_REFUSED: *why = acceptance->trouble; return false;
    default: return true;
    }
}

/* Bytes that were no order, or no shop's, are delivered again. OK, NONE with `why`, UNAVAILABLE. */
static enum store_result deliver_again(struct app *app, struct change *change, const char *key)
{
    struct letter letter = {0};
    struct delivery delivery = {0};
    struct acceptance acceptance;
    enum store_result result = read_letter(app, key, &letter);

    if (result == STORE_NONE)
        error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'");
    if (result == STORE_OK && !delivery_unpack(letter.body.data, letter.body.len, &delivery)) {
        error_set(&change->why, "%s",
                  *letter.reply.order.current.id
                      ? "no configured key opens it: set DATA_KEY_PREVIOUS or WOO_WEBHOOK_SECRET_PREVIOUS"
                      : "its bytes were no order, so it cannot be read from the shop again: drop it");
        result = STORE_NONE;
    }
    if (result == STORE_OK) {
        accept_delivery(app,
                        &(struct accept_delivery){.bytes = delivery.body,
                                                  .len = delivery.body_len,
                                                  .headers = delivery.headers,
                                                  .origin = ORIGIN_SPOOL,
                                                  .arrived_ago_ms = letter.reply.now_ms -
                                                                    letter.reply.order.current.accepted_ms},
                        &acceptance);
        result = is_taken(&acceptance, &change->why) ? orders_drop(&app->orders, key) : STORE_NONE;
    }
    delivery_free(&delivery);
    free_letter(&letter);
    return result;
}

/* Its opportunity is looked for, and made again: `status` does not list it any more. */
static enum store_result forget_gone(struct app *app, const char *key)
{
    char name[RECORD_KEY_SIZE + sizeof SYNC_GONE];

    (void)text_format(name, sizeof name, SYNC_GONE "%s", key);
    enum store_result result = store_put(app->store, name, NULL, 0);
    return result == STORE_NONE ? STORE_OK : result;
}

/* OK, NONE with `why`, UNAVAILABLE. */
static enum store_result retry_one(struct app *app, struct change *change, const char *key)
{
    enum requeue requeue = REQUEUE_NONE;

    if (!strncmp(key, "bad:", 4) || !strncmp(key, "foreign:", 8))
        return deliver_again(app, change, key);
    enum store_result result = orders_requeue(&app->orders, key, &requeue);
    if (result == STORE_OK && requeue != REQUEUE_NONE)
        result = forget_gone(app, key);
    if (result != STORE_OK)
        return result;
    switch (requeue) {
    case REQUEUE_DUE: return STORE_OK;
    case REQUEUE_NO_BODY: return read_again(app, change, key);
    case REQUEUE_NONE: error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'"); break;
    }
    return STORE_NONE;
}

static enum store_result drop_one(struct app *app, struct change *change, const char *key)
{
    error_set(&change->why, "it is no dead letter; see 'woo_ghl failed list'");
    return orders_drop(&app->orders, key);
}

static void tell_left(const struct change *change, const char *key)
{
    fprintf(stderr, "woo_ghl failed: %s: %s\n", key, change->why.text);
}

static bool change_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct change *change = context;

    switch (change->one(app, change, entry->key)) {
    case STORE_OK: change->done++; break;
    case STORE_NONE:
        change->left++;
        tell_left(change, entry->key);
        break;
    default: change->failed = true; return false;
    }
    return true;
}

static int change_many(struct app *app, struct change *change, int64_t since_ms, const char *what)
{
    bool good = each(app, since_ms, change_one, change) && !change->failed;

    woo_free(change->woo);
    if (!good)
        return store_failed(app);
    if (!change->done && !change->left)
        printf("No matching orders.\n");
    else if (change->left)
        printf("%ld are %s, %ld could not be\n", change->done, what, change->left);
    else
        printf("%ld are %s\n", change->done, what);
    return EX_OK;
}

static int change_named(struct app *app, struct change *change, const char *key, const char *what)
{
    enum store_result result = change->one(app, change, key);

    woo_free(change->woo);
    switch (result) {
    case STORE_OK: printf("%s is %s\n", key, what); return EX_OK;
    case STORE_NONE: tell_left(change, key); return EX_DATAERR;
    default: return store_failed(app);
    }
}

static int retry(struct app *app, int argc, char **argv)
{
    struct change change = {.one = retry_one};
    struct error e = ERROR_NONE;
    int64_t since_s;

    if (!strcmp(argv[2], "--since")) {
        if (!since_parse(argc == 4 ? argv[3] : "", &since_s, &e)) {
            fprintf(stderr, "woo_ghl failed: %s\n", e.text);
            return EX_USAGE;
        }
        return change_many(app, &change, since_s * 1000, "due again");
    }
    return strcmp(argv[2], "--all") ? change_named(app, &change, argv[2], "due again")
                                    : change_many(app, &change, 0, "due again");
}

static int drop(struct app *app, int argc, char **argv)
{
    struct change change = {.one = drop_one};

    (void)argc;
    return strcmp(argv[2], "--all") ? change_named(app, &change, argv[2], "dropped")
                                    : change_many(app, &change, 0, "dropped");
}

/* -- the table -- */

static const struct {
    const char *name;
    int min, max; /* words, the two names included */
    int (*run)(struct app *app, int argc, char **argv);
} actions[] = {
    {"list", 2, 2, list},
    {"show", 3, 3, show},
    {"retry", 3, 4, retry},
    {"drop", 3, 3, drop},
};

int failed_main(struct app *app, int argc, char **argv)
{
    if (argc == 1)
        return list(app, argc, argv);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, argv[1]) != 0)
            continue;
        if (argc >= actions[i].min && argc <= actions[i].max && (argc < 4 || !strcmp(argv[2], "--since")))
            return actions[i].run(app, argc, argv);
        fprintf(stderr, "woo_ghl failed: %s takes other arguments; see 'woo_ghl failed --help'\n", argv[1]);
        return EX_USAGE;
    }
    fprintf(stderr, "woo_ghl failed: unknown argument '%s'; see 'woo_ghl failed --help'\n", argv[1]);
    return EX_USAGE;
}
