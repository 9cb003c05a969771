#include "app/alert.h"
#include "app/alert_send.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 2048 /* less than a pipe holds: writing it never waits */

/* What an alert of this kind costs, and what there is to do, for an owner. */
static const struct {
    const char *name, *costs, *mend;
    bool lasts; /* an all-clear follows */
} kinds[ALERT_KINDS] = {
    [ALERT_PAUSED] =
        {"paused", "All orders wait; none is lost.",
         "Mend what the first line names; work goes on within a minute. `woo_ghl check` says more.", true},
    [ALERT_BREAKER] = {"breaker", "Orders wait; none is lost.",
                       "Nothing, unless it lasts: GHL's status page is status.gohighlevel.com.", true},
    [ALERT_DEAD] = {"dead_letter", "This order is not in GHL until you act; it is kept.",
                    "`woo_ghl failed` shows it; mend the cause, then `woo_ghl failed retry KEY`.", false},
    [ALERT_EXPIRING] = {"expiring", "After that a retry needs the shop (WOO_URL) to read the order again.",
                        "`woo_ghl failed`: retry or drop them.", false},
    [ALERT_UNDRAINED] = {"undrained", "Orders that wait do not reach GHL.",
                         "Start woo_ghl-drain.service, or the cron line of deploy/cron.", true},
    [ALERT_CONFLICT] = {"conflict", "GHL counts this order twice.",
                        "Look at both in GHL, and delete the one too many.", false},
    [ALERT_LIMIT] = {"limit", "Orders wait; none is lost.",
                     "Nothing, unless it lasts: see what else uses this location's API limit.", true},
    [ALERT_LATE] = {"late", "These orders are not in GHL yet.", "`woo_ghl status` says why they wait.", true},
    [ALERT_SPOOL] = {"spool", "These deliveries are not in GHL yet.", "`woo_ghl status` says what they need.",
                     true},
    [ALERT_SEALED] = {"sealed", "These orders wait until their key is there.",
                      "Set the setting that the first line names.", false},
    [ALERT_STORE] = {"store", "New orders are kept in this machine's spool, as long as its disk has room.",
                     "Start the store again; `woo_ghl check` says what it misses.", true},
    [ALERT_SILENT] =
        {"silent", "If the webhook is disabled, every order is missed until it is active again.",
         "WooCommerce > Settings > Advanced > Webhooks: is it Active? Then run `woo_ghl reconcile`.", true},
    [ALERT_SHOP] = {"shop", "Orders whose webhook never came stay unknown.",
                    "Mend what the first line names.", true},
    [ALERT_WEBHOOK] = {"webhook", "What this webhook should deliver is missed.",
                       "`woo_ghl check` looks for the cause.", true},
    [ALERT_NOT_ORDER] = {"not_order", "Orders may be lost until somebody acts.",
                         "Save the webhook again as an administrator, then run `woo_ghl reconcile`.", false},
    [ALERT_FOREIGN] = {"foreign", "They are kept and change nothing in GHL.",
                       "A clone: pause its webhooks. Another shop of yours: name it in WOO_SHOPS, then "
                       "`woo_ghl failed retry --all`.",
                       false},
    [ALERT_UNMAPPED] = {"unmapped", "These orders make no opportunity.", "Add the status to GHL_STATUS_MAP.",
                        false},
    [ALERT_ERASED] = {"erased", "GHL keeps what GHL_ON_ERASE says.",
                      "Nothing, if GHL_ON_ERASE is as you want it.", false},
    [ALERT_SUB_ORDER] = {"sub_order", "They make no opportunity; their parents do.",
                         "Nothing, or SUB_ORDERS=count if each is a sale of its own.", false},
    [ALERT_LEFT] = {"left_behind", "These orders wait until the command was run.",
                    "Run the command that the first line names.", true},
};

/* An alert of any kind, or an all-clear; NULL when out of memory. */
static json_t *make_alert(struct app *app, const char *kind, const char *what, int64_t since_ms,
                          const char *costs, const char *mend)
{
    char host[256] = "", shop[512], since[32] = "";

    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    (void)text_format(shop, sizeof shop, "%s%s%s%s", app->config.shop, *app->config.woo_url ? " (" : "",
                      app->config.woo_url, *app->config.woo_url ? ")" : "");
    if (since_ms)
        clock_format_iso(since_ms, since);
    return json_pack("{ss so ss so ss ss ss}", "kind", kind, "shop", json_from_text(shop), "host", host,
                     "what", json_from_text(what), "since", since, "costs", costs, "mend", mend);
}

