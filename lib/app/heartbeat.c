#include "app/heartbeat.h"
#include "app/alert.h"
#include "app/place.h"
#include "base/clock.h"
#include "base/text.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_MS 60000
#define LOOK_MS 1000   /* its file is looked at so often */
#define VALUE "drain/" /* and the machine's name; tell says what the value is */
#define MACHINE_TTL_MS (7LL * 24 * 3600 * 1000)

/* -- the file -- */

static void touch(const struct app *app)
{
    struct error e = ERROR_NONE;
    int fd = place_open(&app->config, "drain", O_WRONLY | O_CREAT, &e);
    bool good = fd >= 0 && futimens(fd, NULL) == 0;

    if (fd >= 0)
        close(fd);
    if (!good)
        log_event(app->log, LOG_LEVEL_WARN, "drain", NULL,
                  "The web workers cannot see that this drain runs, so they drain, too: %s",
                  *e.text ? e.text : "its file's time cannot be set");
}

int64_t heartbeat_age_ms(const struct app *app)
{
    struct stat st;
    int64_t age_ms = -1;
    int fd = place_open(&app->config, "drain", O_RDONLY, NULL);

    if (fd >= 0 && fstat(fd, &st) == 0)
        age_ms = clock_wall_ms() - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (fd >= 0)
        close(fd);
    return age_ms >= 0 ? age_ms : -1; /* of the future: the clock was set back */
}

/* -- the spool -- */

/* True if something lies in it that can be moved. */
static bool look_at_spool(const struct app *app, struct spool_stats *spool)
{
    *spool = (struct spool_stats){0};
    return app->spool && spool_stats(app->spool, spool, NULL) && spool->deliveries + spool->ids > 0;
}

/* -- the copies in the store -- */

void heartbeat_machine(char name[HEARTBEAT_NAME_SIZE])
{
    if (gethostname(name, HEARTBEAT_NAME_SIZE) != 0 || !*name)
        (void)text_copy(name, HEARTBEAT_NAME_SIZE, "?");
    name[HEARTBEAT_NAME_SIZE - 1] = '\0';
}

/* "DRAINED_MS TOLD_MS FILES OLDEST_MS", as in struct heartbeat. drained_ago_ms: -1 = never. */
static bool tell(struct app *app, int64_t drained_ago_ms, const struct spool_stats *spool)
{
    char host[HEARTBEAT_NAME_SIZE], name[sizeof host + sizeof VALUE], value[96];

    if (!app->store)
        return false;
    int64_t now_ms = store_now_ms(app->store);
    heartbeat_machine(host);
    (void)text_format(name, sizeof name, VALUE "%s", host);
    (void)text_format(value, sizeof value, "%" PRId64 " %" PRId64 " %ld %" PRId64,
                      drained_ago_ms < 0 ? 0 : now_ms - drained_ago_ms, now_ms,
                      spool->deliveries + spool->ids + spool->locked,
                      spool->oldest_ms ? now_ms - spool->oldest_ms : 0);
    return store_put(app->store, name, value, MACHINE_TTL_MS) == STORE_OK;
}

bool heartbeat_beat(struct app *app)
{
    struct spool_stats spool;

    touch(app);
    (void)look_at_spool(app, &spool);
    return tell(app, 0, &spool);
}

/* For a worker. An embedded store has no other machine to tell, and a put may wait for its writer. */
static void tell_others(struct app *app, int64_t age_ms, const struct spool_stats *spool)
{
    if (*app->config.redis_url)
        (void)tell(app, age_ms, spool); /* if it cannot, this machine is silent */
}

void heartbeat_tell_spool(struct app *app, bool moved)
{
    int64_t now = clock_mono_ms();
    struct spool_stats spool;

    if (!moved && now < app->drains_until_mono_ms)
        return;
    app->drains_until_mono_ms = now + LOOK_MS;
    int64_t age_ms = heartbeat_age_ms(app);
    if ((moved || age_ms < 0 || age_ms >= FRESH_MS) && (look_at_spool(app, &spool) || moved))
        tell_others(app, age_ms, &spool);
}

enum store_result heartbeat_read(struct app *app, struct buf *all)
{
    return store_values(app->store, VALUE, all);
}

bool heartbeat_next(const struct buf *all, size_t *at, struct heartbeat *beat)
{
    const char *value, *name = store_next_value(all, at, &value);

    if (!name)
        return false;
    beat->machine = name + sizeof VALUE - 1;
    beat->drained_ms = text_number(value, &value);
    beat->told_ms = text_number(value, &value);
    beat->files = text_number(value, &value);
    beat->oldest_ms = text_number(value, &value);
    if (!beat->told_ms) /* of a version that told of drains alone */
        beat->told_ms = beat->drained_ms;
    return true;
}

bool heartbeat_anywhere(struct app *app)
{
    int64_t age_ms = heartbeat_age_ms(app);
    struct heartbeat beat;
    struct buf all;
    size_t at = 0;
    bool found = false;

    if (age_ms >= 0 && age_ms < HEARTBEAT_OVERDUE_MS)
        return true;
    buf_init(&all, STORE_BLOB_MAX);
    if (heartbeat_read(app, &all) == STORE_OK)
        while (heartbeat_next(&all, &at, &beat))
            found |= store_now_ms(app->store) - beat.drained_ms < HEARTBEAT_OVERDUE_MS;
    buf_free(&all);
    return found;
}

/* -- is one needed? -- */

/* due_ms: when the first order is due; 0 = none waits. */
static bool is_overdue(struct app *app, int64_t due_ms, const struct spool_stats *spool)
{
    int64_t age_ms = heartbeat_age_ms(app);

    if (age_ms >= 0 && age_ms < HEARTBEAT_OVERDUE_MS)
        return false;
    if (spool->oldest_ms > HEARTBEAT_OVERDUE_MS)
        return true;
    return due_ms && store_now_ms(app->store) - due_ms > HEARTBEAT_OVERDUE_MS &&
           location_hold(&app->orders.location) == HOLD_NONE && !heartbeat_anywhere(app);
}

bool drain_is_overdue(struct app *app, const struct store_sizes *sizes)
{
    struct spool_stats spool;

    (void)look_at_spool(app, &spool);
    return is_overdue(app, sizes->first_ms[INDEX_DUE], &spool);
}

bool drain_is_wanted(struct app *app)
{
    int64_t now = clock_mono_ms();
    struct spool_stats spool;
    struct store_entry first;
    size_t n = 0;

    if (now < app->drains_until_mono_ms)
        return false;
    int64_t age_ms = heartbeat_age_ms(app);
    if (age_ms >= 0 && age_ms < FRESH_MS) {
        app->drains_until_mono_ms = now + (FRESH_MS - age_ms < LOOK_MS ? FRESH_MS - age_ms : LOOK_MS);
        return false;
    }
    bool files = look_at_spool(app, &spool);
    if (files)
        tell_others(app, age_ms, &spool);
    if (!app->store || store_list(app->store, INDEX_DUE, 0, "", 1, &first, &n) != STORE_OK)
        n = 0;
    bool due = n > 0 && first.at_ms <= store_now_ms(app->store);
    if ((files || due) && is_overdue(app, due ? first.at_ms : 0, &spool))
        alert_tell(app, ALERT_UNDRAINED, LOG_LEVEL_WARN, "undrained",
                   "Orders wait for more than 10 minutes and nothing drains: run `woo_ghl drain` from cron "
                   "or as a service, on every machine");
    return files || due;
}
