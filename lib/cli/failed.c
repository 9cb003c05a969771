/*
 * The dead letters, for a person: list, show, retry, drop. The list is masked; `show` prints the order's own bytes, because
 * who calls it has to mend what is in them.
 */
#include "base/clock.h"
#include "base/redact.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/commands_work.h"
#include "cli/options.h"
#include "order/delivery.h"
#include "order/order.h"
#include "owner/letter.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* -- arguments -- */

#define COUNT_MAX 999999999

enum failed_action { FAILED_LIST, FAILED_SHOW, FAILED_RETRY, FAILED_DROP };

struct failed_options {
    enum failed_action action;
    const char *key;          /* an order's key or number; NULL = all that the filters below leave */
    const char *reason;       /* a part of it, in any case; NULL = any */
    int64_t since_s, until_s; /* became a dead letter then; 0 = no limit */
    long skip, limit;         /* of a list; limit 0 = none */
    bool json, yes, dry_run;
};

static const char *const action_name[] = {
    [FAILED_LIST] = "list", [FAILED_SHOW] = "show", [FAILED_RETRY] = "retry", [FAILED_DROP] = "drop"};

/* The first word; without one it is a list. */
static bool take_action(struct failed_options *o, const char *word)
{
    for (enum failed_action action = FAILED_LIST; action <= FAILED_DROP; action++)
        if (!strcmp(action_name[action], word)) {
            o->action = action;
            return true;
        }
    return false;
}

static bool go_together(const struct failed_options *o, bool all)
{
    bool filtered = o->since_s || o->until_s || o->reason;

    if (o->action == FAILED_LIST)
        return !all && !o->yes && !o->dry_run;
    if (o->skip || o->limit || o->json || (o->key && (all || filtered)))
        return false;
    return o->key || (o->action != FAILED_SHOW && (all || filtered));
}

/* argv is what follows "failed". EX_OK, or EX_USAGE with what is wrong on standard error. */
static int parse(int argc, char **argv, struct failed_options *o)
{
    bool all = false;
    const struct option table[] = {{"--json", .flag = &o->json},
                                   {"--yes", .flag = &o->yes},
                                   {"--dry-run", .flag = &o->dry_run},
                                   {"--all", .flag = &all},
                                   {"--since", .time_s = &o->since_s},
                                   {"--until", .time_s = &o->until_s},
                                   {"--reason", .text = &o->reason},
                                   {"--skip", .number = &o->skip, .most = COUNT_MAX},
                                   {"--limit", .number = &o->limit, .most = COUNT_MAX},
                                   {0}};

    *o = (struct failed_options){.action = FAILED_LIST};
    int words = argc > 0 && take_action(o, argv[0]);
    int code =
        options_read("failed", argc - words, argv + words, table, o->action == FAILED_LIST ? NULL : &o->key);
    if (code == EX_OK && (!go_together(o, all) || (o->reason && !*o->reason))) {
        fprintf(stderr, "woo_ghl failed: %s takes other arguments; see 'woo_ghl failed --help'\n",
                action_name[o->action]);
        code = EX_USAGE;
    }
    return code;
}

static int store_failed(const struct app *app)
{
    char shown[sizeof((struct error *)0)->text];

    fprintf(stderr, "woo_ghl failed: the store does not answer: %s\n",
            log_printable(app->log, store_trouble(app->store), shown, sizeof shown));
    return EX_TEMPFAIL;
}

/* -- list -- */

/* What people call the order, and its customer's email, masked. */
struct who {
    char number[ORDER_WORD_MAX + 1]; /* "" = its body is gone or is no order */
    char email[128];                 /* "-" = there is none */
};

static void find_who(const struct letter *letter, struct who *who)
{
    struct delivery delivery = {0};
    struct order order = {0};

    *who = (struct who){.email = "-"};
    if (delivery_unpack(letter->body.data, letter->body.len, &delivery) &&
        order_parse(delivery.body, delivery.body_len, &delivery.headers, &order).kind == ORDER_FULL) {
        (void)text_copy(who->number, sizeof who->number, order.number);
        if (*order_billing(&order, "email"))
            mask_email(order_billing(&order, "email"), who->email, sizeof who->email);
    }
    order_free(&order);
    delivery_free(&delivery);
}

static bool is_wanted(const struct failed_options *o, const struct store_entry *entry, const char *reason)
{
    return (!o->until_s || entry->at_ms < o->until_s * 1000) && (!o->reason || strcasestr(reason, o->reason));
}

struct listing {
    const struct failed_options *options;
    json_t *json; /* NULL: as text */
    long n;
    bool failed;
};

static void print_line(struct app *app, const struct store_entry *entry, const struct letter *letter)
{
    char shown[RECORD_REASON_SIZE], age[CLOCK_WORDS_SIZE];
    struct who who;

    find_who(letter, &who);
    printf("%11s  ", clock_in_words(letter->reply.now_ms - entry->at_ms, age));
    printf("%-24s ", log_printable(app->log, entry->key, shown, sizeof shown));
    printf("%-28s ", log_printable(app->log, who.email, shown, sizeof shown));
    printf("%s\n", log_printable(app->log, letter->reply.order.reason, shown, sizeof shown));
}