json_t *alert_test(struct app *app)
{
    return make_alert(app, "test", "This is a test: alerts arrive", clock_wall_ms(), "Nothing.", "Nothing.");
}

static bool is_wanted(const struct app *app)
{
    return *app->config.alert_command || *app->config.alert_url;
}

/* A confined worker starts no process: the one apart does it. alert NULL: what failed before is tried again. */
static bool send_process(const struct app *app, const json_t *alert)
{
    char *text = alert ? json_written(alert, JSON_COMPACT) : strdup(" ");
    bool good = text && (app->alerts < 0 ? alert_send(text, strlen(text))
                                         : alert_send_apart(app->alerts, text, strlen(text)));

    free(text);
    return good;
}

static void start(struct app *app, const char *kind, json_t *alert)
{
    struct log_about about = {.reason = kind};

    if (!alert || !send_process(app, alert))
        log_event(app->log, LOG_LEVEL_ERROR, "alert", &about,
                  "The alert cannot be sent: no process can be started");
    json_decref(alert);
}

/* -- whose turn -- */

/* Without the store the processes of one machine still share DATA_DIR: the age of a file says when. */
static bool take_turn_by_file(const struct app *app, const char *kind)
{
    struct stat st;
    struct timespec now;
    char name[64];
    int fd;

    snprintf(name, sizeof name, "alert.%s", kind);
    if (!files_lock(app->config.data_dir, name, &fd) || fd < 0)
        return false;
    bool mine = fstat(fd, &st) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0;
    if (mine) {
        int64_t age_ms = ((int64_t)now.tv_sec - (int64_t)st.st_mtim.tv_sec) * 1000;
        /* The first byte tells a file that was used from one that was just made. */
        mine = (st.st_size == 0 || age_ms < 0 || age_ms >= app->config.alert_every_ms) &&
               pwrite(fd, "1", 1, 0) == 1 && futimens(fd, NULL) == 0;
    }
    close(fd);
    return mine;
}

static bool take_turn(struct app *app, enum alert_kind kind, const char *subject)
{
    char name[128];
    bool turn;

    (void)text_format(name, sizeof name, "alert/%s%s%s", kinds[kind].name, *subject ? "/" : "", subject);
    if (kind != ALERT_STORE && app_take_turn(app, name, app->config.alert_every_ms, &turn))
        return turn;
    return take_turn_by_file(app, kinds[kind].name);
}

/* -- since when: what was told and lasts, or ended a moment ago -- */

#define RAISED "raised" /* and the kind: a value, or a file in DATA_DIR for the store's own trouble */
#define RAISED_TTL_MS (30LL * 24 * 3600 * 1000)
#define SETTLED_MS (5LL * 60 * 1000) /* trouble that was away for so long is over */

/* ms since 1970; over_ms 0: it lasts. */
struct raised {
    int64_t since_ms, over_ms;
};

static int64_t now_ms(const struct app *app)
{
    return app->store ? store_now_ms(app->store) : clock_wall_ms();
}

static bool read_raised_file(const struct app *app, const char *kind, struct buf *out)
{
    char name[64];
    int dir = files_open_dir(app->config.data_dir, NULL);

    (void)text_format(name, sizeof name, RAISED ".%s", kind);
    bool good = dir >= 0 && files_read(dir, name, out, NULL) == FILES_OK;
    if (dir >= 0)
        close(dir);
    return good;
}

static bool read_raised(struct app *app, enum alert_kind kind, struct raised *raised)
{
    char name[64], *value = NULL, *rest = NULL;
    struct buf text;

    buf_init(&text, 256);
    (void)text_format(name, sizeof name, RAISED "/%s", kinds[kind].name);
    bool good = kind == ALERT_STORE ? read_raised_file(app, kinds[kind].name, &text)
                                    : app->store && store_get(app->store, name, &value) == STORE_OK;
    if (good) {
        raised->since_ms = strtoll(value ? value : text.data, &rest, 10);
        raised->over_ms = strtoll(rest, NULL, 10);
    }
    free(value);
    buf_free(&text);
    return good;
}

