#include "app/heartbeat.h"
#include "app/alert.h"
#include "app/place.h"
#include "base/clock.h"
#include "base/text.h"
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_MS 60000
#define LOOK_MS 1000 /* its file is looked at so often */
#define OVERDUE_MS (10LL * 60 * 1000)
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

/* -- the copies in the store -- */

bool heartbeat_beat(struct app *app)
{
    char host[HOST_NAME_MAX + 1] = "", name[sizeof host + sizeof HEARTBEAT_VALUE], now[24];

    touch(app);
    if (gethostname(host, sizeof host) != 0 || !*host)
        (void)text_copy(host, sizeof host, "?");
    host[sizeof host - 1] = '\0';
    (void)text_format(name, sizeof name, HEARTBEAT_VALUE "%s", host);
    (void)text_format(now, sizeof now, "%" PRId64, store_now_ms(app->store));
    return store_put(app->store, name, now, MACHINE_TTL_MS) == STORE_OK;
}

bool heartbeat_anywhere(struct app *app)
{
    int64_t age_ms = heartbeat_age_ms(app);
    struct buf values;
    bool found = false;

    if (age_ms >= 0 && age_ms < OVERDUE_MS)
        return true;
    buf_init(&values, STORE_BLOB_MAX);
    if (store_values(app->store, HEARTBEAT_VALUE, &values) == STORE_OK)
        for (const char *at = values.data; at < values.data + values.len;) {
            const char *value = at + strlen(at) + 1;
            found |= store_now_ms(app->store) - text_number(value, NULL) < OVERDUE_MS;
            at = value + strlen(value) + 1;
        }
    buf_free(&values);
    return found;
}

/* -- is one needed? -- */

static bool look_at_spool(const struct app *app, struct spool_stats *spool)
{

    *spool = (struct spool_stats){0};
    return app->spool && spool_stats(app->spool, spool, NULL) && spool->deliveries + spool->ids > 0;
}

/* due_ms: when the first order is due; 0 = none waits. */
static bool is_overdue(struct app *app, int64_t due_ms, const struct spool_stats *spool)
{
    int64_t age_ms = heartbeat_age_ms(app);

    if (age_ms >= 0 && age_ms < OVERDUE_MS)
        return false;
    if (spool->oldest_ms > OVERDUE_MS)
        return true;
    return due_ms && store_now_ms(app->store) - due_ms > OVERDUE_MS &&
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
    static const char text[] =
        "Orders wait for more than 10 minutes and nothing drains: run `woo_ghl drain` from cron or "
        "as a service, on every machine";
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
    if (!app->store || store_list(app->store, INDEX_DUE, 0, "", 1, &first, &n) != STORE_OK)
        n = 0;
    bool due = n > 0 && first.at_ms <= store_now_ms(app->store);
    if ((files || due) && is_overdue(app, due ? first.at_ms : 0, &spool)) {
        if (alert_raise(app, ALERT_UNDRAINED, "%s", text))
            log_event(app->log, LOG_LEVEL_WARN, "undrained", NULL, "%s", text);
    }
    return files || due;
}