static bool add_object(struct app *app, json_t *list, const struct store_entry *entry,
                       const struct letter *letter)
{
    char since[32], shown[RECORD_REASON_SIZE];
    struct who who;

    find_who(letter, &who);
    clock_format_iso(entry->at_ms, since);
    return json_array_append_new(list,
                                 json_pack("{so so ss so sI so}", "key", json_from_text(entry->key), "number",
                                           json_from_text(who.number), "since", since, "reason",
                                           json_from_text(log_printable(app->log, letter->reply.order.reason,
                                                                        shown, sizeof shown)),
                                           "attempts", (json_int_t)letter->reply.order.attempts, "email",
                                           json_from_text(who.email))) == 0;
}

static bool print_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct letter letter = {0};
    struct listing *l = context;
    const struct failed_options *o = l->options;
    enum store_result result = letter_read(app, entry->key, &letter);

    if (result == STORE_OK && is_wanted(o, entry, letter.reply.order.reason)) {
        bool shown = l->n >= o->skip && (!o->limit || l->n < o->skip + o->limit);
        if (shown && l->json)
            l->failed = !add_object(app, l->json, entry, &letter);
        else if (shown)
            print_line(app, entry, &letter);
        l->n++;
    }
    letter_free(&letter);
    l->failed = l->failed || (result != STORE_OK && result != STORE_NONE);
    return !l->failed;
}

#define PAGE 50 /* dead letters that a terminal gets at once */

static int list(struct app *app, const struct failed_options *given)
{
    struct failed_options o = *given;
    struct listing l = {.options = &o, .json = o.json ? json_array() : NULL};

    if (!o.limit && !o.json && isatty(STDOUT_FILENO))
        o.limit = PAGE;
    bool good = letters_each(app, o.since_s * 1000, print_one, &l) && !l.failed;
    if (good && l.json) {
        json_t *all = json_pack("{sO sI}", "dead_letters", l.json, "count", (json_int_t)l.n);
        good = commands_print_json(all, JSON_INDENT(1));
    } else if (good) {
        printf("%ld dead letters\n", l.n);
        if (o.limit && l.n > o.skip + o.limit)
            printf("These are %ld to %ld. The next: woo_ghl failed --skip %ld\n", o.skip + 1,
                   o.skip + o.limit, o.skip + o.limit);
    }
    json_decref(l.json);
    return good ? EX_OK : store_failed(app);
}

/* -- one of them, by its key or its number -- */

struct search {
    const char *word;
    char key[RECORD_KEY_SIZE];
    long found;
    bool failed;
};

static bool match_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct search *s = context;
    struct letter letter = {0};
    const char *id = strrchr(entry->key, ':');
    struct who who;
    enum store_result result = letter_read(app, entry->key, &letter);

    find_who(&letter, &who);
    if (result == STORE_OK && (!strcmp(who.number, s->word) || (id && !strcmp(id + 1, s->word)))) {
        (void)text_copy(s->key, sizeof s->key, entry->key);
        s->found++;
    }
    letter_free(&letter);
    s->failed = result != STORE_OK && result != STORE_NONE;
    return !s->failed;
}

/* The key that is meant: a number, with or without "#", is looked for. EX_OK, or what is wrong was said. */
static int find_key(struct app *app, const char *word, char key[RECORD_KEY_SIZE])
{
    struct search s = {.word = word + (*word == '#')};

    (void)text_copy(key, RECORD_KEY_SIZE, word);
    if (strchr(word, ':'))
        return EX_OK;
    if (!letters_each(app, 0, match_one, &s) || s.failed)
        return store_failed(app);
    if (s.found == 1) {
        memcpy(key, s.key, RECORD_KEY_SIZE);
        return EX_OK;
    }
    if (s.found)
        fprintf(
            stderr,
            "woo_ghl failed: %ld dead letters have the number %s; give the key, see 'woo_ghl failed list'\n",
            s.found, word);
    else
        fprintf(stderr, "woo_ghl failed: no dead letter has the number %s; see 'woo_ghl failed list'\n",
                word);
    return EX_DATAERR;
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

static int show(struct app *app, const char *key)
{
    struct letter letter = {0};
    int code = EX_OK;

    switch (letter_read(app, key, &letter)) {
    case STORE_OK: print_letter(app->log, key, &letter); break;
    case STORE_NONE:
        fprintf(stderr, "woo_ghl failed: no dead letter has the key %s; see 'woo_ghl failed list'\n", key);
        code = EX_DATAERR;
        break;
    default: code = store_failed(app);
    }
    letter_free(&letter);
    return ferror(stdout) ? EX_IOERR : code;
}

/* -- retry, drop -- */

#define REASONS 10 /* that a plan tells apart */

struct change {
    const struct failed_options *options;
    enum store_result (*one)(struct app *app, struct letter_change *change, const char *key);
    const char *what; /* "due again" */
    struct letter_change how;
    struct {
        char text[RECORD_REASON_SIZE];
        long n;
    } reason[REASONS];
    long planned, done, left;
    bool failed;
};

static void tell_left(const struct change *change, const char *key)
{
    fprintf(stderr, "woo_ghl failed: %s: %s\n", key, change->how.why.text);
}

/* Counts it by its reason, if it is wanted. */
static bool plan_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct change *change = context;
    struct store_reply reply;
    enum store_result result = store_read(app->store, entry->key, NULL, &reply);
    size_t i = 0;

    if (result == STORE_OK && reply.order.dead_ms && is_wanted(change->options, entry, reply.order.reason)) {
        while (i < REASONS - 1 && *change->reason[i].text &&
               strcmp(change->reason[i].text, reply.order.reason) != 0)
            i++;
        if (!*change->reason[i].text)
            (void)text_copy(change->reason[i].text, sizeof change->reason[i].text,
                            *reply.order.reason ? reply.order.reason : "-");
        change->reason[i].n++;
        change->planned++;
    }
    change->failed = result != STORE_OK && result != STORE_NONE;
    return !change->failed;
}

