#include "cli/failed.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/since.h"
#include "order/delivery.h"
#include "order/order.h"
#include "owner/letter.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int store_failed(const struct app *app)
{
    char shown[sizeof((struct error *)0)->text];

    fprintf(stderr, "woo_ghl failed: the store does not answer: %s\n",
            log_printable(app->log, store_trouble(app->store), shown, sizeof shown));
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
    char email[128], shown[RECORD_REASON_SIZE];
    struct listing *listing = context;
    enum store_result result = letter_read(app, entry->key, &letter);

    if (result == STORE_OK) {
        mask_customer(&letter, email, sizeof email);
        print_age((letter.reply.now_ms - entry->at_ms) / 1000);
        printf("  %-24s ", log_printable(app->log, entry->key, shown, sizeof shown));
        printf("%-28s ", log_printable(app->log, email, shown, sizeof shown));
        printf("%s\n", log_printable(app->log, letter.reply.order.reason, shown, sizeof shown));
        listing->n++;
    }
    letter_free(&letter);
    listing->failed = result != STORE_OK && result != STORE_NONE;
    return !listing->failed;
}

static int list(struct app *app, int argc, char **argv)
{
    struct listing listing = {0};

    (void)argc, (void)argv;
    if (!letters_each(app, 0, print_one, &listing) || listing.failed)
        return store_failed(app);
    printf("%ld dead letters\n", listing.n);
    return EX_OK;
}

/* -- show -- */

/* A file gets the very bytes, a terminal none that it would obey. */
static void print_body(const char *body, size_t len)
{
    char *still = isatty(STDOUT_FILENO) ? malloc(len + 1) : NULL;

    if (still) {
        memcpy(still, body, len);
        text_still(still, len);
    }
    if (still || !isatty(STDOUT_FILENO))
        (void)fwrite(still ? still : body, 1, len, stdout); /* show looks for errors at its end */
    putchar('\n');
    free(still);
}

static void print_letter(const struct log *log, const char *key, const struct letter *letter)
{
    char shown[RECORD_REASON_SIZE];
    const struct order_record *record = &letter->reply.order;
    struct delivery delivery = {0};

    printf("key       %s\nreason    %s\nsince     %lld s ago\nattempts  %lld\n", key,
           log_printable(log, record->reason, shown, sizeof shown),
           (long long)((letter->reply.now_ms - record->dead_ms) / 1000), (long long)record->attempts);
    if (*record->current.status)
        printf("status    %s, from another delivery than this body\n", record->current.status);
    if (!*record->current.id) {
        printf("body      deleted after DEAD_LETTER_TTL; failed retry reads it from the shop (WOO_URL)\n");
    } else if (delivery_unpack(letter->body.data, letter->body.len, &delivery)) {
        printf("topic     %s\nbody\n", log_printable(log, delivery.headers.topic, shown, sizeof shown));
        print_body(delivery.body, delivery.body_len);
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
    switch (letter_read(app, argv[2], &letter)) {
    case STORE_OK: print_letter(app->log, argv[2], &letter); break;
    case STORE_NONE:
        fprintf(stderr, "woo_ghl failed: no dead letter has the key %s; see 'woo_ghl failed list'\n",
                argv[2]);
        code = EX_DATAERR;
        break;
    default: code = store_failed(app);
    }
    letter_free(&letter);
    return ferror(stdout) ? EX_IOERR : code;
}

/* -- retry, drop -- */

struct change {
    enum store_result (*one)(struct app *app, struct letter_change *change, const char *key);
    struct letter_change how;
    long done, left;
    bool failed;
};

static void tell_left(const struct change *change, const char *key)
{
    fprintf(stderr, "woo_ghl failed: %s: %s\n", key, change->how.why.text);
}

static bool change_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct change *change = context;

    switch (change->one(app, &change->how, entry->key)) {
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
    bool good = letters_each(app, since_ms, change_one, change) && !change->failed;

    letter_change_free(&change->how);
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
    enum store_result result = change->one(app, &change->how, key);

    letter_change_free(&change->how);
    switch (result) {
    case STORE_OK: printf("%s is %s\n", key, what); return EX_OK;
    case STORE_NONE: tell_left(change, key); return EX_DATAERR;
    default: return store_failed(app);
    }
}

static int retry(struct app *app, int argc, char **argv)
{
    struct change change = {.one = letter_retry};
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
    struct change change = {.one = letter_drop};

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
