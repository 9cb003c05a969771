#include "app/journal.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LARGE (64L * 1024) /* who makes it larger folds it */
#define KEEP_EVERY_MS 1000      /* counts are written down so often at most, */
#define KEEP_EVENTS_EVERY_MS 20 /* and events: a burst of deliveries shares the writes */
#define LOCK_MS 10000
#define LEAF_EVENTS 40 /* events that one value of the store holds at most */
#define LEAVES (JOURNAL_EVENTS / LEAF_EVENTS)
#define DAY_MS (24LL * 3600 * 1000)
#define DAYS_KEPT 9

/* The store's values. */
#define SUMS "journal/sums"
#define NEWEST "journal/newest" /* the number of the newest leaf; leaves are counted on for ever, */
#define LEAF_NAME_SIZE 24       /* and its value's name is journal/leaf/ and that modulo LEAVES */

/* -- writing -- */

void journal_keep(struct app *app)
{
    if (app->config_ok && tally_keep(&app->tally, &app->config) > FILE_LARGE && app->store)
        journal_fold(app);
}

int64_t journal_keep_now_and_then(struct app *app)
{
    struct tally *tally = &app->tally;
    int64_t every_ms = tally->events.len ? KEEP_EVENTS_EVERY_MS : KEEP_EVERY_MS,
            left_ms = tally->kept_mono_ms + every_ms - clock_mono_ms();

    if (left_ms <= 0) {
        journal_keep(app);
        left_ms = KEEP_EVERY_MS; /* if that failed */
    }
    return tally->counted || tally->events.len ? left_ms : 0;
}

/* -- the store -- */

static void day_name(int64_t wall_ms, char out[LEAF_NAME_SIZE])
{
    char iso[32];

    clock_format_iso(wall_ms, iso);
    snprintf(out, LEAF_NAME_SIZE, "journal/day/%.10s", iso);
}

static void leaf_name(int64_t number, char out[LEAF_NAME_SIZE])
{
    snprintf(out, LEAF_NAME_SIZE, "journal/leaf/%d", (int)(number % LEAVES));
}

