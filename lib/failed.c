#include "failed.h"
#include "clock.h"
#include "delivery.h"
#include "mask.h"
#include "order.h"
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
        printf("body      deleted after PARKED_TTL\n");
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
    enum store_result (*one)(struct store *store, const char *key);
    int64_t newer_than_s; /* only those parked at most so long ago */
    long done, left;
    bool failed;
};

static bool change_one(struct app *app, const struct store_parked *parked, void *context)
{
    struct change *change = context;

    if (parked->age_s > change->newer_than_s)
        return true;
    switch (change->one(app->store, parked->key)) {
    case STORE_OK: change->done++; break;
    case STORE_NONE: change->left++; break;
    default: change->failed = true; return false;
    }
    return true;
}

static int change_many(struct app *app, struct change *change, const char *what)
{
    if (!each(app, change_one, change) || change->failed)
        return store_failed(app);
    printf("%ld %s%s", change->done, what, change->left ? "" : "\n");
    if (change->left)
        printf(", %ld could not be: their content was deleted after PARKED_TTL\n", change->left);
    return EX_OK;
}

static int change_named(struct app *app, const struct change *change, const char *key, const char *what)
{
    switch (change->one(app->store, key)) {
    case STORE_OK: printf("%s %s\n", key, what); return EX_OK;
    case STORE_NONE:
        fprintf(stderr,
                "woo_ghl failed: %s is not parked, or its content was deleted after PARKED_TTL; see 'woo_ghl "
                "failed list'\n",
                key);
        return EX_DATAERR;
    default: return store_failed(app);
    }
}

/* A moment, or the beginning of a day. */
static bool parse_date(const char *text, int64_t *out_s)
{
    char midnight[32];
    int n = snprintf(midnight, sizeof midnight, "%sT00:00:00", text);

    return clock_parse_iso(text, out_s) ||
           (n > 0 && n < (int)sizeof midnight && clock_parse_iso(midnight, out_s));
}

static int retry(struct app *app, int argc, char **argv)
{
    struct change change = {.one = store_requeue, .newer_than_s = ALL};
    int64_t since_s;

    if (argc == 4 && !strcmp(argv[2], "--since")) {
        if (!parse_date(argv[3], &since_s) || since_s > clock_wall_ms() / 1000) {
            fprintf(stderr,
                    "woo_ghl failed: --since %s is no date of the past; write for example 2026-11-25, or "
                    "2026-11-25T08:00:00 (UTC)\n",
                    argv[3]);
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
    struct change change = {.one = store_drop, .newer_than_s = ALL};

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
    bool known = false;

    if (argc == 1)
        return list(app, argc, argv);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, argv[1]) != 0)
            continue;
        known = true;
        if (argc >= actions[i].min && argc <= actions[i].max && (argc < 4 || !strcmp(argv[2], "--since")))
            return actions[i].run(app, argc, argv);
    }
    if (known)
        fprintf(stderr,
                "usage: woo_ghl failed [list] | show KEY | retry KEY|--all|--since DATE | drop KEY|--all\n");
    else
        fprintf(stderr, "woo_ghl failed: unknown argument '%s'; see 'woo_ghl help'\n", argv[1]);
    return EX_USAGE;
}