static bool change_one(struct app *app, const struct store_entry *entry, void *context)
{
    struct change *change = context;
    struct store_reply reply;
    enum store_result result = store_read(app->store, entry->key, NULL, &reply);

    if (result == STORE_OK && !is_wanted(change->options, entry, reply.order.reason))
        return true;
    switch (result == STORE_OK ? change->one(app, &change->how, entry->key) : result) {
    case STORE_OK: change->done++; break;
    case STORE_NONE:
        change->left++;
        tell_left(change, entry->key);
        break;
    default: change->failed = true; return false;
    }
    return true;
}

static void print_plan(const struct app *app, const struct change *change)
{
    char shown[RECORD_REASON_SIZE];

    printf("%ld dead letters, to be %s:\n", change->planned, change->what);
    for (size_t i = 0; i < REASONS && *change->reason[i].text; i++)
        printf("    %ld: %s\n", change->reason[i].n,
               log_printable(app->log, change->reason[i].text, shown, sizeof shown));
}

/* A person is asked; a script that drops says --yes. EX_OK: go on; -1: no. */
static int confirm(const struct failed_options *o)
{
    if (o->yes || (o->action == FAILED_RETRY && !isatty(STDIN_FILENO)))
        return EX_OK;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "woo_ghl failed: drop deletes them for good: say --yes if that is meant\n");
        return EX_USAGE;
    }
    (void)fflush(stdout); /* the plan */
    return ask_yes("Go on? (y/n)") ? EX_OK : -1;
}

static int change_many(struct app *app, struct change *change)
{
    const struct failed_options *o = change->options;

    if (!letters_each(app, o->since_s * 1000, plan_one, change) || change->failed)
        return store_failed(app);
    if (!change->planned) {
        printf("No matching orders.\n");
        return EX_OK;
    }
    print_plan(app, change);
    int code = o->dry_run ? -1 : confirm(o);
    if (code != EX_OK) {
        printf("Nothing was changed.\n");
        return code < 0 ? EX_OK : code;
    }
    bool good = letters_each(app, o->since_s * 1000, change_one, change) && !change->failed;
    letter_change_free(&change->how);
    if (!good)
        return store_failed(app);
    if (change->left)
        printf("%ld are %s, %ld could not be\n", change->done, change->what, change->left);
    else
        printf("%ld are %s\n", change->done, change->what);
    return EX_OK;
}

static int change_named(struct app *app, struct change *change, const char *key)
{
    enum store_result result = change->one(app, &change->how, key);

    letter_change_free(&change->how);
    switch (result) {
    case STORE_OK: printf("%s is %s\n", key, change->what); return EX_OK;
    case STORE_NONE: tell_left(change, key); return EX_DATAERR;
    default: return store_failed(app);
    }
}

/* -- all -- */

static int work(struct app *app, void *context)
{
    const struct failed_options *o = context;
    bool drop = o->action == FAILED_DROP;
    struct change change = {
        .options = o, .one = drop ? letter_drop : letter_retry, .what = drop ? "dropped" : "due again"};
    char key[RECORD_KEY_SIZE];

    if (!commands_ready(app, "failed"))
        return EX_TEMPFAIL;
    int code = o->key ? find_key(app, o->key, key) : EX_OK;
    if (code != EX_OK)
        return code;
    switch (o->action) {
    case FAILED_LIST: return list(app, o);
    case FAILED_SHOW: return show(app, key);
    case FAILED_RETRY:
    case FAILED_DROP: break;
    }
    return o->key ? change_named(app, &change, key) : change_many(app, &change);
}

int run_failed(int argc, char **argv, volatile int *stop)
{
    struct failed_options options;
    int code = parse(argc, argv, &options);

    return code == EX_OK ? commands_in_app(stop, work, &options) : code;
}