/* since_ms 0: it is forgotten. False: it could not be kept, or another process forgot it before. */
static bool keep_raised(struct app *app, enum alert_kind kind, const struct raised *raised)
{
    char name[64], value[64];

    (void)text_format(value, sizeof value, "%" PRId64 " %" PRId64, raised->since_ms, raised->over_ms);
    if (kind != ALERT_STORE) {
        (void)text_format(name, sizeof name, RAISED "/%s", kinds[kind].name);
        return app->store &&
               store_put(app->store, name, raised->since_ms ? value : NULL, RAISED_TTL_MS) == STORE_OK;
    }
    (void)text_format(name, sizeof name, RAISED ".%s", kinds[kind].name);
    int dir = files_open_dir(app->config.data_dir, NULL);
    bool good =
        dir >= 0 && (raised->since_ms ? files_write(dir, name, value, strlen(value), false, NULL) == FILES_OK
                                      : unlinkat(dir, name, 0) == 0);
    if (dir >= 0)
        close(dir);
    return good;
}

/* It is there (again). `told`: the first time that it is told. Since when. */
static int64_t note_raised(struct app *app, enum alert_kind kind, bool told)
{
    struct raised raised = {.since_ms = now_ms(app)};

    if (!kinds[kind].lasts)
        return raised.since_ms;
    bool known = read_raised(app, kind, &raised);
    if (known ? raised.over_ms != 0 : told) {
        raised.over_ms = 0;
        if (!keep_raised(app, kind, &raised))
            log_event(app->log, LOG_LEVEL_WARN, "alert", NULL,
                      "No all-clear of %s will follow: it cannot be noted", kinds[kind].name);
    }
    return raised.since_ms;
}

bool alert_raise_of(struct app *app, enum alert_kind kind, const char *subject, const char *fmt, ...)
{
    char said[TEXT_MAX], shown[TEXT_MAX];
    va_list args;

    bool turn = take_turn(app, kind, subject);
    int64_t since_ms = is_wanted(app) ? note_raised(app, kind, turn) : 0;
    if (!turn || !is_wanted(app))
        return turn;
    va_start(args, fmt);
    (void)text_vformat(said, sizeof said, fmt, args);
    va_end(args);
    start(app, kinds[kind].name,
          make_alert(app, kinds[kind].name, log_printable(app->log, said, shown, sizeof shown), since_ms,
                     kinds[kind].costs, kinds[kind].mend));
    return true;
}

void alert_tell(struct app *app, enum alert_kind kind, enum log_level level, const char *event,
                const char *text)
{
    if (alert_raise(app, kind, "%s", text))
        log_event(app->log, level, event, NULL, "%s", text);
}

void alert_over(struct app *app, enum alert_kind kind)
{
    char what[128], began[32];
    struct raised raised = {0}, forgotten = {0};

    if (!is_wanted(app) || !read_raised(app, kind, &raised))
        return;
    if (!raised.over_ms) {
        raised.over_ms = now_ms(app);
        (void)keep_raised(app, kind, &raised); /* otherwise the next look notes it */
        return;
    }
    /* Whoever takes it away tells it. */
    if (now_ms(app) - raised.over_ms < SETTLED_MS || !keep_raised(app, kind, &forgotten))
        return;
    clock_format_iso(raised.since_ms, began);
    (void)text_format(what, sizeof what, "All clear: what was told on %s is over", began);
    start(app, kinds[kind].name, make_alert(app, kinds[kind].name, what, raised.since_ms, "", ""));
}

void alert_begin_apart(struct app *app)
{
    if (app->store)
        store_before_fork(app->store);
    app->alerts = alert_apart();
}

void alert_again(struct app *app)
{
    bool due;

    if (alert_waiting(&app->config, &due) > 0 && due && !send_process(app, NULL))
        log_event(app->log, LOG_LEVEL_ERROR, "alert", NULL,
                  "Alerts that failed cannot be sent: no process can be started");
}

void alert_others(struct app *app, const char *key, unsigned others, const char *contact_id,
                  const char *opportunity_id, bool created)
{
    bool second = others & OTHER_OPPORTUNITY, contact = !second && created && others & OTHER_CONTACT;
    struct log_about about = {.order = key, .ghl_id = second ? opportunity_id : contact_id};

    if (second || contact) {
        const char *what = second ? "opportunity" : "contact";
        log_event(app->log, LOG_LEVEL_ERROR, "conflict", &about,
                  "The store has another %s of this order already: look for a second one in GHL", what);
        (void)alert_raise(app, ALERT_CONFLICT, "Order %s has a second %s: look for %s in GHL", key, what,
                          about.ghl_id ? about.ghl_id : "it");
    } else if (others) {
        log_event(app->log, LOG_LEVEL_INFO, "contact", &about,
                  "The store has another contact of this order: it stays");
    }
}
