#include "cli/failed.h"
#include "base/clock.h"
#include "base/redact.h"
#include "cli/since.h"
#include "order/delivery.h"
#include "order/order.h"
#include "shop/reconcile.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define PAGE 100
#define ALL INT64_MAX

/* -- all of them, page by page -- */

/* Called for each parked order, oldest first; false = stop. */
typedef bool visit(struct app *app, const struct store_parked *parked, void *context);

/* All of them are read before the first is taken: what is taken may leave the list. False: the store failed.
 */
static bool each(struct app *app, visit *take, void *context)
{
    struct store_parked *all = NULL;
    size_t count = 0, n = PAGE;
    bool good = true;

    while (good && n == PAGE) {
        struct store_parked *page = NULL;
        good = store_parked_list(app->store, count ? all[count - 1].key : "", PAGE, &page, &n) == STORE_OK;
        struct store_parked *more = good && n ? realloc(all, (count + n) * sizeof *all) : NULL;
        if (more) {
            all = more;
            memcpy(all + count, page, n * sizeof *page); /* keys and reasons go over */
            count += n;
            free(page);
        } else {
            good = good && n == 0;
            store_parked_free(page, good ? 0 : n, true);
        }
    }
    for (size_t i = 0; good && i < count && take(app, &all[i], context); i++)
        ;
    store_parked_free(all, count, true);
    return good;
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

/* The customer's email, masked; "-" where the body is gone or is no order. */
static void masked_email(struct app *app, const char *key, char *out, size_t size)
{
    struct store_parked parked;
    struct delivery delivery = {0};
    struct order order = {0};

    snprintf(out, size, "-");
    if (store_parked_get(app->store, key, &parked) != STORE_OK)
        return;
    if (parked.body && delivery_unpack(parked.body, parked.body_len, &delivery) &&
        order_parse(delivery.body, delivery.body_len, &delivery.headers, &order).kind == ORDER_FULL &&
        *order_billing(&order, "email"))
        mask_email(order_billing(&order, "email"), out, size);
    order_free(&order);
    delivery_free(&delivery);
    store_parked_free(&parked, 1, false);
}

static bool print_one(struct app *app, const struct store_parked *parked, void *context)
{
    char email[128];
    long *n = context;

    masked_email(app, parked->key, email, sizeof email);
    print_age(parked->age_s);
    printf("  %-24s %-28s %s\n", parked->key, email, parked->why ? parked->why : "");
    (*n)++;
    return true;
}

static int list(struct app *app, int argc, char **argv)
{
    long n = 0;

    (void)argc, (void)argv;
    if (!each(app, print_one, &n))
        return store_failed(app);
    printf("%ld parked\n", n);
    return EX_OK;
}

/* -- show -- */

static int show(struct app *app, int argc, char **argv)
{
    struct store_parked parked;
    struct delivery delivery;

    (void)argc;
    switch (store_parked_get(app->store, argv[2], &parked)) {
    case STORE_OK: break;
    case STORE_NONE:
        fprintf(stderr, "woo_ghl failed: no parked order has the key %s; see 'woo_ghl failed list'\n",
                argv[2]);
        return EX_DATAERR;
    default: return store_failed(app);
    }
    printf("key       %s\nreason    %s\nparked    %lld s ago\nattempts  %lld\n", parked.key,
           parked.why ? parked.why : "", (long long)parked.age_s, (long long)parked.attempts);
    if (parked.status[0])
        printf("status    %s, from another delivery than this body\n", parked.status);
    if (!parked.body) {
        printf("body      deleted after DEAD_LETTER_TTL; failed retry reads it from the shop (WOO_URL)\n");
    } else if (delivery_unpack(parked.body, parked.body_len, &delivery)) {
        printf("topic     %s\nbody\n", delivery.headers.topic);
        (void)fwrite(delivery.body, 1, delivery.body_len, stdout); /* a broken terminal is seen below */
        putchar('\n');
        delivery_free(&delivery);
    }
    store_parked_free(&parked, 1, false);
    return ferror(stdout) ? EX_IOERR : EX_OK;
}

/* -- retry, drop -- */

struct change {
    enum store_result (*one)(struct app *app, struct change *change, const char *key);
    int64_t newer_than_s; /* only those parked at most so long ago */
    struct woo *woo;      /* owned; NULL until needed */
    struct error why;     /* why the last one could not be */
    long done, left;
    bool failed;
};

/* Its content was deleted after DEAD_LETTER_TTL: the shop still has it. OK, NONE with `why`. */
static enum store_result read_again(struct app *app, struct change *change, const char *key)
{
    if (!*app->config.woo_url) {
        error_set(&change->why,
                  "its content was deleted after DEAD_LETTER_TTL; set WOO_URL, WOO_CONSUMER_KEY and "
                  "WOO_CONSUMER_SECRET, and it is read from the shop");
        return STORE_NONE;
    }
    if (!change->woo)
        change->woo = woo_new(&app->config, app->log, app->stop, &change->why);
    return change->woo && reconcile_order(app, change->woo, key, &change->why) ? STORE_OK : STORE_NONE;
}

/* OK, NONE with `why`, UNAVAILABLE. */
static enum store_result retry_one(struct app *app, struct change *change, const char *key)
{
    struct store_parked parked;
    enum store_result result = store_requeue(app->store, key);

    if (result != STORE_NONE)
        return result;
    result = store_parked_get(app->store, key, &parked);
    if (result == STORE_NONE)
        error_set(&change->why, "it is not parked; see 'woo_ghl failed list'");
    if (result != STORE_OK)
        return result;
    store_parked_free(&parked, 1, false);
    return read_again(app, change, key);
}

static enum store_result drop_one(struct app *app, struct change *change, const char *key)
{
    error_set(&change->why, "it is not parked; see 'woo_ghl failed list'");
    return store_drop(app->store, key);
}

static void tell_left(const struct change *change, const char *key)
{
    fprintf(stderr, "woo_ghl failed: %s: %s\n", key, change->why.text);
}

static bool change_one(struct app *app, const struct store_parked *parked, void *context)
{
    struct change *change = context;

    if (parked->age_s > change->newer_than_s)
        return true;
    switch (change->one(app, change, parked->key)) {
    case STORE_OK: change->done++; break;
    case STORE_NONE:
        change->left++;
        tell_left(change, parked->key);
        break;
    default: change->failed = true; return false;
    }
    return true;
}

static int change_many(struct app *app, struct change *change, const char *what)
{
    bool good = each(app, change_one, change) && !change->failed;

    woo_free(change->woo);
    if (!good)
        return store_failed(app);
    printf("%ld %s", change->done, what);
    if (change->left)
        printf(", %ld could not be", change->left);
    putchar('\n');
    return EX_OK;
}

static int change_named(struct app *app, struct change *change, const char *key, const char *what)
{
    enum store_result result = change->one(app, change, key);

    woo_free(change->woo);
    switch (result) {
    case STORE_OK: printf("%s %s\n", key, what); return EX_OK;
    case STORE_NONE: tell_left(change, key); return EX_DATAERR;
    default: return store_failed(app);
    }
}

static int retry(struct app *app, int argc, char **argv)
{
    struct change change = {.one = retry_one, .newer_than_s = ALL};
    struct error e = ERROR_NONE;
    int64_t since_s;

    if (!strcmp(argv[2], "--since")) {
        if (!since_parse(argc == 4 ? argv[3] : "", &since_s, &e)) {
            fprintf(stderr, "woo_ghl failed: %s\n", e.text);
            return EX_USAGE;
        }
        change.newer_than_s = clock_wall_ms() / 1000 - since_s;
        return change_many(app, &change, "are due again");
    }
    return strcmp(argv[2], "--all") ? change_named(app, &change, argv[2], "is due again")
                                    : change_many(app, &change, "are due again");
}

static int drop(struct app *app, int argc, char **argv)
{
    struct change change = {.one = drop_one, .newer_than_s = ALL};

    (void)argc;
    return strcmp(argv[2], "--all") ? change_named(app, &change, argv[2], "is dropped")
                                    : change_many(app, &change, "are dropped");
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