/* The next line of *at, which it ends and passes; NULL = there is none. */
static char *next_line(char **at)
{
    char *line = *at, *end = line ? strchr(line, '\n') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

static enum store_result read_counts(struct app *app, const char *name, struct tally_counts *counts)
{
    char *text = NULL;
    enum store_result result = store_get(app->store, name, &text);

    for (char *at = text, *line; (line = next_line(&at));)
        (void)tally_parse(counts, line);
    free(text);
    return result == STORE_NONE ? STORE_OK : result;
}

/* Adds to what the store has under this name. */
static enum store_result add_counts(struct app *app, const char *name, const struct tally_counts *more,
                                    int64_t ttl_ms)
{
    struct tally_counts counts = {0};
    struct buf text;
    enum store_result result = read_counts(app, name, &counts);

    tally_add_all(&counts, more);
    buf_init(&text, STORE_VALUE_MAX);
    if (result == STORE_OK)
        result =
            tally_print(&counts, "", &text) ? store_put(app->store, name, text.data, ttl_ms) : STORE_FULL;
    buf_free(&text);
    return result;
}

/* A leaf in hand. */
struct leaf {
    int64_t number;
    int events;
    struct buf text;
};

static enum store_result read_leaf(struct app *app, struct leaf *leaf)
{
    char name[LEAF_NAME_SIZE], *text = NULL;

    leaf_name(leaf->number, name);
    enum store_result result = store_get(app->store, name, &text);
    leaf->events = 0;
    buf_reset(&leaf->text);
    if (text && buf_adds(&leaf->text, text))
        for (const char *p = text; (p = strchr(p, '\n')); p++)
            leaf->events++;
    free(text);
    return result == STORE_NONE ? STORE_OK : result;
}

static enum store_result write_leaf(struct app *app, const struct leaf *leaf)
{
    char name[LEAF_NAME_SIZE];

    leaf_name(leaf->number, name);
    return leaf->events ? store_put(app->store, name, leaf->text.data, JOURNAL_DAYS * DAY_MS) : STORE_OK;
}

/* Adds the events behind those that are there. */
static enum store_result add_events(struct app *app, const struct buf *events)
{
    struct leaf leaf = {0};
    enum store_result result = app_number(app, NEWEST, &leaf.number);

    buf_init(&leaf.text, STORE_VALUE_MAX);
    if (result == STORE_OK && events->len)
        result = read_leaf(app, &leaf);
    for (const char *line = events->data, *end; result == STORE_OK && (end = strchr(line, '\n'));
         line = end + 1) {
        size_t len = (size_t)(end + 1 - line);
        if (leaf.events >= LEAF_EVENTS || leaf.text.len + len > STORE_VALUE_MAX) {
            result = write_leaf(app, &leaf);
            leaf.number++;
            leaf.events = 0;
            buf_reset(&leaf.text);
        }
        leaf.events += buf_add(&leaf.text, line, len);
    }
    if (result == STORE_OK && events->len)
        result = write_leaf(app, &leaf);
    if (result == STORE_OK && events->len)
        result = app_put_number(app, NEWEST, leaf.number, 0);
    buf_free(&leaf.text);
    return result;
}

/* Lines of a file -> sums and events. */
static void sort_lines(struct buf *lines, struct tally_counts *counts, struct buf *events)
{
    struct tally_event event;

    for (char *at = lines->data, *line; lines->len && (line = next_line(&at));)
        if (*line == '+')
            (void)tally_parse(counts, line + 1);
        else if (tally_parse_event(line, &event))
            (void)buf_addf(events, "%s\n", line);
}

static void fold_lines(struct app *app, struct buf *lines)
{
    struct tally_counts counts = {0};
    struct buf events;
    char day[LEAF_NAME_SIZE];

    buf_init(&events, TALLY_KEPT_MAX);
    sort_lines(lines, &counts, &events);
    day_name(clock_wall_ms(), day);
    enum store_result result = add_events(app, &events);
    if (result == STORE_OK)
        result = add_counts(app, day, &counts, DAYS_KEPT * DAY_MS);
    if (result == STORE_OK)
        result = add_counts(app, SUMS, &counts, 0);
    if (result != STORE_OK)
        app_lost(app, "all of the journal");
    buf_free(&events);
}

void journal_fold(struct app *app)
{
    char token[17];
    struct buf lines;

    if (!tally_is_kept(&app->config) || !digest_token(token, sizeof token))
        return;
    if (store_lock(app->store, "journal", token, LOCK_MS) != STORE_OK)
        return;
    buf_init(&lines, TALLY_KEPT_MAX);
    if (tally_take(&app->config, &lines))
        fold_lines(app, &lines);
    buf_free(&lines);
    app_unlock(app, "journal", token);
}

/* -- reading -- */

enum store_result journal_sums(struct app *app, struct tally_counts *out)
{
    *out = (struct tally_counts){0};
    return read_counts(app, SUMS, out);
}

enum store_result journal_day(struct app *app, int days_ago, struct tally_counts *out)
{
    char name[LEAF_NAME_SIZE];

    *out = (struct tally_counts){0};
    day_name(clock_wall_ms() - days_ago * DAY_MS, name);
    return read_counts(app, name, out);
}

/* The leaf's events, the newest first, of those since since_ms. False = stop. */
static bool each_of_leaf(struct leaf *leaf, int64_t since_ms, journal_visit *take, void *context)
{
    struct tally_event event[LEAF_EVENTS];
    int n = 0;

    for (char *at = leaf->text.data, *line; leaf->events && n < LEAF_EVENTS && (line = next_line(&at));)
        n += tally_parse_event(line, &event[n]);
    while (n-- > 0)
        if (event[n].at_ms < since_ms || !take(&event[n], context))
            return false;
    return true;
}

enum store_result journal_each(struct app *app, journal_visit *take, void *context)
{
    struct leaf leaf = {0};
    int64_t newest, since_ms = clock_wall_ms() - JOURNAL_DAYS * DAY_MS;
    enum store_result result = app_number(app, NEWEST, &newest);

    buf_init(&leaf.text, STORE_VALUE_MAX);
    for (leaf.number = newest; result == STORE_OK && leaf.number >= 0 && leaf.number > newest - LEAVES;
         leaf.number--) {
        result = read_leaf(app, &leaf);
        if (result != STORE_OK || !leaf.events || !each_of_leaf(&leaf, since_ms, take, context))
            break;
    }
    buf_free(&leaf.text);
    return result;
}
