#include "app/tally.h"
#include "app/place.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_MAX (64L * 1024) /* bytes in hand */
#define FILE_MAX (1024L * 1024) /* where nothing folds it, it grows no more */
#define LOCK_TRIES 3

/* -- counters -- */

const char *const tally_names[TALLY_COUNTERS] = {
    /* answers to deliveries, and to whoever sends what is none */
    "received/synced", "received/duplicate", "received/stale", "received/ignored", "received/foreign",
    "received/queued", "received/dead_letter", "received/spooled", "received/bad_json",
    "received/unavailable", "received/ping", "received/refused", "received/limited", "received/malformed",
    /* how work on an order ended */
    "done/synced", "done/nothing", "done/queued", "done/dead_letter",
    /* what GHL answered to a call */
    "ghl/ok", "ghl/limited", "ghl/unauthorized", "ghl/refused", "ghl/error", "ghl/no_answer",
    /* how long answers took, in ms at most */
    "took/5", "took/10", "took/25", "took/50", "took/100", "took/250", "took/500", "took/1000", "took/2500",
    "took/5000", "took/10000", "took/+Inf", TALLY_TOOK,
    /* what the owner did on the page */
    "owner/retry", "owner/drop", "owner/login", "owner/login_failed", "owner/login_limited",
    /* no sum */
    TALLY_LAST_ORDER};

static bool is_largest(size_t i)
{
    return !strcmp(tally_names[i], TALLY_LAST_ORDER);
}

static void add(struct tally_counts *counts, size_t i, int64_t n)
{
    if (!is_largest(i))
        counts->n[i] += n;
    else if (n > counts->n[i])
        counts->n[i] = n;
}

void tally_add(struct tally_counts *counts, const char *name, int64_t n)
{
    for (size_t i = 0; i < TALLY_COUNTERS; i++)
        if (!strcmp(tally_names[i], name)) {
            add(counts, i, n);
            return;
        }
}

int64_t tally_of(const struct tally_counts *counts, const char *name)
{
    for (size_t i = 0; i < TALLY_COUNTERS; i++)
        if (!strcmp(tally_names[i], name))
            return counts->n[i];
    return 0;
}

void tally_add_all(struct tally_counts *counts, const struct tally_counts *more)
{
    for (size_t i = 0; i < TALLY_COUNTERS; i++)
        add(counts, i, more->n[i]);
}

bool tally_print(const struct tally_counts *counts, const char *mark, struct buf *out)
{
    for (size_t i = 0; i < TALLY_COUNTERS; i++)
        if (counts->n[i])
            (void)buf_addf(out, "%s%s %" PRId64 "\n", mark, tally_names[i], counts->n[i]);
    return !out->failed;
}

bool tally_parse(struct tally_counts *counts, const char *line)
{
    const char *blank = strchr(line, ' ');
    char name[32], *end;

    if (!blank || !text_format(name, sizeof name, "%.*s", (int)(blank - line), line))
        return false;
    int64_t n = strtoll(blank + 1, &end, 10);
    if (end == blank + 1 || *end)
        return false;
    tally_add(counts, name, n);
    return true;
}

/* -- events -- */

void tally_word(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; n < size - 1 && text[n]; n++)
        out[n] = text[n] > ' ' && text[n] <= '~' ? text[n] : '_';
    if (!n)
        out[n++] = '-';
    out[n] = '\0';
}

bool tally_parse_event(const char *line, struct tally_event *e)
{
    char *end;

    e->at_ms = strtoll(line, &end, 10);
    e->took_ms = strtoll(end, &end, 10);
    return sscanf(end, " %11[^ \n] %159[^ \n] %39[^ \n] %23[^ \n] %39[^ \n] %63[^ \n] %63[^ \n]", e->kind,
                  e->key, e->number, e->what, e->why, e->id, e->parts) == 7;
}

/* -- what a process has not written down yet -- */

void tally_init(struct tally *tally)
{
    *tally = (struct tally){0};
    buf_init(&tally->events, EVENTS_MAX);
}

void tally_free(struct tally *tally)
{
    buf_free(&tally->events);
}

void tally_count(struct tally *tally, const char *family, const char *name)
{
    char whole[32];

    if (text_format(whole, sizeof whole, "%s/%s", family, name))
        tally_add(&tally->counts, whole, 1);
    tally->counted = true;
}

void tally_took(struct tally *tally, int64_t ms)
{
    static const int limit[] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};
    char word[12] = "+Inf";

    for (size_t i = sizeof limit / sizeof *limit; i-- > 0 && ms <= limit[i];)
        snprintf(word, sizeof word, "%d", limit[i]);
    tally_count(tally, "took", word);
    tally_add(&tally->counts, TALLY_TOOK, ms);
}

void tally_note(struct tally *tally, const struct tally_told *e)
{
    const struct tally_event *sizes = NULL;
    const struct {
        const char *text;
        size_t size;
    } word[] = {{e->kind, sizeof sizes->kind},     {e->key, sizeof sizes->key},
                {e->number, sizeof sizes->number}, {e->what, sizeof sizes->what},
                {e->why, sizeof sizes->why},       {e->id, sizeof sizes->id},
                {e->parts, sizeof sizes->parts}};
    char kept[sizeof sizes->key];

    (void)buf_addf(&tally->events, "%" PRId64 " %" PRId64, e->at_ms ? e->at_ms : clock_wall_ms(), e->took_ms);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        tally_word(kept, word[i].size, word[i].text ? word[i].text : "");
        (void)buf_addf(&tally->events, " %s", kept);
    }
    (void)buf_addc(&tally->events, '\n');
}

/* -- the file -- */

/* Opened and locked, or -1. Nobody waits for a lock: who has it may be stopped. */
static int open_locked(const struct config *config, int flags, int how)
{
    int fd = place_open(config, "journal", flags, NULL);

    for (int tries = 0; fd >= 0 && flock(fd, how | LOCK_NB) != 0; tries++) {
        if (tries < LOCK_TRIES && clock_sleep_ms(1, NULL))
            continue;
        close(fd);
        fd = -1;
    }
    return fd;
}

static int64_t append(const struct config *config, const struct buf *lines)
{
    struct stat st = {0};
    int fd = open_locked(config, O_WRONLY | O_APPEND | O_CREAT, LOCK_SH);
    bool good = fd >= 0 && fstat(fd, &st) == 0 &&
                (st.st_size > FILE_MAX || write(fd, lines->data, lines->len) == (ssize_t)lines->len);

    if (fd >= 0)
        close(fd);
    return good ? st.st_size + (int64_t)lines->len : -1;
}

int64_t tally_keep(struct tally *tally, const struct config *config)
{
    struct buf lines;
    int64_t size = -1;

    tally->kept_mono_ms = clock_mono_ms();
    if (!tally->counted && !tally->events.len)
        return 0;
    buf_init(&lines, FILE_MAX);
    if (tally_print(&tally->counts, "+", &lines) && buf_add(&lines, tally->events.data, tally->events.len))
        size = append(config, &lines);
    buf_free(&lines);
    if (size >= 0) {
        buf_reset(&tally->events);
        tally->counts = (struct tally_counts){0};
        tally->counted = false;
    }
    return size;
}

bool tally_is_kept(const struct config *config)
{
    struct stat st = {0};
    int fd = place_open(config, "journal", O_RDONLY, NULL);
    bool kept = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0;

    if (fd >= 0)
        close(fd);
    return kept;
}

bool tally_take(const struct config *config, struct buf *lines)
{
    int fd = open_locked(config, O_RDWR, LOCK_EX);
    bool good = fd >= 0 && files_read_fd(fd, lines, NULL) && lines->len > 0 && ftruncate(fd, 0) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}
